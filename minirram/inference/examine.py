"""A run's answers to an examination on its macros."""

import time
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..crossbar.conditions import Conditions
from ..errors import ConfigError
from ..json_codec import Result
from ..nn.network import input_bits
from ..progress.stages import stage
from ..rng import stream
from .forward import predict
from .model import Model
from .product import ChipProduct


@dataclass(frozen=True)
class Figures(Result):
    """How good answers are; a figure that the task does not have is None."""

    accuracy: float
    """share of right answers, 0..1: of samples, or of the pixels in the field of view"""
    roc_auc: Optional[float]
    """area under the ROC curve of the pixels"""
    pr_auc: Optional[float]
    """area under the precision-recall curve of the pixels, as average precision"""
    sensitivity: Optional[float]
    """share of the positive pixels that are found; of several classes the mean of their shares"""
    specificity: Optional[float]
    """share of the negative pixels that are left out"""
    dice: Optional[float]
    """Dice coefficient of the positive pixels; of several classes the mean of theirs"""
    confusion: Optional[Tuple[Tuple[int, ...], ...]]
    """samples, or pixels in the field of view, by true class (row) and predicted class (column)"""

    @classmethod
    def of(cls, found: Dict[str, Any]) -> "Figures":
        """From what an examination's `figures` gives."""
        known = [field.name for field in fields(Figures)]
        if set(found) - set(known):
            raise ConfigError(f"an examination gives the figures {', '.join(sorted(found))}; known are {known}")
        return cls(**{name: _frozen(found.get(name)) for name in known})


def _mean(answers: List[Figures]) -> Dict[str, Any]:
    """{name: mean over the answers}; the confusion is that of the last one."""
    last = vars(answers[-1])
    numbers = [name for name, value in last.items() if isinstance(value, float)]
    return dict(last, **{name: float(np.mean([getattr(answer, name) for answer in answers])) for name in numbers})


def _frozen(value: Any) -> Any:
    return tuple(tuple(row) for row in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Score(Figures):
    """How a run answers an examination on its macros: means over the draws, the confusion of the last."""

    class_names: Optional[Tuple[str, ...]]
    """names of the classes, in the order of the confusion's rows and columns; None: nobody named them"""
    primary: str
    """name of the figure that the task is judged by"""
    by_draw: Tuple[float, ...]
    """the primary figure of each draw of the read noise"""
    ideal: Figures
    """the same on the run's own wires, without read noise and whatever else was asked for"""
    saturated: Dict[str, Tuple[int, ...]]
    """conversions that saturated in the last draw, by matrix and tile"""
    conversions: Dict[str, int]
    """conversions of the ADCs in the last draw, by matrix"""
    clipped: Dict[str, int]
    """activations out of their range in the last draw, by quantiser"""
    samples: int
    """samples, or whole images, that were answered"""
    samples_per_second: float
    """rate of the simulation, over all draws"""

    @property
    def value(self) -> float:
        """The primary figure."""
        return float(getattr(self, self.primary))

    @property
    def chance(self) -> Optional[float]:
        """Accuracy of the answer that is always the most frequent class; None without a confusion."""
        if not self.confusion or not np.sum(self.confusion):
            return None
        return float(np.sum(self.confusion, axis=1).max() / np.sum(self.confusion))


def examine(
    config: Any,
    chip: Any,
    *,
    model: Model,
    examination: Any,
    split: str,
    threads: int,
    draws: int = 1,
    observer: Optional[Callable[[str, np.ndarray], None]] = None,
    conditions: Optional[Conditions] = None,
) -> Score:
    """How a run answers an examination (see `tasks`) on its macros with everything on, and with ideal reads beside it.

    config: `RunConfig`. chip: `Chip` with the masks programmed. draws: of the read noise. observer: sees the codes of
    the first draw. conditions: of use; None: the run's wires, all else ideal. split: what is examined; its name, the
    run's seed and the draw name the read noise.
    """
    network, bits = config.network, input_bits(config.network)
    own = Conditions(wires=config.wires)
    conditions = own if conditions is None else conditions
    answers, started = [], time.perf_counter()
    with stage(f"examining {split}", (draws + 1) * getattr(examination, "calls", 1)) as going:
        for draw in range(draws):
            product = ChipProduct(
                chip,
                model.adcs,
                input_bits=bits,
                scales_S=model.scales_S,
                factors=model.factors,
                noise_seed=int(stream(config.recipe.seed, "read", split, draw).integers(2**32)),
                threads=threads,
                observer=observer if draw == 0 else None,
                conditions=conditions,
            )
            clipped: Counter = Counter()
            answers.append(_answer(examination, network, model, product, clipped, going.advance))
        seconds = time.perf_counter() - started
        noiseless = ChipProduct(
            chip,
            model.adcs,
            input_bits=bits,
            scales_S=model.scales_S,
            factors=model.factors,
            threads=threads,
            conditions=own,
        )
        ideal = _answer(examination, network, model, noiseless, None, going.advance)
    return Score(
        **_mean(answers),
        class_names=getattr(examination, "class_names", None),
        primary=examination.primary,
        by_draw=tuple(float(getattr(answer, examination.primary)) for answer in answers),
        ideal=ideal,
        saturated={name: tuple(map(int, tiles)) for name, tiles in product.saturated.items()},
        conversions={name: int(count) for name, count in product.conversions.items()},
        clipped={name: int(count) for name, count in clipped.items()},
        samples=len(examination),
        samples_per_second=draws * len(examination) / seconds,
    )


def answering(config: Any, chip: Any, *, model: Model, split: str, threads: int) -> Callable[[Any], np.ndarray]:
    """Codes -> logits of a run on its macros, on its own wires, with the first draw of read noise of `examine`."""
    product = ChipProduct(
        chip,
        model.adcs,
        input_bits=input_bits(config.network),
        scales_S=model.scales_S,
        factors=model.factors,
        noise_seed=int(stream(config.recipe.seed, "read", split, 0).integers(2**32)),
        threads=threads,
        conditions=Conditions(wires=config.wires),
    )
    return lambda codes: predict(config.network, model.state, codes=codes, product=product)


def score_without_chip(examination: Any, predict: Callable[[np.ndarray], np.ndarray]) -> Score:
    """How `predict` (codes -> logits) answers an examination on ideal hardware: one draw, nothing to convert."""
    started = time.perf_counter()
    figures = Figures.of(examination.figures(predict))
    seconds = time.perf_counter() - started
    return Score(
        **vars(figures),
        class_names=getattr(examination, "class_names", None),
        primary=examination.primary,
        by_draw=(float(getattr(figures, examination.primary)),),
        ideal=figures,
        saturated={},
        conversions={},
        clipped={},
        samples=len(examination),
        samples_per_second=len(examination) / seconds,
    )


def _answer(
    examination: Any,
    network: Any,
    model: Model,
    product: Any,
    clipped: Optional[Counter],
    on_share: Callable[[float], None],
) -> Figures:
    """The examination's figures for one way to multiply."""

    def answered(codes: np.ndarray) -> np.ndarray:
        return predict(network, model.state, codes=codes, product=product, clipped=clipped, on_share=on_share)

    return Figures.of(examination.figures(answered))

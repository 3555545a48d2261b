"""A run's answers to an examination on its macros."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from threading import Event, Lock
from typing import Any, Callable, Dict, List, Optional, Tuple
from typing import Counter as CounterOf

import numpy as np

from ..crossbar.conditions import Conditions
from ..errors import ConfigError
from ..json_codec import Result
from ..nn.network import fitting_size, input_bits
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
    ideal: Optional[Figures]
    """the same on the run's own wires, without read noise and whatever else was asked for; None: not asked for"""
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
    ideal: bool = False,
) -> Score:
    """How a run answers an examination (see `tasks`) on its macros with everything on, and with ideal reads beside it.

    config: `RunConfig`. chip: `Chip` with the masks programmed. draws: of the read noise. observer: sees the codes of
    the first draw. conditions: of use; None: the run's wires, all else ideal. split: what is examined; its name, the
    run's seed and the draw name the read noise. ideal: whole images, too, are answered with ideal reads beside it,
    which takes half as long again; samples with one label always are.
    """
    own = Conditions(wires=config.wires)
    use = _Use(config, chip, model, split, threads, own if conditions is None else conditions)
    ideal = ideal or not _whole_images(examination)
    answers, started = [], time.perf_counter()
    with stage(f"examining {split}", (draws + ideal) * getattr(examination, "calls", 1)) as going:
        for draw in range(draws):
            found, seen = use.figures(examination, draw, going.advance, observer if draw == 0 else None)
            answers.append(found)
        seconds = time.perf_counter() - started
        bare = replace(use, conditions=own).figures(examination, None, going.advance)[0] if ideal else None
    return Score(
        **_mean(answers),
        class_names=getattr(examination, "class_names", None),
        primary=examination.primary,
        by_draw=tuple(float(getattr(answer, examination.primary)) for answer in answers),
        ideal=bare,
        saturated={name: tuple(map(int, tiles)) for name, tiles in seen.saturated.items()},
        conversions={name: int(count) for name, count in seen.conversions.items()},
        clipped={name: int(count) for name, count in seen.clipped.items()},
        samples=len(examination),
        samples_per_second=draws * len(examination) / seconds,
    )


def answering(config: Any, chip: Any, *, model: Model, split: str, threads: int) -> Callable[[Any], np.ndarray]:
    """Codes -> logits of a run on its macros, on its own wires, with the first draw of read noise of `examine`."""
    use = _Use(config, chip, model, split, threads, Conditions(wires=config.wires))
    product = use.product((0,), threads)
    return lambda codes: predict(config.network, model.state, codes=codes, product=product)


def image_answers(config: Any, chip: Any, *, model: Model, examination: Any, split: str, threads: int) -> np.ndarray:
    """What a run says of each whole image: answers (n, height, width, ...) of the first draw of `examine`."""
    use = _Use(config, chip, model, split, threads, Conditions(wires=config.wires))
    return use.of_images(examination, 0, lambda share: None)[0]


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


def _whole_images(examination: Any) -> bool:
    """Whether an examination asks for one image after the other."""
    return hasattr(examination, "answer")


@dataclass
class _Seen:
    """What was counted while answers were given."""

    saturated: Dict[str, List[int]]
    conversions: CounterOf[str]
    clipped: CounterOf[str]

    def add(self, other: "_Seen") -> None:
        """Count what the other saw, too."""
        for name, tiles in other.saturated.items():
            self.saturated[name] = [a + b for a, b in zip(self.saturated[name], tiles)]
        self.conversions.update(other.conversions)
        self.clipped.update(other.clipped)


OnShare = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class _Use:
    """A run on its macros as it is used."""

    config: Any
    chip: Any
    model: Model
    split: str
    threads: int
    conditions: Conditions

    def product(
        self,
        draw: Optional[Tuple[int, ...]],
        threads: int,
        observer: Optional[Callable[[str, np.ndarray], None]] = None,
    ) -> ChipProduct:
        """With the read noise of a draw, or of (draw, image); None: ideal reads."""
        noise_seed = None
        if draw is not None:
            noise_seed = int(stream(self.config.recipe.seed, "read", self.split, *draw).integers(2**32))
        return ChipProduct(
            self.chip,
            self.model.adcs,
            input_bits=input_bits(self.config.network),
            scales_S=self.model.scales_S,
            factors=self.model.factors,
            noise_seed=noise_seed,
            threads=threads,
            observer=observer,
            conditions=self.conditions,
        )

    def predictor(self, product: ChipProduct, on_share: OnShare) -> Tuple[Callable[[np.ndarray], np.ndarray], _Seen]:
        """(codes -> logits, what they count)."""
        seen = _Seen(product.saturated, product.conversions, Counter())

        def answered(codes: np.ndarray) -> np.ndarray:
            network, state = self.config.network, self.model.state
            return predict(network, state, codes=codes, product=product, clipped=seen.clipped, on_share=on_share)

        return answered, seen

    def figures(
        self,
        examination: Any,
        draw: Optional[int],
        on_share: OnShare,
        observer: Optional[Callable[[str, np.ndarray], None]] = None,
    ) -> Tuple[Figures, _Seen]:
        """The examination's figures under one draw of the read noise; None: with ideal reads."""
        if _whole_images(examination):
            answers, seen = self.of_images(examination, draw, on_share, observer)
            return Figures.of(examination.scores(answers)), seen
        product = self.product(None if draw is None else (draw,), self.threads, observer)
        answered, seen = self.predictor(product, on_share)
        return Figures.of(examination.figures(answered)), seen

    def of_images(
        self,
        examination: Any,
        draw: Optional[int],
        on_share: OnShare,
        observer: Optional[Callable[[str, np.ndarray], None]] = None,
    ) -> Tuple[np.ndarray, _Seen]:
        """(answers of all images, what they count). Each image has noise of its own, so threads may share them out."""
        count, lock, stopped = len(examination), Lock(), Event()
        side_by_side = 1 if observer is not None else max(1, min(self.threads, count))
        within = self.threads if side_by_side == 1 else 1

        def go_on(_: float) -> None:
            if stopped.is_set():
                raise RuntimeError("another image was not answered")

        def answer(index: int) -> Tuple[np.ndarray, _Seen]:
            product = self.product(None if draw is None else (draw, index), within, observer)
            answered, seen = self.predictor(product, go_on)
            found = examination.answer(index, answered, fits=partial(fitting_size, self.config.network))
            with lock:
                on_share(1.0)
            return found, seen

        if side_by_side == 1:
            answers, counts = zip(*map(answer, range(count)))
        else:
            with ThreadPoolExecutor(side_by_side) as pool:
                try:
                    answers, counts = zip(*pool.map(answer, range(count)))
                except BaseException:
                    stopped.set()
                    raise
        for other in counts[1:]:
            counts[0].add(other)
        return np.stack(answers), counts[0]

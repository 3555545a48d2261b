"""Energy, latency and area of a run."""

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np

from ..accounting import events, figures, shapes
from ..accounting.account import (
    SHARED_MACROS,
    compensation_account,
    density_sweep,
    inference_account,
    reprogramming_account,
    training_account,
)
from ..accounting.costs import Costs, load_costs
from ..accounting.results import DensityRow, InferenceAccount, Part, TrainingAccount
from ..chip.chip import Chip
from ..errors import ConfigError
from ..inference.calibration import calibrated
from ..inference.examine import Score, examine
from ..inference.model import Model
from .config import RunConfig
from .folder import RunFolder, open_training


@dataclass(frozen=True)
class WhatIf:
    """What an account changes against the run it describes."""

    costs: str = "macro-40nm"
    """named technology file, or the path of one"""
    adc_bits: Optional[int] = None
    """resolution of the ADCs in bits, calibrated anew; None: the run's"""
    input_bits: Optional[int] = None
    """bits of all input codes, their ranges unchanged; None: the run's"""
    read_voltage_V: Optional[float] = None
    """voltage on a driven row, known exactly; None: the run's technology with the range of the technology file"""
    read_time_s: Optional[float] = None
    """duration of one read, known exactly; None: as with the voltage"""
    densities: Tuple[float, ...] = ()
    """kept fractions to which the masks are thinned or filled at random, the inputs held: a sweep"""
    macros: Optional[int] = None
    """macros at hand; None: as many as the network fills"""

    def __post_init__(self) -> None:
        for density in self.densities:
            if not 0 < density <= 1:
                raise ConfigError(f"density {density}; a kept fraction lies above 0 and at most at 1")
        if self.macros is not None and self.macros < 1:
            raise ConfigError(f"{self.macros} macros; a network needs at least 1")

    def adapted(self, config: RunConfig) -> RunConfig:
        """The run's configuration with these ADC and input bits."""
        return config.with_bits(self.adc_bits, self.input_bits)

    def adapted_model(self, config: RunConfig, model: Model, *, chip: Chip, data: Any) -> Model:
        """The model with ADCs and probes for the changed bits on training data; the run's own if nothing changed."""
        if self.adc_bits is None and self.input_bits is None:
            return model
        return calibrated(
            config.network,
            model,
            chip=chip,
            codes=data.calibration_codes(),
            adc_bits=config.adc_bits,
            arrangement=config.adc_arrangement,
            wires=config.wires,
        )


ENERGY_SAMPLES = 500
"""validation samples whose events are counted"""
ENERGY_IMAGES = 3
"""the same where a sample is a whole image, cut into many fields of the network: as many as DRIVE holds back"""


@dataclass(frozen=True)
class EnergyAccount(InferenceAccount):
    """Energy, latency and area of a run: of one inference, by matrix, plane and event, and of its training."""

    task: str
    """name of the task"""
    adc_bits: int
    """resolution of the ADCs, paid for and examined"""
    input_bits: int
    """bits of input codes"""
    samples: int
    """samples, or whole images, whose events were counted"""
    inferences: float
    """inferences that they are; a whole image is as many as fields of the network's own size it is cut into"""
    macs: int
    """multiply-accumulates of one inference"""
    training: TrainingAccount
    """what learning the masks cost"""
    accuracy: Optional[float]
    """on those samples, at those bits; None: macros take turns, see `assumed`"""
    roc_auc: Optional[float]
    """the same, where pixels are answered"""
    pr_auc: Optional[float]
    """the same, where pixels are answered"""
    assumed: Optional[str]
    """why there is no accuracy; None: there is one"""
    saturated: Dict[str, Tuple[int, ...]]
    """conversions of those samples that saturated, by matrix and tile"""
    clipped: Dict[str, int]
    """activations of those samples out of their range, by quantiser"""
    density_sweep: Tuple[DensityRow, ...]
    """one inference at other densities"""
    compensation: Optional[Part]
    """one read of the stored probe vectors, which takes back drift; None: an older version made the run"""

    @property
    def total_J(self) -> float:
        """Joules of one inference."""
        return self.total.total_J


@dataclass(frozen=True, eq=False)
class _Seen:
    """What an account is made of: the run as it would be, and what was counted of it."""

    config: RunConfig
    chip: Chip
    model: Model
    masks: Dict[str, np.ndarray]
    shapes: shapes.NetworkShapes
    counter: events.EventCounter
    score: Score
    n_steps: int
    """of the whole training"""

    @property
    def inferences(self) -> float:
        """How many were counted: a whole image is as many as fields of the network's own size it is cut into."""
        first = self.chip.placement.names[0]
        return self.counter.vectors[first] / self.shapes.positions[first]


def account(
    folder: "Union[str, os.PathLike[str]]",
    *,
    data: Optional[str] = None,
    threads: int = 1,
    what_if: Optional[WhatIf] = None,
) -> EnergyAccount:
    """Energy, latency and area of a run: of an inference and of training, digital hardware beside it.

    Energy and accuracy belong to the same ADC and input bits. what_if: what to change against the run.
    """
    what_if = WhatIf() if what_if is None else what_if
    seen = _count(RunFolder.open(folder), what_if, data=data, threads=threads)
    config, chip, score, costs = seen.config, seen.chip, seen.score, load_costs(what_if.costs)
    pulse = figures.read_pulse(config.cell_model, costs, voltage_V=what_if.read_voltage_V, time_s=what_if.read_time_s)
    now = _inference(seen, costs, pulse=pulse, macros=what_if.macros)
    training = training_account(
        chip,
        config.recipe,
        steps=seen.n_steps,
        network_shapes=seen.shapes,
        costs=costs,
        adc_bits=config.adc_bits,
        pulse=pulse,
        arrangement=config.adc_arrangement,
    )
    compensation = _compensation(seen, costs, pulse=pulse)
    sweep = density_sweep(
        chip,
        seen.model,
        masks=seen.masks,
        densities=what_if.densities,
        seed=config.recipe.seed,
        account_now=lambda: _inference(seen, costs, pulse=pulse, macros=what_if.macros),
    )
    own_macros = what_if.macros is None or what_if.macros >= chip.placement.n_macros
    return EnergyAccount(
        **vars(now),
        task=config.task,
        adc_bits=config.adc_bits,
        input_bits=config.network.input_bits,
        samples=score.samples,
        inferences=seen.inferences,
        macs=seen.shapes.macs,
        training=training,
        accuracy=score.accuracy if own_macros else None,
        roc_auc=score.roc_auc if own_macros else None,
        pr_auc=score.pr_auc if own_macros else None,
        assumed=None if own_macros else SHARED_MACROS,
        saturated=score.saturated,
        clipped=score.clipped,
        density_sweep=sweep,
        compensation=compensation,
    )


def _count(run: RunFolder, what_if: WhatIf, *, data: Optional[str], threads: int) -> _Seen:
    """Examine the run as it would be, and count what enters its crossbars."""
    config = what_if.adapted(run.config)
    chip, model, masks = run.load_trained()
    data = run.source(data)
    training = open_training(run.config, data)
    if config.network != run.config.network:  # codes of other bits
        training = open_training(replace(config, data_crc=0), data)
    model = what_if.adapted_model(config, model, chip=chip, data=training)
    shape = shapes.of_network(config.network)
    counter = events.EventCounter(shape.bits, threads)
    score = examine(
        config,
        chip,
        model=model,
        examination=training.validation.first(ENERGY_IMAGES if config.data_layout.per_pixel else ENERGY_SAMPLES),
        split="validation",
        threads=threads,
        observer=counter,
    )
    n_steps = training.steps_per_epoch(config.recipe) * config.recipe.epochs
    return _Seen(config, chip, model, masks, shape, counter, score, n_steps)


def _inference(seen: _Seen, costs: Costs, *, pulse: figures.ReadPulse, macros: Optional[int]) -> InferenceAccount:
    """The account of one inference with the masks that the chip holds now."""
    return inference_account(
        events.counted_events(seen.counter, seen.chip, adcs=seen.model.adcs, inferences=seen.inferences),
        seen.shapes,
        placement=seen.chip.placement,
        costs=costs,
        adc_bits=seen.config.adc_bits,
        pulse=pulse,
        arrangement=seen.config.adc_arrangement,
        macros=macros,
        turns=None if macros is None else reprogramming_account(seen.chip, macros, costs=costs),
    )


def _compensation(seen: _Seen, costs: Costs, *, pulse: figures.ReadPulse) -> Optional[Part]:
    """The account of one read of the probe vectors with the masks that the chip holds now."""
    probes = seen.model.probes
    if not probes:
        return None
    counter = events.EventCounter(seen.shapes.bits)
    for name, probe in probes.items():
        counter(name, probe.codes)
    return compensation_account(
        events.counted_events(counter, seen.chip, adcs=seen.model.adcs, inferences=1),
        sum(probe.response_lsb.size for probe in probes.values()),
        placement=seen.chip.placement,
        costs=costs,
        adc_bits=seen.config.adc_bits,
        pulse=pulse,
        arrangement=seen.config.adc_arrangement,
    )

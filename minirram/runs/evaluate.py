"""Accuracy of a run on its macros."""

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..chip.chip import Chip
from ..crossbar.conditions import Conditions
from ..device.unusual import unusual
from ..errors import ConfigError
from ..files import check_replaceable, write_json
from ..inference import digital_json
from ..inference.compensation import measured_factors
from ..inference.examine import Score, examine
from ..inference.model import Model
from ..inference.product import ChipProduct
from ..json_codec import Result
from ..nn.network import input_bits
from ..programming.results import CellCosts, WrongCell
from ..rng import stream
from .chip_files import DRAWN, ChipFiles
from .config import RunConfig
from .folder import RunFolder, open_test, open_training
from .reconfigured import reconfigured

Folder = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Evaluation(Score):
    """How a run answers one split of its data under given conditions of use."""

    split: str
    """"validation" or "test\""""
    task: str
    """name of the task"""
    read_noise: Optional[float]
    """relative standard deviation of one read; None where the technology states no such number"""
    adc_bits: int
    """resolution of the ADCs"""
    input_bits: int
    """bits of input codes"""
    age_s: float
    """seconds since programming"""
    compensation: Optional[Dict[str, float]]
    """factor of each matrix's products against drift, from one read of its probe vectors; None: not asked for"""
    draws: int
    """repetitions of the read noise"""
    standard_error: Optional[float]
    """of the primary figure's mean over the draws; None: of one draw"""
    test_openings: int
    """how often this run's test set was opened so far"""
    clipped_conductances: int
    """conductances of the chip's cells, aged ones too, that were cut at the largest that the grid holds"""
    warnings: Tuple[str, ...]
    """numbers that look like a slip; they were taken as they are"""


@dataclass(frozen=True)
class AsIf:
    """What a run would be in an evaluation, where that is not what it is."""

    config: Optional[RunConfig] = None
    """see `reconfigured`; None: its own"""
    files: ChipFiles = DRAWN
    """of another chip"""
    samples: Optional[int] = None
    """how many of the split are answered, the first ones; None: all"""
    logs: bool = True
    """False: the caller has logged that the test set is opened"""
    adc_bits: Optional[int] = None
    """resolution of the ADCs in bits, calibrated anew; None: the run's"""
    input_bits: Optional[int] = None
    """bits of all input codes, their ranges unchanged; None: the run's"""

    def adapted(self, own: RunConfig) -> RunConfig:
        """The configuration that is examined, of a run with its `own`."""
        config = own if self.config is None else self.config
        return config.with_bits(self.adc_bits, self.input_bits)


def evaluate(
    folder: Folder,
    split: str = "validation",
    *,
    data: Optional[str] = None,
    read_noise: Optional[float] = None,
    draws: int = 1,
    threads: int = 1,
    conditions: Optional[Conditions] = None,
    digital: Optional[Folder] = None,
    ideal: bool = False,
    as_if: Optional[AsIf] = None,
) -> Evaluation:
    """Accuracy of a run on its simulated macros. Opening the test set is logged in the run folder.

    data: folder of the data set or "synthetic", instead of the run's. read_noise: instead of the run's technology's.
    draws: independent repetitions of the read noise. conditions: of use; the run's wires where they state none.
    digital: file to write `digital.json` to, of the chip at that age, with the factors of a compensation. ideal: see
    `examine`. as_if: what the run would be, where that is not what it is.
    """
    _check(split, draws, digital)
    run, as_if = RunFolder.open(folder), AsIf() if as_if is None else as_if
    config = as_if.adapted(run.config)
    cell_model = config.cell_model if read_noise is None else config.cell_model.changed(read_noise=read_noise)
    config = replace(config, cell_model=cell_model)
    source = run.source(data)
    conditions = _with_wires(conditions, config)
    chip, model = _in_use(run, config, conditions, source=source, files=as_if.files, threads=threads)
    described = digital_json.describe(config.network, model, chip=chip, wires=conditions.wires) if digital else {}
    score = examine(
        config,
        chip,
        model=model,
        examination=_first(_split(run, split, source, config, logged=as_if.logs), as_if.samples),
        split=split,
        threads=threads,
        draws=draws,
        conditions=conditions,
        ideal=ideal,
    )
    if described:
        write_json(str(digital), described)
    return Evaluation(
        **vars(score),
        split=split,
        task=config.task,
        read_noise=getattr(cell_model, "read_noise", None),
        adc_bits=config.adc_bits,
        input_bits=config.network.input_bits,
        age_s=conditions.age_s,
        compensation=dict(model.factors) if conditions.compensated else None,
        draws=draws,
        standard_error=float(np.std(score.by_draw, ddof=1) / np.sqrt(draws)) if draws > 1 else None,
        test_openings=run.test_openings(),
        clipped_conductances=chip.clipped(),
        warnings=unusual(cell_model),
    )


def _check(split: str, draws: int, digital: Optional[Folder]) -> None:
    """ConfigError for an unknown split, or no draw; OSError for a file that cannot be written."""
    if split not in ("validation", "test"):
        raise ConfigError(f"split {split!r}: choose 'validation' or 'test'")
    if draws < 1:
        raise ConfigError(f"draws is {draws}; it must be at least 1")
    if digital is not None:
        check_replaceable(digital)  # the test set is not opened for an answer that cannot be kept


def _with_wires(conditions: Optional[Conditions], config: RunConfig) -> Conditions:
    """Conditions of use, on the run's own wires where they state none."""
    conditions = Conditions() if conditions is None else conditions
    return conditions if conditions.wires is not None else replace(conditions, wires=config.wires)


@dataclass(frozen=True)
class Expectation(Result):
    """What the read noise leaves of the right answers, without a draw: see `inference.propagation`."""

    accuracy: float
    """expected share of right answers"""
    standard_deviation: float
    """of the accuracy of one draw of the read noise"""
    samples: int
    """that were answered"""
    clipped_conductances: int
    """as of an `Evaluation`"""


def expected(
    folder: Folder,
    split: str = "validation",
    *,
    data: Optional[str] = None,
    conditions: Optional[Conditions] = None,
    as_if: Optional[AsIf] = None,
) -> Expectation:
    """The accuracy that `evaluate` draws, from propagated noise covariances. ConfigError where they do not hold."""
    from ..inference import propagation  # loads nodes of the engine, which no other evaluation needs

    run, as_if = RunFolder.open(folder), AsIf() if as_if is None else as_if
    config, source = as_if.adapted(run.config), run.source(data)
    conditions = _with_wires(conditions, config)
    propagation.check(config.network, conditions)
    chip, model = _in_use(run, config, conditions, source=source, files=as_if.files, threads=1)
    asked = _first(_split(run, split, source, config, logged=as_if.logs), as_if.samples)
    if asked.primary != "accuracy":
        raise ConfigError("noise covariances are carried to one label per sample; these answers are labels of pixels")
    found = propagation.predicted(
        config.network, model, chip, codes=asked.codes, labels=asked.labels, conditions=conditions
    )
    return Expectation(**vars(found), samples=len(asked), clipped_conductances=chip.clipped())


def _in_use(
    run: RunFolder, config: RunConfig, conditions: Conditions, *, source: str, files: ChipFiles, threads: int
) -> Tuple[Chip, Model]:
    """A run's chip at its age, and its model, with factors against drift where these conditions compensate it."""
    chip, model = reconfigured(
        run, config, training=lambda: open_training(replace(config, data_crc=0), source), files=files
    )
    age(chip, conditions)
    if conditions.compensated:
        model = _compensated(run.folder, config, chip, model=model, conditions=conditions, threads=threads)
    return chip, model


def age(chip: Chip, conditions: Conditions) -> None:
    """Let a chip age; ConfigError for a temperature where its cells age alike at all: it would do nothing."""
    cell_model, temperature_K = chip.cell_model, conditions.temperature_K
    if temperature_K is not None:
        if cell_model.acceleration(temperature_K) == cell_model.acceleration(1.1 * temperature_K):
            raise ConfigError(f"{cell_model.name} has no temperature law: leave the temperature out (--celsius)")
    if conditions.age_s:
        chip.age(conditions.age_s, temperature_K)


def _compensated(
    folder: str, config: RunConfig, chip: Chip, *, model: Model, conditions: Conditions, threads: int
) -> Model:
    """The model with factors from one noisy read of its probe vectors on the chip as it is now."""
    if not model.probes:
        raise ConfigError(f"{folder} stores no probe vectors (an older version made it): train the run anew")
    product = ChipProduct(
        chip,
        model.adcs,
        input_bits=input_bits(config.network),
        scales_S=model.scales_S,
        noise_seed=int(stream(config.recipe.seed, "compensation").integers(2**32)),
        threads=threads,
        conditions=conditions,
    )
    return replace(model, factors=measured_factors(model.probes, product))


def _split(run: RunFolder, split: str, source: str, config: Optional[RunConfig] = None, logged: bool = True) -> Any:
    """The examination of one split of a run's task; the test set's opening is logged before anything is answered.

    config: whose network it is for; None: the run's.
    """
    config = run.config if config is None else config
    if split == "test":
        found = open_test(config, source)  # what is not there was not opened
        if logged:
            run.log_test_opening("evaluate")
        return found
    return open_training(replace(config, data_crc=0), source).validation


def _first(examination: Any, samples: Optional[int]) -> Any:
    """The first samples of an examination; None: all."""
    return examination if samples is None else examination.first(samples)


class ReadbackScores(NamedTuple):
    """What a run answers, on its validation set."""

    programmed: Score
    """on its chip as programmed"""
    read_back: Score
    """on its chip as it was read back"""
    clipped_conductances: int
    """conductances, off ones that were drawn among them, that were cut at the largest that the grid holds"""
    doubtful: int
    """cells of the read-back that hold no number, or one below 0: taken for open"""
    limited: int
    """cells above what the grid holds, shorted ones among them: taken to conduct that much"""
    costs: Optional[CellCosts]
    """of the cells that were asked for; None: there were none"""


def accuracy_of_readback(
    folder: Folder,
    readback_S: np.ndarray,
    *,
    data: Optional[str],
    threads: int = 1,
    wrong: Sequence[WrongCell] = (),
) -> ReadbackScores:
    """What a chip that reads back as `readback_S` (macros, rows, cols) answers: `ReadbackScores`.

    On the run's validation set, on its macros; see `conducted`. Physical numbers. wrong: cells to rank by what they
    cost, see `costly_cells`.
    """
    from .cell_costs import costly_cells, samples, seen  # loads the engine, which no other examination needs

    run = RunFolder.open(folder)
    config, (chip, model, _) = run.config, run.load_trained()
    loaded = open_training(replace(config, data_crc=0), run.source(data))

    def score() -> Score:
        return examine(config, chip, model=model, examination=loaded.validation, split="validation", threads=threads)

    programmed, before = score(), seen(chip, model, config.wires) if wrong else None
    found = conducted(readback_S, chip)
    chip.replace_conductances(found.map_S)
    read_back, clipped, costs = score(), chip.clipped(), None
    if before is not None:
        batches = samples(config.network, loaded, config.recipe)
        after = seen(chip, model, config.wires)
        cells = costly_cells(
            config.network, chip, model, programmed=before, read_back=after, wrong=wrong, batches=batches
        )
        for cell in cells:
            found.map_S[cell.place] = cell.programmed_S
        if cells:
            chip.replace_conductances(found.map_S)
        costs = CellCosts(cells, sum(len(batch[0]) for batch in batches), score().accuracy if cells else None)
    return ReadbackScores(programmed, read_back, clipped, found.doubtful, found.limited, costs)


class Conducted(NamedTuple):
    """A read-back as a chip can be examined with it."""

    map_S: np.ndarray
    """conductances, siemens, float64 (macros, rows, cols)"""
    doubtful: int
    """cells that hold no number, or one below 0: taken for open"""
    limited: int
    """cells above what the grid holds, shorted ones among them: taken to conduct that much"""


def conducted(readback_S: np.ndarray, chip: Chip) -> Conducted:
    """What the cells of a read-back (macros, rows, cols) of a chip, or of one macro (rows, cols), conduct.

    What holds no number, or one below 0 (the offset of an instrument on an open cell), is open. A shorted cell (inf)
    conducts the largest that the grid holds. Where a tenth of the cells
    lie above that, the unit is wrong: numbers stay as read.
    """
    whole_S = readback_S[None] if readback_S.ndim == 2 else readback_S
    largest_S = chip.cell_model.grid_max(chip.macros[0].rows) * chip.cell_model.grid_S
    with np.errstate(invalid="ignore"):
        doubtful, above = ~(whole_S >= 0), whole_S > largest_S
        wrong_unit = np.count_nonzero(above) > 0.1 * np.count_nonzero(whole_S > 0)
    limited = np.isposinf(whole_S) if wrong_unit else above
    map_S = np.where(doubtful, 0.0, np.where(limited, largest_S, whole_S))
    return Conducted(map_S, int(np.count_nonzero(doubtful)), int(np.count_nonzero(limited)))

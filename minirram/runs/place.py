"""A network from elsewhere on a chip: where its matrices lie, its trained weights written, its answers examined."""

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Optional, Tuple, Union

import numpy as np

from .. import __version__
from ..accounting import shapes
from ..accounting.account import shapes_account
from ..accounting.results import Range
from ..chip.chip import Chip
from ..chip.counts import UnformedLine, chip_counts
from ..chip.dead_lines import ChipLines
from ..chip.placement import place
from ..crossbar.conditions import Conditions
from ..device.formed_maps import MapTaken
from ..device.interface import Cell
from ..device.unusual import unusual
from ..errors import ConfigError, DataError
from ..files import atomic_writer, blaming, prefixed, write_json, write_npz
from ..inference import digital_json
from ..inference.calibration import calibrate_ranges, calibrated
from ..inference.examine import Score, examine
from ..inference.model import Model, checked
from ..json_codec import Result
from ..labfiles.maps import Reading
from ..learn.recipe import Recipe
from ..learn.written_weights import WriteLearner, Writing
from ..nn.network import macs, matrices, output_shapes
from ..onnx_import.imported import Imported, network_from_onnx
from ..onnx_import.input_range import scaled_input
from ..progress.stages import stage
from ..tasks import datasets
from ..tasks.datasets import Layout
from .chip_files import DRAWN, ChipFiles
from .config import IN_THE_FOLDER, RunConfig, document
from .evaluate import age
from .folder import RunFolder
from .made_chip import make_chip
from .own_data import DATA_SET
from .place_samples import BATCH, Answers, Lessons, Samples, float_logits
from .train import MovedLine, moved_lines

Path = Union[str, "os.PathLike[str]"]
PLACED = "onnx"
"""the task of a placed network's run folder"""
WEIGHTS = "weights.npz"
"""the trained weights that a placed network's run folder keeps"""
PASSES = 3
"""a later pass writes what a dead partner has left over"""


@dataclass(frozen=True)
class Placing:
    """How a network from elsewhere is placed and written."""

    cell_model: Cell
    """the technology of the chip"""
    bits: int = 8
    """bits of the codes between layers"""
    input_bits: int = 8
    """bits of the codes of the input"""
    adc_bits: int = 8
    """resolution of the ADCs in bits"""
    adc_arrangement: str = "pair"
    """'pair': one conversion for a pair of cells; 'polarity': one for each column of cells"""
    fold_batch_norms: bool = False
    """whether batch norms behind matrices become part of them"""
    size: Optional[Tuple[int, int]] = None
    """height and width of the input; None: as the file says"""
    output: Optional[str] = None
    """name of the output of the graph; None: it has one"""
    writes: Optional[int] = None
    """writes that may be spent, over all cells, the farthest weights first; None: any number"""
    tuning_error: float = Writing.tuning_error
    """standard deviation of what a write reaches, relative to its target"""
    epochs: int = 0
    """passes over the samples to learn from, after the writing, by the learner of written weights"""
    learning_rate: float = 0.02
    """learning rate of these epochs"""
    seed: int = 0
    """seed of the read noise, and of the order of samples"""
    chip_seed: int = 0
    """which individual the chip is"""
    lines: Optional[ChipLines] = None
    """dead lines and size of the macros"""
    files: ChipFiles = DRAWN
    """measured maps and stuck cells of the chip"""


@dataclass(frozen=True)
class Written(Result):
    """What the trained weights became on the chip, and how it answers."""

    writes: Dict[str, int]
    """writes that raised a cell ("set") and that lowered one ("reset")"""
    writes_allowed: Optional[int]
    """the budget; None: there was none"""
    weight_error: float
    """root mean square of held minus trained weights, over that of the trained ones, without read noise"""
    off_target: int
    """weights farther from the trained ones than six tuning errors: no budget, dead or unformed cells, learned anew"""
    unformed_pairs: int
    """pairs in use with a cell that never formed"""
    dead_pairs: int
    """pairs in use of which no cell formed: their weight is 0"""
    unformed_lines: Tuple[UnformedLine, ...]
    """lines in use on which no cell formed"""
    stuck_cells: int
    """cells in use that answer to no pulse"""
    clipped_conductances: int
    """conductances of the chip's cells, aged ones too, that were cut at the largest that the grid holds"""
    maps_left_out: int
    """measured maps beyond the macros that the network needs"""
    moved: Tuple[MovedLine, ...]
    """lines that stand in for others around dead ones"""
    epochs: int
    """passes over the samples to learn from"""
    calibration_samples: int
    """first samples of the data, from which ranges of codes and ADCs are taken; they are not examined"""
    input_low: float
    """value of the smallest input code"""
    input_high: float
    """value of the largest input code"""
    inputs_clipped: int
    """input values beyond the range of the calibration samples"""
    judged_by: str
    """"labels" of the data, or the "float network" itself, where there are none"""
    score: Score
    """answers on the simulated macros"""
    agreement: float
    """share of the answers that are those of the float network, in the last draw"""
    logit_error: float
    """root mean square of the logits' differences from the float network's, over that of its logits, last draw"""
    float_accuracy: Optional[float]
    """of the float network; None without labels"""
    read_noise: Optional[float]
    """relative standard deviation of one read; None where the technology states no such number"""
    adc_bits: int
    """resolution of the ADCs"""
    files: Tuple[str, ...]
    """what was written: digital.json, conductances, data of the run folder"""
    readings: Tuple[Reading, ...]
    """what was taken from each measured map"""
    maps: Tuple[MapTaken, ...]
    """how the measured maps were taken that the chip started from; none: it was drawn"""
    warnings: Tuple[str, ...]
    """numbers that look like a slip; they were taken as they are"""


@dataclass(frozen=True)
class Placed(Result):
    """A network from an ONNX file on macros."""

    version: str
    """of minirram"""
    network: str
    """its name"""
    operators: Dict[str, int]
    """nodes that were read, by operator"""
    notes: Tuple[str, ...]
    """what was left out of the graph"""
    layers: int
    """layers of the network"""
    weights: int
    """weights of its matrices, a pair of cells each"""
    biases: int
    """numbers that the digital side adds, one per channel"""
    macs: int
    """multiply-accumulates of one inference"""
    macros: int
    """macros that the matrices fill"""
    utilisation: float
    """share of those macros' pairs"""
    total_J: Range
    """energy of one inference, from shapes alone: see `minirram networks --network`"""
    latency_s: Range
    """time of one inference, likewise"""
    written: Optional[Written]
    """the trained weights on the chip; None: the graph alone was placed"""


def place_network(
    path: Path,
    placing: Placing,
    *,
    data: Optional[Path] = None,
    conditions: Optional[Conditions] = None,
    draws: int = 1,
    threads: int = 1,
    out: Optional[Path] = None,
) -> Placed:
    """The network of an ONNX file on macros; with `data` its trained weights on a chip of its own, and its answers.

    data: `.npz` with `inputs` (n, ...) as the file takes them, channels first, or channels last, and, if there are any,
    `labels` (n,); to learn from `train_inputs` and `train_labels`. conditions: of use. draws: of the read noise. out:
    run folder to make, for `evaluate`, `energy`, `export` and `verify`; beside its files conductance.npy.
    """
    if out is not None:
        _check_empty(out)
    imported = network_from_onnx(
        path,
        weights=data is not None,
        bits=placing.bits,
        input_bits=placing.input_bits,
        size=placing.size,
        output=placing.output,
        fold_batch_norms=placing.fold_batch_norms,
    )
    if not matrices(imported.network):
        raise DataError(f"{os.fspath(path)}: a network without a matrix; there is nothing to place")
    lines = placing.lines or _lines_of(placing.files)
    placement = place(matrices(imported.network), lines.logical_rows, macro_pairs=lines.logical_pairs)
    network_shapes = shapes.of_network(imported.network)
    account = shapes_account(network_shapes, placement, cell_model=placing.cell_model, adc_bits=placing.adc_bits)
    written = None
    if data is not None:
        written = _written(imported, placing, data, conditions or Conditions(), draws, threads, out)
    layers = imported.network.layers
    placed = Placed(
        version=__version__,
        network=imported.network.name,
        operators=imported.operators,
        notes=imported.notes,
        layers=len(layers),
        weights=network_shapes.weights,
        biases=sum(array.size for name, array in imported.state.items() if name.endswith(".offset")),
        macs=macs(imported.network),
        macros=placement.n_macros,
        utilisation=placement.utilisation,
        total_J=account.total_J,
        latency_s=account.latency_s,
        written=written,
    )
    if written is not None and out is not None:
        write_json(os.path.join(os.fspath(out), "results.json"), placed.to_json())
    return placed


def _check_empty(out: Path) -> None:
    """ConfigError for a folder that holds anything: nothing is overwritten."""
    if os.path.isdir(out) and os.listdir(out):
        raise ConfigError(f"{os.fspath(out)} is not empty; choose a new folder (--out)")


def _lines_of(files: ChipFiles) -> ChipLines:
    """All lines of macros as large as the measured maps; of the usual size without any."""
    if not files.maps:
        return ChipLines()
    rows, cols = files.maps_S()[0].shape
    return ChipLines(rows=rows, pairs=cols // 2)


def _counts(learner: WriteLearner) -> Dict[str, Any]:
    """What is out of order on the chip; written weights give their own signs."""
    counts = dict(vars(chip_counts(learner.chip, signs_given=0)))
    del counts["signs_given"]
    return counts


def _written(
    imported: Imported,
    placing: Placing,
    data: Path,
    conditions: Conditions,
    draws: int,
    threads: int,
    out: Optional[Path],
) -> Written:
    """Write the weights, calibrate, examine."""
    samples = Samples.read(data, imported)
    config, weights, state = _for_codes(imported, placing, samples, data)
    calibration = samples.codes[: samples.calibration]
    effort = Effort(placing.tuning_error, placing.writes)
    learner = written_on(make_chip(config, placing.files), config, weights, effort=effort, threads=threads)
    learner.take_state(calibrate_ranges(config.network, state, weights=learner.read_weights(), codes=calibration))
    _learn(learner, samples.lessons, placing.epochs)
    model = written_model(config, learner, calibration)
    files = () if out is None else _save(out, config, learner, model, samples)
    weight_error, off_target = _weight_errors(learner, weights, placing.tuning_error)
    age(learner.chip, conditions)
    rest = samples.rest
    right = None if samples.labels is None else samples.labels[rest]
    answers = Answers(samples.codes[rest], float_logits(imported, samples.x[rest]), right)
    score = examine(
        config,
        learner.chip,
        model=model,
        examination=answers,
        split="test",
        threads=threads,
        draws=draws,
        conditions=conditions,
    )
    low, high, inputs_clipped = _input_range(samples, placing.input_bits)
    return Written(
        writes=dict(learner.pulses),
        writes_allowed=placing.writes,
        weight_error=weight_error,
        off_target=off_target,
        **_counts(learner),
        moved=moved_lines(config),
        epochs=placing.epochs,
        calibration_samples=samples.calibration,
        input_low=low,
        input_high=high,
        inputs_clipped=inputs_clipped,
        judged_by="float network" if samples.labels is None else "labels",
        score=score,
        agreement=answers.last_draw[0],
        logit_error=answers.last_draw[1],
        float_accuracy=answers.float_accuracy,
        read_noise=getattr(config.cell_model, "read_noise", None),
        adc_bits=config.adc_bits,
        files=files,
        readings=placing.files.readings,
        maps=learner.chip.maps,
        warnings=unusual(config.cell_model),
    )


def _for_codes(
    imported: Imported, placing: Placing, samples: Samples, data: Path
) -> Tuple[RunConfig, Dict[str, np.ndarray], Dict[str, np.ndarray]]:
    """(configuration, weights, digital state) of the network for the codes of the samples."""
    span = 1 / (samples.per_unit * imported.network.input_step)
    scaled = scaled_input(imported, span, zero=samples.zero)
    config = RunConfig(
        task=PLACED,
        data=os.fspath(data),
        network=scaled.network,
        recipe=Recipe(
            level="cell",
            epochs=max(placing.epochs, 1),
            batch_size=min(BATCH, len(samples.lessons.codes)),
            learning_rate=placing.learning_rate,
            weight_decay=0.0,
            seed=placing.seed,
            chip_seed=placing.chip_seed,
        ),
        cell_model=placing.cell_model,
        adc_bits=placing.adc_bits,
        adc_arrangement=placing.adc_arrangement,
        lines=placing.lines,
        **placing.files.names(),
        layout=Layout("onnx", tuple(samples.x.shape[1:]), "float32", _class_names(scaled), samples.rule),
    )
    return config, scaled.trained_weights, scaled.state


def _class_names(imported: Imported) -> Tuple[str, ...]:
    classes = output_shapes(imported.network)[imported.network.layers[-1].name][-1]
    if classes < 2:
        raise ConfigError(f"network {imported.network.name} gives {classes} number per answer; two classes or more")
    return tuple(str(number) for number in range(classes))


def written_on(
    chip: Chip, config: RunConfig, weights: Mapping[str, np.ndarray], *, effort: "Effort", threads: int
) -> WriteLearner:
    """A learner of written weights that has spent what it may on these weights, dict name -> (fan_in, fan_out)."""
    threshold_S = max(2 * effort.tuning_error * chip.cell_model.lrs_spread()[0], chip.cell_model.grid_S)
    writing = Writing(effort.tuning_error, threshold_S, budget=effort.writes)
    learner = WriteLearner(config.network, chip, recipe=config.recipe, writing=writing, threads=threads)
    learner.aim(weights)
    with stage("writing weights"):
        for _ in range(PASSES):
            before = sum(learner.pulses.values())
            learner.write()
            if sum(learner.pulses.values()) == before:
                break
    return learner


def _learn(learner: WriteLearner, lessons: Lessons, epochs: int) -> None:
    with stage("learning on the chip", max(epochs, 1)) as going:
        for _ in range(epochs):
            learner.epoch(lessons)
            going.advance()


def _input_range(samples: Samples, bits: int) -> Tuple[float, float, int]:
    """(value of the smallest code, of the largest, input values more than half a code beyond)"""
    low, high = ((code - samples.zero) / samples.per_unit for code in (0, 2**bits - 1))
    half = 0.5 / samples.per_unit
    return low, high, int(np.count_nonzero((samples.x < low - half) | (samples.x > high + half)))


def _weight_errors(learner: WriteLearner, weights: Dict[str, np.ndarray], tuning_error: float) -> Tuple[float, int]:
    """(relative root mean square, weights farther off than six tuning errors of the largest conductance)"""
    squares = total = 0.0
    off_target = 0
    for name, held in learner.read_weights().items():
        off = np.abs(held - weights[name]).astype(np.float64)
        squares += float(np.square(off).sum())
        total += float(np.square(weights[name].astype(np.float64)).sum())
        least_S = 6 * tuning_error * learner.range_S[1] + learner.chip.cell_model.grid_S
        off_target += int(np.count_nonzero(off * learner.scales_S[name] > least_S))
    return (float(np.sqrt(squares / total)) if total else 0.0), off_target


def written_model(config: RunConfig, learner: WriteLearner, codes: np.ndarray) -> Model:
    """The model of what a learner has written, its ADCs calibrated on `codes`."""
    placement = learner.chip.placement
    signs: Dict[str, np.ndarray] = {name: np.ones(placement.shape(name), bool) for name in placement.names}
    return calibrated(
        config.network,
        Model(placement, signs, learner.scales_S, {}, learner.state),  # signs do nothing at cell level
        chip=learner.chip,
        codes=codes,
        adc_bits=config.adc_bits,
        arrangement=config.adc_arrangement,
    )


@dataclass(frozen=True)
class Effort:
    """What is spent on the writing of weights."""

    tuning_error: float
    """standard deviation of what a write reaches, relative to its target"""
    writes: Optional[int]
    """budget, over all cells; None: any number"""


def save_written(run: RunFolder, learner: WriteLearner, model: Model) -> Tuple[str, str]:
    """Write what a placed network leaves in its folder; returns (digital.json, conductance.npy).

    The run, its masks keeping every cell; the conductances to be reached, float64 siemens (macros, rows, cols) by
    physical numbers; the weights that they stand for, with the effort, for another chip.
    """
    chip = learner.chip
    digital, conductance = run.path("digital.json"), run.path("conductance.npy")
    kept: Dict[str, np.ndarray] = {name: np.ones((2, *shape), bool) for name, shape in chip.placement.shapes}
    run.save_trained(chip, model, masks=kept)
    write_json(digital, digital_json.describe(run.config.network, model, chip=chip))
    with atomic_writer(conductance) as handle:
        np.save(handle, chip.physical(chip.conductance_S()))
    budget = learner.writing.budget
    spent = [learner.writing.tuning_error, np.nan if budget is None else budget]
    write_npz(run.path(WEIGHTS), {**prefixed("weight", learner.wanted), "effort": np.array(spent, np.float64)})
    return digital, conductance


def load_weights(run: RunFolder) -> Tuple[Dict[str, np.ndarray], Effort]:
    """(weights of a placed network, dict name -> float32 (fan_in, fan_out), what was spent on them); DataError."""
    with blaming(run.path(WEIGHTS)):
        arrays = run.arrays(WEIGHTS)
        weights = {
            name: checked(arrays, "weight/" + name, dtype=np.float32, shape=shape)
            for name, shape in matrices(run.config.network)
        }
        tuning_error, writes = checked(arrays, "effort", dtype=np.float64, shape=(2,))
        return weights, Effort(float(tuning_error), None if np.isnan(writes) else int(writes))


def _save(out: Path, config: RunConfig, learner: WriteLearner, model: Model, samples: Samples) -> Tuple[str, ...]:
    """The run folder, with its data; returns the files beside those of every run."""
    layout = replace(config.data_layout, data_set=DATA_SET, per_pixel=samples.by_pixel)
    os.makedirs(out, exist_ok=True)
    run = RunFolder(out, replace(config, data=IN_THE_FOLDER, layout=layout))
    files = list(save_written(run, learner, model))
    origin = f"data of {os.path.basename(config.data)}"
    files.append(datasets.save(run.folder, layout, parts=samples.parts(), origin=origin))
    write_json(run.path("config.json"), document(run.config))
    return tuple(files)

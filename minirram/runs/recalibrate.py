"""A run taken to the chip as it reads back: digital statistics and ADC ranges anew, then, if asked, a few masks."""

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np

from ..chip.chip import Chip
from ..errors import ConfigError, DataError, MissingFileError
from ..files import sha256_of, write_json
from ..inference import digital_json
from ..inference.calibration import calibrated
from ..inference.examine import Score, examine
from ..inference.model import Model
from ..json_codec import Result
from ..labfiles.maps import KEEP, Reading, read_map
from ..learn.adaptation import retake_statistics
from ..learn.learned import Arrays, copies
from ..learn.mask_learner import MaskLearner
from ..learn.optim import cosine_rate
from ..nn.engine.engine import Engine
from ..programming.manifest import check_measured
from ..programming.readback import read_program, verify
from ..rng import stream
from ..tasks.registry import SYNTHETIC
from .config import RunConfig, document
from .evaluate import conducted
from .export import build_program, export
from .folder import RunFolder, open_training

Path = Union[str, "os.PathLike[str]"]
FOLDER = "recalibrated"
"""where a recalibrated run lies in the folder of its run, when no other place is named"""
RELEARNING_RATE = 0.02
"""learning rate of the relearning over that of the first training: higher ones lose what was learned"""
PROGRAM = "increment.xbp"
"""the program of masks that were learned anew, in that folder"""


@dataclass(frozen=True)
class Relearned(Result):
    """What a few masks learned anew on the chip as read back give, on top of the digital side."""

    steps: int
    """batches"""
    score: Score
    """on the validation set, after the pulses"""
    beyond: Optional[float]
    """share of the loss that it wins back beyond the digital side; None: nothing was lost"""
    pulses: Dict[str, int]
    """of the incremental program, by kind"""
    beyond_per_pulse: Optional[float]
    """that share over the pulses; None: no pulse, or nothing was lost"""
    program: str
    """path of the incremental program, from the program that the chip holds"""


@dataclass(frozen=True)
class Recalibration(Result):
    """What taking a run to its chip as read back gives. Scores on the validation set, on the simulated macros."""

    folder: str
    """run folder that was made: the chip as read back, model.npz, digital.json"""
    readback: Reading
    """what was taken from the file of the read-back"""
    readback_sha256: str
    """SHA-256 of the read-back file, in model.npz and digital.json, too"""
    differing: int
    """cells that are not what the program says, as `verify` counts them"""
    suspects: Tuple[str, ...]
    """what the read-back may be instead, as `verify` names it; none: nothing else explains it"""
    doubtful: int
    """cells of the read-back that hold no number, or one below 0: taken for open"""
    limited: int
    """cells above what the grid holds, shorted ones among them: taken to conduct that much"""
    clipped_conductances: int
    """conductances of the chip, off ones that were drawn among them, that were cut at the largest of the grid"""
    programmed: Score
    """of the run as it was"""
    read_back: Score
    """of the chip as read back, the digital side as it was"""
    recalibrated: Score
    """of the chip as read back, the digital side and ADC ranges taken anew"""
    lost: float
    """primary figure as programmed minus as read back"""
    recovered: Optional[float]
    """share of that loss won back without a pulse; None: nothing was lost"""
    relearned: Optional[Relearned]
    """what a few masks add; None: not asked for"""


@dataclass(frozen=True, eq=False)
class _Bench:
    """What is examined and calibrated on."""

    config: RunConfig
    data: Any
    readback_S: np.ndarray
    threads: int

    def score(self, chip: Chip, model: Model) -> Score:
        """On the validation set."""
        return examine(
            self.config,
            chip,
            model=model,
            examination=self.data.validation,
            split="validation",
            threads=self.threads,
        )

    def recalibrated(self, chip: Chip, model: Model, readback: str) -> Model:
        """The model with statistics, ADC ranges and probes of the chip as it is. readback: its file, for messages."""
        config, state = self.config, copies(model.state)
        if config.wires is not None:
            chip.update_ir_drop(config.wires, exact=config.recipe.wire_gradient == "exact")
        names = chip.placement.names
        reads = {name: stream(config.recipe.seed, "recalibration", "read", name) for name in names}
        retake_statistics(
            Engine(config.network, config.recipe.batch_size, threads=self.threads),
            state,
            read_weights=lambda: {n: chip.read_weights(n, model.scales_S[n], generator=reads[n]) for n in names},
            data=self.data,
            order=stream(config.recipe.seed, "recalibration"),
            recipe=config.recipe,
        )
        try:
            return calibrated(
                config.network,
                replace(model, state=state),
                chip=chip,
                codes=self.data.calibration_codes(),
                adc_bits=config.adc_bits,
                arrangement=config.adc_arrangement,
                wires=config.wires,
            )
        except ConfigError as error:
            raise DataError(f"{readback}: no signal passes through the chip as read back ({error})") from None


def recalibrate(
    folder: Path,
    readback: Path,
    *,
    unit: str = "S",
    out: Optional[Path] = None,
    relearn_steps: int = 0,
    program: Optional[Path] = None,
    data: Optional[str] = None,
    threads: int = 1,
) -> Recalibration:
    """Take the run in `folder` to its chip as the file `readback` shows it, in a run folder of its own.

    readback: a lab file of conductances in `unit`, as for `verify`. out: the new folder, default `recalibrated` in
    the run's; one that holds an earlier recalibration is replaced. relearn_steps: batches from which masks learn on;
    their pulses become an incremental program from `program`, the one that the chip holds, default `program.xbp` of
    the run.
    ConfigError, ShapeError, DataError for what does not fit together, read-back and manifest too.
    """
    run = RunFolder.open(folder)
    out = run.path(FOLDER) if out is None else os.fspath(out)
    held = run.path("program.xbp") if program is None else os.fspath(program)
    _check(run, out, relearn_steps=relearn_steps, program=program, held=held)
    chip, model, masks = run.load_trained()
    whole, _ = build_program(run.config, chip, model=model, masks=masks)
    check_measured(readback, chip_id=whole.chip_id)
    seen, digest = read_map(readback, unit, policy=KEEP, plausible=False), sha256_of(readback)
    found = verify(whole, seen.conductances_S)
    readback_S, doubtful, limited = conducted(seen.conductances_S, chip)
    bench = _Bench(run.config, open_training(replace(run.config, data_crc=0), run.source(data)), readback_S, threads)
    programmed = bench.score(chip, model)
    chip.replace_conductances(readback_S)
    read_back = bench.score(chip, model)
    model = replace(bench.recalibrated(chip, model, os.fspath(readback)), readback_sha256=digest)
    recalibrated, relearned = bench.score(chip, model), None
    lost = programmed.value - read_back.value
    if relearn_steps:
        chip, model, masks = _relearn(run, bench, model, steps=relearn_steps, readback=os.fspath(readback))
    _save(out, run, chip, model, masks=masks)
    if relearn_steps:
        score = bench.score(chip, model)
        relearned = _relearned(relearn_steps, score, recalibrated, lost=lost, pulses=_increment(out, held), out=out)
    result = Recalibration(
        folder=out,
        readback=seen.reading,
        readback_sha256=digest,
        differing=found.differing,
        suspects=found.suspects,
        doubtful=doubtful,
        limited=limited,
        clipped_conductances=chip.clipped(),
        programmed=programmed,
        read_back=read_back,
        recalibrated=recalibrated,
        lost=lost,
        recovered=_share(recalibrated.value - read_back.value, lost),
        relearned=relearned,
    )
    write_json(os.path.join(out, "results.json"), result.to_json())
    return result


def _share(won: float, lost: float) -> Optional[float]:
    """Share of a loss; None where nothing was lost."""
    return won / lost if lost > 0 else None


def _relearned(
    steps: int, score: Score, recalibrated: Score, *, lost: float, pulses: Dict[str, int], out: str
) -> Relearned:
    """What masks that learned on give, beside the digital side alone."""
    beyond, count = _share(score.value - recalibrated.value, lost), sum(pulses.values())
    return Relearned(
        steps=steps,
        score=score,
        beyond=beyond,
        pulses=pulses,
        beyond_per_pulse=None if beyond is None or not count else beyond / count,
        program=os.path.join(out, PROGRAM),
    )


def _check(run: RunFolder, out: str, *, relearn_steps: int, program: Optional[Path], held: str) -> None:
    """ConfigError for a folder that may not be written to, and for what a relearning lacks."""
    if os.path.isdir(out) and os.path.samefile(out, run.folder):
        raise ConfigError(f"{out} is the run itself: name another folder for the recalibrated one (--out)")
    if os.path.isdir(out) and not (RunFolder.exists(out) and RunFolder.open(out).load_model().readback_sha256):
        RunFolder.require_empty(out)
    if relearn_steps < 0:
        raise ConfigError(f"{relearn_steps} steps of relearning; it must be 0 or more")
    if program is not None and not relearn_steps:
        raise ConfigError("a program (--program) is what relearned masks start from: give --relearn-steps, too")
    if relearn_steps and not os.path.isfile(held):
        raise MissingFileError(f"{held}: there is no such file; name the program that the chip holds (--program)")
    if relearn_steps and run.has("weights.npz"):
        raise ConfigError(f"{run.folder} is a placed network, without masks that could learn on: leave the steps out")
    if relearn_steps and not run.has("checkpoint.npz"):
        raise MissingFileError(f"{run.folder}: masks learn on from checkpoint.npz, which is missing")
    if relearn_steps:
        read_program(held)  # what is wrong with it is said before anything is learned


def _relearn(run: RunFolder, bench: _Bench, model: Model, *, steps: int, readback: str) -> Tuple[Chip, Model, Arrays]:
    """(chip as read back and pulsed, model, masks): masks that learned on from those of the run for some batches.

    The learning looks at the chip as read back; what it flips and flips back is no pulse. Cells that it pulses then
    conduct what the simulated chip says.
    """
    config, chip = bench.config, run.load_trained()[0]
    rate = RELEARNING_RATE * config.recipe.learning_rate
    recipe = replace(config.recipe, hysteresis=0.0, hysteresis_end=0.0, learning_rate=rate)  # a border stands for it
    learner = MaskLearner(
        config.network, chip, recipe=recipe, threads=bench.threads, wires=config.wires, programs=False
    )
    learner.restore(run.load_checkpoint())
    if any((learner.signs[name] != model.signs[name]).any() for name in model.signs):
        raise ConfigError(f"{run.folder} was learned around known faults; masks cannot learn on from there")
    for velocity in learner.velocity.values():
        velocity[...] = 0.0
    learner.adopt(replace(learner.best, state=model.state))
    learner.hold_masks()
    chip.replace_conductances(bench.readback_S)
    before, batches = copies(chip.state()), stream(recipe.seed, "relearning")
    learner.apply_wires()
    taken = 0
    while taken < steps:
        for codes, labels, weight in bench.data.batches(batches, recipe):
            rate = cosine_rate(recipe.learning_rate, taken, n_steps=steps)
            learner.step(codes, labels, weight=weight, rate=rate)
            taken += 1
            if taken == steps:
                break
    chip.restore(before)
    chip.program(learner.masks, learner.signs)
    found = bench.recalibrated(chip, replace(model, state=learner.state), readback)
    return chip, found, dict(learner.masks)


def _save(out: str, run: RunFolder, chip: Chip, model: Model, *, masks: Arrays) -> None:
    """A run folder of the chip as it is now, with digital.json."""
    config = replace(run.config, data=_absolute(run.config.data))
    os.makedirs(out, exist_ok=True)
    write_json(os.path.join(out, "config.json"), document(config))
    made = RunFolder(out, config)
    made.save_trained(chip, model, masks=masks)
    described = digital_json.describe(config.network, model, chip=chip, wires=config.wires)
    write_json(made.path("digital.json"), described)


def _absolute(source: str) -> str:
    return source if source == SYNTHETIC else os.path.abspath(source)


def _increment(out: str, held: str) -> Dict[str, int]:
    """Write the program that takes the chip from `held` to the masks of the run in `out`; its pulses by kind."""
    written = export(out, os.path.join(out, PROGRAM), old=held)
    return {kind: written.pulses[kind] for kind in ("SET", "RESET")}

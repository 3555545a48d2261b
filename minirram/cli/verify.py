"""minirram verify: compare a read-back with a program file."""

import argparse
import json
import os
from dataclasses import dataclass
from typing import Iterator, Optional, Sequence, Tuple

import numpy as np

from ..chip.cell_results import CellResults
from ..errors import ConfigError, DataError
from ..files import read_json
from ..labfiles.maps import KEEP, Reading, read_map
from ..labfiles.units import OF_A_CELL
from ..programming import manifest, readback
from ..programming.readback import read_program
from ..programming.results import CellCosts, Verification, WrongCell
from ..xbp import table
from ..xbp.records import Program
from .arguments import FAILED, GOOD, file_option, group
from .counts import count_lines, total
from .field_options import finite


@dataclass(frozen=True)
class VerifiedProgram(Verification):
    """A read-back map beside a program, and what the differences do to the accuracy of its run."""

    manifest: Optional[str]
    """manifest that binds the two; None: there is none, and nothing says that the map is the chip's"""
    targets: Optional[str]
    """file of the conductance targets; None: none were compared"""
    targets_left_out: Optional[str]
    """why the targets beside the program were not compared; None: they were, or there are none"""
    accuracy_programmed: Optional[float]
    """validation accuracy of the run's chip as programmed; None: no run was named"""
    accuracy_read_back: Optional[float]
    """the same with the conductances that were read back; None: no run was named"""
    readback: Optional[Reading]
    """what was taken from the file of the read-back; None: it was simulated"""
    saturated_read_back: Optional[int]
    """conversions that saturated with the conductances that were read back; None: no run was named"""
    clipped_conductances: Optional[int]
    """conductances of the chip as read back that were cut at the largest that the grid holds; None: no run was named"""
    without_number: int
    """cells with a mask for which the read-back holds no number; with a run they count as 0 S"""
    simulated: bool
    """whether nothing was measured: the read-back is one noisy read of the run's simulated chip"""
    lost_accuracy: Optional[float]
    """the first minus the second; None: no run was named"""
    remedy: Optional[str]
    """command that wins back what was lost; None: nothing was, too many cells differ, or no run was named"""
    doubtful: Optional[int]
    """cells of the read-back that hold no number, or one below 0: examined as open; None: no run was named"""
    limited: Optional[int]
    """cells above what the grid holds, shorted ones among them: examined as conducting that much; None: likewise"""
    costs: Optional[CellCosts]
    """which cells that differ cost most; None: no run, none differs, or the map may be another than was meant"""
    known_stuck: Optional[int]
    """cells that differ and are stuck so on the run's chip, which its masks were learned with; None: likewise"""


RESULT = VerifiedProgram
EXAMPLES = (
    (
        "minirram verify runs/mine/program.xbp readback.npy --run runs/mine",
        "which cells differ, and what that costs in accuracy",
    ),
    ("minirram verify runs/mine/program.xbp readback.csv --unit uS", "a read-back in microsiemens"),
)
TOLERANCE = 0.1
REMEDIED = 0.02
"""share of cells that differ up to which a digital side taken anew wins back much of what was lost"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram verify` takes."""
    file_option(parser)
    parser.add_argument("readback", nargs="?", metavar="READBACK", help="read-back: any lab file, or cells.npz")
    read = group(parser, "the read-back")
    read.add_argument("--unit", default="S", help=f"unit of the read-back: {OF_A_CELL}")
    read.add_argument(
        "--manifest",
        metavar="FILE",
        help="what binds program and read-back; default: manifest.json beside READBACK, if there is one",
    )
    read.add_argument(
        "--simulate", action="store_true", help="no read-back: one noisy read of the simulated chip of --run instead"
    )
    targets = group(parser, "conductances to be reached")
    targets.add_argument(
        "--targets",
        metavar="TARGETS.xbp",
        help="program file that holds them; default: targets.xbp beside FILE, where that fits it",
    )
    targets.add_argument(
        "--tolerance", type=finite, help=f"relative deviation from a target that is allowed; default {TOLERANCE}"
    )
    accuracy = group(parser, "what the differences cost")
    accuracy.add_argument(
        "--run",
        metavar="RUN",
        help="run folder of the program: validation figures with and without them; default: none",
    )
    accuracy.add_argument("--data", help='with --run, folder of the data set, or "synthetic"; default: the run\'s')


def run(options: argparse.Namespace) -> VerifiedProgram:
    """Compare cell by cell; with a run, examine it on the chip that was read back."""
    _check_options(options)
    built = read_program(options.file)
    if options.run is not None:
        _check_belongs(built, options.file, options.run)
    bound, reading = None, None
    if options.simulate:
        measured_S = _simulated(options.run)
    else:
        bound = manifest.manifest_beside(options.readback, options.manifest)
        _check_bound(bound, options)
        measured_S, reading = _conductances(options)
    path, targets, left_out = _targets_of(options.file, built, options.targets)
    if options.tolerance is not None and targets is None and not built.maps & table.MAPS["targets"]:
        raise ConfigError(
            f"--tolerance is that of targets, and {left_out or options.file + ' has none'}: name --targets"
        )
    tolerance = TOLERANCE if options.tolerance is None else options.tolerance
    found = readback.verify(built, measured_S, tolerance=tolerance, targets=targets)
    if not found.checked:
        raise ConfigError(f"{options.file} says of no cell what it must be (no mask, no change): nothing to verify")
    programmed = read_back = lost = remedy = saturated = clipped = doubtful = limited = known = costs = None
    if options.run is not None:
        from ..runs.evaluate import accuracy_of_readback

        wrong = readback.wrong_cells(built, measured_S, tolerance=tolerance, targets=targets)
        scores = accuracy_of_readback(options.run, measured_S, data=options.data, wrong=() if found.suspects else wrong)
        programmed, read_back = scores.programmed.accuracy, scores.read_back.accuracy
        saturated, clipped = total(scores.read_back.saturated), scores.clipped_conductances
        doubtful, limited, costs = scores.doubtful, scores.limited, scores.costs
        known = _known_stuck(options.run, wrong)
        lost = programmed - read_back
        if lost > 0 and not options.simulate and not found.suspects and found.bit_error_rate <= REMEDIED:
            unit = "" if options.unit == "S" else f" --unit {options.unit}"
            remedy = f"minirram recalibrate {options.run} --readback {options.readback}{unit}"
    return VerifiedProgram(
        **vars(found),
        manifest=bound,
        targets=path,
        targets_left_out=left_out,
        readback=reading,
        accuracy_programmed=programmed,
        accuracy_read_back=read_back,
        lost_accuracy=lost,
        doubtful=doubtful,
        limited=limited,
        costs=costs,
        known_stuck=known,
        remedy=remedy,
        saturated_read_back=saturated,
        clipped_conductances=clipped,
        without_number=found.kinds.get("not a number", 0),
        simulated=options.simulate,
    )


def _check_options(options: argparse.Namespace) -> None:
    """ConfigError for options that exclude each other, or that need another one."""
    if options.data is not None and options.run is None:
        raise ConfigError("--data is the data set of the run: name that, too, --run")
    if options.simulate and options.run is None:
        raise ConfigError("--simulate reads the chip of a run: name that, too, --run")
    if options.simulate == (options.readback is not None):
        raise ConfigError("name the map that was read back, READBACK, or --simulate one; not both, not neither")
    if options.simulate and options.manifest is not None:
        raise ConfigError("--manifest binds what was measured; --simulate measures nothing")
    if options.simulate and options.unit != "S":
        raise ConfigError("--unit is that of a read-back file; --simulate reads none")


def _check_bound(bound: Optional[str], options: argparse.Namespace) -> None:
    """DataError for a manifest of another program, read-back or digital.json."""
    if bound is None:
        return
    made = manifest.check_pair(bound, program=options.file, readback=options.readback)
    if options.run is not None:
        _check_digital(made, bound, options.run)


def _conductances(options: argparse.Namespace) -> Tuple[np.ndarray, Optional[Reading]]:
    """(what was read back, siemens, and how it was read); of cell results what they were last read to conduct."""
    if options.readback.endswith(".npz"):
        return CellResults.load(options.readback).last_read_S, None
    lab_map = read_map(options.readback, options.unit, policy=KEEP, plausible=False)
    return lab_map.conductances_S, lab_map.reading


def _targets_of(
    file: str, built: Program, named: Optional[str]
) -> Tuple[Optional[str], Optional[Program], Optional[str]]:
    """(path and contents of the targets file, why the one beside the program is left out).

    DataError where the file that was named is of another program.
    """
    path = named if named is not None else os.path.join(os.path.dirname(file), "targets.xbp")
    if named is None and (built.maps & table.MAPS["targets"] or not os.path.exists(path)):
        return None, None, None
    targets = read_program(path)
    try:
        readback.check_targets(built, targets)
    except DataError as error:
        if named is not None:
            raise DataError(f"{path}: {error}") from None
        return None, None, f"{path}: {error}"
    return path, targets, None


def _simulated(folder: str) -> np.ndarray:
    from ..runs.export import simulated_readback

    return simulated_readback(folder)


def _check_belongs(built: Program, file: str, folder: str) -> None:
    """DataError unless the program leaves the run's chip with the run's masks."""
    from ..runs.export import build_program
    from ..runs.folder import RunFolder

    run = RunFolder.open(folder)
    chip, model, masks = run.load_trained()
    own, _ = build_program(run.config, chip, model=model, masks=masks)
    for name in ("chip_id", "new_state"):
        found, expected = getattr(built, name), getattr(own, name)
        if found != expected:
            raise DataError(
                f"{file}: {name} is {found:08x}, that of the run {folder} is {expected:08x}: "
                "not a program of this run, or of older masks"
            )


def _known_stuck(folder: str, cells: Sequence[WrongCell]) -> int:
    """Cells that differ because they are stuck on, or off, on the chip of a run."""
    from ..runs.folder import RunFolder

    chip, _, _ = RunFolder.open(folder).load_trained()
    stuck = chip.physical(np.stack([macro.stuck for macro in chip.macros]))
    on = chip.physical(np.stack([macro.on for macro in chip.macros]))
    return sum(bool(stuck[cell.place]) and cell.why == ("on" if on[cell.place] else "off") for cell in cells)


def _check_digital(made: manifest.Manifest, path: str, folder: str) -> None:
    """DataError unless the digital.json that is bound is that of the run."""
    from ..inference import digital_json
    from ..runs.folder import RunFolder

    if made.digital is None:
        return
    run = RunFolder.open(folder)
    chip, model, _ = run.load_trained()
    described = digital_json.describe(run.config.network, model, chip=chip, wires=run.config.wires)
    file = os.path.join(os.path.dirname(path), made.digital.file)
    if read_json(file) != json.loads(json.dumps(described)):
        raise DataError(f"{file}: not the digital.json of the run {folder}")


def text(shown: VerifiedProgram) -> str:
    """How many cells differ, which, and what that does to the accuracy."""
    lines = [_verdict(shown)]
    if shown.targets_left_out is not None:
        lines.append(f"targets not compared: {shown.targets_left_out}")
    if shown.simulated:
        lines.insert(0, "read-back simulated: one noisy read of the run's simulated chip; nothing was measured")
    if shown.accuracy_programmed is not None:
        programmed, read_back = f"{shown.accuracy_programmed:.2%}", f"{shown.accuracy_read_back:.2%}"
        lines.append(f"validation accuracy {programmed} as programmed, {read_back} as read back")
    if shown.lost_accuracy is not None and shown.remedy is not None:
        lines.append(f"{100 * shown.lost_accuracy:.2f} points lost; without a pulse much of it comes back by")
        lines.append(f"  {shown.remedy}")
    elif shown.lost_accuracy is not None and shown.lost_accuracy > 0 and not shown.simulated:
        lines.append(f"{100 * shown.lost_accuracy:.2f} points lost; too many cells differ: program the chip first")
    if shown.readback is not None:
        lines.append(f"read-back {shown.readback.line}")
    lines += count_lines("verify", shown)
    lines += _told_apart(shown)
    lines += [f"  macro {cell.macro} row {cell.row} col {cell.col}: {cell.why}" for cell in shown.cells]
    if shown.differing > len(shown.cells):
        lines.append(f"  and {shown.differing - len(shown.cells)} more")
    return "\n".join([*lines, *_costs(shown.costs)])


def _costs(costs: Optional[CellCosts]) -> Iterator[str]:
    """The cells that cost most, and the accuracy without them."""
    if costs is None:
        return
    if not costs.cells:
        yield f"no cell that differs raises the loss by itself, over {costs.samples} training samples"
        return
    yield f"cells that cost most, by the mean loss over {costs.samples} training samples"
    for cell in costs.cells:
        place = f"macro {cell.macro} row {cell.row} col {cell.col}: {cell.why}"
        yield f"  {place}, {1e6 * cell.examined_S:.3g} not {1e6 * cell.programmed_S:.3g} uS, loss +{cell.loss:.2g}"
    yield f"validation accuracy {costs.accuracy:.2%} with these {len(costs.cells)} as programmed"


def _told_apart(shown: VerifiedProgram) -> Iterator[str]:
    """What the map may be, and where the cells that differ lie, when there are more than are listed."""
    for what in shown.suspects:
        yield f"suspected {what}"
    if shown.differing <= len(shown.cells):
        return
    kinds = ", ".join(f"{count} {why}" for why, count in shown.kinds.items())
    more = [f"{shown.open} of them read 0 S or below"] if shown.open else []
    more += [f"{shown.overflow} overflow or short"] if shown.overflow else []
    yield "; ".join([f"by kind   {kinds}", *more])
    for name, counts in (("tile", shown.tiles), ("row", shown.rows), ("column", shown.cols)):
        most = ", ".join(f"{one.number} of macro {one.macro} ({one.cells})" for one in counts[:3])
        yield f"most in   {name} {most}"


def _verdict(shown: VerifiedProgram) -> str:
    """How many cells differ. Without a manifest nobody knows what the chip is: then it is said of the map alone."""
    rate = f"bit error rate {shown.bit_error_rate:.2e}"
    if shown.manifest is not None:
        return f"{shown.differing} of {shown.checked} cells differ, {rate}"
    count = shown.differing or "none"
    return f"of {shown.checked} cells of the map {count} differ, {rate}; no manifest says that it is the chip's"


def exit_code(shown: VerifiedProgram) -> int:
    """Failed when a cell differs; of a simulated read-back, when one does that is not known to be stuck so."""
    expected = shown.known_stuck if shown.simulated else 0
    return GOOD if shown.differing == (expected or 0) else FAILED

"""A program file run through a driver: step by step, with a journal, so that a stop at any moment costs nothing.

A step is some rows of one pass of one tile. Steps that are done are not done again. In the step that was stopped, each
cell is read first, and one that is past its threshold gets no pulse. The others get the pulses that are left.
"""

from dataclasses import dataclass
from typing import Callable, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from ..chip.cell_results import FAILURES, CellResults
from ..device.pulses import PulseRecipe
from ..device.thresholds import Thresholds
from ..errors import ConfigError, DataError
from ..files import blaming
from ..json_codec import Result
from ..programming.recipes import pulse_recipe
from ..xbp import table
from ..xbp.records import Program, TileProgram
from . import verified
from .journal import Journal, packed, unpacked
from .protocol import Capabilities, Driver, Verify, check_recipe

ROWS = 64
"""rows of a step"""
MOST_OTHER = 0.1
"""share of the cells that may be in another state than a program expects before its first pulse"""


class Step(NamedTuple):
    """Some rows of one pass of one tile."""

    number: int
    tile: TileProgram
    recipe: PulseRecipe
    read: Optional[PulseRecipe]
    """the READ that verifies; None: the pulses are blind"""
    rows: slice
    """rows of the tile"""
    cells: np.ndarray
    """bool (rows, tile columns)"""

    @property
    def macro(self) -> int:
        """index of the macro"""
        return self.tile.macro

    @property
    def limits(self) -> Thresholds:
        """when a cell of the tile is on, and off"""
        return Thresholds(self.tile.on_min_nS * 1e-9, self.tile.off_max_nS * 1e-9)

    def region(self) -> Tuple[slice, slice]:
        """rows and columns of the macro"""
        start = self.tile.row0 + self.rows.start
        return slice(start, start + len(self.cells)), self.tile.cols

    def mask(self, shape: Tuple[int, int]) -> np.ndarray:
        """The cells on a map of the macro."""
        mask: np.ndarray = np.zeros(shape, bool)
        mask[self.region()] = self.cells
        return mask


@dataclass(frozen=True)
class Estimate(Result):
    """What a program asks of a chip and of a bench. Times are those of pulses, verifying reads and calls."""

    steps: int
    """calls of the bench that pulse, at least"""
    cells: int
    """cells that are pulsed"""
    pulses: Dict[str, int]
    """pulses by kind when each cell answers to the first"""
    most_pulses: int
    """pulses of one cell at worst"""
    seconds: float
    """when each cell answers to the first pulse"""
    most_seconds: float
    """when each needs all pulses of its recipe"""


def steps(program: Program, *, rows: int = ROWS) -> Iterator[Step]:
    """The steps of a program in file order."""
    recipes = {record.id: pulse_recipe(record) for record in program.recipes}
    records = {record.id: record for record in program.recipes}
    number = 0
    for tile in program.tiles:
        for recipe, cells in tile.passes:
            read = recipes.get(records[recipe].verify_id)
            for start in range(0, tile.n_row, rows):
                part = slice(start, min(start + rows, tile.n_row))
                if cells[part].any():
                    yield Step(number, tile, recipes[recipe], read, part, cells[part])
                    number += 1


def check(capabilities: Capabilities, program: Program) -> None:
    """ConfigError unless the bench has the chip of the program and gives what its recipes ask for."""
    found = (capabilities.macros, *capabilities.shape)
    if found != (program.macros, program.rows, program.cols):
        raise ConfigError(
            f"the program is for {program.macros} macros of {program.rows} x {program.cols} cells; "
            f"{capabilities.name} has {found[0]} of {found[1]} x {found[2]}"
        )
    for record in program.recipes:
        check_recipe(capabilities, pulse_recipe(record))


def estimate(capabilities: Capabilities, program: Program) -> Estimate:
    """What a program asks for on this bench."""
    shape = (program.macros, *capabilities.shape)
    worst: np.ndarray = np.zeros(shape, np.int64)
    pulses = {"FORM": 0, "SET": 0, "RESET": 0}
    count, seconds, most_seconds = 0, 0.0, 0.0
    for step in steps(program):
        count += 1
        pulses[step.recipe.kind] += int(np.count_nonzero(step.cells))
        worst[step.macro][step.region()] += step.cells * step.recipe.max_pulses
        one = _shots(capabilities, step.cells) * (step.recipe.width_s + step.recipe.settle_s)
        if step.read is not None:
            one += np.count_nonzero(step.cells) * step.read.width_s * step.read.max_pulses * step.recipe.good_reads
        calls = capabilities.call_s * (2 if step.read is not None else 1)
        first = 1 if step.read is not None else step.recipe.max_pulses
        seconds += one * first + calls
        most_seconds += (one + calls) * step.recipe.max_pulses
    return Estimate(
        steps=count,
        cells=int(np.count_nonzero(worst)),
        pulses=pulses,
        most_pulses=int(worst.max(initial=0)),
        seconds=float(seconds),
        most_seconds=float(most_seconds),
    )


def _shots(capabilities: Capabilities, cells: np.ndarray) -> int:
    """Pulses one after the other that reach `cells`."""
    if capabilities.granularity == "mask":
        return 1
    return int(np.count_nonzero(cells.any(axis=1) if capabilities.granularity == "line" else cells))


Progress = Callable[[int, int], None]
"""called with the steps done and all steps"""


class Programming(NamedTuple):
    """What was pulsed, maps (macros, rows, cols)."""

    pulses: np.ndarray
    """uint32, as far as they are known"""
    failed: np.ndarray
    """bool: cells that were verified last and are not past their threshold"""
    interrupted: np.ndarray
    """bool: cells of steps that were stopped"""


def run(driver: Driver, program: Program, journal: Journal, *, progress: Optional[Progress] = None) -> Programming:
    """Do the steps that the journal does not say are done; returns what all steps together did."""
    check(driver.capabilities, program)
    everything = list(steps(program))
    shape = (program.macros, program.rows, program.cols)
    made = Programming(np.zeros(shape, np.uint32), np.zeros(shape, bool), np.zeros(shape, bool))
    for step in everything:
        if step.number not in journal.done:
            _do(driver, step, journal)
        with blaming(journal.path):
            _book(made, step, journal)
        if progress is not None:
            progress(step.number + 1, len(everything))
    return made


def _do(driver: Driver, step: Step, journal: Journal) -> None:
    """Pulse the cells of a step: an entry before each pulse, and one that says what came of the step."""
    mask, recipe, read = step.mask(driver.capabilities.shape), step.recipe, step.read
    given, verify = 0, None if read is None else Verify.of(recipe, read, step.limits)
    if journal.begun == step.number:
        given = journal.given
        limit = Verify.of(recipe, read, step.limits)
        mask &= ~verified.passed(driver, step.macro, mask, recipe=recipe, verify=limit)
    done = verified.pulse(
        driver,
        step.macro,
        mask,
        recipe=recipe,
        verify=verify,
        given=given,
        before=lambda number: journal.write(begin=step.number, pulse=number),
    )
    region, known = step.region(), done.pulses + mask * np.uint32(given)
    journal.write(
        done=step.number,
        pulses=packed(known[region][step.cells]),
        failed=packed(np.flatnonzero(done.failed[region][step.cells])) if done.failed.any() else "",
        n_failed=int(np.count_nonzero(done.failed)),
    )


def _book(made: Programming, step: Step, journal: Journal) -> None:
    """Add what the journal says of a step to the maps."""
    entry = journal.done[step.number]
    region, count = step.region(), int(np.count_nonzero(step.cells))
    pulses = np.zeros(step.cells.shape, np.uint32)
    pulses[step.cells] = unpacked(entry["pulses"], count)
    made.pulses[step.macro][region] += pulses
    flags: np.ndarray = np.zeros(count, bool)
    if entry["n_failed"]:
        failed = unpacked(entry["failed"], min(entry["n_failed"], count))
        if failed.max() >= count:
            raise DataError(f"step {step.number} has {count} cells, and cell {failed.max()} failed")
        flags[failed] = True
    made.failed[step.macro][region][step.cells] = flags
    if step.number in journal.interrupted:
        made.interrupted[step.macro][region] |= step.cells


def read_back(driver: Driver, program: Program) -> np.ndarray:
    """What the cells of all masks conduct, and of a program without masks those that it pulses.

    float64 siemens (macros, rows, cols), NaN elsewhere.
    """
    read = next((pulse_recipe(record) for record in program.recipes if record.kind_name == "READ"), None)
    shape = driver.capabilities.shape
    found_S = np.full((program.macros, *shape), np.nan)
    for macro, mask in masks_to_read(program, shape).items():
        found_S[macro] = driver.read(macro, mask, read)
    return found_S


def masks_to_read(program: Program, shape: Tuple[int, int]) -> Dict[int, np.ndarray]:
    """{macro: bool (rows, cols)}: the cells of all masks, and of a tile without one those that it pulses."""
    masks: Dict[int, np.ndarray] = {}
    for tile in program.tiles:
        wanted = masks.setdefault(tile.macro, np.zeros(shape, bool))[tile.rows, tile.cols]
        wanted |= tile.mask is not None
        for _, cells in tile.passes:
            wanted |= cells
    return masks


def check_state(
    driver: Driver, program: Program, readback_S: Optional[np.ndarray], *, formed: Optional[np.ndarray] = None
) -> None:
    """ConfigError unless a read shows the chip in the state that the program is for; before the first pulse alone.

    readback_S: what the chip was last read to be, (macros, rows, cols), for a repair program or an increment. formed:
    bool, the same shape: the cells of a formed chip that conduct; None: all. A share of `MOST_OTHER` of cells may be
    in another state.
    """
    found_S, other, cells = read_back(driver, program), 0, 0
    for tile in program.tiles:
        where = (tile.macro, tile.rows, tile.cols)
        read = np.isfinite(found_S[where])
        on = found_S[where] * 1e9 >= tile.on_min_nS
        if readback_S is not None:
            known = read & np.isfinite(readback_S[where])
            other += int(np.count_nonzero(known & (on != (readback_S[where] * 1e9 >= tile.on_min_nS))))
        elif program.before == table.BEFORE["unformed"]:
            other += int(np.count_nonzero(on))
        elif program.before == table.BEFORE["formed"]:
            other += int(np.count_nonzero(read & (on != (True if formed is None else formed[where]))))
        cells += int(np.count_nonzero(read))
    if other > MOST_OTHER * cells:
        state = next(name for name, value in table.BEFORE.items() if value == program.before)
        raise ConfigError(
            f"the program is for a chip that is {state}: {other} of {cells} cells are in another state. Write a "
            "program from what the chip is: minirram repair RUN READBACK.npy, then bench --program RUN/repair.xbp "
            "--readback READBACK.npy; of a simulated chip, minirram chip RUN --out READBACK.npy reads it"
        )


def cell_results(made: Programming, readback_S: np.ndarray, wrong: Mapping[Tuple[int, int, int], str]) -> CellResults:
    """The per-cell file. wrong: (macro, row, column) -> what `verify` says of the cells that differ."""
    failure = np.zeros(made.pulses.shape, np.uint8)
    words = {"on": "stuck_on", "off": "stuck_off", "not a number": "not_read"}
    for place, why in wrong.items():
        if why in words:
            failure[place] = FAILURES.index(words[why])
    return CellResults(made.pulses, readback_S, failure, made.interrupted)

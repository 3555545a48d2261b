"""The loop over a chip with dead lines: export, the C programmer, read-back and verify, all by physical numbers."""

import dataclasses

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines, read_faults
from minirram.device.thresholds import thresholds
from minirram.programming import dump, readback
from minirram.programming.build import chip_identity, increment
from minirram.rng import stream
from minirram.xbp import codec

from ..support import dead_lines
from ..support.c_programs import NEEDS_COMPILER, run_programmer

pytestmark = NEEDS_COMPILER


class DeadBench:
    """A chip of several macros with dead lines, on which every cell of a dead line shows 5 S when it is read."""

    DEAD = ((0, 3), (0, 4), (1, 0), (3, 23)), ((0, 7), (1, 0), (1, 19), (4, 12), (4, 13))

    def __init__(self, folder, policy, level, stuck=()):
        self.folder = folder
        self.lines = ChipLines(*self.DEAD, policy, dead_lines.ROWS, dead_lines.PAIRS)
        self.case = dead_lines.case(self.lines, level, 3, stuck)
        np.save(folder / "map.npy", self.case.chip.physical(self.case.chip.formed_S()))

    def run(self, programmer, *programs, faults=""):
        """Run programs; (return code, standard error, read-back with nonsense on dead lines or None)."""
        paths = []
        for number, made in enumerate(programs):
            paths.append(self.folder / f"{number}.xbp")
            paths[-1].write_bytes(codec.write(made))
        (self.folder / "faults.txt").write_text(faults)
        code, errors, found = run_programmer(
            self.folder, programmer, "--read-all", "--faults", str(self.folder / "faults.txt"), *map(str, paths)
        )
        if found is not None:
            for macro, row in self.lines.dead_rows:
                found[macro, row] = 5.0
            for macro, col in self.lines.dead_cols:
                found[macro, :, col] = 5.0
        return code, errors, found


both_levels = pytest.mark.parametrize("level", ["pair", "cell"])
both_policies = pytest.mark.parametrize("policy", ["skip", "spare"])


@both_levels
@both_policies
def test_a_chip_with_dead_lines_verifies_without_a_difference(programmer, tmp_path, policy, level):
    bench = DeadBench(tmp_path, policy, level)
    made = dead_lines.program_of(bench.case)
    code, errors, found = bench.run(programmer, made)
    report = readback.verify(made, found)
    assert code == 0 and report.passed and report.checked == 2 * bench.case.chip.placement.n_pairs, errors
    # What the programmer left answers as the run's own chip does: every weight on its own cells.
    chip, limits = bench.case.chip, thresholds(bench.case.config.cell_model)
    chip.program(bench.case.masks, bench.case.model.signs)
    own = {name: chip.pair_grid(name) for name in bench.case.masks}
    chip.replace_conductances(found)
    for name, cells in own.items():
        for mine, read in zip(cells, chip.pair_grid(name)):
            on = mine * 1e-9 >= limits.on_min_S
            assert np.array_equal(read[on], mine[on]) and np.all(read[~on] * 1e-9 < limits.on_min_S)


@both_policies
def test_no_pulse_reaches_a_line_out_of_use(programmer, tmp_path, policy):
    """On a chip whose dead lines would form if they were pulsed, they are pristine afterwards."""
    bench = DeadBench(tmp_path, policy, "pair")
    chip = bench.case.chip
    map_S = chip.physical(chip.formed_S(), 12e-6)
    np.save(tmp_path / "map.npy", map_S)
    made = dataclasses.replace(dead_lines.program_of(bench.case), chip_id=chip_identity(map_S))
    (tmp_path / "a.xbp").write_bytes(codec.write(made))
    code, errors, found = run_programmer(tmp_path, programmer, "--read-all", str(tmp_path / "a.xbp"))
    out_of_use = ~chip.physical(np.ones(chip.used.shape, bool), False)
    assert code == 0 and np.count_nonzero(out_of_use) > 400 and np.all(found[out_of_use] < 0.2e-6), errors
    whole = dead_lines.case(ChipLines(rows=dead_lines.ROWS, pairs=dead_lines.PAIRS), "pair", 3).chip
    assert np.count_nonzero(found > 0.2e-6) == np.count_nonzero(whole.used)


@both_levels
@both_policies
def test_planted_faults_on_a_chip_with_dead_lines_are_exactly_those_found(programmer, tmp_path, policy, level):
    bench = DeadBench(tmp_path, policy, level)
    made = dead_lines.program_of(bench.case)
    mask = dump.chip_maps(made)["mask"]
    cells = np.argwhere(mask >= 0)
    planted = sorted(map(tuple, cells[stream(1, "faults").choice(len(cells), 17, replace=False)].tolist()))
    planted = sorted({*planted, tuple(cells[0].tolist()), tuple(cells[-1].tolist())})
    texts = ["{} {} {} {}".format(*cell, "stuck_off" if mask[cell] else "stuck_on") for cell in planted]
    texts += ["0 3 5 stuck_on", "1 2 0 stuck_on", "1 2 18 stuck_on"]  # on dead lines: no difference
    code, errors, found = bench.run(programmer, made, faults="\n".join(texts))
    report = readback.verify(made, found)
    assert code == 1 and [cell.place for cell in report.cells] == planted and report.bit_errors == len(planted), errors


@both_policies
def test_one_file_of_stuck_cells_serves_the_run_and_the_programmer(programmer, tmp_path, policy):
    random = stream(5, "stuck")
    places = {tuple(cell) for cell in random.integers(0, (5, dead_lines.ROWS, 2 * dead_lines.PAIRS), (60, 3)).tolist()}
    faults = "".join("{} {} {} stuck_{}\n".format(*cell, ("on", "off")[sum(cell) % 2]) for cell in sorted(places))
    (tmp_path / "stuck.txt").write_text(faults)
    bench = DeadBench(tmp_path, policy, "pair", read_faults(str(tmp_path / "stuck.txt")))
    made = dead_lines.program_of(bench.case)
    mask = dump.chip_maps(made)["mask"]
    against = {cell for cell in places if mask[cell] == sum(cell) % 2 and mask[cell] >= 0}
    assert len(against) > 10
    code, errors, found = bench.run(programmer, made, faults=faults)
    assert code == 1, errors
    wrong = {cell.place for cell in readback.wrong_cells(made, found) if cell.why != "off target"}
    chip = bench.case.chip
    chip.program(bench.case.masks, bench.case.model.signs)
    simulated = {cell.place for cell in readback.wrong_cells(made, chip.physical(chip.conductance_S()))}
    assert wrong == simulated == against


@both_policies
def test_an_increment_runs_on_a_chip_with_dead_lines(programmer, tmp_path, policy):
    bench = DeadBench(tmp_path, policy, "cell")
    old = dead_lines.program_of(bench.case)
    new = dead_lines.program_of(bench.case, dead_lines.random_masks(bench.case.chip, "new"))
    code, errors, found = bench.run(programmer, old, increment(old, new))
    assert code == 0 and readback.verify(new, found).passed and not readback.verify(old, found).passed, errors


def test_a_program_without_the_dead_lines_is_for_another_chip(programmer, tmp_path):
    bench = DeadBench(tmp_path, "skip", "pair")
    whole = dead_lines.case(ChipLines(rows=dead_lines.ROWS, pairs=dead_lines.PAIRS), "pair", 3)
    code, errors, found = bench.run(programmer, dead_lines.program_of(whole))
    assert code == 3 and "refused: CHIP" in errors and found is None

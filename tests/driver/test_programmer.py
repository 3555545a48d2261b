"""A program through a driver: what it leaves, what its journal says, and that a stop at any moment costs nothing."""

import os
from dataclasses import replace

import numpy as np
import pytest

from minirram.driver import programmer
from minirram.driver.journal import Journal, packed, unpacked
from minirram.driver.line_bytes import FRAME_BYTES, line_bytes
from minirram.driver.protocol import Verify
from minirram.driver.serial_driver import SerialDriver
from minirram.driver.simulated import SimulatedDriver
from minirram.driver.verified import pulse
from minirram.errors import ConfigError, DataError
from minirram.programming.readback import wrong_cells

from ..support.benches import LIMITS, RECIPES, BadLine, CountingLine, served, two_ends
from ..support.stops import COLS, HEADER, ROWS, Power, on_map, programmed, removed, small_chip, small_program


def test_cells_without_a_value_are_failures_of_their_own_kind(tmp_path):
    macro, program = small_chip(stuck=0), small_program()
    bench = SimulatedDriver([macro])
    plain = bench.read
    bench.read = lambda m, mask, recipe=None: np.where(np.indices(mask.shape)[1] == 5, np.nan, plain(m, mask, recipe))
    with Journal(str(tmp_path / "journal"), HEADER) as journal:
        made = programmer.run(bench, program, journal)
    read_S = programmer.read_back(bench, program)
    wrong = {cell.place: cell.why for cell in wrong_cells(program, read_S)}
    failed = programmer.cell_results(made, read_S, wrong).failed()
    assert {(m, row, col) for m, row, col, why in failed if why == "not_read"} == {(0, row, 5) for row in range(ROWS)}


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch):
    """Stops here are those of the process; what the kernel has is kept."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def reference(path, seed=0):
    """(end state, pulses, failed cells, moments) of a run without a stop."""
    macro, program = small_chip(seed), small_program(seed)
    made, read_S, _, moments = programmed(removed(path), macro, program)
    return on_map(macro), sum(macro.pulses.values()), made.failed, moments, read_S


def test_a_program_leaves_what_it_says_and_names_what_it_cannot(tmp_path):
    macro, program = small_chip(3, stuck=4), small_program(3)
    made, read_S, starts, _ = programmed(str(tmp_path / "journal"), macro, program)
    wrong = {cell.place for cell in wrong_cells(program, read_S)}
    assert 0 < len(wrong) <= 4 and starts == 1
    assert all(macro.stuck[row, col] for _, row, col in wrong)
    results = programmer.cell_results(made, read_S, {cell.place: cell.why for cell in wrong_cells(program, read_S)})
    assert {place[:3] for place in results.failed()} == wrong
    assert int(made.pulses.sum()) == sum(macro.pulses.values())
    for m, row, col, conducts in results.stuck():
        assert macro.on[row, col] == conducts and made.pulses[m, row, col] >= 1


def stopped_at(path, moments, generator, seed=0):
    """A run whose power goes at one to three random moments: (end state, pulses, failed, starts)."""
    macro, program = small_chip(seed), small_program(seed)
    count = int(generator.integers(1, 4))
    power = [Power(int(generator.integers(moments)), int(generator.integers(2**31))) for _ in range(count)]
    made, _, starts, _ = programmed(removed(path), macro, program, power=power)
    return on_map(macro), sum(macro.pulses.values()), made.failed, starts


def must_survive(path, trials):
    """Stop at random moments: the end is always that of a run without a stop, at less than 1 % more pulses."""
    end, pulses, failed, moments, _ = reference(path)
    generator, spent, stops = np.random.default_rng(1), 0, 0
    for _ in range(trials):
        found, given, missed, starts = stopped_at(path, moments, generator)
        assert np.array_equal(found, end) and np.array_equal(missed, failed)
        spent += given
        stops += starts - 1
    assert stops >= trials
    extra = spent / (trials * pulses) - 1
    assert -0.001 < extra < 0.01, f"{extra:.2%} more pulses"
    return stops, extra


def test_a_stop_at_any_moment_costs_nothing(tmp_path):
    stops, _ = must_survive(str(tmp_path / "journal"), 25)
    assert stops >= 25


@pytest.mark.slow
def test_a_stop_at_a_thousand_moments_costs_nothing(tmp_path):
    stops, extra = must_survive(str(tmp_path / "journal"), 700)
    assert stops >= 1000
    print(f"{stops} stops, {extra:.3%} more pulses")


class OneBadFrame(BadLine):
    """A line on which one sending goes wrong, the `at`-th."""

    def __init__(self, line, at, seed):
        super().__init__(line, 0.0, seed)
        self.at = at

    def send(self, data):
        self.share = 1.0 if self.at == 0 else 0.0
        self.at -= 1
        super().send(data)


def over_a_bad_line(path, at, at_board, seed):
    """A run over a line on which one request and one answer go wrong: (end state, pulses, harmed)."""
    macro, program = small_chip(), small_program()
    with two_ends() as (host, board):
        bad_host, bad_board = OneBadFrame(host, at, seed), OneBadFrame(board, at_board, seed + 1)
        with served(SimulatedDriver([macro]), bad_board):
            driver = SerialDriver(None, line=bad_host, answer_s=0.02, retries=20)
            with Journal(removed(path), HEADER) as journal:
                made = programmer.run(driver, program, journal)
    return on_map(macro), sum(macro.pulses.values()), made.failed, bad_host.harmed + bad_board.harmed


def must_survive_a_line(path, trials):
    end, pulses, failed, _, _ = reference(path)
    generator, harmed = np.random.default_rng(2), 0
    for seed in range(trials):
        found, given, missed, bad = over_a_bad_line(path, *generator.integers(0, 40, 2).tolist(), seed)
        assert np.array_equal(found, end) and np.array_equal(missed, failed) and given == pulses
        harmed += bad
    return harmed


def test_a_frame_that_is_lost_or_damaged_costs_nothing(tmp_path):
    assert must_survive_a_line(str(tmp_path / "journal"), 5) >= 3


@pytest.mark.slow
def test_frames_lost_or_damaged_at_a_hundred_points_cost_nothing(tmp_path):
    assert must_survive_a_line(str(tmp_path / "journal"), 90) >= 100


def test_ramps_guards_and_repeated_reads_are_the_recipe_s():
    ramp = replace(RECIPES["SET"], row_V=0.5, row_step_V=0.4, row_to_V=2.0, max_pulses=10, good_reads=3, guard_S=1e-6)
    assert [round(ramp.pulse(n).row_V, 9) for n in (0, 1, 3, 4, 9)] == [0.5, 0.9, 1.7, 2.0, 2.0]
    down = replace(RECIPES["RESET"], row_V=1.0, row_step_V=0.6, row_to_V=-0.5)
    assert [round(down.pulse(n).row_V, 9) for n in (0, 1, 2, 3)] == [1.0, 0.4, -0.2, -0.5]
    macro = small_chip(stuck=0)
    bench, everything = SimulatedDriver([macro]), np.ones((ROWS, COLS), bool)
    bench.form(0, everything, RECIPES["FORM"])
    bench.reset(0, everything, replace(RECIPES["RESET"], max_pulses=1))
    reads = []
    plain_read = bench.read
    bench.read = lambda *arguments: reads.append(1) or plain_read(*arguments)
    verify_with = Verify.of(ramp, RECIPES["READ"], LIMITS)
    assert verify_with.limit_S == LIMITS.on_min_S + 1e-6
    done = pulse(bench, 0, everything & macro.formed, recipe=ramp, verify=verify_with)
    assert (done.pulses[macro.formed] == 4).all() and not done.failed.any()  # 0.5, 0.9, 1.3 and 1.7 V; 1.6 V act
    assert len(reads) == 3 + 3
    again = pulse(bench, 0, everything & macro.formed, recipe=replace(ramp, read_first=True), verify=verify_with)
    assert again.pulses.sum() == 0


@pytest.mark.parametrize("given", range(11))
def test_pulses_that_are_left_go_on_where_the_ramps_stood(given):
    ramp = replace(RECIPES["RESET"], row_V=1.0, row_step_V=0.6, row_to_V=-0.5, select_step_V=0.3, select_to_V=4.0)
    left = ramp.behind(given)
    assert left.max_pulses == max(1, ramp.max_pulses - given)
    for number in range(left.max_pulses):
        then, now = ramp.pulse(min(given, ramp.max_pulses - 1) + number), left.pulse(number)
        assert (now.row_V, now.select_V) == pytest.approx((then.row_V, then.select_V))


def test_a_blind_ramp_that_was_stopped_goes_on_where_it_stood():
    bench, given = SimulatedDriver([small_chip(stuck=0)]), []
    plain = bench.set
    bench.set = lambda macro, mask, recipe, verify=None: given.append(recipe.row_V) or plain(macro, mask, recipe)
    ramp = replace(RECIPES["SET"], row_V=0.5, row_step_V=0.5, row_to_V=2.0, max_pulses=4, verified=False)
    done = pulse(bench, 0, np.ones((ROWS, COLS), bool), recipe=ramp, given=2)
    assert given == [1.5, 2.0] and (done.pulses == 2).all() and not done.failed.any()


def test_a_second_start_pulses_nothing(tmp_path):
    path, macro, program = str(tmp_path / "journal"), small_chip(), small_program()
    made, _, _, _ = programmed(path, macro, program)
    before = macro.pulses
    again, _, _, _ = programmed(path, macro, program)
    assert macro.pulses == before and np.array_equal(again.pulses, made.pulses)


def test_a_journal_of_another_program_is_refused(tmp_path):
    path = str(tmp_path / "journal")
    with Journal(path, {"program": "a", "chip_id": "1"}) as journal:
        journal.write(begin=0, pulse=0)
    with pytest.raises(ConfigError, match="journal of program a, not b"):
        Journal(path, {"program": "b", "chip_id": "1"})
    with open(path, "wb") as handle:
        handle.write(b"no journal\n")
    with pytest.raises(DataError, match="not a programming journal"):
        Journal(path, HEADER)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_cut_or_damaged_line_is_no_entry(tmp_path, cut):
    path = str(tmp_path / "journal")
    with Journal(path, HEADER) as journal:
        journal.write(begin=0, pulse=0)
        journal.write(done=0, pulses=packed(np.arange(5)), failed="", n_failed=0)
        whole = os.path.getsize(path)
        journal.write(begin=1, pulse=2)
    size = os.path.getsize(path)
    os.truncate(path, max(whole, size - cut) if cut else size)
    with open(path, "r+b") as handle:
        if cut > 20:
            handle.seek(whole + 3)
            handle.write(b"\xff")
    with Journal(path, HEADER) as journal:
        assert list(journal.done) == [0] and journal.begun == (1 if cut == 0 else None)
        assert np.array_equal(unpacked(journal.done[0]["pulses"], 5), np.arange(5))
        journal.write(begin=1, pulse=2)
    with Journal(path, HEADER) as journal:
        assert journal.begun == 1


def test_what_the_bench_cannot_do_is_refused_before_the_first_pulse(tmp_path):
    macro, program = small_chip(), small_program()
    with Journal(str(tmp_path / "journal"), HEADER) as journal:
        with pytest.raises(ConfigError, match="the program is for 2 macros"):
            programmer.run(SimulatedDriver([macro]), replace(program, macros=2), journal)
        strong = replace(program.recipes[1], row_mV=30_000, row_to_mV=None)
        other = replace(program, recipes=(program.recipes[0], strong, *program.recipes[2:]))
        with pytest.raises(ConfigError, match="takes lines to"):
            programmer.run(SimulatedDriver([macro]), other, journal)
    assert sum(macro.pulses.values()) == 0


def test_the_estimate_is_what_a_good_chip_takes(tmp_path):
    macro, program = small_chip(stuck=0), small_program()
    bench = SimulatedDriver([macro])
    ask = programmer.estimate(bench.capabilities, program)
    made, _, _, _ = programmed(str(tmp_path / "journal"), macro, program)
    assert sum(ask.pulses.values()) == made.pulses.sum() and ask.cells == np.count_nonzero(made.pulses)
    assert 0 < ask.seconds < ask.most_seconds and ask.most_pulses == 11
    slow = replace(bench.capabilities, granularity="cell", call_s=0.01)
    assert programmer.estimate(slow, program).seconds > 10 * ask.seconds


@pytest.mark.parametrize("verifies", [False, True])
def test_the_bytes_over_the_line_are_those_that_are_told(tmp_path, verifies):
    """On a chip whose cells answer to the first pulse, counted at the host's end."""
    macro, program = small_chip(stuck=0), small_program()
    bench = SimulatedDriver([macro], verifies=verifies)
    asked = line_bytes(bench.capabilities, program)
    with two_ends() as (host, board), served(bench, board, frame_bytes=FRAME_BYTES):
        counted = CountingLine(host)
        driver = SerialDriver(None, line=counted)
        greeting, found = counted.bytes, []
        with Journal(str(tmp_path / "journal"), HEADER) as journal:
            for action in (
                lambda: programmer.check_state(driver, program, readback_S=None),
                lambda: programmer.run(driver, program, journal),
                lambda: programmer.read_back(driver, program),
            ):
                before = counted.bytes
                action()
                found.append(counted.bytes - before)
    assert greeting > 0 and np.allclose(found, list(asked.values()), rtol=0.01)

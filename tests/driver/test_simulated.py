"""The simulated bench: voltages decide, counts are true, the host's write-verify stops where it should."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from minirram.driver.protocol import Capabilities, Verify, check_call
from minirram.driver.registry import open_driver
from minirram.driver.simulated import SimulatedDriver
from minirram.driver.verified import pulse
from minirram.errors import BenchError, ConfigError, ShapeError

from ..support.benches import LIMITS, RECIPES, small_bench, small_macro

ALL = np.ones((8, 16), bool)
READ = RECIPES["READ"]


def on(bench):
    return bench.macros[0].conductance_S() >= LIMITS.on_min_S


def formed_bench(**options):
    bench = small_bench(**options)
    bench.form(0, ALL, RECIPES["FORM"])
    return bench


def test_a_pulse_does_what_its_voltages_allow():
    bench = small_bench()
    bench.form(0, ALL, replace(RECIPES["FORM"], row_V=1.0))
    assert not on(bench).any()
    for change in ({"select_V": 0.0}, {"compliance_A": 1e-9}):
        bench.form(0, ALL, replace(RECIPES["FORM"], **change))
        assert not on(bench).any()
    bench.form(0, ALL, RECIPES["FORM"])
    assert on(bench).mean() > 0.95
    before = on(bench)
    bench.reset(0, ALL, replace(RECIPES["RESET"], col_V=0.5, max_pulses=1))
    assert np.array_equal(on(bench), before)
    bench.reset(0, ALL, replace(RECIPES["RESET"], max_pulses=1))
    assert not on(bench).any()
    bench.set(0, ALL, replace(RECIPES["SET"], row_V=0.1, max_pulses=1))
    assert not on(bench).any()


def test_what_is_outside_the_mask_is_neither_pulsed_nor_read():
    bench, mask = formed_bench(), ALL.copy()
    mask[:, 3:] = False
    done = bench.reset(0, mask, replace(RECIPES["RESET"], max_pulses=1))
    assert np.array_equal(done.pulses, mask) and not done.failed.any()
    read_S = bench.read(0, mask)
    assert np.array_equal(np.isnan(read_S), ~mask)
    assert (read_S[mask] < LIMITS.off_max_S).all() and on(bench)[:, 3:].mean() > 0.95


@pytest.mark.parametrize("verifies", [False, True])
def test_verified_pulses_stop_at_the_limit_and_name_what_fails(verifies):
    bench = formed_bench(verifies=verifies)
    stuck = np.zeros((8, 16), bool)
    stuck[2, 5] = True
    bench.macros[0].stick(lrs=stuck)
    recipe, verify = replace(RECIPES["RESET"], max_pulses=7), Verify(READ, LIMITS.off_max_S)
    told = []
    done = pulse(bench, 0, ALL, recipe=recipe, verify=verify, before=told.append)
    assert told == ([0] if verifies else list(range(7)))  # one call of a bench that verifies gives them all
    assert np.array_equal(done.failed, stuck)
    assert done.pulses[2, 5] == 7 and (done.pulses[~stuck] == 1).all()
    again = pulse(bench, 0, ALL, recipe=recipe, verify=verify, read_first=True)
    assert again.pulses[~stuck].sum() == 0 and again.pulses[2, 5] == 7


def test_reads_average_and_carry_noise_only_where_that_is_asked_for():
    quiet, noisy = formed_bench(), formed_bench(noise=np.random.default_rng(2))
    assert not quiet.capabilities.noisy and noisy.capabilities.noisy
    assert np.array_equal(quiet.read(0, ALL), quiet.read(0, ALL))
    truth_S = noisy.macros[0].conductance_S()
    error = [
        np.std([noisy.read(0, ALL, replace(READ, max_pulses=n)) / truth_S - 1 for _ in range(20)]) for n in (1, 16)
    ]
    assert error[0] == pytest.approx(4 * error[1], rel=0.2)


def test_lines_out_of_use_read_nothing():
    macro = small_macro().on_lines(np.array([0, 2, 3]), np.arange(4))
    bench = small_bench()
    bench.macros = (macro,)
    bench.form(0, ALL, RECIPES["FORM"])
    read_S = bench.read(0, ALL)
    assert (read_S[1] == 0).all() and (read_S[2, :4] > 0).any() and (read_S[:, 4:] == 0).all()


def test_a_mask_or_macro_that_is_not_there_is_refused():
    bench = small_bench()
    with pytest.raises(ShapeError, match="expected bool"):
        bench.read(0, ALL[:, :2])
    with pytest.raises(ConfigError, match="numbered from 0"):
        bench.read(1, ALL)
    with pytest.raises(ConfigError, match="takes lines to"):
        bench.form(0, ALL, replace(RECIPES["FORM"], row_V=99.0))
    with pytest.raises(ShapeError):
        check_call(bench.capabilities, 0, ALL.astype(int))


def test_capabilities_that_cannot_be_are_refused():
    given = dict(name="x", macros=1, rows=4, cols=4, granularity="cell", max_line_V=5.0, max_current_A=1e-3)
    assert Capabilities(**given).shape == (4, 4)
    for change in ({"cols": 3}, {"rows": 0}, {"granularity": "row"}, {"max_line_V": 0.0}):
        with pytest.raises(ConfigError):
            Capabilities(**dict(given, **change))


class Half:
    """A driver that lacks most methods."""

    def __init__(self, port):
        self.capabilities = port


def test_drivers_are_found_by_name_and_by_class():
    assert isinstance(open_driver("simulated", simulated=lambda: [small_macro()], port=None), type(small_bench()))
    for name in ("pulse-unit", "array-tester"):
        skeleton = open_driver(name, port=None, simulated=None)
        with pytest.raises(BenchError, match="to be written"):
            skeleton.read(0, np.ones(skeleton.capabilities.shape, bool))
    for name, text in (
        ("nothing", "known are"),
        ("minirram.nowhere:X", "No module"),
        ("minirram.errors:X", "has no X"),
        (f"{__name__}:Half", "lacks form, set"),
    ):
        with pytest.raises(ConfigError, match=text):
            open_driver(name, port=None, simulated=None)


def test_a_class_of_the_current_folder_is_found_as_by_the_installed_program(tmp_path, monkeypatch):
    (tmp_path / "bench_of_this_folder.py").write_text("from minirram.driver.array_tester import ArrayTester as Bench\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    assert type(open_driver("bench_of_this_folder:Bench", port=None, simulated=None)).__name__ == "ArrayTester"


def test_a_skeleton_turns_masks_into_the_calls_of_its_rows():
    from minirram.driver.array_tester import ArrayTester

    calls = []

    class Tester(ArrayTester):
        def pulse_row(self, macro, row, cols, recipe):
            calls.append((row, cols.tolist()))

        def read_row(self, macro, row, cols, recipe):
            return cols * 1e-6

    tester, mask = Tester(), np.zeros((32, 32), bool)
    mask[3, [1, 4]] = mask[9, 2] = True
    done = tester.set(0, mask, replace(RECIPES["SET"], max_pulses=2, row_V=2.0))
    assert calls == [(3, [1, 4])] * 2 + [(9, [2])] * 2 and np.array_equal(done.pulses, 2 * mask)
    read_S = tester.read(0, mask)
    assert read_S[3, 4] == 4e-6 and np.isnan(read_S[~mask]).all()


def test_a_chip_in_a_file_is_there_after_each_pulse(tmp_path):
    """A process that is killed between two pulses loses none."""
    kept = str(tmp_path / "chip.npz")
    bench = SimulatedDriver([small_macro()], keep=kept)
    for call, kind in ((bench.form, "FORM"), (bench.reset, "RESET"), (bench.set, "SET")):
        call(0, ALL, replace(RECIPES[kind], max_pulses=1))
        other = SimulatedDriver([small_macro(seed=2)], keep=kept)
        assert np.array_equal(other.read(0, ALL), bench.read(0, ALL))
        assert other.macros[0].pulses == bench.macros[0].pulses and bench.macros[0].pulses[kind.lower()] == ALL.size

"""Queue, time-out, log and safe idle around any driver."""

import json
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines
from minirram.device.presets import TAOX_40NM
from minirram.driver.learning import DrivenChip
from minirram.driver.session import Session
from minirram.errors import BenchError, ConfigError

from ..support.benches import RECIPES, small_bench

ALL = np.ones((8, 16), bool)
CALLS = ("capabilities", "form", "set", "reset", "read", "known_bad", "safe_idle", "close")


class Watched:
    """A bench that notes its calls; `gate` holds a read until it is opened."""

    def __init__(self):
        self.bench, self.calls, self.gate = small_bench(), [], threading.Event()
        self.gate.set()

    def __getattr__(self, name):
        if name not in ("form", "set", "reset", "read", "safe_idle", "close"):
            return getattr(self.bench, name)

        def call(*arguments, **options):
            self.calls.append(name)
            if name == "read":
                self.gate.wait(5)
            return getattr(self.bench, name)(*arguments, **options)

        return call


def test_calls_run_in_the_order_in_which_they_were_made():
    watched = Watched()
    with Session(watched) as session:
        watched.gate.clear()
        waiting = [session.submit("read", 0, ALL), session.submit("form", 0, ALL, RECIPES["FORM"])]
        time.sleep(0.02)
        assert watched.calls == ["read"]
        watched.gate.set()
        assert waiting[1].result(5).pulses.sum() == ALL.size
    assert watched.calls == ["read", "form", "safe_idle", "close"]


def test_a_call_that_takes_too_long_breaks_the_session_but_does_not_hold_it():
    watched = Watched()
    watched.gate.clear()
    session = Session(watched, timeout_s=0.05)
    with pytest.raises(BenchError, match="longer than 0.05 s"):
        session.read(0, ALL)
    with pytest.raises(BenchError, match="left alone"):
        session.form(0, ALL, RECIPES["FORM"])
    started = time.monotonic()
    session.close()
    assert time.monotonic() - started < 2
    watched.gate.set()
    assert "form" not in watched.calls and "safe_idle" in watched.calls


def test_an_interrupt_drops_the_queue_and_ends_idle():
    watched = Watched()
    watched.gate.clear()
    with pytest.raises(KeyboardInterrupt):
        with Session(watched, timeout_s=2) as session:
            session.submit("read", 0, ALL)
            dropped = session.submit("form", 0, ALL, RECIPES["FORM"])
            time.sleep(0.02)
            watched.gate.set()
            watched.gate.clear()
            threading.Timer(0.05, watched.gate.set).start()
            raise KeyboardInterrupt
    assert dropped.cancelled() or watched.calls.count("form") == 1
    assert watched.calls[-2:] == ["safe_idle", "close"]


def test_the_log_has_a_line_for_every_call(tmp_path):
    path = str(tmp_path / "driver.log")
    with Session(small_bench(), log=path) as session:
        session.form(0, ALL, RECIPES["FORM"])
        session.read(0, ALL)
        with pytest.raises(Exception, match="no attribute"):
            session.submit("sing").result(5)
    with open(path) as handle:
        lines = [json.loads(line) for line in handle]
    assert [line["call"] for line in lines] == ["form", "read", "sing", "close"]
    assert lines[0]["pulses"] == lines[0]["cells"] == ALL.size and lines[0]["failed"] == 0
    assert "no attribute" in lines[2]["error"]


def test_a_read_says_which_cells_have_no_value_and_learning_refuses_them():
    bench = small_bench(rows=64, cols=64)
    mask, plain = np.ones((64, 64), bool), bench.read
    bench.read = lambda macro, mask, recipe=None: np.where(np.indices(mask.shape)[0] == 3, np.inf, plain(macro, mask))
    with Session(bench) as session:
        assert np.array_equal(np.isnan(session.read(0, mask)), np.indices(mask.shape)[0] == 3)
        lines = ChipLines(rows=64, pairs=32)
        chip = DrivenChip.behind(session, TAOX_40NM, (("m", (8, 8)),), level="pair", seed=0, lines=lines)
        with pytest.raises(BenchError, match="16 cells of macro 0 were not read"):
            chip.form(4.0)


def test_a_chip_that_an_earlier_start_formed_is_not_formed_again():
    bench = small_bench(rows=64, cols=64)
    lines = ChipLines(rows=64, pairs=32)

    def formed_by(**options):
        chip = DrivenChip.behind(session, TAOX_40NM, (("m", (8, 8)),), level="pair", seed=0, lines=lines, **options)
        calls.clear()
        chip.form(4.0)
        return chip._formed

    calls = []
    plain, bench_set = bench.form, bench.set
    bench.form = lambda macro, mask, *more, **options: (
        calls.append(int(mask.sum())) or plain(macro, mask, *more, **options)
    )
    bench.set = lambda *arguments, **options: calls.append("set") or bench_set(*arguments, **options)
    with Session(bench) as session:
        first = formed_by()
        assert calls == [128]
        assert np.array_equal(formed_by(), first) and sum(calls) == 0  # all are on: none needs a pulse
        bench.reset(0, first[0], RECIPES["RESET"])
        assert np.array_equal(formed_by(was_formed=True), first) and calls == ["set"]


def lying(call, answer):
    """A bench whose `call` answers with what `answer` makes of the true answer."""
    bench = small_bench()
    plain = getattr(bench, call)
    setattr(bench, call, lambda *arguments, **options: answer(plain(*arguments, **options)))
    return bench


def raising(error):
    def answer(_):
        raise error

    return answer


@pytest.mark.parametrize(
    "answer, why",
    [
        (lambda done: None, "no pair of pulses and failures"),
        (lambda done: (1, 0), "maps of shape"),
        (lambda done: ("many", "none"), "maps of shape"),
        (lambda done: (done.pulses[1:], done.failed[1:]), "maps of shape"),
        (lambda done: (done.pulses * np.nan, done.failed), "counts pulses in float64"),
        (lambda done: (-done.pulses.astype(int), done.failed), "counts -1 to"),
        (lambda done: (done.pulses + 999, done.failed), "the recipe gives at most 1"),
        (lambda done: (np.ones_like(done.pulses), done.failed), "cells that were not asked for"),
        (lambda done: (done.pulses * 0, done.failed), "no pulse to 8 of 8 cells"),
        (raising(ValueError("instrument says 42")), "form failed: ValueError: instrument says 42"),
        (raising(KeyError("x")), "form failed: KeyError"),
        (raising(SystemExit(7)), "form failed: SystemExit: 7"),
    ],
)
def test_whatever_a_driver_says_of_its_pulses_that_cannot_be_is_an_error_of_the_bench(answer, why):
    mask = np.zeros((8, 16), bool)
    mask[2, :8] = True
    with Session(lying("form", answer)) as session:
        with pytest.raises(BenchError, match=why):
            session.form(0, mask, RECIPES["FORM"])


@pytest.mark.parametrize(
    "answer, why",
    [
        (lambda read_S: None, "a read is float64 of shape"),
        (lambda read_S: [["a"]], "a read is object"),
        (lambda read_S: read_S[1:], "shape"),
        (lambda read_S: read_S + 1j, "complex128"),
        (lambda read_S: read_S * 1e6, "reads are in siemens"),
        (lambda read_S: np.where(np.indices(read_S.shape)[1] == 3, -1.0, read_S), "row 0 col 3 reads -1 S"),
        (raising(OSError("bus")), "read failed: OSError: bus"),
    ],
)
def test_whatever_a_driver_reads_that_cannot_be_is_an_error_of_the_bench(answer, why):
    bench = lying("read", answer)
    bench.form(0, np.ones((8, 16), bool), RECIPES["FORM"])
    with Session(bench) as session, pytest.raises(BenchError, match=why):
        session.read(0, np.ones((8, 16), bool))


def test_a_bench_that_does_not_go_to_safe_idle_is_told():
    with pytest.raises(BenchError, match="lines may be driven: RuntimeError: stuck relay"):
        with Session(lying("close", raising(RuntimeError("stuck relay")))):
            pass
    with pytest.raises(ConfigError, match="capabilities are NoneType"):
        Session(SimpleNamespace(capabilities=None))


@pytest.mark.parametrize("says_its_state", [True, False])
def test_a_chip_that_was_pulsed_on_is_brought_back_to_what_was_kept(says_its_state):
    """What the chip knows afterwards is what the bench shows: a simulation takes its state, hardware is pulsed."""
    bench = small_bench(rows=64, cols=64)
    shown = bench if says_its_state else SimpleNamespace(**{name: getattr(bench, name) for name in CALLS})
    lines, shapes = ChipLines(rows=64, pairs=32), (("m", (8, 8)),)
    signs = {"m": np.indices((8, 8)).sum(axis=0) % 2 == 0}
    with Session(shown) as session:
        chip = DrivenChip.behind(session, TAOX_40NM, shapes, level="pair", seed=0, lines=lines)
        chip.form(4.0)
        chip.program({"m": np.indices((8, 8))[0] < 5}, signs)
        kept = {name: np.array(values) for name, values in chip.state().items()}
        was_on = bench.macros[0].on.copy()
        bench.reset(0, np.ones((64, 64), bool), RECIPES["RESET"])
        again = DrivenChip.behind(session, TAOX_40NM, shapes, level="pair", seed=0, lines=lines, resting=True)
        again.restore(kept)
        truth = bench.macros[0]
        assert 0 < was_on.sum() and np.array_equal(truth.on, was_on)
        for known_on in (again.macros[0].on, again._on[0]):
            assert np.array_equal(known_on, was_on)
        used = again.used[0] & again.macros[0].formed
        assert np.array_equal(again.macros[0].conductance_grid()[used], truth.conductance_grid()[used])
        assert again.pulses == chip.pulses
        assert again.program({"m": np.indices((8, 8))[0] < 5}, signs) == (0, 0)

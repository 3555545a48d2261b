"""What no driver, board or journal may say, and what a bench does not do: each is refused, by the name of what did."""

import errno
import json
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.wires import Wires
from minirram.device.presets import TAOX_40NM
from minirram.driver import messages, programmer
from minirram.driver.board import Board
from minirram.driver.frames import Receiver, frame, unstuffed
from minirram.driver.journal import Journal, _line, packed
from minirram.driver.learning import DrivenChip
from minirram.driver.registry import open_driver
from minirram.driver.serial_driver import SerialDriver, SerialLine
from minirram.driver.session import Session
from minirram.driver.simulated import SimulatedDriver
from minirram.errors import BenchError, ConfigError, DataError
from minirram.files import write_npz
from minirram.xbp import table

from ..support.benches import RECIPES, small_bench
from ..support.stops import HEADER, small_chip, small_program

ALL = np.ones((8, 16), bool)
BODY = messages.HEAD.size + messages.ROWS.size + 2 * table.RECIPE.size
"""bytes of a request before its rows"""
GREETING = dict(small_bench().capabilities.to_json(), frame_bytes=4096, known_bad=False)


class Scripted:
    """The host's end of a line to a board that greets with `said` and answers all else with `contents`."""

    def __init__(self, said, contents=b""):
        self.said, self.contents, self.closed, self._answer = said, contents, False, b""

    def send(self, data):
        (body,) = Receiver().feed(data)
        operation, _, sequence, session = messages.HEAD.unpack_from(body)
        contents = self.said if operation == messages.HELLO else self.contents
        self._answer = frame(messages.HEAD.pack(operation | 0x80, messages.GOOD, sequence, session) + contents)

    def receive(self, timeout_s):
        return self._answer

    def close(self):
        self.closed = True


def greeting(**other):
    return json.dumps({name: value for name, value in dict(GREETING, **other).items() if value != "left out"}).encode()


GREETINGS = [
    ("the board's greeting is not one: ", b"\xff\xfe\x00"),
    ("the board's greeting is not one: .*pop", b"5"),
    ("the board's greeting is not one: ", b"[]"),
    ("the board's greeting is not one: 'frame_bytes'", greeting(frame_bytes="left out")),
    ("the board's greeting is not one: ", greeting(frame_bytes=4096.5)),
    ("the board's greeting is not one: ", greeting().replace(b"4096", b"1e999")),
    ("the board's greeting is not one: .*rows", greeting(rows="left out")),
    ("the board's greeting is not one: .*read_unit_S", greeting(read_unit_S="1e-9")),
    ("the board's greeting is not one: .*columns come in pairs", greeting(cols=15)),
    ("the board's greeting is not one: .*colour", greeting(colour="red")),
    (r"in which steps it reads \(read_unit_S\)", greeting(read_unit_S=0.0)),
]


@pytest.mark.parametrize("message, said", GREETINGS, ids=range(len(GREETINGS)))
def test_greetings_of_a_board(message, said):
    line = Scripted(said)
    with pytest.raises(BenchError, match=message):
        SerialDriver(None, line=line)
    assert line.closed


def test_answers_of_a_board():
    right = SerialDriver(None, line=Scripted(greeting(), bytes(4 * ALL.size)))
    assert not right.read(0, ALL).any()
    for contents in (bytes(4 * ALL.size - 1), bytes(4 * ALL.size + 1)):
        driver = SerialDriver(None, line=Scripted(greeting(), contents))
        with pytest.raises(BenchError, match=f"a read has {len(contents)} bytes, expected {4 * ALL.size}"):
            driver.read(0, ALL)
        with pytest.raises(BenchError, match=f"pulses has {len(contents)} bytes, expected {2 * ALL.size + 16}"):
            driver.form(0, ALL, RECIPES["FORM"])


def test_a_row_that_fits_no_frame():
    one, most = ALL & (np.arange(8) == 3)[:, None], BODY + 4 * 16
    assert SerialDriver(None, line=Scripted(greeting(frame_bytes=most), bytes(64))).read(0, one)[3].tolist() == [0] * 16
    with pytest.raises(BenchError, match=f"a row of 16 cells does not fit the board's frames of {most - 1} bytes"):
        SerialDriver(None, line=Scripted(greeting(frame_bytes=most - 1))).read(0, one)


class Direct:
    """The host's end of a line whose other end serves at once, in this thread."""

    def __init__(self, driver):
        self.board, self.answer = Board(driver, SimpleNamespace(send=self.answered)), b""

    def answered(self, data):
        self.answer = data

    def send(self, data):
        (body,) = Receiver().feed(data)
        self.board._take(body)

    def receive(self, timeout_s):
        return self.answer

    def close(self):
        pass


def rows(kind=0, macro=0, row=0, count=8):
    return messages.ROWS.pack(kind, 0, macro, row, count, 0)


REQUESTS = [
    ("a request that is none", messages.READ, b"short"),
    ("a request that is none", messages.READ, rows() + bytes(2 * table.RECIPE.size) + bytes(15)),
    ("a request that is none", messages.READ, rows(kind=4) + bytes(2 * table.RECIPE.size) + bytes(16)),
    ("refused: error: ", messages.KNOWN_BAD, b"short"),
    ("refused: AttributeError: ", messages.PULSE, rows() + bytes(2 * table.RECIPE.size) + bytes(16)),
    ("refused: TypeError: ", messages.PULSE, rows(kind=3) + bytes(2 * table.RECIPE.size) + bytes(16)),
    ("numbered from 0", messages.READ, rows(macro=1) + bytes(2 * table.RECIPE.size) + bytes(16)),
]


@pytest.mark.parametrize("message, operation, arguments", REQUESTS, ids=range(len(REQUESTS)))
def test_requests_that_are_none_are_answered(message, operation, arguments):
    """And the board goes on."""
    driver = SerialDriver(None, line=Direct(small_bench()))
    with pytest.raises(BenchError, match=message):
        driver._ask(operation, arguments)
    assert len(driver._ask(messages.READ, rows(kind=3) + bytes(2 * table.RECIPE.size) + b"\xff" * 16)) == 4 * ALL.size


@pytest.mark.parametrize("data", [b"", b"\x03a", b"\x02a\x02", b"\xff" + b"x" * 254])
def test_frames_that_no_stuffing_gives(data):
    assert unstuffed(b"\xff" + b"x" * 254 + b"\x01") == b"x" * 254
    with pytest.raises(ValueError, match="not a stuffed frame"):
        unstuffed(data)
    receiver = Receiver()
    assert receiver.feed(data + frame(b"next")) == [b"next"] and receiver.damaged == bool(data)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "unplugged"), RuntimeError("unplugged")])
def test_a_line_that_is_gone(monkeypatch, error):
    def gone(*_):
        raise error

    port = SimpleNamespace(write=gone, read=gone, timeout=0)
    serial = SimpleNamespace(SerialException=RuntimeError, serial_for_url=lambda *_, **__: port)
    monkeypatch.setitem(sys.modules, "serial", serial)
    line = SerialLine("COM3")
    for call in (lambda: line.send(b"x"), lambda: line.receive(0.1)):
        with pytest.raises(BenchError, match="the line is gone: .*unplugged"):
            call()


# -- drivers by name, sessions


class Broken:
    """A driver whose instrument is not there."""

    def __init__(self, port):
        raise OSError(f"no instrument at {port}")


def test_drivers_by_name():
    with pytest.raises(ConfigError, match="no chip to simulate: name a run"):
        open_driver("simulated", None, simulated=None)
    with pytest.raises(BenchError, match=f"driver {__name__}:Broken: OSError: no instrument at GPIB0"):
        open_driver(f"{__name__}:Broken", "GPIB0", simulated=None)


@pytest.mark.parametrize("name", ["pulse-unit", "array-tester"])
def test_what_a_skeleton_leaves_to_be_written(name):
    bench = open_driver(name, None, simulated=None)
    mask = np.ones(bench.capabilities.shape, bool)
    recipe = replace(RECIPES["SET"], row_V=0.1, select_V=0.1)
    for method, call in (
        ("pulse_row", lambda: bench.set(0, mask, recipe)),
        ("read_row", lambda: bench.read(0, mask)),
        ("safe_idle", bench.safe_idle),
    ):
        with pytest.raises(BenchError, match=rf"{type(bench).__name__}\.{method} is to be written"):
            call()


def test_what_a_bench_does_not_do():
    bench = small_bench()
    bench._capabilities = replace(bench.capabilities, multiplies=False)
    with Session(bench) as session, pytest.raises(BenchError, match="simulated .* does not multiply"):
        session.multiply(0, np.zeros((1, 8), np.uint8))


def test_a_bench_that_does_not_say_what_it_is():
    class Silent:
        @property
        def capabilities(self):
            raise RuntimeError("no answer")

    with pytest.raises(BenchError, match="Silent: capabilities failed: RuntimeError: no answer"):
        Session(Silent())


def test_what_is_queued_behind_a_call_that_hangs_is_not_done():
    gate, bench = threading.Event(), small_bench()
    read, reads = bench.read, []
    bench.read = lambda *arguments: (gate.wait(5), reads.append(1), read(*arguments))[2]
    with Session(bench, timeout_s=0.01) as session:
        first, second = (session.submit("read", 0, ALL) for _ in range(2))
        with pytest.raises(BenchError, match="longer than 0.01 s"):
            session.read(0, ALL)
        session.timeout_s = 5
        gate.set()
        assert first.result(5).shape == ALL.shape
        with pytest.raises(BenchError, match="longer than 0.01 s; the bench is left alone"):
            second.result(5)
    assert reads == [1]


def test_the_state_of_another_simulated_chip(tmp_path):
    keep = str(tmp_path / "chip.npz")
    write_npz(keep, small_bench().state())
    SimulatedDriver(small_bench().macros, keep=keep)
    with pytest.raises(DataError, match=r"chip\.npz: the state of the simulated chip lacks macro 1"):
        SimulatedDriver(small_bench(macros=2).macros, keep=keep)


# -- journals

COUNT = int(np.count_nonzero(next(programmer.steps(small_program())).cells))
"""cells of the first step"""


def entries(path, *entries):
    """A journal of these entries behind its header."""
    with Journal(str(path), HEADER):
        pass
    with open(str(path), "ab") as handle:
        for entry in entries:
            handle.write(_line(entry))
    return str(path)


@pytest.mark.parametrize(
    "entry", [{}, [1], {"begin": 1}, {"begin": "x", "pulse": 0}, {"done": -1}, {"stopped": 1.5}, {"rows": 1}]
)
def test_lines_of_a_journal_that_say_nothing_known(tmp_path, entry):
    path = entries(tmp_path / "journal", {"stopped": 0}, entry)
    with pytest.raises(DataError, match="journal, line 3: whole, but not what a programming journal says"):
        Journal(path, HEADER)


def first_step(**other):
    """The entry that the first step is done, a pulse to each of its cells."""
    return dict({"done": 0, "pulses": packed(np.ones(COUNT)), "failed": "", "n_failed": 0}, **other)


ENTRIES = [
    ("", first_step(failed=packed(np.array([COUNT - 1])), n_failed=1)),
    ("", first_step(failed=packed(np.zeros(10**6)), n_failed=0)),
    (f"step 0 has {COUNT} cells, and cell {COUNT} failed", first_step(failed=packed(np.array([COUNT])), n_failed=1)),
    ("the journal's pulses are damaged: ", first_step(n_failed=1)),
    ("the journal's pulses are damaged: ", first_step(pulses="!")),
    ("the journal's pulses are damaged: ", first_step(pulses="abcd")),
    ("the journal's pulses are damaged: ", first_step(pulses=packed(np.ones(COUNT - 1)))),
]


@pytest.mark.parametrize("message, entry", ENTRIES, ids=range(len(ENTRIES)))
def test_what_a_journal_says_of_a_step(tmp_path, message, entry):
    path, bench = entries(tmp_path / "journal", entry), SimulatedDriver([small_chip()])
    with Journal(path, HEADER) as journal:
        if not message:
            made = programmer.run(bench, small_program(), journal)
            assert made.failed.sum() >= entry["n_failed"]
            return
        with pytest.raises(DataError, match=f"journal: {message}"):
            programmer.run(bench, small_program(), journal)


# -- learning on a bench


def test_what_a_chip_behind_a_driver_does_not_do():
    lines = ChipLines(rows=8, pairs=8)

    def chip(rows, lines=lines):
        shapes = (("m", (rows, 8)),)
        return DrivenChip.behind(session, TAOX_40NM, shapes, level="pair", seed=0, lines=lines)

    with Session(small_bench()) as session:
        made, cells = chip(8), np.ones((1, 8, 16), bool)
        for rows_of, other in ((9, lines), (8, ChipLines(rows=8, pairs=16))):
            with pytest.raises(
                ConfigError, match="the network needs . macros of 8 x .* has 1 of 8 x 16: state the size"
            ):
                chip(rows_of, other)
        with pytest.raises(ConfigError, match="dead lines of macro 1: the chip has macros 0..0"):
            chip(7, replace(lines, dead_rows=((1, 3),)))
        for message, call in (
            ("leave out --wire-ohm", lambda: made.update_ir_drop(Wires(1.0, 1.0))),
            ("ages by itself", lambda: made.age(1.0)),
            ("does not tune cells to a target", lambda: made.tune(cells, np.full(cells.shape, 1e-5))),
        ):
            with pytest.raises(ConfigError, match=message):
                call()

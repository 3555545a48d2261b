"""Frames, messages and the serial driver, over sockets and pseudo-terminals that lose and damage what is sent."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.driver.frames import Receiver, frame, stuffed, unstuffed
from minirram.driver.protocol import Verify
from minirram.driver.serial_driver import SerialDriver
from minirram.errors import BenchError, ConfigError

from ..support.benches import LIMITS, RECIPES, BadLine, served, small_bench, two_ends

ALL = np.ones((8, 16), bool)
READ = RECIPES["READ"]
KINDS = ["socket"] if sys.platform == "win32" else ["socket", "pty"]

bodies = st.one_of(
    st.binary(min_size=1, max_size=20),
    st.builds(lambda n, byte: bytes((byte,)) * n, st.integers(250, 520), st.integers(0, 3)),
)


@given(bodies)
def test_stuffing_hides_every_zero_and_comes_back(body):
    hidden = stuffed(body)
    assert 0 not in hidden and unstuffed(hidden) == body
    assert len(hidden) <= len(body) + 2 + len(body) // 254


@given(st.lists(bodies, min_size=1, max_size=4), st.integers(1, 99))
def test_frames_come_out_whole_however_the_bytes_arrive(sent, count):
    stream, receiver, got = b"".join(map(frame, sent)), Receiver(), []
    for at in range(0, len(stream), count):
        got += receiver.feed(stream[at : at + count])
    assert got == sent and receiver.damaged == 0


@given(bodies, st.data())
def test_a_damaged_frame_is_thrown_away_and_the_next_one_found(body, data):
    sent = bytearray(frame(body))
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] ^= 1 << data.draw(st.integers(0, 7))
    receiver = Receiver()
    got = receiver.feed(bytes(sent) + frame(b"next"))
    assert got == [b"next"] and receiver.damaged >= 1


@given(st.binary(max_size=60))
def test_a_receiver_takes_any_bytes(noise):
    assert Receiver().feed(noise + frame(b"next"))[-1] == b"next"


def on(bench):
    return bench.macros[0].conductance_S() >= LIMITS.on_min_S


@pytest.mark.parametrize("kind", KINDS)
def test_a_board_does_over_the_line_what_the_driver_does(kind):
    here, there = small_bench(verifies=True), small_bench(verifies=True)
    mask = np.indices((8, 16)).sum(axis=0) % 3 == 0
    with two_ends(kind) as (host, board), served(there, board, frame_bytes=400):
        driver = SerialDriver(None, line=host)
        assert driver.capabilities == here.capabilities
        for bench in (here, driver):
            bench.form(0, ALL, RECIPES["FORM"])
            done = bench.reset(0, mask, RECIPES["RESET"], verify=Verify(READ, LIMITS.off_max_S))
            assert np.array_equal(done.pulses, mask) and not done.failed.any()
        assert np.array_equal(here.read(0, mask, READ), driver.read(0, mask, READ), equal_nan=True)
        codes = np.random.default_rng(1).integers(0, 16, (3, 8)).astype(np.uint8)
        assert np.array_equal(here.multiply(0, codes), driver.multiply(0, codes))
        assert not driver.known_bad(0).any()
        driver.safe_idle()
    assert np.array_equal(here.macros[0].conductance_S(), there.macros[0].conductance_S())


def test_what_the_board_refuses_is_told():
    with two_ends() as (host, board), served(small_bench(), board):
        driver = SerialDriver(None, line=host)
        with pytest.raises(ConfigError, match="takes lines to"):
            driver.form(0, ALL, replace(RECIPES["FORM"], row_V=30.0))
        with pytest.raises(ConfigError, match="numbered from 0"):
            driver.read(4, ALL)
        with pytest.raises(BenchError, match="refused: operation 9 is not known"):
            driver._ask(9, b"")


@pytest.mark.parametrize("seed", [1, 3])
def test_lost_and_damaged_frames_cost_no_pulse(seed):
    bench, rows = small_bench(), np.arange(8)
    with two_ends() as (host, board):
        bad_host, bad_board = BadLine(host, 0.4, seed), BadLine(board, 0.3, seed + 100)
        with served(bench, bad_board, frame_bytes=250):
            driver = SerialDriver(None, line=bad_host, answer_s=0.03, retries=60)
            driver.form(0, ALL, RECIPES["FORM"])
            for row in rows:
                mask = ALL & (rows == row)[:, None]
                one = replace(RECIPES["RESET"], max_pulses=1)
                assert driver.reset(0, mask, one).pulses.sum() == 16
                read_S = driver.read(0, mask)
                assert np.array_equal(np.isnan(read_S), ~mask)
                assert np.array_equal(read_S[mask], bench.macros[0].conductance_S()[mask])
    assert bad_host.harmed + bad_board.harmed > 8 and driver.resent > 0
    assert bench.macros[0].pulses == {"form": 128, "set": 0, "reset": 128, "tune": 0}


def test_a_dead_line_ends_in_an_error():
    with two_ends() as (host, _):
        with pytest.raises(BenchError, match="no answer after 3 requests"):
            SerialDriver(None, line=host, answer_s=0.01, retries=2)
    with pytest.raises(ConfigError, match="needs a port"):
        SerialDriver(None)


def test_a_board_that_was_restarted_is_noticed():
    with two_ends() as (host, board):
        with served(small_bench(), board):
            driver = SerialDriver(None, line=host)
            driver.form(0, ALL, RECIPES["FORM"])
        with served(small_bench(), board):
            with pytest.raises(BenchError, match="restarted"):
                driver.read(0, ALL)


def test_a_call_that_takes_long_says_so(monkeypatch):
    import time

    from minirram.driver import board as board_module

    monkeypatch.setattr(board_module, "BUSY_S", 0.02)
    bench = small_bench()
    slow_read = bench.read
    bench.read = lambda *arguments: time.sleep(0.3) or slow_read(*arguments)
    with two_ends() as (host, end), served(bench, end):
        driver = SerialDriver(None, line=host, answer_s=0.1, retries=0)
        assert np.isfinite(driver.read(0, ALL)).all() and driver.resent == 0


def test_a_board_without_a_host_goes_to_safe_idle():
    import time

    bench = small_bench()
    with two_ends() as (host, end), served(bench, end, silence_s=0.05):
        SerialDriver(None, line=host)
        bench.idle = False
        until = time.monotonic() + 5
        while not bench.idle and time.monotonic() < until:
            time.sleep(0.01)
    assert bench.idle


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is needed")
def test_the_port_of_pyserial():
    import os
    import pty
    import tty

    pytest.importorskip("serial", reason="pyserial is the extra driver")
    from ..support.benches import FileLine

    one, two = pty.openpty()
    tty.setraw(one)
    try:
        with served(small_bench(), FileLine(one)):
            driver = SerialDriver(os.ttyname(two) + "@921600")
            assert np.isfinite(driver.read(0, ALL)).all()
            driver.close()
            with pytest.raises(BenchError, match="the line is gone"):
                driver.read(0, ALL)
        with pytest.raises(BenchError, match="nowhere"):
            SerialDriver("/dev/nowhere")
    finally:
        os.close(one)
        os.close(two)


def test_without_pyserial_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(BenchError, match=r"\.\[driver\]"):
        SerialDriver("/dev/ttyUSB0")

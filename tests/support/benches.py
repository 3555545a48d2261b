"""Benches for tests: small simulated chips, boards at the end of a line that loses and damages bytes."""

import contextlib
import os
import select
import socket
import threading

import numpy as np

from minirram.crossbar.macro import Macro
from minirram.device.presets import TAOX_40NM
from minirram.device.pulses import pulse_recipes
from minirram.device.thresholds import thresholds
from minirram.driver.board import Board
from minirram.driver.simulated import SimulatedDriver

RECIPES = pulse_recipes(TAOX_40NM)
LIMITS = thresholds(TAOX_40NM)


def small_macro(rows=8, cols=16, seed=1, index=0, model=TAOX_40NM):
    """A pristine macro."""
    return Macro.sample(model, seed, index=index, rows=rows, cols=cols)


def small_bench(macros=1, noise=None, verifies=False, **size):
    """A simulated bench of pristine macros."""
    return SimulatedDriver(
        [small_macro(index=index, **size) for index in range(macros)], noise=noise, verifies=verifies
    )


class FileLine:
    """A line over file descriptors: one end of a pseudo-terminal or of a socket."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def send(self, data):
        while data:
            data = data[os.write(self.descriptor, data) :]

    def receive(self, timeout_s):
        ready, _, _ = select.select([self.descriptor], [], [], max(0.0, timeout_s))
        return os.read(self.descriptor, 4096) if ready else b""

    def close(self):
        pass


class CountingLine:
    """A line that counts the bytes of both directions."""

    def __init__(self, line):
        self.line, self.bytes = line, 0

    def send(self, data):
        self.bytes += len(data)
        self.line.send(data)

    def receive(self, timeout_s):
        data = self.line.receive(timeout_s)
        self.bytes += len(data)
        return data

    def close(self):
        self.line.close()


class BadLine:
    """A line that treats each sending by a random choice: whole, lost, damaged in one bit, cut short, or twice."""

    def __init__(self, line, share, seed):
        self.line, self.share = line, share
        self.generator = np.random.default_rng(seed)
        self.harmed = 0

    def send(self, data):
        if self.generator.random() >= self.share:
            self.line.send(data)
            return
        self.harmed += 1
        how = self.generator.integers(4)
        at = int(self.generator.integers(len(data)))
        if how == 1:
            self.line.send(data[:at] + bytes((data[at] ^ 1 << int(self.generator.integers(8)),)) + data[at + 1 :])
        elif how == 2:
            self.line.send(data[:at])
        elif how == 3:
            self.line.send(data + data)

    def receive(self, timeout_s):
        return self.line.receive(timeout_s)

    def close(self):
        self.line.close()


@contextlib.contextmanager
def two_ends(kind="socket"):
    """Both ends of a line: of a socket pair, or of a pseudo-terminal in raw mode."""
    if kind == "socket":
        one, two = socket.socketpair()
        try:
            yield FileLine(one.fileno()), FileLine(two.fileno())
        finally:
            one.close()
            two.close()
        return
    import pty
    import tty

    one, two = pty.openpty()
    tty.setraw(one)
    tty.setraw(two)
    try:
        yield FileLine(one), FileLine(two)
    finally:
        os.close(one)
        os.close(two)


@contextlib.contextmanager
def served(driver, line, **options):
    """A board that serves `driver` on `line` from a thread."""
    board = Board(driver, line, **options)
    thread = threading.Thread(target=board.serve, daemon=True)
    thread.start()
    try:
        yield board
    finally:
        board.stop.set()
        thread.join(10)

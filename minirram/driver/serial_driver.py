"""A bench at the end of a serial line: a request, its answer, and what happens when either is lost.

Every request has a number. One that is not answered in time is sent again under the same number, and a board that has
carried it out answers again without doing it again: a lost answer never costs a pulse. A board that has forgotten the
session was restarted; then nobody knows what the last call did, and BenchError says so.
"""

import os
import time
from operator import index
from typing import Any, Iterator, Optional, Protocol, Tuple

import numpy as np

from ..device.pulses import PulseRecipe
from ..errors import BenchError, ConfigError, DataError, MinirramError
from ..files import json_of
from ..json_codec import built
from ..xbp import table
from . import messages
from .frames import Receiver, frame
from .messages import ANSWER, BUSY, GOOD, HEAD, HELLO, IDLE, KNOWN_BAD, MULTIPLY, NO_SESSION, PULSE, READ
from .protocol import Capabilities, Pulsed, Verify, check_call, check_recipe
from .registry import needs

BAUD = 115_200


class Line(Protocol):
    """A byte stream in both directions."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""

    def receive(self, timeout_s: float) -> bytes:
        """What has come in; waits for the first byte, at most `timeout_s`."""

    def close(self) -> None:
        """Let go of the line."""


class SerialLine:
    """A port of pyserial: a device name or a URL such as "socket://host:port"; "PORT@BAUD" for another rate."""

    def __init__(self, port: str) -> None:
        try:
            import serial
        except ImportError:
            raise needs("driver", "pyserial") from None
        name, _, baud = port.partition("@")
        try:
            self._port: Any = serial.serial_for_url(name, baudrate=int(baud or BAUD), timeout=0)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            why = error if number is None else os.strerror(number)  # pyserial says it three times
            raise BenchError(f"port {port}: {why}") from None
        self._error = serial.SerialException

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self._port.write(data)
        except (OSError, self._error) as error:
            raise BenchError(f"the line is gone: {error}") from None

    def receive(self, timeout_s: float) -> bytes:
        """What has come in."""
        try:
            self._port.timeout = timeout_s
            first = self._port.read(1)
            self._port.timeout = 0
            return first + self._port.read(4096) if first else b""
        except (OSError, self._error) as error:
            raise BenchError(f"the line is gone: {error}") from None

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()


class SerialDriver:
    """The board at `port`. answer_s: time within which an answer, or word that it will come, must be there. retries:
    how often a request is sent again before BenchError. `resent` counts requests that were."""

    def __init__(
        self,
        port: Optional[str],
        *,
        line: Optional[Line] = None,
        answer_s: float = 1.0,
        retries: int = 8,
        busy_s: float = 600.0,
    ) -> None:
        if line is None and port is None:
            raise ConfigError("the serial driver needs a port: --port /dev/ttyUSB0, COM3, or PORT@BAUD")
        self._line: Line = SerialLine(port or "") if line is None else line
        self._receiver = Receiver()
        self._session = int.from_bytes(os.urandom(4), "little")
        self._sequence = 0
        self.answer_s, self.retries, self.busy_s = answer_s, retries, busy_s
        self.resent = 0
        try:
            self._greet()
        except MinirramError:
            self._line.close()
            raise

    def _greet(self) -> None:
        """HELLO: who is there, and how long its frames may be."""
        try:
            said = json_of(self._ask(HELLO, b""))
            self._most_body, self._knows_bad = index(said.pop("frame_bytes")), bool(said.pop("known_bad"))
            self._capabilities = built(Capabilities, said)
        except (ValueError, KeyError, TypeError, AttributeError, DataError) as error:
            raise BenchError(f"the board's greeting is not one: {error}") from None
        if not self._capabilities.read_unit_S > 0:
            raise BenchError("the board does not say in which steps it reads (read_unit_S)")

    @property
    def capabilities(self) -> Capabilities:
        """What the board said of itself."""
        return self._capabilities

    def form(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """FORM, rows by rows."""
        return self._pulse("FORM", macro, mask, recipe, verify)

    def set(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """SET, rows by rows."""
        return self._pulse("SET", macro, mask, recipe, verify)

    def reset(self, macro: int, mask: np.ndarray, recipe: PulseRecipe, *, verify: Optional[Verify] = None) -> Pulsed:
        """RESET, rows by rows."""
        return self._pulse("RESET", macro, mask, recipe, verify)

    def _pulse(self, kind: str, macro: int, mask: np.ndarray, recipe: PulseRecipe, verify: Optional[Verify]) -> Pulsed:
        mask = check_call(self.capabilities, macro, mask)
        check_recipe(self.capabilities, recipe)
        done = Pulsed(np.zeros(mask.shape, np.uint32), np.zeros(mask.shape, bool))
        for rows in self._cuts(mask):
            request = messages.Request(kind, macro, rows.start, mask[rows], recipe, verify)
            answer = self._ask(PULSE, messages.packed_request(request, self.capabilities.read_unit_S))
            done.pulses[rows], done.failed[rows] = messages.unpacked_pulsed(mask[rows], answer)
        return done

    def read(self, macro: int, mask: np.ndarray, recipe: Optional[PulseRecipe] = None) -> np.ndarray:
        """Siemens of the cells of `mask`, rows by rows."""
        mask = check_call(self.capabilities, macro, mask)
        read_S = np.full(mask.shape, np.nan)
        unit_S = self.capabilities.read_unit_S
        for rows in self._cuts(mask):
            request = messages.Request("READ", macro, rows.start, mask[rows], recipe, None)
            answer = self._ask(READ, messages.packed_request(request, unit_S))
            read_S[rows] = messages.unpacked_read(mask[rows], answer, unit_S)
        return read_S

    def multiply(self, macro: int, codes: np.ndarray) -> np.ndarray:
        """float64 (n, pairs): the board's own product; it answers with IEEE doubles."""
        codes = np.asarray(codes, np.uint8)
        pairs = self.capabilities.cols // 2
        per = max(1, (self._most_body - 64) // max(codes.shape[1], 8 * pairs))
        parts = [np.zeros((0, pairs))]
        for start in range(0, len(codes), per):
            part = codes[start : start + per]
            answer = self._ask(MULTIPLY, macro.to_bytes(2, "little") + part.tobytes())
            parts.append(np.frombuffer(answer, "<f8").reshape(len(part), pairs))
        return np.concatenate(parts)

    def known_bad(self, macro: int) -> np.ndarray:
        """The cells that the board's list says are bad; none when it keeps no list."""
        bench = self.capabilities
        bad: np.ndarray = np.zeros(bench.shape, bool)
        for rows in self._cuts(np.ones(bench.shape, bool)) if self._knows_bad else ():
            head = messages.ROWS.pack(0, 0, macro, rows.start, rows.stop - rows.start, 0)
            bits = np.frombuffer(self._ask(KNOWN_BAD, head), np.uint8).reshape(rows.stop - rows.start, -1)
            bad[rows] = np.unpackbits(bits, axis=1, count=bench.cols, bitorder="little").astype(bool)
        return bad

    def safe_idle(self) -> None:
        """All lines to ground."""
        self._ask(IDLE, b"")

    def close(self) -> None:
        """Let go of the line; the caller has asked for safe idle."""
        self._line.close()

    def _cuts(self, mask: np.ndarray) -> Iterator[slice]:
        """Slices of rows whose requests and answers fit a frame; rows without a cell are left out."""
        stride = (mask.shape[1] + 7) // 8
        per_row = max(stride, 4 * mask.shape[1], 2 * mask.shape[1] + stride)
        per = (self._most_body - HEAD.size - messages.ROWS.size - 2 * table.RECIPE.size) // per_row
        if per < 1:
            raise BenchError(
                f"a row of {mask.shape[1]} cells does not fit the board's frames of {self._most_body} bytes"
            )
        for start in range(0, len(mask), per):
            rows = slice(start, min(start + per, len(mask)))
            if mask[rows].any():
                yield rows

    def _ask(self, operation: int, arguments: bytes) -> bytes:
        """Send a request until its answer is there; the answer's contents."""
        self._sequence = self._sequence + 1 & 0xFFFF
        request = frame(HEAD.pack(operation, 0, self._sequence, self._session) + arguments)
        for attempt in range(self.retries + 1):
            self.resent += attempt > 0
            self._line.send(request)
            answer = self._answer(operation)
            if answer is not None:
                status, contents = answer
                if status == GOOD:
                    return contents
                if status == NO_SESSION:
                    raise BenchError("the board was restarted: what the last call did is not known, read the chip")
                raise BenchError(f"the board refused: {contents.decode('utf-8', 'replace')}")
        raise BenchError(
            f"no answer after {self.retries + 1} requests within {self.answer_s:g} s each "
            f"({self._receiver.damaged} damaged frames so far)"
        )

    def _answer(self, operation: int) -> Optional[Tuple[int, bytes]]:
        """(status, contents) of the answer to the present request; None when none came in time."""
        now = time.monotonic()
        until, last = now + self.answer_s, now + self.busy_s
        while now < until:
            for body in self._receiver.feed(self._line.receive(until - now)):
                if len(body) < HEAD.size:
                    continue
                kind, status, sequence, session = HEAD.unpack_from(body)
                if (kind, sequence, session) != (operation | ANSWER, self._sequence, self._session):
                    continue  # the answer to a request that was answered before
                if status != BUSY:
                    return status, body[HEAD.size :]
                until = min(time.monotonic() + self.answer_s, last)
            now = time.monotonic()
        return None

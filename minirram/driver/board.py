"""The board's side of a serial line: any driver served over a byte stream. It shows what firmware must do."""

import json
import threading
from typing import Any, Optional

import numpy as np

from ..errors import MinirramError
from . import messages
from .frames import Receiver, frame
from .messages import (
    ANSWER,
    BUSY,
    GOOD,
    HEAD,
    HELLO,
    IDLE,
    KNOWN_BAD,
    MULTIPLY,
    NO_SESSION,
    PULSE,
    READ,
    REFUSED,
)
from .protocol import Driver
from .serial_driver import Line

FRAME_BYTES = 4096
"""longest body of a frame"""
BUSY_S = 0.25
"""a call that takes longer says so this often"""


class Board:
    """Serves `driver` on `line` until `stop`. One request at a time; the last answer is kept for a request that comes
    again, so that nothing is done twice. Without word from the host for `silence_s` the bench goes to safe idle."""

    def __init__(self, driver: Driver, line: Line, *, frame_bytes: int = FRAME_BYTES, silence_s: float = 10.0) -> None:
        self.driver, self.line, self.frame_bytes, self.silence_s = driver, line, frame_bytes, silence_s
        self.stop = threading.Event()
        self.carried_out = 0
        self._session: Optional[int] = None
        self._sequence = 0
        self._answer = b""

    def serve(self) -> None:
        """Answer requests until `stop` is set."""
        receiver, silent_s, step_s = Receiver(), 0.0, 0.05
        while not self.stop.is_set():
            data = self.line.receive(step_s)
            silent_s = 0.0 if data else silent_s + step_s
            if not data and silent_s >= self.silence_s and self._session is not None:
                self.driver.safe_idle()
                silent_s = 0.0
            for body in receiver.feed(data):
                if len(body) >= HEAD.size:
                    self._take(body)

    def _take(self, body: bytes) -> None:
        """One request."""
        operation, _, sequence, session = HEAD.unpack_from(body)
        if operation == HELLO and session != self._session:
            self._session, self._sequence = session, 0
        if session != self._session:
            self.line.send(frame(HEAD.pack(operation | ANSWER, NO_SESSION, sequence, session)))
            return
        if sequence == (self._sequence + 1) & 0xFFFF:
            self._answer = self._carried_out(operation, sequence, session, body[HEAD.size :])
            self._sequence = sequence
        if sequence == self._sequence:
            self.line.send(self._answer)

    def _carried_out(self, operation: int, sequence: int, session: int, arguments: bytes) -> bytes:
        """Do what is asked, saying BUSY while it takes; the frame of the answer."""
        done = threading.Event()
        busy = frame(HEAD.pack(operation | ANSWER, BUSY, sequence, session))

        def tell() -> None:
            while not done.wait(BUSY_S):
                self.line.send(busy)

        telling = threading.Thread(target=tell, daemon=True)
        telling.start()
        try:
            status, contents = GOOD, self._do(operation, arguments)
            self.carried_out += 1
        except Exception as error:  # of a request that is none, or of the driver's own code, whatever it raises
            what = str(error) if isinstance(error, (MinirramError, ValueError)) else f"{type(error).__name__}: {error}"
            status, contents = REFUSED, what.encode("utf-8")[: self.frame_bytes // 2]
        finally:
            done.set()
            telling.join()
        return frame(HEAD.pack(operation | ANSWER, status, sequence, session) + contents)

    def _do(self, operation: int, arguments: bytes) -> bytes:
        bench = self.driver.capabilities
        if operation == HELLO:
            said = dict(bench.to_json(), frame_bytes=self.frame_bytes, known_bad=hasattr(self.driver, "known_bad"))
            return json.dumps(said).encode("utf-8")
        if operation == IDLE:
            self.driver.safe_idle()
            return b""
        any_driver: Any = self.driver
        if operation == MULTIPLY:
            codes = np.frombuffer(arguments, np.uint8, offset=2).reshape(-1, bench.rows)
            product = any_driver.multiply(int.from_bytes(arguments[:2], "little"), codes)
            return np.asarray(product, "<f8").tobytes()
        if operation == KNOWN_BAD:
            _, _, macro, row, rows, _ = messages.ROWS.unpack(arguments)
            return np.packbits(any_driver.known_bad(macro)[row : row + rows], axis=1, bitorder="little").tobytes()
        if operation not in (PULSE, READ):
            raise ValueError(f"operation {operation} is not known")
        request = messages.unpacked_request(arguments, bench.cols, bench.read_unit_S)
        mask: np.ndarray = np.zeros(bench.shape, bool)
        rows_of = slice(request.row, request.row + len(request.mask))
        mask[rows_of] = request.mask
        if operation == READ:
            read_S = any_driver.read(request.macro, mask, request.recipe)
            return messages.packed_read(mask, read_S, bench.read_unit_S)
        done = getattr(any_driver, request.kind.lower())(request.macro, mask, request.recipe, verify=request.verify)
        return messages.packed_pulsed(mask, done)

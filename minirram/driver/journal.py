"""The state file of a programming: what is about to be done is on disk before it is done.

One line per entry: JSON, a space, its CRC-32. A line that was cut by a stop is no entry. The first line says which
program is run on which chip.
"""

import base64
import json
import os
import zlib
from typing import Any, Dict, List, Optional

import numpy as np

from ..errors import ConfigError, DataError
from ..files import Path, atomic_writer, json_of, open_to_append, read_bytes
from ..files.budgets import JOURNAL

Entry = Dict[str, Any]


class Journal:
    """Appends to the file `path`; `done` and `begun` are what it said when it was opened.

    done: {step: its last entry}. begun: the step that was stopped in the middle, None when there is none; given: the
    pulses that its cells had got for certain, or that passed. interrupted: all steps that were ever stopped. readback:
    the entry of the read-back that ended the programming, None before.
    """

    def __init__(self, path: Path, header: Entry) -> None:
        self.path = os.fspath(path)
        self.done: Dict[int, Entry] = {}
        self.begun: Optional[int] = None
        self.given = 0
        self.interrupted: List[int] = []
        self.readback: Optional[Entry] = None
        if os.path.exists(self.path):
            self._continue(header)
        else:
            with atomic_writer(self.path) as handle:
                handle.write(_line(header))
        self._handle: Any = open_to_append(self.path)
        if self.begun is not None and self.begun not in self.interrupted:
            try:
                self.write(stopped=self.begun)
            except BaseException:
                self.close()
                raise

    def _continue(self, header: Entry) -> None:
        """Read what the file says, cut off what a stop left of a line; ConfigError for another program or chip."""
        data = read_bytes(self.path, JOURNAL, follow=False)
        entries, size = [], 0
        for number, line in enumerate(data.splitlines(keepends=True), 1):
            entry = _entry(line)
            if entry is None:
                break
            if not _is_known(entry) or (number > 1 and not {"begin", "done", "readback", "stopped"} & set(entry)):
                raise DataError(f"{self.path}, line {number}: whole, but not what a programming journal says")
            entries.append(entry)
            size += len(line)
        if not entries:
            raise DataError(f"{self.path}: not a programming journal")
        for name, value in header.items():
            if entries[0].get(name) != value:
                raise ConfigError(
                    f"{self.path} is the journal of {name} {entries[0].get(name)}, not {value}: give another --out"
                )
        if size < len(data):
            os.truncate(self.path, size)
        for entry in entries[1:]:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        if "begin" in entry:
            self.begun, self.given = entry["begin"], entry["pulse"]
        elif "stopped" in entry:
            self.interrupted.append(entry["stopped"])
        elif "done" in entry:
            self.done[entry["done"]] = entry
            self.begun, self.given = None, 0
        elif "readback" in entry:
            self.readback = entry

    def write(self, **entry: Any) -> None:
        """Append an entry; it is on disk when this returns."""
        self._handle.write(_line(entry))
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._take(entry)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line(entry: Entry) -> bytes:
    text = json.dumps(entry, sort_keys=True).encode("ascii")
    return text + b" %08x\n" % zlib.crc32(text)


def _entry(line: bytes) -> Optional[Entry]:
    """What a whole line says; None for one that is cut or damaged."""
    text, _, crc = line.rpartition(b" ")
    try:
        good = line.endswith(b"\n") and len(crc) == 9 and int(crc, 16) == zlib.crc32(text)
        return json_of(text.decode("ascii"), JOURNAL) if good else None
    except ValueError:
        return None


NUMBERS, TEXTS = (
    {"begin", "done", "n_failed", "pulse", "rows", "stopped"},
    {"chip_id", "failed", "new_state", "program", "pulses", "readback"},
)
"""names of entries: whole numbers from 0, and texts"""


def _is_known(entry: Any) -> bool:
    """Whether an entry has known names with values of their kind, and what its first name asks for."""
    if not isinstance(entry, dict):
        return False
    numbers = [entry[name] for name in NUMBERS & set(entry)]
    texts = [entry[name] for name in TEXTS & set(entry)]
    whole = all(type(value) is int and 0 <= value < 2**63 for value in numbers)
    asked = {"begin": {"pulse"}, "done": {"failed", "n_failed", "pulses"}, "readback": {"new_state"}}
    return (
        set(entry) <= NUMBERS | TEXTS
        and whole
        and all(isinstance(value, str) for value in texts)
        and all(names <= set(entry) for name, names in asked.items() if name in entry)
    )


def packed(values: np.ndarray) -> str:
    """Numbers as text: u16, deflated, base64."""
    return base64.b64encode(zlib.compress(np.minimum(values, 0xFFFF).astype("<u2").tobytes(), 1)).decode("ascii")


def unpacked(text: str, count: int) -> np.ndarray:
    """The inverse: uint16 (count,); DataError for other text."""
    try:
        # `count` bounds what is unpacked.
        return np.frombuffer(
            zlib.decompressobj().decompress(base64.b64decode(text, validate=True), 2 * count), "<u2", count
        )
    except (ValueError, zlib.error) as error:
        raise DataError(f"the journal's pulses are damaged: {error}") from None

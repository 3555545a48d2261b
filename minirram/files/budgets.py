"""What opening one file may cost, by its kind: the one place that states it. docs/limits.md is printed from here.

`python -m minirram.files.budgets` prints the table of the page.
"""

import os
from dataclasses import dataclass
from typing import Mapping, Tuple

from ..errors import ConfigError

MIB = 2**20
SCALE = "MINIRRAM_BUDGET"
"""environment variable: files may unpack to so many times the budgets, 1 to 1000"""


def scale() -> float:
    """What the environment multiplies the sizes of unpacked files by; ConfigError where it says no number."""
    said = os.environ.get(SCALE, "1")
    try:
        factor = float(said)
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= 1000:
        raise ConfigError(f"{SCALE} is {said!r}; it is a number, 1 to 1000")
    return factor


@dataclass(frozen=True)
class Budget:
    """The most that opening one file of a kind may take. What is beyond is refused before memory is taken."""

    kind: str
    """name of the kind"""
    files: str
    """which files are of it"""
    most_bytes: int
    """length of the file"""
    elements: int
    """values, cells, numbers or lines in it"""
    depth: int = 1
    """lists and objects within one another"""
    unpacked_bytes: int = 0
    """what a compressed file may unpack to, and more by `unpacked_ratio`; 0: it is never unpacked"""
    unpacked_ratio: int = 0
    """bytes unpacked beyond that for each byte of the file"""
    seconds: int = 10
    """time to read and unpack it, and one second more for each megabyte"""

    def unpacks_to(self, size: int) -> int:
        """Most bytes that a file of `size` bytes may unpack to."""
        return int((self.unpacked_bytes + self.unpacked_ratio * size) * scale())

    def time_s(self, size: int) -> float:
        """Most seconds for a file of `size` bytes."""
        return self.seconds + size / 1e6


JSON = Budget("json", "`config.json`, tasks, cells, costs, dead lines, manifests, results", 32 * MIB, 2**21, depth=64)
ARRAYS = Budget(
    "npz",
    "`.npz` of run folders and of data",
    2**36,
    2**33,
    depth=4,
    unpacked_bytes=32 * MIB,
    unpacked_ratio=32,
)
ARRAY = Budget("npy", "`.npy` read-backs", 2**36, 2**33, depth=4)
PROGRAM = Budget("xbp", "program files", 2**30, 2**31, unpacked_bytes=128 * MIB, unpacked_ratio=32)
TEXT = Budget("text", "tables and lists: `.csv`, `.tsv`, `.txt` and the like", 128 * MIB, 2**26)
LAB = Budget(
    "lab array",
    "measured maps as `.npy`, `.npz`, `.mat`",
    1024 * MIB,
    2**26,
    depth=4,
    unpacked_bytes=32 * MIB,
    unpacked_ratio=32,
)
SHEET = Budget("xlsx", "spreadsheets", 128 * MIB, 2**22, unpacked_bytes=16 * MIB, unpacked_ratio=16)
ONNX = Budget("onnx", "networks from elsewhere", 2**31, 2**28)
JOURNAL = Budget("journal", "`journal` of a programming", 256 * MIB, 2**22, depth=16)
LOG = Budget("log", "`test-openings.jsonl`, `driver.log`", 64 * MIB, 2**20)
SWEEP = Budget("table", "the table of a sweep", 1024 * MIB, 2**26)
CHECKSUM = Budget("checksum", "any file whose checksum alone is taken, in pieces", 2**36, 0)
IMAGE = Budget("image", "pictures that the data scripts read", 64 * MIB, 2**24)
SOURCE = Budget(
    "data zip", "archives that the data scripts read", 2**34, 2**33, unpacked_bytes=64 * MIB, unpacked_ratio=32
)
SOUND = Budget("sound", "recordings that the data scripts read", 64 * MIB, 2**25)

BUDGETS: Tuple[Budget, ...] = (
    JSON,
    ARRAYS,
    ARRAY,
    PROGRAM,
    TEXT,
    LAB,
    SHEET,
    ONNX,
    JOURNAL,
    LOG,
    SWEEP,
    CHECKSUM,
    IMAGE,
    SOUND,
    SOURCE,
)

MOST_MEMBERS = 10000
"""files in an archive"""
MOST_HEADER_BYTES = 10000
"""header of a `.npy`"""
LISTED_CELLS = 2**22
"""cells of the array that a list of cells speaks of"""
LISTED_RATIO = 8
"""and as many more for each line of the list"""
MOST_DIGITS = 40
"""digits of an integer in JSON"""

SMALL: Mapping[str, float] = {"bytes": 1e6, "most_MB": 300.0, "most_s": 10.0}
"""what any file under 1 MB costs at most, whichever command opens it; tests/hostile holds the corpus against it"""


def table() -> str:
    """The table of docs/limits.md."""
    lines = [
        "| kind | files | bytes | elements | depth | unpacks to | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for known in BUDGETS:
        unpacked = "-"
        if known.unpacked_bytes:
            unpacked = f"{_size(known.unpacked_bytes)} + {known.unpacked_ratio} x its bytes"
        elements = f"{known.elements:,}" if known.elements else "-"
        cells = (known.kind, known.files, _size(known.most_bytes), elements, str(known.depth), unpacked)
        lines.append("| " + " | ".join(cells) + f" | {known.seconds} + 1 a MB |")
    return "\n".join(lines)


def _size(count: int) -> str:
    """Bytes in MiB or GiB."""
    return f"{count // 2**30} GiB" if count >= 2**30 else f"{count // MIB} MiB"

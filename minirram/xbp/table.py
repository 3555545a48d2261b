"""The one table of the program file's layout: fields, types, limits and error classes of XBP 1.0.

export/SPEC.md states the same for people and export/xbp.h holds the same for C; tests hold the three together.
Everything is little-endian and made of integers.
"""

import struct
from typing import Sequence, Tuple

MAGIC = b"\x89XBP\r\n\x1a\n"
MAJOR, MINOR = 1, 0

# name -> (format character of struct, meaning), in file order. "8s" is a byte string, B/H/I unsigned, h signed.
HEADER_FIELDS = (
    ("magic", "8s"),
    ("major", "B"),
    ("minor", "B"),
    ("max_payload", "H"),
    ("file_length", "I"),
    ("n_records", "I"),
    ("build_id", "I"),
    ("chip_id", "I"),
    ("crc", "I"),
)
RECORD_FIELDS = (
    ("type", "H"),
    ("encoding", "B"),
    ("reserved", "B"),
    ("tile", "H"),
    ("row", "H"),
    ("n_row", "H"),
    ("length", "H"),
    ("stored", "H"),
    ("sequence", "H"),
)
CHIP_FIELDS = (
    ("macros", "H"),
    ("rows", "H"),
    ("cols", "H"),
    ("orientation", "B"),
    ("state", "B"),
    ("base_id", "I"),
    ("program_id", "I"),
    ("reserved", "I"),
)
RECIPE_FIELDS = (
    ("id", "B"),
    ("kind", "B"),
    ("verify_id", "B"),
    ("reserved", "B"),
    ("max_pulses", "H"),
    ("row_mV", "h"),
    ("col_mV", "h"),
    ("select_mV", "h"),
    ("floating", "H"),
    ("reserved2", "H"),
    ("width_ns", "I"),
    ("compliance_nA", "I"),
)
TILE_FIELDS = (
    ("n_row", "H"),
    ("n_col", "H"),
    ("macro", "H"),
    ("row0", "H"),
    ("col0", "H"),
    ("code_bits", "B"),
    ("level", "B"),
    ("g_off_nS", "I"),
    ("g_lsb", "I"),
    ("n_keep", "I"),
    ("on_min_nS", "I"),
    ("off_max_nS", "I"),
)
OPS_FIELDS = (("recipe", "B"), ("pass", "B"), ("reserved", "H"))
DIR_FIELDS = (("tile", "H"), ("reserved", "H"), ("offset", "I"))


def _layout(fields: Sequence[Tuple[str, str]]) -> struct.Struct:
    return struct.Struct("<" + "".join(character for _, character in fields))


HEADER, RECORD, CHIP, RECIPE, TILE, OPS, DIR = map(
    _layout, (HEADER_FIELDS, RECORD_FIELDS, CHIP_FIELDS, RECIPE_FIELDS, TILE_FIELDS, OPS_FIELDS, DIR_FIELDS)
)

TYPES = {
    "TILE": 0x0001,
    "RECIPE": 0x0002,
    "CHIP": 0x0003,
    "MASK": 0x0010,
    "GTAR": 0x0011,
    "OPS": 0x0020,
    "END": 0x7FFF,
    "META": 0x8001,
    "DIR": 0x8002,
}
ANCILLARY = 0x8000  # this bit of a type: a reader that does not know the type skips the record
ENCODINGS = {"RAW": 0, "PACKBITS": 1}
KINDS = {"FORM": 1, "SET": 2, "RESET": 3, "READ": 4}
LEVELS = {"single": 0, "pair": 1, "cell": 2}
STATES = {"unformed": 0, "formed": 1, "programmed": 2}
ORIENTATIONS = {"row is word line": 0, "row is bit line": 1}
FLOATING = {"rows": 1, "columns": 2, "selects": 4}  # which unselected lines float; the others are at 0 V

LIMITS = {
    "MIN_PAYLOAD": 64,
    "MAX_PAYLOAD": 4096,
    "MAX_FILE": 64 << 20,
    "N_RECIPES": 16,
    "BLIND": 0xFF,  # verify_id of a recipe whose pulses nobody checks
    "LSB_FRACTION_BITS": 16,  # g_lsb counts nS * 2**-16
}

# Record types with one payload length, and those with rows of a tile in the order in which they follow a TILE.
FIXED_SIZES = {"CHIP": CHIP.size, "RECIPE": RECIPE.size, "TILE": TILE.size, "END": 0}
ROW_TYPES = ("MASK", "GTAR", "OPS")

# Error class -> what it says. The order numbers them: the n-th is -n in C.
ERRORS = {
    "TRUNCATED": "the file ends too early",
    "MAGIC": "not a program file, or one that passed through a text-mode transfer",
    "VERSION": "another major version of the format",
    "CRC": "a checksum differs",
    "HEADER": "a field of the file header is out of its range",
    "LIMIT": "records larger than this reader takes",
    "CHIP": "a program for another chip",
    "LENGTH": "a length does not fit the record or the file",
    "SEQUENCE": "records are missing, doubled or swapped",
    "TYPE": "an unknown record type that must not be skipped",
    "COUNT": "END is not where the header says",
    "RESERVED": "a bit that must be 0 is set",
    "ENCODING": "an encoding that this record type does not have",
    "PACKBITS": "the PackBits data are not valid",
    "ORDER": "a record where it must not stand",
    "RANGE": "a value out of its range",
    "RECIPE": "a pulse recipe that is missing, doubled or of the wrong kind",
    "PAIR": "both cells of a pair on at pair level",
    "TOTAL": "the kept cells or the program_id do not add up",
    "EXTRA": "bytes after END",
    "SINK": "the consumer refused the record",
    "OVERLAP": "two tiles share a cell",
    "CONFLICT": "pulses or conductance codes contradict the mask",
    "DIRECTORY": "the directory does not match the file",
    "METADATA": "metadata that are not sorted, unique ASCII keys with UTF-8 text",
}
HOST_ERRORS = ("OVERLAP", "CONFLICT", "DIRECTORY", "METADATA")

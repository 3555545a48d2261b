"""The one table of the program file's layout: fields, types, limits and error classes of XBP 2.0.

export/SPEC.md states the same for people and export/xbp.h holds the same for C; tests hold the three together.
Everything is little-endian and made of integers.
"""

import struct
from typing import Sequence, Tuple

MAGIC = b"\x89XBP\r\n\x1a\n"
MAJOR, MINOR = 2, 0

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
    ("type", "B"),
    ("encoding", "B"),
    ("stored", "H"),
    ("number", "I"),
    ("tile", "H"),
    ("row", "H"),
    ("n_row", "H"),
    ("recipe", "B"),
    ("pass", "B"),
)
CHIP_FIELDS = (
    ("macros", "H"),
    ("rows", "H"),
    ("cols", "H"),
    ("orientation", "B"),
    ("maps", "B"),
    ("before", "B"),
    ("reserved", "B"),
    ("reserved2", "H"),
    ("base_state", "I"),
    ("new_state", "I"),
    ("readback_id", "I"),
)
RECIPE_FIELDS = (
    ("id", "B"),
    ("kind", "B"),
    ("verify_id", "B"),
    ("drive", "B"),
    ("floating", "B"),
    ("read_first", "B"),
    ("good_reads", "B"),
    ("reserved", "B"),
    ("max_pulses", "H"),
    ("row_mV", "h"),
    ("row_step_mV", "H"),
    ("row_to_mV", "h"),
    ("col_mV", "h"),
    ("col_step_mV", "H"),
    ("col_to_mV", "h"),
    ("select_mV", "h"),
    ("select_step_mV", "H"),
    ("select_to_mV", "h"),
    ("width_ns", "I"),
    ("settle_ns", "I"),
    ("compliance_nA", "I"),
    ("budget_nA", "I"),
    ("guard_nS", "I"),
)
TILE_FIELDS = (
    ("n_row", "H"),
    ("n_col", "H"),
    ("macro", "H"),
    ("row0", "H"),
    ("col0", "H"),
    ("level", "B"),
    ("code_bits", "B"),
    ("on_min_nS", "I"),
    ("off_max_nS", "I"),
    ("g_off_nS", "I"),
    ("g_lsb", "I"),
)
DIR_FIELDS = (("tile", "H"), ("reserved", "H"), ("offset", "I"))


def _layout(fields: Sequence[Tuple[str, str]]) -> struct.Struct:
    return struct.Struct("<" + "".join(character for _, character in fields))


HEADER, RECORD, CHIP, RECIPE, TILE, DIR = map(
    _layout, (HEADER_FIELDS, RECORD_FIELDS, CHIP_FIELDS, RECIPE_FIELDS, TILE_FIELDS, DIR_FIELDS)
)

TYPES = {
    "CHIP": 0x01,
    "RECIPE": 0x02,
    "TILE": 0x03,
    "MASK": 0x04,
    "GTAR": 0x05,
    "OPS": 0x06,
    "END": 0x07,
    "META": 0x81,
    "DIR": 0x82,
}
ANCILLARY = 0x80  # this bit of a type: a reader that does not know the type skips the record
ENCODINGS = {"RAW": 0, "PACKBITS": 1, "SPARSE": 2}
KINDS = {"FORM": 1, "SET": 2, "RESET": 3, "READ": 4}
LEVELS = {"single": 0, "pair": 1, "cell": 2}
MAPS = {"mask": 1, "targets": 2, "pulses": 4}  # what every tile of a file has
BEFORE = {"unformed": 0, "formed": 1, "programmed": 2, "measured": 3}
# State before -> the sums of MAPS that a file may have for a chip in it.
MAPS_ALLOWED = {
    "unformed": (4, 5, 7),
    "formed": (5, 7),
    "programmed": (0, 1, 3, 4, 5, 7),
    "measured": (0, 4, 5, 7),
}
ORIENTATIONS = {"row is word line": 0, "row is bit line": 1}
FLOATING = {"rows": 1, "columns": 2, "selects": 4}  # which unselected lines float; the others are at 0 V
DRIVES = {"cell": 0, "row": 1, "column": 2}  # cells that are pulsed at a time: one, or several of a line

LIMITS = {
    "MIN_PAYLOAD": 64,
    "MAX_PAYLOAD": 4096,
    "MAX_FILE": 1 << 30,
    "N_RECIPES": 16,
    "BLIND": 0xFF,  # verify_id of a recipe whose pulses nobody checks
    "LSB_FRACTION_BITS": 16,  # g_lsb counts nS * 2**-16
    "GAP_BYTES": 4,  # longest number of a SPARSE record
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
    "SEQUENCE": "a record has another number than its place",
    "TYPE": "an unknown record type that must not be skipped",
    "COUNT": "END is not where the header says",
    "RESERVED": "a bit that must be 0 is set",
    "ENCODING": "an encoding that this record type does not have",
    "PACKED": "the stored bytes are no encoding of the rows",
    "ORDER": "a record where it must not stand",
    "RANGE": "a value out of its range",
    "RECIPE": "a pulse recipe that is missing, doubled or of the wrong kind",
    "PAIR": "both cells of a pair on at pair level",
    "TOTAL": "the maps do not lead to the new state",
    "EXTRA": "bytes after END",
    "SINK": "the consumer refused the record",
    "OVERLAP": "two tiles share a cell",
    "CONFLICT": "pulses or conductance codes contradict the mask",
    "DIRECTORY": "the directory does not match the file",
    "METADATA": "metadata that are not sorted, unique ASCII keys with UTF-8 text",
}
HOST_ERRORS = ("OVERLAP", "CONFLICT", "DIRECTORY", "METADATA")

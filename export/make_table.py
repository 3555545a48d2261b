"""Write xbp_table.h: the C constants of the program file's layout, from the one table in minirram/xbp/table.py.

Run it after a change of the table: `python export/make_table.py`. A test compares the file with what this prints.
"""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from minirram.xbp import table  # noqa: E402  (found through the path above)


def enum(prefix, items):
    """One anonymous enum; `items` yields (name, value text)."""
    lines = [f"    {prefix}_{name} = {value}" for name, value in items]
    return "enum {{\n{}\n}};\n".format(",\n".join(lines))


def offsets(fields):
    """(NAME, offset) of every field that is not reserved, then the whole size."""
    layout = "<"
    for name, character in fields:
        if not name.startswith("reserved"):
            yield name.upper(), struct.calcsize(layout)
        layout += character
    yield "SIZE", struct.calcsize(layout)


def header_text():
    """The text of xbp_table.h."""
    parts = [
        f"/* Constants of XBP {table.MAJOR}.{table.MINOR}: written by make_table.py from "
        "minirram/xbp/table.py. Do not edit. */",
        "#ifndef XBP_TABLE_H\n#define XBP_TABLE_H\n",
        *(
            "#define XBP_MAGIC_{} 0x{:08X}u".format(*half)
            for half in zip(("LOW", "HIGH"), struct.unpack("<II", table.MAGIC))
        ),
        f"#define XBP_MAJOR {table.MAJOR}",
        f"#define XBP_ANCILLARY 0x{table.ANCILLARY:02X}u",
        *(f"#define XBP_{name} {value}u" for name, value in table.LIMITS.items()),
        "/* bit 8 * before + maps: a file may have these maps for a chip in that state */",
        "#define XBP_MAPS_ALLOWED 0x{:08X}u".format(
            sum(
                1 << 8 * table.BEFORE[before] + maps
                for before, allowed in table.MAPS_ALLOWED.items()
                for maps in allowed
            )
        ),
        "",
        "/* record types */\n" + enum("XBP", ((name, f"0x{value:02X}") for name, value in table.TYPES.items())),
    ]
    for prefix, names in (
        ("XBP_KIND", table.KINDS),
        ("XBP_LEVEL", table.LEVELS),
        ("XBP_HAS", table.MAPS),
        ("XBP_BEFORE", table.BEFORE),
        ("XBP_FLOATING", table.FLOATING),
        ("XBP_DRIVE", table.DRIVES),
        ("XBP_ENCODING", table.ENCODINGS),
    ):
        parts.append(enum(prefix, ((name.upper(), value) for name, value in names.items())))
    parts.append("/* byte offsets of fields, from the start of the file, the record or the payload */")
    for prefix, fields in (
        ("XBP_HEADER", table.HEADER_FIELDS),
        ("XBP_RECORD", table.RECORD_FIELDS),
        ("XBP_CHIP", table.CHIP_FIELDS),
        ("XBP_RECIPE", table.RECIPE_FIELDS),
        ("XBP_TILE", table.TILE_FIELDS),
        ("XBP_DIR", table.DIR_FIELDS),
    ):
        parts.append(enum(prefix, offsets(fields)))
    streaming = [name for name in table.ERRORS if name not in table.HOST_ERRORS]
    parts.append(
        "typedef enum {{\n    XBP_OK = 0,\n    XBP_DONE = 1,\n    XBP_LATER = 2,\n{}\n}} xbp_status;\n".format(
            ",\n".join(f"    XBP_E_{name} = -{number}" for number, name in enumerate(streaming, 1))
        )
    )
    parts.append(
        "/* names of the error classes by number: XBP_ERROR_NAMES[-status] */\n#define XBP_ERROR_NAMES \\\n    { "
        + ", \\\n      ".join(f'"{name}"' for name in ["OK"] + streaming)
        + " }\n"
    )
    parts.append("#endif")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (HERE / "xbp_table.h").write_bytes(header_text().encode("ascii"))

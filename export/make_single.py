"""Write xbp_single.h: the reader as one file, whose code is there where XBP_IMPLEMENTATION is defined.

Run it after a change of xbp.c, xbp.h or the table: `python export/make_single.py`. A test compares.
"""

import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent


def text():
    """The text of xbp_single.h."""
    table, header, source = ((HERE / name).read_text(encoding="ascii") for name in ("xbp_table.h", "xbp.h", "xbp.c"))
    header = header.replace('#include "xbp_table.h"\n', table)
    source = source.replace('#include "xbp.h"\n', "").replace("#define APART", "#define XBP_APART")
    source = re.sub(r"\bAPART\b", "XBP_APART", source)
    return (
        "/* xbp_single.h: xbp_table.h, xbp.h and xbp.c in one, written by make_single.py. Do not edit.\n"
        " * `#define XBP_IMPLEMENTATION` before the #include in one source, which has nothing else in it. */\n"
        f"{header}\n#ifdef XBP_IMPLEMENTATION\n{source}#endif\n"
    )


if __name__ == "__main__":
    (HERE / "xbp_single.h").write_bytes(text().encode("ascii"))

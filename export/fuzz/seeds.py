"""Turn the golden vectors into a seed corpus for fuzz.c: `python export/fuzz/seeds.py FOLDER`."""

import pathlib
import sys

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"


def main(folder):
    """Two bytes that steer the harness, then the file."""
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(VECTORS.glob("*/*.xbp")):
        (out / f"{path.parent.name}-{path.stem}").write_bytes(b"\x40\x00" + path.read_bytes())


if __name__ == "__main__":
    main(sys.argv[1])

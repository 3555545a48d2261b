"""Seeds for the fuzzers in this folder: `python export/fuzz/seeds.py FOLDER` fills FOLDER/xbp, programmer and npy."""

import pathlib
import struct
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from minirram.xbp import table  # noqa: E402

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"


def main(folder):
    """The bytes that steer each harness, then a file: a golden vector, small programs for the virtual chip, maps."""
    out = pathlib.Path(folder)
    for name in ("xbp", "programmer", "npy"):
        (out / name).mkdir(parents=True, exist_ok=True)
    for path in sorted(VECTORS.glob("*/*.xbp")):
        data = path.read_bytes()
        (out / "xbp" / f"{path.parent.name}-{path.stem}").write_bytes(b"\x40\x00" + data)
        if len(data) < 2000:  # the chip of the harness has 16 x 16 cells
            at = table.HEADER.size + table.RECORD.size
            sides = struct.pack("<HHH", 1, 16, 16)
            for formed in range(2):
                steer = bytes([2 + formed])
                seed = steer + data[:at] + sides + data[at + len(sides) :]
                (out / "programmer" / f"{path.stem}-{formed}").write_bytes(seed)
    for name, array in (
        ("small", np.ones((2, 2))),
        ("three", np.zeros((1, 2, 3), np.float32)),
        ("whole", np.zeros(4, int)),
    ):
        np.save(out / "npy" / (name + ".npy"), array)


if __name__ == "__main__":
    main(sys.argv[1])

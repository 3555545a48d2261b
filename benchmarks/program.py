"""How fast a program file of 33 macros is encoded and decoded: `python benchmarks/program.py [--json]`.

Megabytes per second of mask-and-code payload (decoded; the pulse bitmaps come on top and are not counted), beside
zlib.crc32 over the bytes of the same file in the same run. CPU time, best of several passes. The C reader is built with
gcc or clang at -O2; without a compiler `c_mb_s` is null.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from minirram.rng import stream  # noqa: E402
from minirram.xbp import codec  # noqa: E402
from minirram.xbp.records import Program, PulseRecord, TileProgram  # noqa: E402

CHIP_ID = 7
RECIPES = (PulseRecord(0, 4), PulseRecord(1, 1), PulseRecord(2, 3, 0, 10))


def macro_tile(number, rows=512, cols=512):
    """One whole macro at pair level, density 0.5, 8-bit targets, with the three passes of a fresh chip."""
    random = stream(number, "benchmark")
    kept, sign = random.random((2, rows, cols // 2)) < 0.5
    mask, partners = np.zeros((2, rows, cols), bool)
    mask[:, 0::2], mask[:, 1::2] = kept & sign, kept & ~sign
    partners[:, 0::2], partners[:, 1::2] = ~sign, sign
    codes = np.where(mask, random.integers(120, 256, (rows, cols)), 0).astype(np.uint8)
    passes = ((1, np.ones((rows, cols), bool)), (2, partners), (2, ~mask & ~partners))
    return TileProgram(number, number, 0, 0, rows, cols, 1, 5400, 4900, mask, 8, 0, 65536 * 80, codes, passes)


def best(action, repeats):
    """(CPU seconds of the fastest pass, result)."""
    fastest = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        result = action()
        fastest = min(fastest, time.process_time() - start)
    return fastest, result


def c_seconds(data, seconds):
    """CPU seconds that the C reader takes for one pass; None without a compiler."""
    compiler = next((name for name in ("gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        return None
    export = ROOT / "export"
    with tempfile.TemporaryDirectory() as folder:
        speed, path = pathlib.Path(folder) / "speed", pathlib.Path(folder) / "program.xbp"
        path.write_bytes(data)
        sources = [str(export / "tests" / "speed.c"), str(export / "xbp.c")]
        subprocess.run(
            [compiler, "-std=c99", "-O2", "-DXBP_READER_PAYLOAD=4096", *sources, "-o", str(speed)], check=True
        )
        done = subprocess.run([str(speed), str(path), str(CHIP_ID), str(seconds)], stdout=subprocess.PIPE, check=True)
    passes, taken = done.stdout.split()
    return float(taken) / int(passes)


def measure(macros=33, max_payload=1024, repeats=5):
    """The figures as a dict."""
    tiles = tuple(macro_tile(number) for number in range(macros))
    program = Program(CHIP_ID, macros, 512, 512, RECIPES, tiles, max_payload=max_payload)
    payload_mb = sum((tile.mask.size // 8 + tile.codes.nbytes) for tile in tiles) / 1e6
    encode_s, data = best(lambda: codec.write(program), repeats)
    decode_s, again = best(lambda: codec.read(data, CHIP_ID), repeats)
    if codec.write(again) != data:
        raise SystemExit("the program did not come back as it was")
    zlib_s, _ = best(lambda: zlib.crc32(data), 3 * repeats)
    reader_s = c_seconds(data, 1.0)
    return {
        "macros": macros,
        "max_payload": max_payload,
        "file_mb": len(data) / 1e6,
        "payload_mb": payload_mb,
        "encode_mb_s": payload_mb / encode_s,
        "decode_mb_s": payload_mb / decode_s,
        "c_mb_s": None if reader_s is None else payload_mb / reader_s,
        "zlib_crc32_mb_s": len(data) / 1e6 / zlib_s,
        "numpy": np.__version__,
    }


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--macros", type=int, default=33)
    parser.add_argument("--max-payload", type=int, default=1024)
    options = parser.parse_args()
    figures = measure(options.macros, options.max_payload)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:16s} {value:.1f}" if isinstance(value, float) else f"{name:16s} {value}")


if __name__ == "__main__":
    main()

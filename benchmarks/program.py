"""How fast a program file of 33 macros is encoded and decoded, and how large the files of a U-Net are.

`python benchmarks/program.py [--json]`. Speeds: megabytes per second of mask-and-code payload of a program with targets
(decoded; the pulse bitmaps come on top and are not counted), beside zlib.crc32 over the bytes of the same file in the
same run. CPU time, best of several passes. The C reader is built with gcc or clang at -O2; without a compiler `c_mb_s`
is null. Sizes: the whole program of the retina U-Net, its targets, an increment of 0.5 % of its cells, and the repair
of a programming that stopped halfway; minutes over a serial line of 115,200 baud (8 data bits, a start and a stop bit).
Steps: the ten slow ones of a U-Net on a board that pulses and reads cell by cell behind such a line, slowest first;
pulses are those of cells that answer at once.
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
from dataclasses import replace

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from minirram.chip.placement import place  # noqa: E402
from minirram.device import presets  # noqa: E402
from minirram.device.pulses import pulse_recipes  # noqa: E402
from minirram.device.thresholds import thresholds  # noqa: E402
from minirram.driver import programmer  # noqa: E402
from minirram.driver.protocol import Capabilities  # noqa: E402
from minirram.nn import network  # noqa: E402
from minirram.programming.build import (  # noqa: E402
    attainable,
    build_program,
    increment,
    pulse_counts,
    targets_of,
    without_targets,
)
from minirram.rng import stream  # noqa: E402
from minirram.tasks.retina import retina_unet  # noqa: E402
from minirram.xbp import codec, table  # noqa: E402
from minirram.xbp.records import Program, PulseRecord, TileProgram  # noqa: E402

CHIP_ID = 7
_BAUD = 115200
RECIPES = (PulseRecord(0, 4), PulseRecord(1, 1), PulseRecord(2, 3, 0, max_pulses=10))


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


def unet_files(changed=0.005):
    """{kind of file: Program} of the U-Net with random masks of density 0.5 at pair level."""
    model = presets.TAOX_40NM
    placement = place(network.matrices(retina_unet()))
    random, used = stream(1, "benchmark"), placement.used_cells()
    sign = random.random(used.shape[:2] + (used.shape[2] // 2,)) < 0.5
    partners = np.stack([~sign, sign], axis=-1).reshape(used.shape) & used
    formed_S = model.sample_lrs_S(random, used.shape)
    free = used & ~partners
    kept = free & (random.random(used.shape) < 0.5)
    flips = free & (random.random(used.shape) < changed * np.count_nonzero(used) / np.count_nonzero(free))

    def whole(on):
        limits = thresholds(model)
        options = {"recipes": pulse_recipes(model), "limits": limits, "chip_id": CHIP_ID, "partners": partners}
        return build_program(
            placement, attainable(on, formed_S, limits=limits), level="pair", target_S=formed_S, **options
        )

    old, new = whole(kept), whole(kept ^ flips)
    step = increment(old, new)
    # Stopped in the last pass, halfway: the cells of half the tiles still wait for their RESET.
    reset = old.recipes[-1].id
    waiting = tuple(
        replace(tile, mask=None, codes=None, code_bits=0, g_lsb=0, g_off_nS=0, passes=((reset, tile.passes[-1][1]),))
        for tile in old.tiles[len(old.tiles) // 2 :]
    )
    repair = replace(old, tiles=waiting, before=table.BEFORE["measured"], base_state=1, readback_id=1)
    return {"whole": without_targets(old), "targets": targets_of(old), "increment": step, "repair": repair}


def pulse_minutes(program):
    """Minutes of all pulses and verifying reads when each cell answers to the first, cell by cell."""
    board = Capabilities("board", program.macros, program.rows, program.cols, "cell", 5.0, 5e-3)
    return programmer.estimate(board, program).seconds / 60


def read_back_bytes(program):
    """Bytes that a board sends of what it read: four for each cell of the masks, or of those with a pulse."""
    cells = 0
    for tile in program.tiles:
        pulsed = np.zeros((tile.n_row, tile.n_col), bool)
        for _, one in tile.passes:
            pulsed |= one
        cells += tile.n_row * tile.n_col if tile.mask is not None else int(np.count_nonzero(pulsed))
    return 4 * cells


def slow_steps(files):
    """The ten slow steps, slowest first: (step, bytes over the line or None, minutes)."""
    found = []
    for name in ("whole", "increment", "repair"):
        size, answer = len(codec.write(files[name])), read_back_bytes(files[name])
        found += [
            (f"{name} program: over the line, once to check and once to act", 2 * size, minutes(2 * size)),
            (f"{name} program: pulses and verifying reads", None, pulse_minutes(files[name])),
            (f"{name} program: its cells are read back over the line", answer, minutes(answer)),
        ]
    size = len(codec.write(files["targets"]))
    found.append(("targets: over the line, for boards that tune cells", size, minutes(size)))
    return sorted(found, key=lambda step: -step[2])


def minutes(n_bytes):
    """Minutes of bytes over the line."""
    return n_bytes * 10 / _BAUD / 60


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


def sizes():
    """Bytes of the U-Net's files, minutes over a serial line, and the ten slow steps."""
    files = unet_files()
    written = {name: len(codec.write(program)) for name, program in files.items()}
    cells = sum(tile.n_row * tile.n_col for tile in files["whole"].tiles)
    figures = {"unet_cells": cells, "unet_cells_changed": sum(pulse_counts(files["increment"]).values())}
    figures.update({f"unet_{name}_bytes": size for name, size in written.items()})
    figures.update({f"unet_{name}_minutes": minutes(size) for name, size in written.items()})
    return dict(figures, slow_steps=slow_steps(files))


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--macros", type=int, default=33)
    parser.add_argument("--max-payload", type=int, default=1024)
    options = parser.parse_args()
    import machine

    found = machine.tell(1)
    figures = dict(measure(options.macros, options.max_payload), **sizes())
    if options.json:
        print(json.dumps(dict(figures, machine=found), indent=2))
        return
    steps = figures.pop("slow_steps")
    for name, value in figures.items():
        print(f"{name:24s} {value:.2f}" if isinstance(value, float) else f"{name:24s} {value}")
    for step, n_bytes, duration in steps:
        print(f"{step:70s} {'' if n_bytes is None else format(n_bytes, ','):>12s} {duration:8.3f} min")


if __name__ == "__main__":
    main()

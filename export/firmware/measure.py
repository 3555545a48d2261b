"""Writes measure_data.h: a real network on a macro of 64 x 64 cells, for measure.c.

python export/firmware/measure.py OUT.h
"""

import pathlib
import sys
import tempfile
import zlib
from typing import Iterable

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from minirram.cli.main import main as minirram  # noqa: E402
from minirram.inference import digital_json, integer_binary  # noqa: E402
from minirram.inference.integer_forward import integer_forward  # noqa: E402
from minirram.inference.integer_network import integer_network  # noqa: E402
from minirram.inference.product import ChipProduct  # noqa: E402
from minirram.nn.network import input_bits  # noqa: E402
from minirram.runs.folder import RunFolder, open_test  # noqa: E402
from minirram.xbp.codec import read  # noqa: E402

TRAIN = [
    "train",
    "fashion-mnist-64",
    "--data",
    "synthetic",
    "--preset",
    "quick",
    "--epochs",
    "1",
    "--rows",
    "64",
    "--cols",
    "64",
    "--out",
]
INPUTS = 4


def array(name: str, kind: str, values: Iterable[int]) -> str:
    """A C array."""
    return f"static const {kind} {name}[] = {{ {', '.join(map(str, values))} }};\n"


def main(out: str) -> int:
    """Train, export, and write what must come out."""
    with tempfile.TemporaryDirectory() as folder:
        if minirram([*TRAIN, folder + "/run"]) or minirram(["export", folder + "/run", "--code-bits", "0"]):
            return 1
        run = RunFolder.open(folder + "/run")
        program = pathlib.Path(folder, "run", "program.xbp").read_bytes()
        chip, model, _ = run.load_trained()
        codes = open_test(run.config).codes[:INPUTS]
    config = run.config
    network = integer_network(digital_json.describe(config.network, model, chip=chip))
    product = ChipProduct(chip, model.adcs, input_bits=input_bits(config.network), scales_S=model.scales_S)
    crc = 0

    def saw(_: int, x: np.ndarray) -> None:
        nonlocal crc
        crc = zlib.crc32(x.tobytes() if x.dtype == np.uint8 else x.astype("<i4").tobytes(), crc)

    for k in range(INPUTS):
        integer_forward(network, codes[k : k + 1], product.totals, saw=saw)
    cells_nS = np.rint(chip.physical(chip.conductance_S()) * 1e9).astype(np.uint16)
    text = "/* Written by measure.py. */\n#include <stdint.h>\n"
    text += f"#define CHIP_ID {read(program).chip_id}u\n#define EXPECTED_CRC {crc}u\n#define N_INPUTS {INPUTS}\n"
    text += f"enum {{ ROWS = {cells_nS.shape[1]}, COLS = {cells_nS.shape[2]}, WORK_BYTES = 8192 }};\n"
    text += array("program_file", "uint8_t", program)
    text += array("digital_side", "uint8_t", integer_binary.to_bytes(network))
    text += array("inputs", "uint8_t", codes.reshape(-1).tolist())
    text += array("cells_nS", "uint16_t", cells_nS.reshape(-1).tolist())
    pathlib.Path(out).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

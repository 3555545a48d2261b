"""The Verilog tile as a device for minirram.conformance: Icarus Verilog behind a pipe.

python docs/examples/rtl/device.py        compile the tile, try it against the laws, print the report
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from minirram.conformance import Spec, check

HERE = pathlib.Path(__file__).resolve().parent
SPEC = Spec(tile_rows=8, tile_pairs=4, max_rows=40, max_pairs=12, max_batch=12)
"""what the tile claims to be"""


def compiled(folder, spec=SPEC, tile=HERE / "tile.v"):
    """Compile a tile of the size that `spec` states, with its bench, in `folder`; returns the program for `vvp`."""
    program = pathlib.Path(folder) / "tile.vvp"
    sizes = [f"-Ppipe_tb.ROWS={spec.tile_rows}", f"-Ppipe_tb.PAIRS={spec.tile_pairs}"]
    subprocess.run(["iverilog", "-g2005", *sizes, "-o", str(program), str(tile), str(HERE / "pipe_tb.v")], check=True)
    return program


class Device:
    """One matrix in a simulation of its own; conductances and codes go down a pipe, integers come back."""

    def __init__(self, program, plus, minus, numbers):
        self.process = subprocess.Popen(
            ["vvp", "-n", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True
        )
        cells = np.stack([plus, minus], axis=2).ravel().tolist()
        self.send("m", *plus.shape, *numbers, *cells)

    def send(self, *words):
        """Write words and a line end."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def multiply(self, codes):
        """(integers (n, pairs), saturated conversions), a sample after the other."""
        found = []
        for sample in codes:
            self.send("x", *sample.tolist())
            found.append([int(word) for word in self.process.stdout.readline().split()])
        found = np.array(found, np.int64)
        return found[:, :-1], int(found[:, -1].sum())

    def __del__(self):
        """End the simulation."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def factory_of(program, spec):
    """The factory that `check` asks for."""

    def factory(G_plus_S, G_minus_S, input_bits, adc_bits, range_A):
        is_pair = spec.arrangement == "pair"
        top = 2 ** (adc_bits - 1) - 1 if is_pair else 2**adc_bits - 1
        lsb = float(np.float32(range_A / top / (spec.grid_S * spec.read_voltage_V)))
        numerator, denominator = lsb.as_integer_ratio()
        plus, minus = (np.rint(cells_S / spec.grid_S).astype(np.int64) for cells_S in (G_plus_S, G_minus_S))
        return Device(
            program, plus, minus, (input_bits, int(not is_pair), top, numerator, denominator.bit_length() - 1)
        )

    return factory


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        report = check(factory_of(compiled(folder), SPEC), SPEC, effort="quick")
    print(report)
    sys.exit(not report.passed)

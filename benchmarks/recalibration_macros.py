"""What `minirram recalibrate` wins back on the macros: `python benchmarks/recalibration_macros.py RUN [--data DATA]`.

The chip of the run with other off states, by four laws of RESET; the whole validation set.
"""

import argparse
import os
import tempfile

import numpy as np

from minirram.runs.folder import RunFolder
from minirram.runs.recalibrate import recalibrate

LAWS = {
    "0.2 of the own on conductance": lambda own_S, normal: 0.2 * own_S,
    "0.25 of it, each times exp(0.2 N)": lambda own_S, normal: 0.25 * own_S * np.exp(0.2 * normal),
    "0.3 of it": lambda own_S, normal: 0.3 * own_S,
    "3 uS times exp(0.2 N)": lambda own_S, normal: 3e-6 * np.exp(0.2 * normal),
}
"""what an off cell conducts, siemens, from its own on conductance and a normal number"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data", help="instead of the run's")
    options = parser.parse_args()
    import machine

    machine.tell()
    chip, _, _ = RunFolder.open(options.run).load_trained()
    own_S, normal = chip.formed_S(), np.random.default_rng(7).normal(size=chip.formed_S().shape)
    on = np.stack([macro.on for macro in chip.macros])
    for name, law in LAWS.items():
        cells_S = np.where(chip.used & ~on, law(own_S, normal), chip.conductance_S())
        with tempfile.TemporaryDirectory() as folder:
            readback = os.path.join(folder, "readback.npy")
            np.save(readback, chip.physical(cells_S))
            found = recalibrate(options.run, readback, data=options.data, out=os.path.join(folder, "new"))
        scores = (found.programmed, found.read_back, found.recalibrated)
        shown = " / ".join(f"{100 * score.value:.2f}" for score in scores)
        won = "" if found.recovered is None else f", {found.recovered:.0%} of the loss"
        print(f"{name}: {found.differing} differ, {shown} %{won}", flush=True)


if __name__ == "__main__":
    main()

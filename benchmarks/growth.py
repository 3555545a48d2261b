"""How time and memory grow: exponents over macros, width and data set size, memory per macro and image, first seconds.

    python benchmarks/growth.py [--json] [--cpu-time]

An exponent p is the least-squares fit of time ~ size^p; the sizes are measured in turn and the fastest calls count.
Those over batch, tiles and bit planes of one product are in `crossbar.py`. `start_s`: of each command up to its help.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import tracemalloc

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROUNDS = 7


def main(arguments=None):
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--cpu-time", action="store_true", help="processor time: for a shared machine")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(1)
    clock = time.process_time if options.cpu_time else time.perf_counter
    figures = {**exponents(clock), **memory(), **opening(), "start_s": starts()}
    if options.json:
        print(json.dumps(dict(figures, machine=found), indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:24s} {value}")


def exponents(clock):
    """Time of noisy products over the macros of one matrix and its width, and of a CNN over its images."""
    from random_run import random_codes, random_run

    from minirram.inference.examine import answering
    from minirram.tasks.fashion_mnist import fashion_mnist_cnn

    config, chip, model = random_run(fashion_mnist_cnn(), calibration=50)
    answer = answering(config, chip, model=model, split="validation", threads=1)
    codes = random_codes(config.network, 400)
    return {
        "exponent_macros": exponent(clock, [1, 2, 4, 8], [product(512 * n, 256) for n in (1, 2, 4, 8)]),
        # Columns inside a macro share its bit planes: there the exponent is below 1. Macros side by side do not.
        "exponent_width": exponent(clock, [256, 512, 1024, 2048], [product(512, n) for n in (256, 512, 1024, 2048)]),
        "exponent_width_inside": exponent(clock, [32, 64, 128, 256], [product(512, n) for n in (32, 64, 128, 256)]),
        "exponent_images": exponent(
            clock, [50, 100, 200, 400], [lambda n=n: answer(codes[:n]) for n in (50, 100, 200, 400)]
        ),
    }


def product(fan_in, fan_out):
    """A function that multiplies 512 samples with a matrix of its own chip, with read noise."""
    import numpy as np

    from minirram.chip.chip import Chip
    from minirram.crossbar.conditions import Conditions
    from minirram.crossbar.converters import Adc
    from minirram.device.presets import TAOX_40NM
    from minirram.inference.product import ChipProduct

    chip = Chip.sample(TAOX_40NM, (("matrix", (fan_in, fan_out)),), level="pair", seed=1)
    chip.form(TAOX_40NM.forming_voltage_V(0.9999))
    bits, adcs = {"matrix": 6}, {"matrix": Adc(8, 8192.0)}
    found = ChipProduct(chip, adcs, input_bits=bits, scales_S={"matrix": 1e-5}, noise_seed=1, conditions=Conditions())
    codes = np.random.default_rng(1).integers(0, 64, (512, fan_in)).astype(np.uint8)
    return lambda: found("matrix", codes)


def exponent(clock, sizes, functions):
    """p of time ~ size^p."""
    import numpy as np

    for function in functions:
        function()
    rounds = []
    for _ in range(ROUNDS):
        rounds.append([])
        for function in functions:
            started = clock()
            function()
            rounds[-1].append(clock() - started)
    return float(np.polyfit(np.log(sizes), np.log(np.min(rounds, axis=0)), 1)[0])


def memory():
    """MB that a macro keeps, and those it keeps after a noisy product; MB an image of the CNN takes meanwhile."""
    from random_run import random_codes, random_run

    from minirram.chip.chip import Chip
    from minirram.device.presets import TAOX_40NM
    from minirram.inference.examine import answering
    from minirram.tasks.fashion_mnist import fashion_mnist_cnn

    found = {}
    for name, make in (
        ("macro_MB", lambda: Chip.sample(TAOX_40NM, (("matrix", (2048, 256)),), level="pair", seed=1)),
        ("macro_used_MB", lambda: used(product(2048, 256))),
    ):
        found[name] = kept_mb(make) / 4
    config, chip, model = random_run(fashion_mnist_cnn(), calibration=50)
    answer = answering(config, chip, model=model, split="validation", threads=1)
    codes = random_codes(config.network, 200)
    answer(codes[:1])
    peaks = [peak_mb(lambda n=n: answer(codes[:n])) for n in (100, 200)]
    found["image_MB"] = (peaks[1] - peaks[0]) / 100
    return found


def used(function):
    """The function after its first call."""
    function()
    return function


def kept_mb(make):
    """MB that what `make` returns keeps."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = make()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return (after - before) / 2**20


def peak_mb(function):
    """Largest memory in use during a call, MB."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    function()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (peak - before) / 2**20


def opening():
    """Seconds that the arrays of a chip of four macros take to write and to read, per macro."""
    from minirram.chip.chip import Chip
    from minirram.device.presets import TAOX_40NM
    from minirram.files import read_npz, write_npz

    chip = Chip.sample(TAOX_40NM, (("matrix", (2048, 256)),), level="pair", seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "chip.npz")
        started = time.perf_counter()
        write_npz(path, chip.state())
        written = time.perf_counter()
        read_npz(path)
        return {"write_s_per_macro": (written - started) / 4, "read_s_per_macro": (time.perf_counter() - written) / 4}


def starts():
    """Seconds of `import numpy`, of `import minirram`, and of each command up to its help: the fastest of three."""
    from minirram.cli.main import COMMANDS

    found = {name: start("-c", f"import {name}") for name in ("numpy", "minirram")}
    found.update({command: start("-m", "minirram", command, "--help") for command in COMMANDS})
    return found


def start(*words):
    """Seconds of one start of Python, the fastest of three."""
    environment, times = dict(os.environ, PYTHONPATH=str(ROOT)), []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    main()

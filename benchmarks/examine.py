"""How close the examination of networks on macros comes to the bare matrix products of its reads.

    python benchmarks/examine.py [--json] [--height 584] [--width 565] [--threads 2] [--cpu-time]

A U-Net of 33 macros and a CNN, both with random masks, answer with read noise of every read. `unet_gemm`: seconds of
one whole image over those of the float32 matrix products of all its bit planes and of their variances, with every
pixel counted once. As in an examination each thread answers an image of its own: the windows of `threads` images are
answered side by side. The products are timed on a part of the pixels, before, between and after the windows, with the
same threads.
`batch1_ms`: one `Macro.multiply` of one sample with noise, 512 x 512 cells, 8 bits; `batch1_gemm`: over its products;
`batch1_fast_ms`: a tenth of the calls is faster, which says more of the call on a machine that others use.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import sys
import time
from functools import partial

ROOT = pathlib.Path(__file__).resolve().parents[1]
PART = 16  # of the rows of every product, timed for the limit


def main(arguments=None):
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--height", type=int, default=584, help="of the image, pixels")
    parser.add_argument("--width", type=int, default=565)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu-time", action="store_true", help="processor time of all threads: for a shared machine")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    figures = {"height": options.height, "width": options.width, "clock": clock.__name__}
    figures.update(batch1(clock))
    figures.update(cnn(clock, options.threads))
    figures.update(unet(clock, (options.height, options.width), options.threads))
    figures["peak_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.json:
        print(json.dumps(dict(figures, machine=found), indent=2, sort_keys=True))
    else:
        for name in sorted(figures):
            print(f"{name:24s} {figures[name]}")


def batch1(clock):
    """Milliseconds of one noisy product of one sample, and over its two matrix products."""
    import numpy as np

    from minirram.crossbar.macro import Macro
    from minirram.crossbar.region import Reading
    from minirram.device.presets import TAOX_40NM

    macro = Macro.sample(TAOX_40NM, 1)
    macro.form()
    generator = np.random.default_rng(1)
    macro.reset(generator.random(macro.on.shape) < 0.5)
    codes = generator.integers(0, 256, (1, macro.rows)).astype(np.uint8)
    adc, reading = macro.calibrated_adc(bits=8), Reading(macro.read_noise(1, macro.whole))
    matrix, planes = generator.random((512, 256)).astype(np.float32), np.ones((8, 512), np.float32)

    def product():
        macro.multiply(codes, input_bits=8, adc=adc, reading=reading)

    def bare():
        for _ in range(2):
            np.matmul(planes, matrix)

    ours, limit = zip(*((timed(clock, product), timed(clock, bare)) for _ in range(500)))
    return {
        "batch1_ms": 1e3 * statistics.median(ours),
        "batch1_fast_ms": 1e3 * sorted(ours)[len(ours) // 10],
        "batch1_gemm": statistics.median(ours) / statistics.median(limit),
    }


def cnn(clock, threads):
    """Images per second of the CNN with read noise."""
    from random_run import random_codes, random_run

    from minirram.tasks.fashion_mnist import fashion_mnist_cnn

    network = fashion_mnist_cnn()
    config, chip, model = random_run(network, calibration=50)
    codes = random_codes(network, 500)
    answer = noisy(config, chip, model, threads)
    answer(codes[:20])
    seconds = min(timed(clock, lambda: answer(codes)) for _ in range(3))
    return {"cnn_images_per_s": len(codes) / seconds}


def unet(clock, size, threads):
    """Figures of one whole image of `size` (height, width) on the U-Net, with `threads` of them side by side."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    from random_run import random_codes, random_run

    from minirram.nn.network import fitting_size
    from minirram.tasks.examinations import PixelExamination
    from minirram.tasks.retina import retina_unet

    network = retina_unet()
    config, chip, model = random_run(network)
    codes = random_codes(network, 1, shape=size + (1,))
    inside = np.ones((1,) + size, bool)
    asked = PixelExamination(codes, (codes[..., 0] > 30).astype(np.int64), inside)
    images = [noisy(config, chip, model, 1) for _ in range(threads)]
    limits, spent = [], 0.0

    def answered(windows):
        nonlocal spent
        limits.append(bare_products(clock, network, model, size, threads))
        started = clock()
        found = list(pool.map(lambda answer: answer(windows), images))
        spent += (clock() - started) / threads
        return found[0]

    with ThreadPoolExecutor(threads) as pool:
        asked.answer(0, answered, fits=partial(fitting_size, network))
    limits.append(bare_products(clock, network, model, size, threads))
    seconds = spent
    megapixels = codes.size / 1e6
    return {
        "unet_gemm": seconds / statistics.mean(limits),
        "unet_s_per_image": seconds,
        "unet_s_per_megapixel": seconds / megapixels,
        "unet_gemm_s_per_megapixel": statistics.mean(limits) / megapixels,
        "unet_pixels_computed": pixels_computed(asked, network) / codes.size,
    }


def pixels_computed(asked, network):
    """Pixels of all windows of the first image."""
    import numpy as np

    from minirram.nn.network import fitting_size

    seen = []

    def looked(windows):
        seen.append(windows[..., 0].size)
        return np.zeros(windows.shape[:3] + (2,), np.float32)

    asked.answer(0, looked, fits=partial(fitting_size, network))
    return sum(seen)


def noisy(config, chip, model, threads):
    """Codes -> logits with the read noise of one draw."""
    from minirram.inference.examine import answering

    return answering(config, chip, model=model, split="validation", threads=threads)


def bare_products(clock, network, model, size, threads):
    """Seconds of the products of planes with conductances and with variances, every pixel of an image counted once."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from minirram.nn.network import input_bits, positions

    crop, pixels, places, bits = network.input_shape, size[0] * size[1], positions(network), input_bits(network)
    tiles = []
    for tile in model.placement.tiles:
        rows, cols = (span.stop - span.start for span in (tile.matrix_rows, tile.matrix_cols))
        count = places[tile.matrix] * pixels / (crop[0] * crop[1]) * bits[tile.matrix]
        tiles.append((-(-int(count) // (PART * threads)), rows, cols))
    generator = np.random.default_rng(0)
    most = 4096  # rows at a time, as no product of this size gains by more
    planes = {rows: (generator.random((most, rows)) < 0.5).astype(np.float32) for _, rows, _ in tiles}
    matrices = {(rows, cols): generator.random((rows, cols)).astype(np.float32) for _, rows, cols in tiles}

    def share(_):
        for count, rows, cols in tiles:
            out = np.empty((most, cols), np.float32)
            for first in range(0, 2 * count, most):
                some = min(most, 2 * count - first)
                np.matmul(planes[rows][:some], matrices[rows, cols], out=out[:some])

    with ThreadPoolExecutor(threads) as pool:
        return PART * timed(clock, lambda: list(pool.map(share, range(threads))))


def timed(clock, function):
    """Seconds of one call."""
    start = clock()
    function()
    return clock() - start


if __name__ == "__main__":
    main()

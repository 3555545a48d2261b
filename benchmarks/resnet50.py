"""A ResNet-50 with random masks on 181 macros, examined on one 224 x 224 image: seconds, memory, saturation by layer.

    python benchmarks/resnet50.py [--json] [--size 224] [--threads 2]

Bottlenecks with the stride in their 3 x 3 convolution, 8-bit codes, 8-bit ADCs, read noise of every read.
"""

import argparse
import json
import os
import pathlib
import resource
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""(blocks, channels of their 3 x 3 convolution) of each stage"""
BITS = 8


def main(arguments=None):
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--size", type=int, default=224, help="side of the image, pixels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels", type=int, default=64, help="of the stem, of which all others are multiples")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(options.threads)
    figures = measure(options.size, options.channels, options.threads)
    if options.json:
        print(json.dumps(dict(figures, machine=found), indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:24s} {value}")


def measure(size, channels, threads):
    """All figures as a dict."""
    from random_run import random_codes, random_run

    from minirram.crossbar.conditions import Conditions
    from minirram.inference.forward import predict
    from minirram.inference.product import ChipProduct
    from minirram.nn.network import input_bits

    started = time.perf_counter()
    network = resnet50(size, channels)
    _, chip, model = random_run(network, calibration=1)
    made_s = time.perf_counter() - started
    figures = {"size": size, "macros": chip.placement.n_macros, "made_s": made_s}
    for name, seed in (("ideal", None), ("noisy", 1)):
        product = ChipProduct(
            chip,
            model.adcs,
            input_bits=input_bits(network),
            scales_S=model.scales_S,
            noise_seed=seed,
            threads=threads,
            conditions=Conditions(),
        )
        started, work = time.perf_counter(), time.process_time()
        predict(network, model.state, codes=random_codes(network, 1, seed=2), product=product)
        figures[f"{name}_s"] = time.perf_counter() - started
        figures[f"{name}_cpu_s"] = time.process_time() - work
        figures[f"{name}_peak_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["saturated_share"] = {
        name: sum(tiles) / product.conversions[name] for name, tiles in product.saturated.items()
    }
    return figures


def resnet50(size, width):
    """The network (He et al., CVPR 2016) for images of size x size, its stem of `width` channels; 100 classes."""
    from minirram import nn

    layers = []

    def conv(name, c_in, c_out, side, stride=1, relu=True):
        layers.append(nn.Quantize("codes_" + name, BITS))
        layers.append(nn.Conv2d(name, c_in, c_out, (side, side), (stride, stride), (side // 2, side // 2)))
        layers.append(nn.BatchNorm("bn_" + name, c_out))
        if relu:
            layers.append(nn.Relu("relu_" + name))

    layers.append(nn.Conv2d("conv1", 3, width, (7, 7), (2, 2), (3, 3)))
    layers += [nn.BatchNorm("bn_conv1", width), nn.Relu("relu_conv1")]
    layers.append(nn.MaxPool2d("pool1", (3, 3), (2, 2), (1, 1, 1, 1)))
    channels, before = width, "pool1"
    for stage, (blocks, multiple) in enumerate(STAGES, 2):
        inner = width * multiple // 64
        for block in range(blocks):
            name, stride = f"conv{stage}_{block + 1}", 2 if stage > 2 and block == 0 else 1
            branch = before
            if block == 0:
                conv(name + "s", channels, 4 * inner, 1, stride, relu=False)
                branch = f"bn_{name}s"
                layers.append(nn.Recall("again_" + name, before))
            conv(name + "a", channels, inner, 1)
            conv(name + "b", inner, inner, 3, stride)
            conv(name + "c", inner, 4 * inner, 1, relu=False)
            layers.append(nn.Add("add_" + name, branch))
            layers.append(nn.Relu("out_" + name))
            channels, before = 4 * inner, "out_" + name
    layers += [nn.GlobalAverage("mean"), nn.Quantize("codes_fc", BITS), nn.Linear("fc", channels, 100)]
    return nn.Network("resnet50", (size, size, 3), BITS, tuple(layers))


if __name__ == "__main__":
    main()

"""Made the run folders of format 1 and their figures; runs with minirram at commit b548fef on the path, `make.py OUT`.

`folders.tar.xz` holds what it leaves in OUT, `expected.json` a part of OUT-expected.json, and `configs.json` is
OUT-configs.json.
"""

import contextlib
import io
import json
import os
import shutil
import sys
from dataclasses import replace

import numpy as np
from minirram.baselines import WeightConfig, train_weights
from minirram.lines import ChipLines
from minirram.networks import BatchNorm, Conv2d, Flatten, Linear, MaxPool, Network, Quantize, Relu
from minirram.technologies import TAOX_40NM
from minirram.training import Recipe
from minirram.transfer import transfer
from minirram.weights import Writing
from minirram.wires import Wires
from minirram.workflow import train

from minirram import __version__, cli, datasets, synthetic
from minirram.rng import stream
from minirram.runs import RunConfig
from minirram.tasks import TASKS

out = os.path.abspath(sys.argv[1])
os.makedirs(out)
os.chdir(out)
parts = {}
for part, n in (("train", 120), ("validation", 60), ("test", 60)):
    inputs, labels = synthetic.garments(stream(0, part), n)
    pooled = inputs.reshape(n, 14, 2, 14, 2).astype(float).mean(axis=(2, 4))
    coarse = (np.rint(pooled / 85) * 85).astype(np.uint8)
    parts[part] = {"inputs": coarse.repeat(2, axis=1).repeat(2, axis=2), "labels": labels}
datasets.save("data", "fashion-mnist", parts, "drawn for a test, four grey levels")
network = Network(
    "small",
    (14, 14, 1),
    4,
    (
        Conv2d("conv", 1, 4, (3, 3), (2, 2)),
        BatchNorm("bn", 4, affine=True),
        Relu("relu"),
        Quantize("act", 4),
        MaxPool("pool"),
        Flatten("flatten"),
        Linear("fc", 36, 10),
    ),
)
recipe = Recipe(epochs=4, batch_size=10, hysteresis=0.002, hysteresis_end=0.001, seed=3, chip_seed=4)
lines = ChipLines(dead_rows=((0, 5),), dead_cols=((1, 8),), rows=40, pairs=12)
config = RunConfig("fashion-mnist", "data", network, recipe, TAOX_40NM, lines=lines, wires=Wires(0.5, 0.5), adc_bits=10)


class Stop(Exception):
    pass


def stop(row):
    if row["epoch"] == 2:
        raise Stop


def run_half(make, folder, name):
    try:
        make(stop)
    except Stop:
        shutil.copytree(folder, name)


run_half(lambda p: train("run", config, progress=p), "run", "stopped")
train("run", config, resume=True)

masks = replace(config, wires=None, lines=ChipLines(rows=40, pairs=16), recipe=replace(recipe, level="cell"))
wconfig = WeightConfig(masks, 0.05, Writing(0.01, 1e-6, 1, 200, 40))
run_half(lambda p: train_weights("weights", wconfig, progress=p), "weights", "weights-stopped")
train_weights("weights", wconfig)


def call(*args):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = cli.main(list(args) + ["--json"])
    assert code == 0, (args, code)
    return json.loads(text.getvalue())


expected = {
    "made by": "minirram " + __version__ + " at commit b548fef, Linux, NumPy " + np.__version__,
    "results": json.load(open("run/results.json")),
    "weights": json.load(open("weights/results.json")),
    "validation": call("evaluate", "run", "--data", "data", "--draws", "3"),
    "energy": call("energy", "run", "--data", "data"),
    "transfer": transfer("run", out + "-transfer", {"epochs": 1, "chip_seed": 9, "learning_rate": 0.1}),
}
os.mkdir(out + "-export")
expected["export"] = call("export", "run", "--out", out + "-export/p.xbp")
expected["inspect"] = call("inspect", out + "-export/p.xbp")
expected["test"] = call("evaluate", "run", "--data", "data", "--split", "test")
json.dump(expected, open(out + "-expected.json", "w"), indent=1, sort_keys=True)

# config.json of a run of each task: the layers and options that the small network does not have
configs = {
    name: RunConfig(name, "synthetic", known.build_network(), known.recipes["full"], TAOX_40NM).to_json()
    for name, known in TASKS.items()
}
for value in configs.values():
    del value["cell_model"]["sources"]
json.dump(configs, open(out + "-configs.json", "w"), separators=(",", ":"), sort_keys=True)

"""Weights that the chip alone remembers, over the number of whole updates: python benchmarks/plain_baseline.py TASK.

One training of each arm and seed with the authors' recipe; validation after each number of updates of `--updates`, in
the training forward (read noise, no converters). The rate falls over `--epochs`, so a training that stops at a number
of updates is this one up to there.

    python benchmarks/plain_baseline.py fashion-mnist --data data --out docs/results/plain-fashion-mnist.json
"""

import argparse
import json
import time

from results_kept import keep

from minirram.device.presets import load_cell_model
from minirram.learn.optim import cosine_rate
from minirram.rng import stream
from minirram.runs.config import RunConfig
from minirram.runs.folder import open_training
from minirram.study.arms import ARMS, PLAIN, weight_config
from minirram.study.weight_runs import make_learner
from minirram.tasks import registry


def looks(arm, task, *, data_folder, seed, updates, epochs):
    """Validation after each number of `updates`: list of (updates, score, seconds since the start)."""
    chosen = registry.task(task)
    recipe = chosen.recipe("full")
    base = RunConfig(task, data_folder, chosen.network, recipe, load_cell_model("taox-40nm"))
    config = weight_config(ARMS[arm], base, seed=seed, settings=PLAIN, n_steps=1, budget=2**40, updates=None)
    learner, data = make_learner(config, threads=1), open_training(config.run)
    plan, found, step, started = learner.recipe, [], 0, time.perf_counter()
    per_epoch = data.steps_per_epoch(plan)
    while True:
        for codes, labels, weight in data.batches(stream(seed, "batches", step // per_epoch), plan):
            rate = cosine_rate(plan.learning_rate, step, n_steps=epochs * per_epoch)
            learner.step(codes, labels, weight=weight, rate=rate)
            step += 1
            if step in updates:
                found.append((step, data.validation_score(learner.predict), round(time.perf_counter() - started, 1)))
            if step >= max(updates):
                return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("fashion-mnist", "spoken-digits", "retina"))
    parser.add_argument("--data", required=True, help="folder of the data set, or synthetic")
    parser.add_argument("--arms", nargs="+", default=["wo-plain-budget-0.15", "wo-plain-one-budget-6"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--updates", nargs="+", type=int, default=[3, 10, 20, 37])
    parser.add_argument("--epochs", type=int, default=40, help="over which the rate falls")
    parser.add_argument("--out", help="file of results that is kept, see docs/results")
    options = parser.parse_args()
    rows = []
    for arm in options.arms:
        for seed in options.seeds:
            found = looks(
                arm,
                options.task,
                data_folder=options.data,
                seed=seed,
                updates=set(options.updates),
                epochs=options.epochs,
            )
            for updates, score, seconds in found:
                rows.append({"arm": arm, "seed": seed, "updates": updates, "validation": score, "seconds": seconds})
            print(json.dumps(rows[-len(found) :]), flush=True)
            if options.out:
                keep(options.out, {"task": options.task, "rows": rows})


if __name__ == "__main__":
    main()

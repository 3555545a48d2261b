"""Weights that the chip alone remembers, over the number of whole updates: python benchmarks/plain_baseline.py TASK.

One training of each arm and seed with the authors' recipe; validation after each number of updates of `--updates`, in
the training forward (read noise, no converters). The rate falls over `--epochs`, so a training that stops at a number
of updates is this one up to there. The same command goes on where it was stopped: `--out` has what is done, and
`--checkpoints` what has begun.

    python benchmarks/plain_baseline.py fashion-mnist --data data --out docs/results/plain-fashion-mnist.json
"""

import argparse
import json
import os
import shlex
from concurrent.futures import as_completed

from minirram.engines.pool import WorkerPool
from minirram.study.kept import keep, kept
from minirram.study.paper_runs import looks


def done(path, command):
    """Rows of the trainings that an earlier call of the same command has kept in `path`."""
    folder, file = os.path.split(path)
    before = kept([folder], os.path.splitext(file)[0])
    return before.found["rows"] if before is not None and before.made.command == command else []


def trained(wanted, options):
    """Yields (arm, seed) and what `looks` found of each of `wanted`, as they end."""
    how = dict(data=options.data, updates=tuple(options.updates), epochs=options.epochs)

    def own(arm, seed):
        file = options.checkpoints and os.path.join(options.checkpoints, f"{options.task}-{arm}-{seed}.npz")
        return dict(how, seed=seed, checkpoint=file)

    if options.processes == 1:
        for arm, seed in wanted:
            yield (arm, seed), looks(arm, options.task, **own(arm, seed))
        return
    with WorkerPool(options.processes) as pool:
        futures = {pool.submit(looks, arm, options.task, **own(arm, seed)): (arm, seed) for arm, seed in wanted}
        for future in as_completed(futures):
            yield futures[future], future.result()


def main():
    # They say how, not what: the command that is kept is without them.
    means = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    means.add_argument("--checkpoints", help="folder for what has begun; left out: a training begins anew")
    means.add_argument("--processes", type=int, default=1, help="trainings at a time; the same numbers with each")
    text = dict(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser = argparse.ArgumentParser(parents=[means], allow_abbrev=False, **text)
    parser.add_argument("task", choices=("fashion-mnist", "spoken-digits", "retina"))
    parser.add_argument("--data", required=True, help="folder of the data set, or synthetic")
    parser.add_argument("--arms", nargs="+", default=["wo-plain-budget-0.15", "wo-plain-one-budget-6"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--updates", nargs="+", type=int, default=[3, 10, 20, 37])
    parser.add_argument("--epochs", type=int, default=40, help="over which the rate falls")
    parser.add_argument("--out", help="file of results that is kept, see docs/results")
    options = parser.parse_args()
    import machine

    machine.tell()
    command = "python benchmarks/plain_baseline.py " + shlex.join(means.parse_known_args()[1])
    rows = done(options.out, command) if options.out else []
    have = {(row["arm"], row["seed"]) for row in rows}
    wanted = [(arm, seed) for seed in options.seeds for arm in options.arms if (arm, seed) not in have]
    for (arm, seed), found in trained(wanted, options):
        for updates, score, seconds in found:
            rows.append({"arm": arm, "seed": seed, "updates": updates, "validation": score, "seconds": seconds})
        print(json.dumps(rows[-len(found) :]), flush=True)
        if options.out:
            keep(options.out, {"task": options.task, "rows": rows}, command=command)


if __name__ == "__main__":
    main()

"""The smallest change of one converter that is found when a chip is judged by its own estimate.

    python benchmarks/estimate.py --json        one JSON object: curve_error_lsb, found (change -> chips that fail)
    python benchmarks/estimate.py --unchanged 1000        how many unchanged chips fail, each by its own estimate

Chips of tests/conformance/test_estimates.py, 64 x 16 pairs, 10-bit ADCs, 1 % read noise: offsets to 20 LSB, gains
7 % off, 4 LSB of INL. One converter of each is changed against what was estimated. The unchanged ones have 16 x 2
pairs, every eighth 32 x 2 with a conversion for each polarity, and estimates of two reads of each of 8,000 inputs.
"""

import argparse
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CHANGES = {"offset": (0.3, 0.5, 1.0), "gain": (0.001, 0.002, 0.005), "bow": (2.0, 3.0, 4.0), "bend": (3.0, 5.0, 8.0)}
"""LSB at the end of the range; of the gain, relative"""


def main(arguments=None):
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--chips", type=int, default=10, help="with each change")
    parser.add_argument("--reads", type=int, default=200, help="of each sample of a check")
    parser.add_argument("--unchanged", type=int, metavar="CHIPS", help="judge so many, each by its own estimate")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    told = machine.tell(1)
    results = false_alarms(options.unchanged) if options.unchanged else measured(options.chips, options.reads)
    if options.json:
        print(json.dumps(dict(results, machine=told), indent=2))
    else:
        print("\n".join(f"{key:16s} {value}" for key, value in results.items()))


def measured(chips, reads):
    """Estimate one chip, then judge others that differ from it by one converter."""
    from minirram.conformance import check, estimate
    from tests.conformance.test_estimates import Bench, spec

    claimed = spec(tile_rows=64, tile_pairs=16, max_rows=64, max_pairs=16, input_bits=(4,), read_noise=0.01)
    started = time.process_time()
    known = estimate(Bench(claimed).chip, claimed)
    seconds = time.process_time() - started
    own = known.spec(claimed)

    def fails(seed, name=None, change=0.0):
        other = Bench(claimed)
        other.made = 1000 * (seed + 2)
        if name:
            getattr(other, name)[0, seed % 16] += change * (-1) ** seed
        return not check(other.chip, own, exact=False, reads=reads).passed

    found = {
        name: {str(change): sum(fails(seed, name, change) for seed in range(chips)) for change in changes}
        for name, changes in CHANGES.items()
    }
    unchanged = sum(fails(seed) for seed in range(chips))
    return {
        "curve_error_lsb": known.curve_error_lsb,
        "estimate_cpu_s": seconds,
        "chips": chips,
        "reads": reads,
        "unchanged_that_fail": unchanged,
        "found": found,
    }


def false_alarms(chips, read_noises=(0.005, 0.01, 0.02, 0.04), reads=400):
    """Judge chips that keep their own estimate, each another one; which laws call them broken."""
    from minirram.conformance import check, estimate
    from tests.conformance.test_estimates import Bench, spec

    alarms, tolerances, started = {}, [], time.process_time()
    for seed in range(chips):
        rows, arrangement = (32, "polarity") if seed % 8 == 7 else (16, "pair")
        noise = read_noises[seed // 8 % len(read_noises)]
        size = {"tile_rows": rows, "max_rows": rows, "tile_pairs": 2, "max_pairs": 2}
        claimed = spec(arrangement=arrangement, read_noise=noise, **size)
        bench = Bench(claimed, seed)
        own = estimate(bench.chip, claimed, reads=2, seed=seed).spec(claimed)
        tolerances.append(own.noise_tolerance)
        broken = check(bench.chip, own, exact=False, reads=reads).broken
        alarms.update({seed: broken} if broken else {})
        if seed % 50 == 49:
            print(f"{seed + 1} chips, {len(alarms)} alarms", file=sys.stderr, flush=True)
    seconds = (time.process_time() - started) / chips
    return {
        "unchanged": chips,
        "alarms": len(alarms),
        "laws": {str(seed): list(laws) for seed, laws in alarms.items()},
        "reads": reads,
        "noise_tolerance": [min(tolerances), max(tolerances)],
        "cpu_s_each": seconds,
    }


if __name__ == "__main__":
    main()

"""What the conformance kit finds: the mutation score, the false alarms on good devices, and the power of its laws.

    python benchmarks/conformance.py --json        one JSON object: mutants, found, missed, false_alarms, power, seconds

The broken devices are those of tests/conformance/broken_devices.py: each is one line of difference from a good one.
`false_alarms` counts the rejected among `good_devices` simulators that keep the laws, with other seeds of noise.
`power` is the smallest error that each statistical law finds in 99 of 100 devices of 512 x 512 cells, 14-bit ADCs and
0.65 % read noise at 400 reads.
"""

import argparse
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main(arguments=None):
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--good-devices", type=int, default=1000, help="simulators that should pass")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(1)
    started = time.perf_counter()
    results = {**mutation_score(), **false_alarms(options.good_devices), "power": power()}
    results["seconds"] = time.perf_counter() - started
    if options.json:
        print(json.dumps(dict(results, machine=found), indent=2))
    else:
        print("\n".join(f"{key:24s} {value}" for key, value in results.items()))


def mutation_score():
    """How many broken devices the kit finds, and the names of the others."""
    from tests.conformance.test_mutation_score import ALL, is_found

    missed = [name for name in ALL if not is_found(name)]
    return {"mutants": len(ALL), "found": len(ALL) - len(missed), "missed": missed}


def false_alarms(devices):
    """How many good devices a noisy check rejects."""
    from minirram.conformance import check, simulator_factory
    from tests.conformance.test_mutation_score import NOISY

    reports = [check(simulator_factory(NOISY, seed), NOISY, exact=False) for seed in range(devices)]
    return {"good_devices": devices, "false_alarms": sum(not report.passed for report in reports)}


def power():
    """law -> the smallest error that it finds, for a chip of full size."""
    from minirram.conformance import Spec, check, simulator_factory

    spec = Spec(adc_bits=(14,), read_noise=0.0065)
    return {law: str(found) for law, found in check(simulator_factory(spec), spec, exact=False).power.items()}


if __name__ == "__main__":
    main()

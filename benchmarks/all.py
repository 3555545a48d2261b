"""Runs the benchmarks one after the other, writes one JSON, and says which ratios are worse than in the committed one.

    python benchmarks/all.py [--quick] [--out benchmarks/results.json] [--against benchmarks/results.json]

Each entry holds its command, its seconds and what it printed. `--quick`: those of few minutes, as CI runs them; a
command is compared with the same command alone. `--against` reports every ratio that is more than 15 % worse; the exit
code stays 0, because machines differ. Training needs PyTorch, wires need SciPy: without them an entry says so.
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
QUICK = (
    "crossbar.py --quick --cpu-time --threads 1",
    "examine.py --height 160 --width 144 --cpu-time --threads 1",
    "growth.py --cpu-time",
)
FULL = QUICK + (
    "crossbar.py",
    "examine.py",
    "resnet50.py",
    "training.py --rounds 2",
    "wires.py",
    "program.py",
    "energy.py",
    "sweep.py",
    "conformance.py --good-devices 200",
)
LESS_IS_BETTER = (
    "ideal_",
    "noise_",
    "held_over_fresh_",
    "exponent_",
    "unet_gemm",
    "batch1_gemm",
    "cnn_gemm",
    "crnn_gemm",
)
"""beginnings of the names of ratios"""
MORE_IS_BETTER = ("cnn", "crnn", "unet", "spsolve_ratio", "processes", "dask")
"""names of ratios"""
WORSE = 1.15
"""a ratio that is reported"""
MOST_S = 600
"""for one benchmark"""


def main(arguments=None):
    """Run, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the few that CI runs")
    parser.add_argument("--out", metavar="FILE", help="where the JSON goes; default: standard output")
    parser.add_argument("--against", metavar="FILE", help="a JSON of before")
    options = parser.parse_args(arguments)
    before = {}
    if options.against:
        before = json.loads(pathlib.Path(options.against).read_text(encoding="utf-8"))
    found = {command: entry(command) for command in (QUICK if options.quick else FULL)}
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if options.out:
        pathlib.Path(options.out).write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    if options.against:
        lines = worse(before, found)
        print("\n".join(lines) if lines else "no ratio is more than 15 % worse", file=sys.stderr)
    return 0


def entry(command):
    """What one benchmark gives: {"seconds": , "found": } or {"seconds": , "failed": its last line}."""
    print(f"{command} ...", file=sys.stderr, flush=True)
    script, *words = shlex.split(command)
    started = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / script), "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=MOST_S,
            encoding="utf-8",
        )
    except subprocess.TimeoutExpired:
        return {"seconds": MOST_S, "failed": f"not done after {MOST_S} s"}
    seconds = round(time.perf_counter() - started, 1)
    if done.returncode:
        return {"seconds": seconds, "failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return {"seconds": seconds, "found": json.loads(done.stdout)}


def worse(before, after):
    """A line for each ratio of the same command that is more than 15 % worse, or is not there any more."""
    lines = []
    for command in sorted(set(before) & set(after)):
        old, new = before[command].get("found", {}), after[command].get("found", {})
        for name in sorted(old):
            sign = direction(name)
            if not sign or not isinstance(old[name], (int, float)):
                continue
            if name not in new:
                lines.append(f"{command}: {name} was {old[name]:.3g}, now there is none")
            elif (new[name] / old[name]) ** sign > WORSE:
                lines.append(f"{command}: {name} {old[name]:.3g} -> {new[name]:.3g}")
    return lines


def direction(name):
    """1 for a ratio of which less is better, -1 for one of which more is, 0 for what is no ratio."""
    if name in MORE_IS_BETTER:
        return -1
    return int(name.startswith(LESS_IS_BETTER) and not name.endswith(("_s", "_cpu_s", "_MB", "_megapixel", "_mb")))


if __name__ == "__main__":
    sys.exit(main())

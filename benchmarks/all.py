"""Runs the benchmarks one after the other, writes one JSON, and says which ratios are worse than in the committed one.

    python benchmarks/all.py [--quick] [--only TEXT ...] [--minutes 20] [--torch PYTHON]
                             [--out benchmarks/results.json] [--against benchmarks/results.json]

Each entry holds its command, its seconds and what it printed. `--quick`: those of few minutes, as CI runs them; a
command is compared with the same command alone. `--against` reports every ratio that is more than 15 % worse; the exit
code stays 0, because machines differ. The file is written after each benchmark; what was in it stays until the same
command succeeds again. A benchmark that takes too long is ended with all that it started. Training beside PyTorch
needs PyTorch, wires need SciPy: without them an entry says so.
"""

import argparse
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
QUICK = (
    "crossbar.py --quick --cpu-time --threads 1",
    "examine.py --height 160 --width 144 --cpu-time --threads 1",
    "growth.py --cpu-time",
)
TRAINING = "training.py --rounds 2"
FULL = QUICK + (
    "training.py --rounds 2 --no-torch",
    TRAINING,
    "crossbar.py",
    "examine.py",
    "resnet50.py",
    "shares.py",
    "wires.py",
    "program.py",
    "energy.py",
    "sweep.py --points 40",
    "conformance.py --good-devices 50",
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
MOST_S = 300
"""for one benchmark"""


def main(arguments=None):
    """Run, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the few that CI runs")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="commands that begin with one of these texts")
    parser.add_argument("--minutes", type=float, default=20, help="for all; what does not fit in is left out")
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter that has PyTorch, for the training beside it")
    parser.add_argument("--out", metavar="FILE", help="where the JSON goes; default: standard output")
    parser.add_argument("--against", metavar="FILE", help="a JSON of before")
    options = parser.parse_args(arguments)
    before = read(options.against)
    found = {command: entry for command, entry in read(options.out).items() if command in FULL}
    ends, new = time.monotonic() + 60 * options.minutes, {}
    for command in QUICK if options.quick else FULL:
        if options.only and not command.startswith(tuple(options.only)):
            continue
        words = ["--torch", options.torch] if options.torch and command == TRAINING else []
        new[command] = entry(command, words, most_s=min(MOST_S, ends - time.monotonic()))
        merge(found, new[command], command)
        if options.out:
            write(options.out, found)
    if not options.out:
        print(text(found), end="")
    if options.against:
        lines = worse(before, new)
        print("\n".join(lines) if lines else "no ratio is more than 15 % worse", file=sys.stderr)
    return 0


def read(path):
    """The entries of a file; none where there is no file."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8")) if path and os.path.exists(path) else {}


def text(found):
    """The entries as the file holds them."""
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def write(path, found):
    """Write the file, whole or not at all."""
    beside = path + ".part"
    pathlib.Path(beside).write_text(text(found), encoding="utf-8")
    os.replace(beside, path)


def merge(found, new, command):
    """Put in the entry of a command; one that failed does not take the place of one that succeeded before."""
    if "failed" in new:
        print(f"{command}: {new['failed']}", file=sys.stderr)
        if "found" in found.get(command, {}):
            return
    found[command] = new


def entry(command, words=(), *, most_s=MOST_S):
    """What one benchmark gives: {"seconds": , "found": } or {"seconds": , "failed": its last line}."""
    if most_s < 1:
        return {"seconds": 0, "failed": "no time was left for it"}
    print(f"{command} ...", file=sys.stderr, flush=True)
    script, *given = shlex.split(command)
    call = [sys.executable, str(ROOT / "benchmarks" / script), "--json", *given, *words]
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as answer, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(call, stdout=answer, stderr=errors, start_new_session=True)
        try:
            process.wait(timeout=most_s)
        except subprocess.TimeoutExpired:
            return {"seconds": round(most_s), "failed": f"not done after {most_s:.0f} s"}
        finally:
            end(process)
        seconds = round(time.perf_counter() - started, 1)
        answer.seek(0)
        errors.seek(0)
        if process.returncode:
            return {"seconds": seconds, "failed": (errors.read().strip().splitlines() or ["no message"])[-1]}
        return {"seconds": seconds, "found": json.loads(answer.read())}


def end(process):
    """End a benchmark and whatever it started: they are one group, where there are groups."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    elif process.poll() is None:
        process.kill()
    process.wait()


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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started is ended, too
    sys.exit(main())

"""What hostile files cost: each is opened by a command in a process of its own, whose time and memory are measured.

    python benchmarks/hostile.py --json

prints `files`, `worst_mb`, `worst_s`, `tracebacks` and, with --all, a row per file. The files are made by
tests/support/hostile_files.py. A process is a fork of one that has loaded the package: POSIX systems alone.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import runpy
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from minirram.cli import main as cli  # noqa: E402
from tests.support.hostile_files import cases, whole_run  # noqa: E402

ADDRESSES = 4 << 30  # bytes of address space: beyond, an allocation fails
SECONDS = 60  # of CPU: beyond, the process is killed


def opened(case, log):
    """Run the command of a case in this process; its exit code."""
    with open(log, "w") as handle, contextlib.redirect_stdout(handle), contextlib.redirect_stderr(handle):
        try:
            if case.arguments[0].endswith(".py"):
                sys.argv = list(case.arguments)
                sys.path.insert(0, str(ROOT / "data_scripts"))
                runpy.run_path(str(ROOT / "data_scripts" / case.arguments[0]), run_name="__main__")
                return 0
            return cli.main(list(case.arguments))
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
            return 99


def measured(case, log):
    """{name, kind, code, seconds, mb, text} of a case, opened in a fork of this process."""
    began = time.perf_counter()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        os._exit(opened(case, log))
    _, status, usage = os.wait4(child, 0)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    text = pathlib.Path(log).read_text(errors="replace")
    return {
        "name": case.name,
        "kind": case.kind,
        "code": code,
        "seconds": usage.ru_utime + usage.ru_stime,
        "elapsed_s": time.perf_counter() - began,
        "mb": usage.ru_maxrss / 1e3,
        "right": code in case.codes and (code == 0 or re.search(case.error, text) is not None),
        "traceback": "Traceback" in text or code in (70, 99) or code < 0,
        "text": text[-300:].strip(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--all", action="store_true", help="a row per file")
    parser.add_argument(
        "--kind", help="of the files: xbp, npz, npy, json, config, table, bench, sweep, onnx, media, checkpoint"
    )
    options = parser.parse_args()
    import machine

    here = machine.tell(1)
    with tempfile.TemporaryDirectory() as folder:
        found = cases(os.path.join(folder, "files"), whole_run(os.path.join(folder, "run")))
        chosen = [case for case in found if options.kind in (None, case.kind)]
        log = os.path.join(folder, "log")
        rows = [measured(case, log) for case in chosen]
    summary = {
        "files": len(rows),
        "worst_mb": max(row["mb"] for row in rows),
        "worst_s": max(row["seconds"] for row in rows),
        "tracebacks": sum(row["traceback"] for row in rows),
        "wrong": [row["name"] for row in rows if not row["right"]],
    }
    if options.json:
        print(json.dumps(dict(summary, machine=here, **({"rows": rows} if options.all else {}))))
        return
    for row in rows if options.all else ():
        flag = "" if row["right"] and not row["traceback"] else "  <-"
        print(f"{row['mb']:6.0f} MB {row['seconds']:6.2f} s  {row['code']:3d}  {row['kind']} {row['name']}{flag}")
        print(f"          {row['text'].splitlines()[-1][:150] if row['text'] else ''}")
    print(", ".join(f"{name} {value}" for name, value in summary.items()))


if __name__ == "__main__":
    main()

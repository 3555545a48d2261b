"""What a benchmark ran on: processor, versions, the kernel of the BLAS, threads. Every benchmark says it."""

import os
import pathlib
import platform
import sys
from typing import Any, Dict, Optional

ROOT = pathlib.Path(__file__).resolve().parents[1]


def facts(threads: Optional[int] = None) -> Dict[str, Any]:
    """The machine as JSON. threads: Python threads of the benchmark. NumPy is imported: set BLAS threads before."""
    sys.path.insert(0, str(ROOT))
    from minirram.runs.environment import environment

    found = environment()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "minirram": found.version,
        "commit": found.commit,
        "python": found.python,
        "numpy": found.numpy,
        "blas": found.blas,
        "kernel": found.kernel,
        "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS", "as the library chooses"),
        "threads": threads,
    }


def tell(threads: Optional[int] = None) -> Dict[str, Any]:
    """`facts`, also as one line on stderr."""
    found = facts(threads)
    print("machine: " + ", ".join(f"{name} {value}" for name, value in found.items() if value), file=sys.stderr)
    return found


def _processor() -> str:
    """Its name, as Linux says it, or what Python knows."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            named = next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        named = ""
    return named.partition(":")[2].strip() or platform.processor() or platform.machine()

"""What computes: versions, the BLAS and which of its kernels runs. The order of its sums decides the last bits.

Learning amplifies them: masks that were learned under two kernels differ in some per cent of their bits.
"""

import ctypes
import glob
import os
import platform
import subprocess
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Dict, List, Tuple

import numpy as np

from .. import __version__
from ..json_codec import Result

_CORE_NAMES = tuple(
    f"{start}openblas_get_corename{end}" for start in ("scipy_", "") for end in ("64_", "")
)  # wheels rename the functions of their OpenBLAS


@dataclass(frozen=True)
class Environment(Result):
    """What a run was learned with, as in `environments` of `config.json`."""

    version: str
    """of minirram"""
    commit: str
    """of its sources, "+" where they differ; "": no working copy"""
    python: str
    """version"""
    numpy: str
    """version"""
    blas: str
    """name and version, as NumPy's build says"""
    kernel: str
    """for which processor the BLAS computes; "": it does not say"""

    @property
    def numbers(self) -> Tuple[str, ...]:
        """What the last bits depend on."""
        return self.numpy, self.blas, self.kernel

    def named(self) -> str:
        """The same as text."""
        return f"NumPy {self.numpy}, {self.blas}{' for ' if self.kernel else ''}{self.kernel}"


@lru_cache(maxsize=None)
def environment() -> Environment:
    """That of this process."""
    return Environment(__version__, commit(), platform.python_version(), np.__version__, _blas(), _kernel())


def from_json(value: Any) -> Environment:
    """An entry of `environments`; what is not there, or no text, is ""."""
    entries: Dict[str, Any] = value if isinstance(value, dict) else {}
    return Environment(**{field.name: str(entries.get(field.name, "")) for field in fields(Environment)})


def _blas() -> str:
    """Name and version of the BLAS of NumPy's build."""
    config: Any = np.__config__
    built = getattr(config, "CONFIG", {}).get("Build Dependencies", {}).get("blas")
    if built:
        return f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    found = getattr(config, "blas_opt_info", {}) or getattr(config, "blas_ilp64_opt_info", {})  # before NumPy 1.26
    return " ".join(found.get("libraries", [])[:1]) or "BLAS unknown"


def _kernel() -> str:
    """The kernel that OpenBLAS chose for this processor; "" for another BLAS."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for name in _CORE_NAMES:
            if hasattr(library, name):
                function = getattr(library, name)
                function.restype = ctypes.c_char_p
                return (function() or b"").decode("ascii", "replace")
    return ""


def _libraries() -> List[str]:
    """Files of the OpenBLAS that NumPy has loaded: those of its wheel, else those of the system."""
    package = os.path.dirname(np.__file__)
    folders = (package + ".libs", os.path.join(package, ".libs"), os.path.join(package, ".dylibs"))
    found = [path for folder in folders for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*openblas*")))]
    return found or [f"lib{name}.so.0" for name in ("openblas", "openblasp")] if os.name != "nt" else found


@lru_cache(maxsize=None)
def commit() -> str:
    """The commit of the package's source, "+" behind it where files differ; "" where it is no working copy."""
    here = os.path.dirname(os.path.abspath(__file__))

    def git(*arguments: str) -> str:
        command = ["git", "-C", here, *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10).stdout.decode()

    try:
        found = git("rev-parse", "--short=12", "HEAD").strip()
        tracked = found and git("ls-files", os.path.basename(__file__)).strip()
        return found + ("+" if git("status", "--porcelain", "-uno").strip() else "") if tracked else ""
    except (OSError, subprocess.SubprocessError):
        return ""

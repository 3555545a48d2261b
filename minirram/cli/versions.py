"""Versions of what computes, from files of the installation: NumPy itself takes a tenth of a second to load."""

import os
import platform
import re
import sys
from importlib.util import find_spec
from typing import Optional

from .. import __version__

_OF_BLAS = (
    r'"blas":\s*\{[^}]*?"name":\s*"([^"]+)"[^}]*?"version":\s*"([^"]*)"',
    r"blas_opt_info=.*?\['([^']+)'()",  # before NumPy 1.26
)
"""(name, version) in the configuration that NumPy's build leaves"""


def version_line() -> str:
    """minirram, Python, NumPy and its BLAS, in one line."""
    return f"minirram {__version__} (Python {platform.python_version()}, NumPy {numpy_version()}, {blas()})"


def numpy_version() -> str:
    """Of the installed NumPy; "none" without one."""
    for name in ("version.py", "_version.py"):
        found = re.search(r"""^\s*"?version"?\b[^=:\n]*(?::\s*str\s*)?[=:]\s*["']([^"']+)""", _text(name), re.MULTILINE)
        if found:
            return found.group(1)
    return "none" if _folder() is None else "unknown"


def blas() -> str:
    """Name and version of the BLAS that NumPy was built with, as its build says."""
    text = _text("__config__.py")
    for pattern in _OF_BLAS:
        found = re.search(pattern, text, re.DOTALL)
        if found:
            return " ".join(part for part in found.groups() if part)
    return "BLAS unknown"


def _folder() -> Optional[str]:
    try:
        spec = find_spec("numpy")
    except (ImportError, ValueError):
        return None
    return None if spec is None or spec.origin is None else os.path.dirname(spec.origin)


def _text(name: str) -> str:
    """A file of NumPy's installation, "" without it."""
    folder = _folder()
    try:
        with open(os.path.join(folder or "", name), encoding="utf-8") as handle:
            return handle.read()
    except (OSError, UnicodeDecodeError):
        return ""


def python_line() -> str:
    """Python and the machine."""
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.byteorder} endian"

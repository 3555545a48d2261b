"""minirram doctor: whether this machine computes as it should, and what is here."""

import argparse
import os
import shutil
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Dict, Iterator, Optional, Tuple

from .. import __version__
from ..errors import how_to_install
from ..json_codec import Result
from ..tasks.registry import BUILT_IN
from . import self_test
from .arguments import FAILED, GOOD, group
from .versions import blas, numpy_version, python_line

EXTRAS = {
    "report": (("matplotlib", "imageio"), "pictures in report, fit --plot and dump --format png"),
    "lab": (("scipy", "openpyxl"), "maps in .mat and .xlsx files"),
    "data": (("scipy", "soundfile", "imageio"), "the data scripts of digits and eyes"),
    "driver": (("serial",), "benches at a serial line"),
    "onnx": (("onnx",), "place, and train --network"),
    "conformance": (("hypothesis",), "the kit of laws for simulators and chips of your own"),
    "cluster": (("dask", "distributed"), "compare and sweep on several machines, --dask"),
}
"""extra of the package -> (modules that it brings, what it adds)"""
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Extra(Result):
    """An extra of the package."""

    missing: Tuple[str, ...]
    """modules that are not installed; none: all of it is there"""
    adds: str
    """what it is for"""


@dataclass(frozen=True)
class Checkup(Result):
    """What this machine is, and how the self test went."""

    version: str
    """of minirram"""
    python: str
    """version of Python and the machine"""
    numpy: str
    """version of NumPy"""
    blas: str
    """the BLAS that NumPy was built with"""
    blas_threads: Optional[str]
    """threads that the environment allows the BLAS; None: it says nothing"""
    cores: int
    """of the processor"""
    product_hash: str
    """CRC-32 of a fixed product with read noise, 8 hexadecimal digits"""
    expected_hash: str
    """that of every platform"""
    gradient_error: float
    """largest deviation of gradients from differences, relative to the largest gradient"""
    seconds: float
    """that the self test took"""
    disk_free_bytes: int
    """of the present folder"""
    data_folder: str
    """where data were looked for"""
    data: Dict[str, bool]
    """prepared file of a task's data -> whether it is there"""
    extras: Dict[str, Extra]
    """extra of the package -> what of it is missing"""
    passed: bool
    """whether the product has its hash and the gradients are right"""


RESULT = Checkup
EXAMPLES = (
    ("minirram doctor", "versions, a self test of two seconds, what is installed"),
    ("minirram doctor --data data --json", "the same for a script, with data looked for in data"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram doctor` takes."""
    text = "folder in which prepared data are looked for"
    group(parser, "what is looked at").add_argument("--data", metavar="FOLDER", default="data", help=text)


def run(options: argparse.Namespace) -> Checkup:
    """Look, and test."""
    started_s = time.perf_counter()
    found, error = self_test.product_hash(), self_test.gradient_error()
    threads = [os.environ[name] for name in THREADS if name in os.environ]
    files = dict.fromkeys(chosen.layout.data_set + ".npz" for chosen in BUILT_IN)
    return Checkup(
        version=__version__,
        python=python_line(),
        numpy=numpy_version(),
        blas=blas(),
        blas_threads=threads[0] if threads else None,
        cores=os.cpu_count() or 1,
        product_hash=found,
        expected_hash=self_test.PRODUCT_HASH,
        gradient_error=error,
        seconds=time.perf_counter() - started_s,
        disk_free_bytes=shutil.disk_usage(".").free,
        data_folder=options.data,
        data={name: os.path.isfile(os.path.join(options.data, name)) for name in files},
        extras={
            name: Extra(tuple(module for module in modules if find_spec(module) is None), adds)
            for name, (modules, adds) in EXTRAS.items()
        },
        passed=found == self_test.PRODUCT_HASH and error <= self_test.LARGEST_GRADIENT_ERROR,
    )


def text(found: Checkup) -> str:
    """A line for each thing, the verdict last."""
    return "\n".join(_lines(found))


def _lines(found: Checkup) -> Iterator[str]:
    yield f"minirram      {found.version}"
    yield f"Python        {found.python}"
    yield f"NumPy         {found.numpy}, {found.blas}"
    threads = "as many threads as it likes" if found.blas_threads is None else f"{found.blas_threads} BLAS thread(s)"
    yield f"processor     {found.cores} core(s), {threads} below each thread of Python"
    yield f"disk          {found.disk_free_bytes / 1e9:.1f} GB free here"
    for name, there in found.data.items():
        hint = "" if there else "; data_scripts/ make it, --data synthetic needs no file"
        yield f"data          {os.path.join(found.data_folder, name)}: {'there' if there else 'not there'}{hint}"
    for name, extra in found.extras.items():
        if extra.missing:
            yield f"extra         {name} is not installed ({', '.join(extra.missing)}): {extra.adds}"
        else:
            yield f"extra         {name} is installed: {extra.adds}"
    if any(extra.missing for extra in found.extras.values()):
        yield f"extras        {how_to_install('NAME')}"
    same = found.product_hash == found.expected_hash
    yield f"product       {found.product_hash}, {'as' if same else f'not {found.expected_hash} as'} on every platform"
    yield f"gradients     off by {found.gradient_error:.2%} at most, by differences of a float32 loss"
    verdict = "all is well" if found.passed else "this machine does not compute as it should: do not use its results"
    yield f"self test     {verdict} ({found.seconds:.1f} s)"


def exit_code(found: Checkup) -> int:
    """Failed when the self test does."""
    return GOOD if found.passed else FAILED

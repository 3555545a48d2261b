"""Shared fixtures: where the real data lies, the hypothesis profile, and one BLAS thread as on the command line."""

import os

# Before NumPy loads its BLAS: two BLAS threads below two Python threads would only fight for the same cores.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

os.environ["MINIRRAM_TRUST"] = os.sep  # run folders of the tests may name their data

import atexit  # noqa: E402
import functools  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import tempfile  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from .support.workers import pytest_cmdline_main  # noqa: E402, F401

# A shell that starts the tests with `&` has them ignore Ctrl-C, and what they start, too: some send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples of each law where it does not say how many: few in the usual run, more in one lane of CI.
EXAMPLES = int(os.environ.get("MINIRRAM_EXAMPLES", "20"))
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=EXAMPLES)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=EXAMPLES)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session", autouse=True)
def long_lines():
    """Commands break their lines at 80 columns; tests look for whole lines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "1000")
        patch.setattr("minirram.cli.progress.NAMED_S", 600.0)  # what is told must not depend on how slow a machine is
        yield


# Where no compiled modules may be written beside the sources, interpreters that tests start share them in a folder of
# this session: else each of them compiles the whole package anew.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", "") and "PYTHONPYCACHEPREFIX" not in os.environ:
    os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="minirram-pycache-")
    atexit.register(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk():
    """Tests kill processes, they do not cut the power: no file needs to be on the disk, only in its cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(name, sources of export/, flags) -> the command that runs the program; each source is compiled once."""
    from .support.c_programs import build

    return functools.partial(build, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def programmer(built):
    """The command that runs the example programmer of export/, built from all of export/*.c."""
    from .support.c_programs import PROGRAMMER

    return built("programmer", PROGRAMMER)


@pytest.fixture
def forgotten():
    """Tasks, kinds of cells and layers that are known by name: as they were after it, the package's before it."""
    from minirram.device.interface import KINDS
    from minirram.nn.layers.base import _CLASSES
    from minirram.tasks.registry import TASKS

    before = [(known, dict(known)) for known in (TASKS, KINDS, _CLASSES)]
    for classes in (KINDS, _CLASSES):
        for name in [name for name, kind in classes.items() if not kind.__module__.startswith("minirram.")]:
            del classes[name]
    yield
    for known, kept in before:
        known.clear()
        known.update(kept)

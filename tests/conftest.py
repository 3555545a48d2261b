"""Shared fixtures: where the real data lies, the hypothesis profile, and one BLAS thread as on the command line."""

import os

# Before NumPy loads its BLAS: two BLAS threads below two Python threads would only fight for the same cores.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from .support.workers import pytest_cmdline_main  # noqa: E402, F401

# Examples of each law where it does not say how many: few in the usual run, hypothesis' own hundred in one lane of CI.
EXAMPLES = int(os.environ.get("MINIRRAM_EXAMPLES", "20"))
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=EXAMPLES)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=EXAMPLES)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session", autouse=True)
def long_lines():
    """Commands break their lines at 80 columns; tests look for whole lines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "1000")
        yield


@pytest.fixture(scope="session")
def programmer(tmp_path_factory):
    """The command that runs the example programmer of export/, built from all of export/*.c."""
    from .support.c_programs import EXPORT, build

    sources = sorted(path.name for path in EXPORT.glob("*.c"))
    return build(tmp_path_factory.mktemp("programmer"), "programmer", sources)


@pytest.fixture
def forgotten():
    """The registry as it was, after the test."""
    from minirram.tasks import registry

    before = dict(registry.TASKS)
    yield
    registry.TASKS.clear()
    registry.TASKS.update(before)

"""Shared fixtures: where the real data lies, the hypothesis profile, and one BLAS thread as on the command line."""

import os
import pathlib

# Before NumPy loads its BLAS: two BLAS threads below two Python threads would only fight for the same cores.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")

ROOT = pathlib.Path(__file__).resolve().parents[1]


def data_folder(*parts):
    """Path of a real data file or folder: in $MINIRRAM_DATA, else ../shared/datasets; skips the test when missing."""
    base = pathlib.Path(os.environ.get("MINIRRAM_DATA") or ROOT.parent / "shared" / "datasets")
    path = base.joinpath(*parts)
    if not path.exists():
        pytest.skip("real data {} is not in {} (set MINIRRAM_DATA)".format("/".join(parts), base))
    return path


@pytest.fixture(scope="session")
def programmer(tmp_path_factory):
    """The command that runs the example programmer of export/, built from all of export/*.c."""
    from .c_programs import EXPORT, build

    sources = sorted(path.name for path in EXPORT.glob("*.c"))
    return build(tmp_path_factory.mktemp("programmer"), "programmer", sources)

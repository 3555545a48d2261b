"""Shared fixtures: where the real data lies, and the hypothesis profile."""

import os
import pathlib

import hypothesis
import pytest

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

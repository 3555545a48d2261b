"""Where the checkout and the real data lie, and work in another folder."""

import contextlib
import os
import pathlib
from typing import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def data_folder(*parts):
    """Path of a real data file or folder: in $MINIRRAM_DATA, else ../shared/datasets; skips the test when missing."""
    base = pathlib.Path(os.environ.get("MINIRRAM_DATA") or ROOT.parent / "shared" / "datasets")
    path = base.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data {'/'.join(parts)} is not in {base} (set MINIRRAM_DATA)")
    return path


@contextlib.contextmanager
def inside(folder: str) -> Iterator[None]:
    """Work in a folder."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)

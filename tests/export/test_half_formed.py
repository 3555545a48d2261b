"""Half-formed chips of small macros: learned, taken to another, exported, programmed, read back, verified."""

import os

import numpy as np
import pytest

from ..support.c_programs import NEEDS_COMPILER, run_programmer
from ..support.options import PAIRS, ROWS, SmallRuns, figures

HALF = ("--formed-share", "0.493", "--learning-rate", "0.2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Small runs of their own."""
    return SmallRuns(str(tmp_path_factory.mktemp("half")))


def programmed(folder, programmer, tmp_path):
    """(summary of the export, what `verify` says of the read-back of the chip that the C programmer programmed)."""
    made = figures("export", folder)
    figures("chip", folder, "--out", str(tmp_path / "map.npy"))
    code, errors, found = run_programmer(tmp_path, programmer, os.path.join(folder, "program.xbp"))
    assert code == 0, errors
    np.save(tmp_path / "found.npy", found)
    return made, figures("verify", os.path.join(folder, "program.xbp"), str(tmp_path / "found.npy"), "--run", folder)


@pytest.mark.slow
@NEEDS_COMPILER
@pytest.mark.parametrize("level", ["pair", "cell"])
def test_a_half_formed_chip_verifies_without_a_difference(runs, programmer, tmp_path, level):
    source, other = runs.trained(*HALF, "--level", level), str(tmp_path / "other")
    results = runs.results(*HALF, "--level", level)
    pairs = results["weights"]
    assert results["dead_pairs"] == pytest.approx(0.257 * pairs, rel=0.15)
    assert results["signs_given"] == (results["unformed_pairs"] - results["dead_pairs"] if level == "pair" else 0)
    moved = figures("transfer", source, "--out", other, "--chip-seed", "4", "--epochs", "1", "--learning-rate", "0.2")
    assert moved["dead_pairs"] != results["dead_pairs"] and moved["chip"]["rows"] == ROWS
    for folder in (source, other):
        made, verified = programmed(folder, programmer, tmp_path)
        assert (made["rows"], made["cols"], made["not_formed"]) == (ROWS, 2 * PAIRS, 0)
        assert verified["passed"] and verified["differing"] == 0 and verified["checked"] == 2 * pairs
        assert verified["accuracy_read_back"] == pytest.approx(verified["accuracy_programmed"], abs=0.15)

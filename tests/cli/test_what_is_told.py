"""What commands say in text: progress while they learn, and the figures of their JSON."""

import re
import sys
import types

import numpy as np

from ..support.options import call, figures


class Bar:
    """Stands in for tqdm's."""

    made: list = []

    def __init__(self, total, **_):
        self.total, self.n, self.closed, self.shown = total, 0, False, {}
        Bar.made.append(self)

    def update(self, n):
        self.n += n

    def set_postfix(self, **shown):
        self.shown = shown

    def close(self):
        self.closed = True


def test_progress_is_a_bar_where_there_is_one_and_a_line_per_epoch_elsewhere(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    assert call(*runs.arguments(runs.path("bar"), "--epochs", "2")).err == ""
    (bar,) = Bar.made
    assert (bar.n, bar.total, bar.closed) == (2, 2, True) and set(bar.shown) == {"loss", "validation"}
    monkeypatch.setitem(sys.modules, "tqdm", None)
    told = call(*runs.arguments(runs.path("lines"), "--epochs", "2")).err.splitlines()
    assert [line.split()[:2] for line in told] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert f"{bar.shown['loss']:.4f}" in told[1]


def test_a_transfer_tells_each_stage_and_both_sets(runs):
    command = ["transfer", runs.trained("--seed", "5"), "--out", runs.path("told"), "--chip-seed", "3", "--epochs", "2"]
    first = call(*command)
    results = figures(*command)  # it has ended: what is shown is read again
    assert [line.split()[:2] for line in first.err.splitlines()] == [["epoch", "1"], ["epoch", "2"]]
    stages = [results["home"], results["before"], results["digital_only"]["validation"], *results["after"]]
    stages += [results["test"][when]["accuracy"] for when in ("before", "after")]
    assert re.findall(r"\d\.\d{4}", first.out) == [f"{score:.4f}" for score in stages]
    assert results["test_openings"] == 1


def test_verify_tells_the_accuracy_as_read_back(runs, tmp_path):
    file, readback = str(tmp_path / "program.xbp"), str(tmp_path / "readback.npy")
    figures("export", runs.trained(), "--out", file)
    np.save(readback, np.zeros_like(runs.chip("programmed")))  # nothing conducts: the first class is the answer
    command = ["verify", file, readback, "--run", runs.trained()]
    found, told = figures(*command, code=1), call(*command).out.splitlines()
    assert found["accuracy_read_back"] == 0.1 != found["accuracy_programmed"]
    assert told[1] == f"accuracy {found['accuracy_programmed']:.2%} as programmed, 10.00% as read back"
    assert told[2].startswith(f"read-back {readback}: grid ")
    assert len(told) == 3 + found["differing"] and all(line.endswith(": off") for line in told[3:])

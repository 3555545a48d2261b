"""What commands say in text: progress while they learn, and the figures of their JSON."""

import contextlib
import io
import re
import types

import numpy as np
import pytest

from minirram.cli import main, progress
from minirram.cli.evaluate import _confusion
from minirram.progress import stages

from ..support.options import call, figures, on_every_command


class Terminal(io.StringIO):
    """A stream in front of a person."""

    def isatty(self):
        return True


def test_in_a_log_the_first_and_the_last_epoch_are_lines(runs):
    told = call(*runs.arguments(runs.path("lines"), "--epochs", "3")).err.splitlines()
    assert [re.search("epoch ./3", line).group() for line in told] == ["epoch 1/3", "epoch 3/3"]
    assert told[0].startswith("33 %") and "loss" in told[0] and "validation" in told[0]
    assert not any("\r" in line or "epoch/s" in line for line in told)


@on_every_command("--quiet")
def test_quiet_leaves_progress_out(runs):
    assert call(*runs.arguments(runs.path("quiet"), "--epochs", "2"), "--quiet").err == ""


def test_on_a_terminal_a_bar_is_drawn_and_taken_away(runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(progress, "BAR_S", 0.0)
    screen = Terminal()
    with contextlib.redirect_stderr(screen), contextlib.redirect_stdout(io.StringIO()):
        assert main.main(runs.arguments(runs.path("bar"), "--epochs", "2")) == 0
    drawn = screen.getvalue().split("\r")
    assert max(map(len, drawn)) <= 59 and "\n" not in screen.getvalue()
    assert any("[##########..........] 50 %, training, epoch 1/2" in line for line in drawn)
    assert any("examining test" in line for line in drawn) and drawn[-1] == "" and drawn[-2].strip() == ""


def test_what_an_earlier_session_did_says_nothing_of_the_speed(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(stages.time, "monotonic", lambda: clock[0])
    seen = []
    with stages.watch(lambda open_: seen.append((stages.share(open_), stages.remaining_s(open_)))):
        with stages.stage("training", 100, done=90) as going:
            assert seen[-1] == (0.9, None)
            clock[0] = 10.0
            going.advance(5)
            assert seen[-1] == (0.95, pytest.approx(10.0))
            with stages.stage("examining", 2) as inner:
                inner.advance()
                assert seen[-1][0] == pytest.approx(0.955)
    assert seen[-1] == (None, None)


def test_a_transfer_tells_each_stage_and_both_sets(runs):
    command = ["transfer", runs.trained("--seed", "5"), "--out", runs.path("told"), "--chip-seed", "3", "--epochs", "2"]
    first = call(*command)
    results = figures(*command)  # it has ended: what is shown is read again
    assert [re.search("epoch ./2", line).group() for line in first.err.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    stages = [results["home"], results["before"], results["digital_only"]["validation"], *results["after"]]
    stages += [results["test"][when]["accuracy"] for when in ("before", "after")]
    assert re.findall(r"\d\.\d{4}", first.out) == [f"{score:.4f}" for score in stages]
    assert results["test_openings"] == 1


def test_verify_tells_the_accuracy_as_read_back(runs, tmp_path):
    file, readback = str(tmp_path / "program.xbp"), str(tmp_path / "readback.npy")
    figures("export", runs.trained("--adc-bits", "14"), "--out", file)
    # Nothing conducts: the first class is the answer.
    np.save(readback, np.zeros_like(runs.chip("programmed", "--adc-bits", "14")))
    command = ["verify", file, readback, "--run", runs.trained("--adc-bits", "14")]
    found, told = figures(*command, code=1), call(*command).out.splitlines()
    assert found["accuracy_read_back"] == 0.1 != found["accuracy_programmed"]
    assert told[1] == f"validation accuracy {found['accuracy_programmed']:.2%} as programmed, 10.00% as read back"
    assert told[2].startswith(f"read-back {readback}: grid ")
    listed = [line for line in told if line.startswith("  macro")]
    assert len(listed) == 50 < found["differing"] and all(line.endswith(": off") for line in listed)
    assert told[-1] == f"  and {found['differing'] - 50} more" and any(line.startswith("by kind") for line in told)


def test_classes_have_their_names_in_the_confusion(runs):
    found, told = figures("evaluate", runs.trained()), call("evaluate", runs.trained()).out.splitlines()
    assert found["class_names"][:2] == ["t-shirt", "trouser"] and len(found["class_names"]) == len(found["confusion"])
    rows = told[told.index("confusion: row = true class, column = answer, both in this order") + 1 :]
    for line, name, counts in zip(rows, found["class_names"], found["confusion"]):
        assert line.startswith(name) and [int(count) for count in line[len(name) :].split()] == counts
    counts = 3 * np.eye(11, dtype=int) + np.eye(11, k=1, dtype=int)
    many = types.SimpleNamespace(confusion=counts.tolist(), class_names=[f"cat {k}" for k in range(11)])
    shown = list(_confusion(many))
    assert shown[1] == "cat 0                  3 of 4, 1 times cat 1" and shown[-1] == "cat 10                 3 of 3"

"""What commands say in text: progress while they learn, and the figures of their JSON."""

import contextlib
import functools
import importlib
import io
import re
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.cli import console, main, progress, sweep_progress
from minirram.cli.evaluate import _confusion
from minirram.errors import ConfigError
from minirram.progress import stages
from minirram.runs import demo
from minirram.sweep.driver import Progress

from ..support.options import call, figures, on_every_command


class Terminal(io.StringIO):
    """A stream in front of a person."""

    def isatty(self):
        return True


def test_in_a_log_the_first_and_the_last_epoch_are_lines(runs):
    *told, last = call(*runs.arguments(runs.path("lines"), "--epochs", "3")).err.splitlines()
    assert last.endswith(f"minirram report {runs.path('lines')}")
    assert [re.search("epoch ./3", line).group() for line in told] == ["epoch 1/3", "epoch 3/3"]
    assert told[0].startswith("training 33 %, ") and "loss" in told[0] and "validation" in told[0]
    assert not any("\r" in line or "epoch/s" in line for line in told)


@on_every_command("--quiet")
def test_quiet_leaves_progress_out(runs):
    assert call(*runs.arguments(runs.path("quiet"), "--epochs", "2"), "--quiet").err == ""


@pytest.mark.slow
def test_on_a_terminal_a_bar_is_drawn_and_taken_away(runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(progress, "BAR_S", 0.0)
    screen = Terminal()
    with contextlib.redirect_stderr(screen), contextlib.redirect_stdout(io.StringIO()):
        assert main.main(runs.arguments(runs.path("bar"), "--epochs", "2")) == 0
    *drawn, last = screen.getvalue().split("\r")
    assert max(map(len, drawn)) <= 59 and "\n" not in "".join(drawn) and last.split()[:2] == ["run", "folder"]
    half = re.compile(r"\[##########\.{10}\] training 50 %, (\d+ s left, )?epoch 1/2")
    assert any(half.search(line) for line in drawn)  # a slow machine says how long, too
    assert any("examining test" in line for line in drawn) and drawn[-1].strip() == ""


def test_a_bench_tells_its_steps(monkeypatch):
    def stepped(*_, progress, **__):
        for done in (2, 3, 5):
            progress(done, 5)
        raise ConfigError("enough")

    monkeypatch.setattr("minirram.cli.bench.bench", stepped)
    monkeypatch.setattr(progress, "BAR_S", 0.0)
    screen = Terminal()
    with contextlib.redirect_stderr(screen):
        assert main.main(["bench", "RUN", "--driver", "simulated"]) == 2
    told = re.findall(r"programming (\d+) %.*?(step ./5)", screen.getvalue())
    assert told == [("40", "step 2/5"), ("60", "step 3/5"), ("100", "step 5/5")]


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


def test_what_stands_beside_the_demo_is_told(monkeypatch):
    seen = []
    for name in ("_linear", "_unpruned"):
        monkeypatch.setattr(demo, name, lambda *given: None)
    with stages.watch(lambda open_: seen.extend((one.what, one.done, one.note) for one in open_)):
        demo._beside(None, None, None)
    assert seen == [("what stands beside the result", done, note) for done, note in ((0, ""), (1, "linear classifier"))]


SWEEP = [Progress(done, 4, int(done > 1), left_s, "http://a") for done, left_s in enumerate((None, 30, 200, 7000, 1))]
SWEEP_LINES = [
    "0 of 4 points",
    "1 of 4 points, 30 s left",
    "2 of 4 points, 1 failed, 3 min left",
    "3 of 4 points, 1 failed, 1.9 h left",
    "4 of 4 points, 1 failed",
]


def sweep_told(monkeypatch, screen, *, seconds):
    """What a sweep says on a stream, its points `seconds` apart."""
    clock = [0.0]
    monkeypatch.setattr(sweep_progress.time, "monotonic", lambda: clock[0])
    with contextlib.redirect_stderr(screen), sweep_progress.SweepProgress() as shown:
        for progress_ in SWEEP:
            shown.tell(progress_)
            clock[0] += seconds
    return screen.getvalue()


def test_a_sweep_is_told_in_lines_every_few_seconds_and_at_its_end(monkeypatch):
    dashboard = ["dashboard http://a"]
    assert sweep_told(monkeypatch, io.StringIO(), seconds=5).splitlines() == dashboard + SWEEP_LINES
    few = sweep_told(monkeypatch, io.StringIO(), seconds=2.5).splitlines()
    assert few == dashboard + SWEEP_LINES[::2]


def test_a_sweep_writes_over_one_line_of_a_terminal(monkeypatch):
    drawn = sweep_told(monkeypatch, Terminal(), seconds=0.2)
    assert "dashboard http://a" in drawn and drawn.endswith("\r\033[K")
    assert [line for line in SWEEP_LINES if f"\r{line}\033[K" in drawn] == SWEEP_LINES
    assert SWEEP_LINES[1] not in sweep_told(monkeypatch, Terminal(), seconds=0.1)


def advanced(total, done):
    """A stage that gets so far."""
    with stages.stage("within", total) as inner:
        for _ in range(min(done, total)):
            inner.advance()


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=6))
def test_the_share_of_a_stage_never_falls(within):
    """Stages of any length follow each other within the steps of one, and some of them stop early."""
    shares = []
    with stages.watch(lambda open_: shares.append(stages.share(open_))):
        with stages.stage("steps", len(within)) as going:
            for total, done in within:
                advanced(total, done)
                advanced(total, done)
                going.advance()
    *shares, after = shares
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1 and after is None


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


def test_a_long_step_names_itself_and_so_does_a_command_without_a_stage(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress, "NAMED_S", 2.0)
    shower = progress.LineShower("fit")

    def at(seconds, stages_):
        clock[0] = seconds
        shower.tick(lambda: stages_)
        return capsys.readouterr().err

    assert at(1.9, ()) == "" and at(10.0, ()) == "fit, 10 s\n"
    outer = stages.Stage("trainings", 4)
    assert at(11.9, (outer,)) == "" and at(12.1, (outer,)) == "trainings 0 %\n"
    inner = stages.Stage("training")
    assert at(13.0, (outer, inner)) == "" and at(14.2, (outer, inner)) == "trainings 0 % > training\n"
    assert at(20.0, (outer,)) == "" and at(24.3, (outer,)) == "trainings 0 %\n"  # ten seconds since the last line
    bar = progress.BarShower("fit")
    clock[0] = 30.0
    bar.tick(tuple)
    assert capsys.readouterr().err.strip() == "fit, 6 s"
    bar.clear()
    clock[0], outer.done = 31.0, 2
    bar.tick(lambda: (outer,))  # a stage that is silent has its seconds drawn anew
    assert "trainings 50 %" in capsys.readouterr().err


def standing(written):
    """(lines that a terminal keeps, what stands on its last line): \r goes back and what follows writes over."""
    *kept, last = ["".join(line) for line in map(_written_over, written.split("\n"))]
    return [line.rstrip() for line in kept], last.rstrip()


def _written_over(line):
    cells = []
    for part in line.split("\r"):
        cells[: len(part)] = part
    return cells


def test_a_bar_stands_alone_on_its_line_and_leaves_nothing(monkeypatch):
    clock, screen = [0.0], Terminal()
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    bar, outer, inner = progress.BarShower("fit"), stages.Stage("training", 4), stages.Stage("a long name within")
    half, kept = "[##########..........] training 50 %", []

    def seen(shown=lambda: None, seconds=1.0):
        clock[0] += seconds
        shown()
        assert standing(screen.getvalue())[0] == kept
        return standing(screen.getvalue())[1]

    whole = "[....................] training 0 % > a long name within"
    assert seen(lambda: bar((outer, inner))) == whole
    outer.done = 2
    assert seen(lambda: bar((outer,)), progress.BAR_S / 2) == whole  # it is not drawn more often
    assert seen(lambda: bar((outer,))).startswith(half) and "within" not in seen()
    for say in (console.tell, console.write_line):  # a line takes its place, and the bar comes back below
        kept.append("a line")
        assert seen(functools.partial(say, "a line")) == ""
        assert seen(lambda: bar.tick(lambda: (outer,)), 0.0).startswith(half)
    assert seen(lambda: bar(())) == ""
    assert seen(lambda: bar.tick(tuple)) == "" and seen(lambda: bar.tick(tuple), progress.NAMED_S).startswith("fit, ")
    assert seen(bar.clear) == "" and console._clear is None


def test_a_bar_is_seen_at_once(monkeypatch):
    """Python 3.8 keeps what has no end of line until the buffer is full."""
    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(seen), encoding="utf-8"))
    console.draw("\rtraining 3 %")
    assert seen.getvalue() == b"\rtraining 3 %"


def test_lines_beside_the_result_fit_the_screen_and_errors_stay_one_line(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    console.tell("map 0: " + "a word " * 12)
    console.write_line("minirram: error: " + "a word " * 12)
    *told, error = capsys.readouterr().err.splitlines()
    assert len(told) > 2 and max(map(len, told)) <= 40 and len(error) > 80


@pytest.mark.slow
def test_what_each_command_says_of_a_run_fits_80_columns(runs, tmp_path, monkeypatch):
    run, here = runs.trained(), tmp_path
    program, on, cells = str(here / "p.xbp"), str(here / "on.npy"), str(here / "cells.npy")
    commands = [
        ["export", run, "--out", program],
        ["chip", run, "--out", on, "--state", "programmed"],
        ["chip", run, "--out", cells],
        ["evaluate", run, "--draws", "2", "--read-noise", "0.02"],
        ["energy", run, "--adc-bits", "6", "--density", "0.3"],
        ["report", run, "--out", str(here / "page.html")],
        ["verify", program, on, "--run", run],
        ["inspect", program],
        ["dump", program, "--format", "csv", "--out", str(here / "cells.csv")],
        ["diff", program, program],
        ["fit", cells, "--unit", "S", "--force", "--out", str(here / "fit.json")],
        ["import", cells, "--unit", "S", "--out", str(here / "map.npy")],
        ["bench", run, "--driver", "simulated", "--out", str(here / "bench")],
        ["recalibrate", run, "--readback", on, "--out", str(here / "fixed")],
        ["repair", run, on, "--out", str(here / "repair.xbp")],
        ["transfer", run, "--out", str(here / "moved"), "--epochs", "1", "--chip-seed", "2"],
        ["sweep", "--run", run, "--vary", "read_noise=0,0.02", "--vary", "adc_bits=6,8", "--out", str(here / "sweep")],
        ["fit-network", "fashion-mnist", "--rows", "128", "--cols", "128"],
        ["networks", "--network", "resnet50"],
        ["task", "fashion-mnist"],
        ["doctor"],
    ]
    monkeypatch.setenv("COLUMNS", "80")
    for words in commands:
        assert too_wide(*words) == [], words


@pytest.mark.slow
def test_what_is_said_of_many_arms_and_of_long_names_fits_80_columns(runs, tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="needs the package onnx: pip install 'minirram[onnx]'")
    models = importlib.import_module("..support.onnx_models", __package__)
    start = "/backbone/features/stage_with_a_long_name/block_12/conv_branch_left/"
    file = models.save(models.with_long_names(models.small_network(), start), tmp_path / "long.onnx")
    generator, data, placed = np.random.default_rng(3), str(tmp_path / "mine.npz"), str(tmp_path / "placed")
    np.savez(data, inputs=generator.standard_normal((90, 3, 8, 8)).astype(np.float32), labels=np.arange(90) % 3)
    arms = ["--arms", "pair", "float", "wo-step-free-1", "wo-plain-one-free-0.15", "--seeds", "0", "1"]
    monkeypatch.setenv("COLUMNS", "80")
    for words in (
        ["place", file],
        ["place", file, "--weights", "--data", data, "--out", placed],
        ["evaluate", placed],
        ["energy", placed],
        ["report", placed],
        ["export", placed],
        ["compare", placed, "--out", str(tmp_path / "beside"), *arms, "--epochs", "1", "--rates", "0.1"],
        ["sweep", "--run", placed, "--vary", "draws=1:9", "--vary", "adc_bits=6,8", "--out", str(tmp_path / "sweep")],
    ):
        assert too_wide(*words) == [], words


def too_wide(*words):
    """The lines of a command beyond 80 columns, but for words that are as long, such as paths."""
    answer = call(*words)
    assert answer.code in (0, 1), answer.err
    lines = answer.out.splitlines() + answer.err.splitlines()
    long = [line for line in lines if len(line) > 80 and " " in line.strip()[:60] and words[0] != "task"]
    tables = [line for line in lines if line.startswith("arm  ")]  # a wide table is cut, not folded
    assert words[0] != "compare" or len(tables) > 1
    return [line for line in long if len(max(line.split(), key=len)) < 60]


@pytest.mark.parametrize("terminal, name", [(False, "LineShower"), (True, "BarShower")])
def test_the_command_is_named_while_no_stage_is_open(monkeypatch, terminal, name):
    made, kind = [], getattr(progress, name)
    monkeypatch.setattr(progress, "is_terminal", lambda stream: terminal)
    monkeypatch.setattr(progress, name, lambda command="": made.append(kind(command)) or made[-1])
    with progress.shown(False, "fit"):
        pass
    assert [one.command for one in made] == ["fit"]

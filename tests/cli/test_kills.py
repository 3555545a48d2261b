"""kill -9 at any moment, full disks, two processes, a clock set back, a folder that goes: whole files, runs go on."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minirram.cli import main

from ..support.killed import contents, ended, fork, half, said, temporary
from ..support.places import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

SMALL = ["--rows", "16", "--cols", "16", "--threads", "1", "--quiet"]
COMMANDS = {
    "train": [
        "train",
        "TASK",
        "--data",
        "DATA",
        "--out",
        "OUT",
        "--epochs",
        "4",
        "--batch-size",
        "15",
        "--resume",
        *SMALL,
    ],
    "compare": ["compare", "TASK", "--data", "DATA", "--out", "OUT", "--epochs", "1", "--seeds", "0", "--arms", "pair"],
    "sweep": ["sweep", "--run", "RUN", "--vary", "read_noise=0,0.01,0.02,0.03,0.04", "--out", "OUT/study", "--quiet"],
    "bench": ["bench", "RUN", "--driver", "simulated", "--port", "OUT/chip.npz", "--out", "OUT/bench", "--quiet"],
    "export": ["export", "RUN", "--out", "OUT/program.xbp", "--quiet"],
    "evaluate": ["evaluate", "RUN", "--digital", "OUT/digital.json", "--quiet"],
}
COMMANDS["compare"] += [*SMALL]
KILLS = 34
"""of each command: 204 of all"""
PATIENCE = 6
"""kills, then the command runs to its end, and anew"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """{name: path} of a task, its data, and a run."""
    folder = tmp_path_factory.mktemp("kills")
    generator, labels = np.random.default_rng(1), np.arange(90) % 3
    images = (generator.integers(0, 4, (90, 4, 4)) + 4 * labels[:, None, None]).astype(np.uint8)
    paths = {name: str(folder / file) for name, file in (("DATA", "d.npz"), ("TASK", "t.json"), ("RUN", "run"))}
    np.savez(paths["DATA"], inputs=images, labels=labels)
    assert main.main(["task", "--data", paths["DATA"], "--out", paths["TASK"], "--quiet"]) == 0
    words = [paths.get(word, word) for word in COMMANDS["train"]]
    assert main.main([paths["RUN"] if word == "OUT" else word for word in words]) == 0
    return paths


def line(command, place, out):
    """The words of a command whose files lie in `out`."""
    words = [place.get(word, word) for word in COMMANDS[command]]
    return [word.replace("OUT", str(out)) if word.startswith("OUT") else word for word in words]


SAME = (".npz", ".npy", ".xbp", ".bin", "data.json", "digital.json")
"""ends of files that are the same bytes after any kills; others say when, where or how fast"""


def unlike(name):
    """Whether a file differs from run to run; what a bench counts of pulses that were cut does, too."""
    return name == "cells.npz" or not name.endswith(SAME)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_kills_at_random_moments_leave_whole_files_and_go_on(command, place, tmp_path):
    whole, log, generator = tmp_path / "whole", str(tmp_path / "log"), random.Random(command)
    whole.mkdir()
    began = time.monotonic()
    assert ended(fork(line(command, place, whole), log)) == 0, said(log)
    takes_s, killed, ran = time.monotonic() - began, 0, 0
    while killed < KILLS:
        out = tmp_path / f"out{ran}"
        out.mkdir()
        for _ in range(PATIENCE):
            child = fork(line(command, place, out), log)
            time.sleep(generator.uniform(0.01, 1.0) * takes_s)
            os.kill(child, signal.SIGKILL)
            code = ended(child)
            assert code in (0, -signal.SIGKILL), said(log)
            killed += code != 0
            takes_s *= 0.8 if code == 0 else 1.1  # a machine may be busier at one time than at another
            assert half(str(out)) == []
        assert ended(fork(line(command, place, out), log)) == 0, said(log)
        assert half(str(out)) == [] and temporary(str(out)) == []
        assert contents(str(out), unlike) == contents(str(whole), unlike)
        shutil.rmtree(str(out))
        ran += 1
        assert ran < 5 * KILLS


@pytest.mark.parametrize("command", ["train", "compare", "sweep", "bench"])
def test_two_processes_at_once_do_the_work_of_one(command, place, tmp_path):
    out, logs = tmp_path / "out", [str(tmp_path / f"log{k}") for k in range(2)]
    out.mkdir()
    children = [fork(line(command, place, out), log) for log in logs]
    codes = [ended(child) for child in children]
    assert 0 in codes and set(codes) <= {0, 2}, [said(log) for log in logs]
    for code, log in zip(codes, logs):
        assert code == 0 or (" works in " in said(log) and "process " in said(log))
    assert half(str(out)) == [] and temporary(str(out)) == []
    if command == "train":
        assert (out / "test-openings.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_clock_that_is_set_back_changes_nothing(command, place, tmp_path):
    out, log, now = tmp_path / "out", str(tmp_path / "log"), time.time
    out.mkdir()
    child = fork(line(command, place, out), log)
    time.sleep(0.3)
    os.kill(child, signal.SIGKILL)
    ended(child)

    def years_ago():
        time.time = lambda: now() - 1e9
        time.time_ns = lambda: int(1e9 * (now() - 1e9))

    assert ended(fork(line(command, place, out), log, before=years_ago)) == 0, said(log)
    assert half(str(out)) == [] and temporary(str(out)) == []


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_folder_that_goes_is_told_in_a_line(command, place, tmp_path):
    log, generator = str(tmp_path / "log"), random.Random(command)
    for number in range(4):
        out = tmp_path / f"out{number}"
        out.mkdir()
        child = fork(line(command, place, out), log)
        time.sleep(generator.uniform(0.02, 0.3))
        shutil.rmtree(str(out), ignore_errors=True)
        code = ended(child)
        assert code in (0, 1, 2, 3, 4), (code, said(log))
        assert "Traceback" not in said(log)
        assert code == 0 or "error:" in said(log)
        shutil.rmtree(str(out), ignore_errors=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small tmpfs: needs root")
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_disk_that_is_full_at_any_page_is_told_by_the_file_and_the_work_goes_on(command, place, tmp_path):
    disk, log = tmp_path / "disk", str(tmp_path / "log")
    disk.mkdir()

    def mount(*options):
        return subprocess.run(["mount", *options], stderr=subprocess.PIPE)

    mounted = mount("-t", "tmpfs", "-o", "size=4k", "tmpfs", str(disk))
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        full, pages, code = 0, 1, 2
        (disk / "out").mkdir()
        while code != 0:
            code = ended(fork(line(command, place, disk / "out"), log))
            assert half(str(disk)) == []
            if code != 0:
                full += 1
                codes = (2, 4) if command == "bench" else (2,)  # 4: the simulated chip keeps its state there
                assert code in codes and "No space left" in said(log) and str(disk) in said(log), (code, said(log))
            pages += 1 if pages < 20 else 6
            assert pages < 1000 and mount("-o", f"remount,size={4 * pages}k", str(disk)).returncode == 0
        assert full >= 1 and temporary(str(disk)) == []
    finally:
        subprocess.run(["umount", str(disk)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_of_a_comparison_end_with_it_within_seconds(number, place, tmp_path):
    words = line("compare", place, tmp_path / "out")
    words[words.index("--epochs") + 1] = "100000"
    words[words.index("--seeds") + 1 : words.index("--seeds") + 2] = ["0", "1"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "minirram", *words, "--processes", "2"]
    driver = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 120
    while sum("checkpoint.npz" in names for _, _, names in os.walk(str(tmp_path))) < 2:
        assert time.monotonic() < deadline and driver.poll() is None
        time.sleep(0.05)
    began = time.monotonic()
    (os.kill if number == signal.SIGTERM else os.killpg)(driver.pid, number)
    _, told = driver.communicate(timeout=30)  # workers hold the pipe, too
    assert time.monotonic() - began < 10 and driver.returncode == 128 + number and b"Traceback" not in told
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.killpg(driver.pid, 0)
            time.sleep(0.05)
    assert half(str(tmp_path / "out")) == []

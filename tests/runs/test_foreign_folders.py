"""Run folders from somebody else: nothing outside is opened or written, and no text of theirs steers a terminal."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from minirram.cli import console, main
from minirram.errors import ConfigError, DataError
from minirram.files import open_to_append
from minirram.runs.learning_folder import alone

from ..support.hostile_files import program, record, whole_run
from ..support.places import ROOT

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs of POSIX")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return whole_run(str(tmp_path_factory.mktemp("foreign") / "run"))


@pytest.fixture
def run(whole, tmp_path, monkeypatch):
    """A copy of a run folder, whose data nobody has named."""
    monkeypatch.delenv("MINIRRAM_TRUST", raising=False)
    return shutil.copytree(whole, str(tmp_path / "run"))


def refused(capsys, *arguments):
    """(exit code, message) of a command that ends in an error."""
    code = main.main([str(argument) for argument in arguments])
    return code, capsys.readouterr().err


def rename_data(run, data):
    path = os.path.join(run, "config.json")
    with open(path) as handle:
        config = json.load(handle)
    with open(path, "w") as handle:
        json.dump(dict(config, data=data), handle)


@pytest.mark.parametrize("command", [("evaluate",), ("energy",)])
@pytest.mark.parametrize("data", ["/etc", "\\\\machine\\share", "//machine/share", "elsewhere"])
def test_data_that_a_folder_names_are_not_opened(run, command, data, capsys, monkeypatch):
    rename_data(run, data)
    for trusted in (None, os.path.join(os.sep, "no", "such")):
        if trusted is not None:
            monkeypatch.setenv("MINIRRAM_TRUST", trusted)
        code, message = refused(capsys, *command, run)
        assert code == 2 and "no path that a run folder names is opened by itself" in message


def test_data_are_opened_where_they_are_named_or_trusted(run, capsys, monkeypatch, tmp_path):
    assert main.main(["evaluate", run]) == 0  # the data lie in the folder itself
    shutil.copytree(run, str(tmp_path / "data"))
    rename_data(run, str(tmp_path / "data"))
    assert main.main(["evaluate", run]) == 2
    assert main.main(["evaluate", run, "--data", str(tmp_path / "data")]) == 0
    monkeypatch.setenv("MINIRRAM_TRUST", str(tmp_path))
    assert main.main(["evaluate", run]) == 0
    monkeypatch.setenv("MINIRRAM_TRUST", os.sep)
    rename_data(run, "//machine/share")
    assert main.main(["evaluate", run]) == 2
    capsys.readouterr()


@posix
@pytest.mark.parametrize("name", ["chip.npz", "test-openings.jsonl", "program.xbp", "bench", "new"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_links_and_fifos_in_a_folder_are_refused(run, tmp_path, name, kind, capsys):
    other = tmp_path / "other"
    other.write_text("mine\n")
    path = os.path.join(run, name)
    if os.path.exists(path):
        os.unlink(path)
    if kind == "link":
        os.symlink(str(other), path)
    else:
        os.mkfifo(path)
    out = tmp_path / "map.npy"
    for command in (("evaluate", run, "--split", "test"), ("export", run), ("chip", run, "--out", out)):
        code, message = refused(capsys, *command)
        assert code == 3 and name in message and "a run folder has none" in message
    assert other.read_text() == "mine\n" and not out.exists()


@posix
def test_nothing_is_added_outside_a_folder(tmp_path):
    (tmp_path / "other").write_text("mine\n")
    os.symlink(str(tmp_path / "other"), str(tmp_path / "soft"))
    os.link(str(tmp_path / "other"), str(tmp_path / "hard"))
    os.mkfifo(str(tmp_path / "fifo"))
    for name in ("soft", "hard", "fifo"):
        with pytest.raises(DataError, match=name):
            open_to_append(tmp_path / name)
    assert (tmp_path / "other").read_text() == "mine\n"


def test_texts_of_files_are_escaped(tmp_path, capsys):
    path = tmp_path / "\x1b]0;title\x07.xbp"
    text = "\x1b[2J\u202ebad"
    chip = record("CHIP", b"\x01\0\x08\0\x08\0\x01\0\x02\0\0\0" + bytes(12))
    stored = bytes([1, len(text.encode())]) + b"k" + text.encode()
    path.write_bytes(program([chip, record("META", stored), record("END")]))
    assert main.main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\u202e" not in shown and "bad" in shown
    path.write_bytes(b"")
    code, message = refused(capsys, "energy", path)
    assert code == 2 and "\x1b]" not in message and "\\x1b]0;title\\x07" in message
    assert console.printable("a\tb\nc\u00e9") == "a\tb\nc\u00e9"


def test_two_processes_do_not_learn_in_one_folder(tmp_path):
    (tmp_path / "config.json.4194999.tmp").write_text("half")
    script = "import sys, time; from minirram.runs.learning_folder import alone\nwith alone(sys.argv[1]):\n"
    script += "    print('in', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=str(ROOT), stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"in\n" and not list(tmp_path.glob("config*"))  # killed writers leave nothing
        with pytest.raises(ConfigError, match=f"another training works in .*process {child.pid} of .* since"):
            with alone(str(tmp_path)):
                pytest.fail("the body must not run")
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    with alone(str(tmp_path)):  # the lock of a process that was killed holds nobody
        assert os.listdir(str(tmp_path)) == ["lock.tmp"]
    assert os.listdir(str(tmp_path)) == []

"""The contract of errors: an exit code for each kind, one line, and nothing that a console cannot take."""

import contextlib
import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minirram.cli import console, main, stops
from minirram.errors import BenchError, ConfigError, DataError, FormatError, MissingFileError, ShapeError

from ..support.options import call
from ..support.places import ROOT


class Unforeseen(Exception):
    """An error that no code names."""


@pytest.mark.parametrize(
    "error, code",
    [
        (ConfigError("x"), 2),
        (MissingFileError("x"), 2),
        (PermissionError(13, "Permission denied", "file"), 2),
        (DataError("x"), 3),
        (ShapeError("x"), 3),
        (FormatError("x", 1, kind="FORMAT"), 3),
        (BenchError("x"), 4),
        (MemoryError("Unable to allocate 16.0 GiB"), 70),
        (MemoryError(), 70),
        (RecursionError("maximum recursion depth exceeded"), 70),
        (Unforeseen(), 70),
        (ValueError("two\nlines"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_is_one_line_and_an_exit_code_of_its_kind(error, code, monkeypatch):
    def fail(options):
        raise error

    monkeypatch.setattr("minirram.cli.networks.run", fail)
    answer = call("networks")
    assert answer.code == code and answer.out == ""
    assert len(answer.err.splitlines()) == 1 and answer.err.startswith("minirram: ")


def test_every_code_is_stated_at_the_top_of_the_command_line():
    for code in ("0", "1", "2", "3", "4", "70", "130", "143", "141"):
        assert f" {code} " in main.__doc__.replace("\n", " ")


@pytest.mark.parametrize(
    "words, hint",
    [
        (["trian"], "did you mean train?"),
        (["evaluate", "RUN", "--wire-om", "1"], "did you mean --wire-ohm?"),
        (["task", "fashion-mnis"], "did you mean fashion-mnist?"),
        (["task", "mine.json", "--map", "x.csv"], "unknown option --map; it is an option of train, place, compare,"),
        (["train", "retinas", "--data", "synthetic", "--out", "OUT"], "did you mean retina?"),
        (["train", "retina", "--data", "synthetic", "--out", "OUT", "--preset", "quik"], "did you mean quick?"),
        (["train", "retina", "--data", "synthetic", "--out", "O", "--technology", "hfox"], "hfox-1t1r"),
        (["networks", "--network", "resnet5"], "did you mean resnet50?"),
        (["networks", "--network", "resnet50", "--costs", "macro-40"], "did you mean macro-40nm?"),
        (["compare", "retina", "--data", "synthetic", "--out", "O", "--arms", "paire"], "did you mean pair?"),
        (["bench", "RUN", "--driver", "serail"], "did you mean serial?"),
        (["report", "RUN", "-q"], "report: unknown option -q; see minirram report --help"),
        (
            ["compare", "retina", "--data", "synthetic", "--out", "O", "--arms", "x"],
            "choice: 'x'; see minirram compare",
        ),
        (["train", "retina", "--data", "synthetik", "--out", "OUT"], 'did you mean "synthetic"?'),
    ],
)
def test_what_is_misspelt_gets_a_hint(words, hint, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = call(*[runs.trained() if word == "RUN" else word for word in words])
    assert answer.code == 2 and hint in answer.err and answer.out == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "start, what",
    [
        (b"\x89XDI\r\n\x1a\n", "digital.bin, the digital"),
        (b"PK\x03\x04", "an archive such as .npz"),
        (b'{"a": 1}', "a JSON file"),
    ],
)
def test_what_is_taken_for_a_program_is_called_by_its_kind(start, what, tmp_path):
    path = tmp_path / "other"
    path.write_bytes(start + bytes(64))
    answer = call("inspect", str(path))
    assert answer.code == 3 and f"{path}: not a program file" in answer.err
    assert what in answer.err and answer.err.endswith("(byte offset 0, MAGIC)\n")


def test_a_cut_program_is_named_by_every_command_that_reads_it(tmp_path):
    path = str(tmp_path / "cut.xbp")
    with open(path, "wb") as file:
        file.write(b"\x89XBP\r\n\x1a\n" + bytes(4))
    for command in (
        ["inspect", path],
        ["dump", path, "--format", "csv", "--out", path + "1"],
        ["convert", path, "--out", path + "2"],
        ["diff", path, path],
    ):
        assert call(*command).err.startswith(f"minirram: error: {path}: ")


def test_options_before_the_command_and_no_command_are_told():
    assert "options stand behind a command" in call("--json").err
    nothing = call()
    assert nothing.code == 2 and "train" in nothing.err and nothing.out == ""


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_what_a_console_cannot_encode_is_escaped(encoding, tmp_path, monkeypatch):
    path = tmp_path / "Ω\u2007.json"
    streams = [io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main.main(["task", "fashion-mnist", "--out", str(path)]) == 0
    assert main.main(["inspect", str(path) + "x"]) == 2
    for stream in streams:
        stream.flush()
        assert b"\\u2007" in stream.buffer.getvalue()


def test_lines_are_broken_at_spaces_below_where_their_value_began(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    line = "label     " + " ".join(["word"] * 12)
    told = console.fitted(line).splitlines()
    assert len(told) == 2 and max(map(len, told)) <= 40 and told[1].startswith(" " * 10 + "word")
    assert " ".join(part.strip() for part in told).split() == line.split()
    path = "/a" * 40
    assert console.fitted(path) == path
    number = "label     " + "between 12.5 mV and 3 % " * 4
    told = [part[10:] for part in console.fitted(number).splitlines()]
    assert " ".join(told) == number[10:].rstrip() and max(map(len, told)) <= 30
    assert not any(part.split()[0] in ("mV", "%") for part in told)  # no number ends a line without its unit


class Terminal(io.StringIO):
    """A stream in front of a person."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    "settings, stream, colours",
    [
        ({"TERM": "xterm"}, Terminal(), True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, Terminal(), False),
        ({"TERM": "dumb"}, Terminal(), False),
        ({"TERM": "xterm"}, io.StringIO(), False),
    ],
)
def test_colours_are_for_terminals_that_have_them(settings, stream, colours, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    shown = console.coloured("error:", console.RED, stream)
    assert (shown != "error:") == (colours and os.name != "nt")


def started(*words, **options):
    """A process of the command line in a group of its own."""
    command = [sys.executable, "-m", "minirram", *words]
    return subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


unix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def ended(stdout, *words):
    """(exit code, stderr) of a process whose output is kept until it is sent, as Python does where nobody says else."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "minirram", *words]
    done = subprocess.run(command, cwd=str(ROOT), env=kept, stdout=stdout, stderr=subprocess.PIPE)
    return done.returncode, done.stderr


@pytest.mark.slow
@unix
@pytest.mark.parametrize("word", ["networks", "--help", "--version"])
def test_a_reader_that_goes_away_is_quiet(word):
    read, write = os.pipe()
    os.close(read)
    assert ended(write, word) == (141, b"")
    os.close(write)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize("word", ["networks", "--help", "--version"])
def test_output_that_cannot_be_written_is_one_line(word):
    with open("/dev/full", "wb") as full:
        code, error = ended(full, word)
    assert (code, error.decode()) == (
        2,
        f"minirram: error: the output cannot be written: {os.strerror(errno.ENOSPC)}\n",
    )


def wait_for_handlers(process):
    """Until the process answers to SIGTERM: it does from its first lines on, long before NumPy is there."""
    status = Path(f"/proc/{process.pid}/status")
    for _ in range(3000):
        caught = re.search(r"SigCgt:\s*(\w+)", status.read_text()) if status.exists() else None
        if caught and int(caught.group(1), 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01 if status.exists() else 0.3)
        if not status.exists():  # no such file system
            return


@unix
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_loads_is_one_line(number, code):
    process = started("demo", "--out", os.devnull)
    wait_for_handlers(process)  # before, it is Python's own start, which has words of its own
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert b"Traceback" not in told and process.returncode in (code, -number)


@unix
@pytest.mark.slow
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_leaves_a_run_that_goes_on_as_the_message_says(number, code, tmp_path):
    words = ["train", "fashion-mnist", "--data", "synthetic", "--preset", "quick", "--epochs", "3", "--out", "run"]
    process = started(*words[:-1], str(tmp_path / "run"))
    while not (tmp_path / "run" / "checkpoint.npz").exists():
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code and b"Traceback" not in told
    again = told.decode().splitlines()[-1].split("this goes on: minirram ")[1].split()
    goes_on = started(*again, "--json")
    out, told = goes_on.communicate(timeout=300)
    assert goes_on.returncode == 0 and b'"epochs": 3' in out


def test_a_stop_that_compiled_code_drops_is_a_stop_and_an_error_of_the_way_out_stays_itself():
    with pytest.raises(stops.Stopped) as stopped, stops.raised():
        with contextlib.suppress(stops.Stopped):  # as C code does that calls back
            signal.raise_signal(signal.SIGTERM)
        raise ValueError("invalid matrix")
    assert stopped.value.exit_code == 143
    with pytest.raises(ConfigError, match="no safe idle"), stops.raised():
        try:
            signal.raise_signal(signal.SIGTERM)
        except stops.Stopped as stop:
            raise ConfigError("no safe idle") from stop
    with pytest.raises(ValueError), stops.raised():
        raise ValueError("nobody asked for a stop")

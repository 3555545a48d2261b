"""Command lines with any text and any number: a right line of each command, some of whose options are then wrong.

`Place` holds the files that the right lines name. `lines(place)` draws a command line. `Place.run` runs it in this
process, with a limit on memory and time, and says what is wrong with how it ended.
"""

import argparse
import contextlib
import gc
import importlib
import io
import os
import re
import shlex
import shutil
import signal
import warnings
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import numpy as np
import pytest
from hypothesis import strategies as st

from minirram.cli import main
from minirram.tasks import registry

from .hostile_files import small_images, whole_run
from .options import SMALL, parsers, small_task
from .places import ROOT, inside

NUMBERS = (
    *("0", "1", "2", "-1", "7", "16", "17", "255", "256", "65536", "2147483648", "4294967296", "1" + "0" * 40, " 4 "),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "-1" + "0" * 40, "9" * 5000, "1_000", "٣"),
    *("nan", "inf", "-inf", "-0.0", "0.5", "1.0", "1e-320", "1e-300", "1e-9", "1e9", "1e30"),
    *("1e300", "-1e300", "1e999"),
)
TEXTS = (
    *("", " ", "-", "--", "=", ",", ":", "1:2:0", "0:1e9", "0,,1", "x" * 300, "a=b=c", "%s%n", "{}", "*", "..", "."),
    *("\x00", "a\x00b", "\n", "\x1b[2J", "\udc80", "\u202e", "\ud800x", "Ω"),
    *("tcp://x", "tcp://127.0.0.1:1", "CON", "\\\\host\\share", "file:x", "~", "$HOME", "`x`"),
)
CODES = {0, 1, 2, 3, 4, 130}
"""exit codes that are listed; 130: it was stopped for its length"""
SECONDS = 2
"""after which a command is stopped as by Ctrl-C"""
STOPPED_WITHIN_S = 10
"""after which it must have ended then"""
MEMORY = 3 << 30
"""bytes of address space that a command may take beyond those of the tests"""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    wrong: str
    """what is wrong with it; "": nothing"""


class Place:
    """A folder with a run, and files of each kind; `work` is where commands write, empty before each."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        for name in ("matplotlib.pyplot", "distributed"):  # a stop while one is loaded would leave half of it
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        self.run = self.path("run")
        self.work = self.path("work")
        self._make_run()
        self.files = self._make_files()
        self.lines = {name: words.split() for name, words in LINES.items()}
        self.actions = {
            name: [action for action in parser._actions if action.dest not in ("help", "open", "traceback")]
            for name, parser in parsers().items()
        }

    def path(self, name: str) -> str:
        """Path of a file beside the run."""
        return os.path.join(self.folder, name)

    def _make_run(self) -> None:
        """A run of a small network that carries its data, its program, and a chip's map."""
        whole_run(self.run)
        images, labels = small_images()
        np.savez(self.path("mine.npz"), inputs=images, labels=labels)

    def _make_files(self) -> Dict[str, str]:
        """{name in LINES: path}"""
        for words in (["chip", self.run, "--out", self.path("formed.npy")], ["task", "--out", self.path("task.json")]):
            assert main.main([*words, "--quiet", *(["fashion-mnist"] if words[0] == "task" else [])]) == 0
        np.save(self.path("back.npy"), np.load(self.path("formed.npy")))
        with open(self.path("map.csv"), "w") as handle:
            np.savetxt(handle, 1e6 * np.load(self.path("formed.npy"))[0], delimiter=",")
        shutil.copytree(str(ROOT / "docs" / "results"), self.path("results"))
        os.mkdir(self.path("empty"))
        with open(self.path("nothing"), "w"):
            pass
        if hasattr(os, "mkfifo"):
            os.mkfifo(self.path("fifo"))
        names = ("mine.npz", "formed.npy", "task.json", "back.npy", "map.csv", "results", "empty", "nothing", "fifo")
        return {
            "RUN": self.run,
            "XBP": os.path.join(self.run, "program.xbp"),
            "DIGITAL": os.path.join(self.run, "digital.json"),
            "OUT": os.path.join(self.work, "out"),
            **{name: self.path(name) for name in names},
        }

    def run_line(self, words: List[str]) -> Ended:
        """Run a command in an empty folder; what it leaves there must be whole, or nothing where it was refused.

        ValueError for a line that names a path outside this place: tests write nowhere else.
        """
        if not all(map(self.holds, words)):
            raise ValueError(f"{words} names a path outside {self.folder}")
        shutil.rmtree(self.work, ignore_errors=True)
        os.mkdir(self.work)
        out, err = Output(), Output()
        before = self._seen()
        with inside(self.work), _limited(), _small_tasks():
            code, stuck = _called(words, out, err)
        wrong = _wrong(code, out.text(), err.text(), stuck=stuck)
        left = sorted(os.listdir(self.work))
        told = code == 3 and out.text()  # a result that says what is wrong, such as a table of points that failed
        refused = code not in (0, 1, 4, 130) and not told  # 4: a bench was asked and fails, its folder goes on
        learned = any("checkpoint.npz" in names for _, _, names in os.walk(self.work))  # that goes on
        if not wrong and refused and left and not learned:
            wrong = f"refused, and left {left}"
        if not wrong and any(re.search(r"\.\d+\.tmp$", name) for _, _, names in os.walk(self.work) for name in names):
            wrong = "left a half file"
        if not wrong and refused and self._seen() != before:
            wrong = f"refused, and changed {sorted(self._seen() ^ before)}"
        return Ended(code, wrong and f"{wrong}\n  {shlex.join(words)[:600]!r}\n  {code} {err.text()[-400:]!r}")

    def holds(self, word: str) -> bool:
        """Whether a word, as a path, lies in this place."""
        with contextlib.suppress(ValueError):  # no path at all
            return os.path.realpath(os.path.join(self.work, word)).startswith(os.path.realpath(self.folder) + os.sep)
        return True

    def _seen(self) -> Set[Tuple[str, int]]:
        """Files beside the work and their sizes."""
        found = set()
        for folder, folders, names in os.walk(self.folder):
            if self.work in [os.path.join(folder, name) for name in folders]:
                folders.remove(os.path.basename(self.work))
            paths = [os.path.join(folder, name) for name in [*folders, *names]]
            found.update((path, os.lstat(path).st_size if os.path.isfile(path) else 0) for path in paths)
        return found


class Output(io.TextIOWrapper):
    """A console that knows ASCII alone."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "ascii")

    def text(self) -> str:
        """What was written."""
        self.flush()
        return self.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]


class Hung(BaseException):
    """A command did not end after Ctrl-C."""


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Allocations far beyond what is in use fail meanwhile, as on a machine without them."""
    try:
        import resource

        with open("/proc/self/statm") as handle:
            used = int(handle.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def _small_tasks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in SMALL:
            patch.setitem(registry.TASKS, name, small_task(name))
        yield


def _called(words: List[str], out: Output, err: Output) -> Tuple[int, bool]:
    """(exit code, whether it hung); SIGALRM stops it as Ctrl-C does."""
    alarms = [0]

    def alarm(*_: Any) -> None:
        alarms[0] += 1
        if alarms[0] == 1:
            signal.raise_signal(signal.SIGINT)
        else:
            raise Hung

    watched, gc.callbacks[:] = gc.callbacks[:], []  # an exception in one of them is lost
    before = signal.signal(signal.SIGALRM, alarm)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, STOPPED_WITHIN_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("default")  # as on the command line, where they are no errors
            try:
                return main.main(words), False
            except SystemExit as stop:
                return (stop.code if isinstance(stop.code, int) else 99), False
            except Hung:
                return 99, True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        gc.callbacks[:] = watched
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, interrupt)


def _wrong(code: int, out: str, err: str, *, stuck: bool) -> str:
    """What is wrong with an exit code and the messages; "": nothing."""
    if stuck:
        return f"it went on for {STOPPED_WITHIN_S} s after Ctrl-C"
    if "Traceback" in err:
        return "a traceback"
    if code == 70 and "too little memory" in err:
        return ""
    if code not in CODES:
        return f"exit code {code}"
    errors = [line for line in err.splitlines() if "error:" in line]
    if code in (2, 3, 4) and len(errors) != 1 and not (code == 3 and out and not errors):
        return f"{len(errors)} lines of errors"
    return ""


LINES = {
    "demo": "--out OUT --threads 1",
    "task": "task.json --check",
    "train": "fashion-mnist --data synthetic --out OUT --preset quick --epochs 1 --threads 1",
    "evaluate": "RUN",
    "export": "RUN --out OUT",
    "report": "RUN --out OUT",
    "place": "RUN --out OUT",
    "compare": "fashion-mnist --data synthetic --out OUT --preset quick --epochs 1 --seeds 0 --arms pair --threads 1",
    "paper": "--out OUT --results results",
    "transfer": "RUN --out OUT --epochs 1 --chip-seed 3",
    "sweep": "--run RUN --vary read_noise=0,0.01 --out OUT",
    "energy": "RUN",
    "networks": "",
    "fit-network": "task.json --map map.csv --unit uS",
    "inspect": "XBP",
    "bench": "RUN --driver simulated --out OUT",
    "repair": "RUN back.npy --out OUT",
    "convert": "DIGITAL --out OUT",
    "verify": "XBP back.npy",
    "recalibrate": "RUN --readback back.npy --out OUT",
    "diff": "XBP XBP",
    "dump": "XBP --format csv --out OUT",
    "chip": "RUN --out OUT",
    "fit": "map.csv --unit uS",
    "import": "map.csv --unit uS --out OUT",
    "doctor": "",
}
"""command -> a line that is right; names of files stand for their paths"""


@st.composite
def command_lines(draw: Any, place: Place, command: Optional[str] = None) -> List[str]:
    """A command line with one to four options, or arguments, of any kind."""
    command = draw(st.sampled_from(sorted(place.lines))) if command is None else command
    actions = place.actions[command]
    words = [place.files.get(word, word) for word in place.lines[command]]
    values = st.one_of(
        st.sampled_from(NUMBERS),
        st.sampled_from(TEXTS),
        st.sampled_from(sorted(place.files.values())),
        st.floats().map(repr),
        st.integers().map(str),
        st.text(max_size=20),
    ).filter(place.holds)
    for _ in range(draw(st.integers(1, 3))):
        action = draw(st.sampled_from(actions))
        if not action.option_strings:
            at = draw(st.integers(0, max(len(words) - 1, 0)))
            words[at : at + 1] = [draw(values)]
            continue
        words += [action.option_strings[-1], *_of(draw, action, values)]
    return [command, *words]


def _of(draw: Any, action: argparse.Action, values: Any) -> List[str]:
    """Values of an option: of its kind more often than not."""
    if action.nargs == 0:
        return []
    if action.choices is not None and draw(st.integers(0, 3)):
        fitting = st.sampled_from([str(one) for one in action.choices])
    elif action.type is not None and draw(st.integers(0, 3)):
        fitting = st.sampled_from(NUMBERS)
    else:
        fitting = values
    return draw(st.lists(fitting, min_size=1, max_size=2 if action.nargs == "+" else 1))

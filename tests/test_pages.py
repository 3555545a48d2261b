"""README and docs: every command is one that the package has; every block runs as it stands, unless it says why not.

A block runs where the blocks above it on its page have left their files. GIVEN lies there from the start: what README's
first command makes, data, and files that the user has. Data and networks are small, and trainings have one epoch where
the command does not say how many; `<!-- small: WHAT -->` above a block says what it takes in full.
`<!-- not run: WHY -->` names the test or script of CI that runs it; its commands are checked all the same: programs,
options, files, tasks and names are there.
"""

import contextlib
import importlib
import json
import os
import re
import runpy
import select
import shutil
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from minirram.cli import main
from minirram.driver.simulated import SimulatedDriver

from .support import own_task
from .support.benches import FileLine, served, small_macro
from .support.c_programs import EXPORT, NEEDS_COMPILER, compiler
from .support.page_commands import Unfit, calls, check, check_python, parser
from .support.pages import Block, blocks, pages_with_blocks
from .support.places import ROOT
from .support.ready import served as served_commands
from .support.short_minirram import FIGURES, SMALL, few
from .support.small_sets import write_archives, write_sets

BLOCKS = [block for page in pages_with_blocks() for block in blocks(page)]
SHELL = ("sh", "console")
TOOLS = ("iverilog", "vvp", "ngspice", "make")
"""that a block may need, and CI has"""
GIVES = [block.place for block in BLOCKS if block.page == "docs/conformance.md" and block.text.startswith("holds")]
"""what a block prints with one of its expressions exchanged"""
TREE = ("benchmarks", "data_scripts", "minirram", "tests")
"""folders of the checkout that commands name by their path from its root"""
WRITTEN = ("docs", "export")
"""those that commands write to: they are copied"""


# -- as they stand -----------------------------------------------------------------------------------------------------


def lines(block):
    """The commands of a shell block; of a console block those behind a dollar sign."""
    if block.language == "sh":
        return block.text
    return "".join(f"{line[2:]}\n" for line in block.text.splitlines() if line.startswith("$ "))


NEEDS_BASH = pytest.mark.skipif(not os.path.exists("/bin/bash"), reason="bash reads the blocks")


@NEEDS_BASH
@pytest.mark.parametrize("page", pages_with_blocks())
def test_each_command_of_a_page_is_there_run_or_not(page, tmp_path):
    """Programs, options, scripts, files, tasks, studies and extras that blocks name."""
    found = list(blocks(page))
    assert page == "README.md" or all(block.language for block in found), "a block without a language"
    place = page
    shells = "".join(f"@ {block.place}\n{lines(block)}" for block in found if block.language in SHELL)
    for call in calls(shells, tmp_path):
        if call[0] == "@":
            place = call[1]
            continue
        try:
            check(call)
        except Unfit as error:
            pytest.fail(f"{place}: {' '.join(call)}: {error}")
    for block in found:
        if block.language == "python":
            check_python(block.text)


FAULTS = {
    "minirram evaluate RUN --splot test": "--splot",
    "minirram train fashion-mnits --data data --out run": "no task fashion-mnits",
    "minirram sweep docs/studies/nothing.json --out x": "no docs/studies/nothing.json",
    "for b in 4 five; do minirram energy RUN --adc-bits $b; done": "five",
    "minirram compare retina --data data --out x --arms wo-{every,stop}-free-1": "wo-stop-free-1",
    "python benchmarks/growth.py --jsom": "unrecognized arguments: --jsom",
    "python benchmarks/checkpoint.py --json": "checkpoint.py takes no arguments",
    "python benchmarks/nothing.py": "no benchmarks/nothing.py",
    "python -m minirram doctor --deep": "--deep",
    "python -m tests.support.nothing": "no module tests.support.nothing",
    "python -c 'from minirram.errors import Nothing'": "no Nothing in minirram.errors",
    "pip install '.[lab,labs]'": "no extra labs",
    "make -C docs": "no Makefile there",
    "sh benchmarks/all.sh --slow": "no option --slow in all.sh",
    "taskset -c 0 sh -c 'ulimit -v 9; minirram demo --out x --loud'": "--loud",
    "export/build/programmer --fourmed program.xbp": "no option --fourmed",
    "minirams demo": "no check of minirams",
    "for b in 4; do minirram demo": "syntax error",
}


@NEEDS_BASH
@pytest.mark.parametrize("text", FAULTS)
def test_what_is_not_there_is_seen(text, tmp_path):
    with pytest.raises(Unfit, match=re.escape(FAULTS[text])):
        for call in calls(text, tmp_path):
            check(call)


OPTIONS_OF_OTHERS = {
    *("--gc-sections", "--no-index", "--find-links", "--only-binary", "--python-version", "--platform"),
}
"""of pip and of the linker"""
SOURCES = ("benchmarks/*", "data_scripts/*", "docs/**/*.py", ".ci/*", "export/**/*.[cps]*", "tests/support/*.py")


def options_of_commands():
    """{command: its options}"""
    return {name: main.command_parser(parser(), name).known() for name in main.COMMANDS}


def unknown_options(span, commands, others):
    """Options in a piece of code that are not those of its command; without a command, of nothing."""
    command = re.match(r"minirram ([\w-]+) ", span)
    known = commands.get(command[1], set()) if command else others.union(*commands.values())
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)) - set(known)


def spans(page):
    """Code between the words of a page and in its tables."""
    text = re.sub(r"^ *```.*?^ *```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]


def test_each_option_that_a_page_names_is_one():
    """In the text between its blocks: of a command, of a script, or of the programmer in C."""
    commands, others = options_of_commands(), set(OPTIONS_OF_OTHERS)
    for source in (path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file()):
        others.update(re.findall(r"--[a-z][a-z-]+", source.read_text(encoding="utf-8", errors="replace")))
    assert unknown_options("minirram export --splot", commands, others) == {"--splot"}
    assert unknown_options("--no-such", commands, others) == {"--no-such"}
    for page in pages_with_blocks():
        for span in (part for code in spans(page) for part in re.split(r"; |&& ", code)):
            assert not unknown_options(span, commands, others), f"{page}: {span}"


@NEEDS_BASH
def test_each_command_between_the_words_of_a_page_is_there(tmp_path):
    """Scripts and programs with their options; minirram where the command is whole: in the table of results."""
    for page in pages_with_blocks():
        first = r"(minirram|python|sh|make) \S" if page == "docs/results.md" else r"(python|sh|make) \S*[/.-]\w"
        text = "".join(f"{span}\n" for span in spans(page) if re.match(first, span))
        for call in calls(text, tmp_path):
            try:
                check(call)
            except Unfit as error:
                pytest.fail(f"{page}: {' '.join(call)}: {error}")


def there(name):
    """Whether a dotted name is that of a module, of a name in one, or of a field of a class in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:-1]:
            found = getattr(found, part, None)
        last = parts[-1]
        return length == len(parts) or hasattr(found, last) or last in getattr(found, "__dataclass_fields__", ())
    return False


def test_each_name_of_the_package_on_a_page_is_there():
    assert there("minirram.errors.DataError") and there("minirram.Recipe.epochs")
    assert not there("minirram.errors.NoSuch") and not there("minirram.nothing")
    for page in pages_with_blocks():
        for span in spans(page):
            names = re.findall(r"(?<![\w./-])minirram(?:\.[a-zA-Z_]\w*)+", span)
            assert all(map(there, names)), f"{page}: {span}"


def test_numbers_of_a_small_block_are_small_and_its_other_words_stay():
    words = "compare retina --arms pair float --seeds 0 1 --epochs 20 --rates 0.4 0.8 --out x".split()
    less = "compare retina --arms pair float --seeds 0 --epochs 1 --rates 0.4 --out x --tuning-epochs 1"
    assert " ".join(few(words)) == less
    assert " ".join(few(["a.py", "--updates", "75", "150", "--epochs", "40"])) == "a.py --updates 3 --epochs 40"


def missing(reason):
    """What a reason names and is not there: scripts of CI, and tests as `FILE::NAME, NAME`."""
    files = [ROOT / path for path in re.findall(r"tests/[\w/]+\.py|\.ci/\w+", reason)]
    yield from (str(path) for path in files if not path.is_file())
    text = "".join(path.read_text(encoding="utf-8") for path in files if path.is_file())
    yield from (name for name in re.findall(r"(?<![\w/])test_\w+", reason) if f"\ndef {name}(" not in text)
    if re.search(r"\btests?\b", reason) and "::" not in reason:
        yield "the name of the test"


def test_a_block_of_commands_runs_or_says_why_not():
    runs = [block for block in BLOCKS if block.language in (*SHELL, "python") and not block.not_run]
    assert len(runs) > 70
    assert list(missing("a test runs it")) == ["the name of the test"] and list(missing(".ci/none"))
    assert list(missing("tests/test_pages.py::test_none")) == ["test_none"]
    for block in BLOCKS:
        assert not (block.not_run and block.small), f"{block.place}: run small, or not run"
        for reason in filter(None, (block.not_run, block.small)):
            assert len(reason.split()) > 1 and not list(missing(reason)), f"{block.place}: {reason}"
        assert not block.not_run or re.search(r"::test_|\.ci/\w", block.not_run), f"{block.place}: what runs it?"


def test_what_a_page_shows_is_compared_or_says_why_not():
    """Consoles by tests/cli/test_fit_cases.py, texts behind "prints" and those of GIVES here; files are written."""
    for block in BLOCKS:
        shown = block.language in ("text", "console") and not block.file
        compared = block.printed or block.place in GIVES or block.page == "docs/measured-chip.md"
        assert bool(shown and not compared) == bool(block.not_compared), f"{block.place}: compared, or why not"
    assert all(block.not_compared is None or len(block.not_compared.split()) > 2 for block in BLOCKS)


@NEEDS_COMPILER
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "c"], ids=lambda block: block.place)
def test_c_of_a_page_compiles(block, tmp_path):
    source = tmp_path / "block.c"
    source.write_text(block.text)
    done = subprocess.run(
        [*compiler(tmp_path), f"-I{EXPORT}", "-fsyntax-only", str(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, f"{block.place}: {done.stdout.decode()}"


# -- as they run -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Variables for commands: `minirram` is short_minirram, `python` this one, with benchmarks as short and without the
    one download, whose file is given; the checkout can be imported. Where memory is limited, nothing is shared."""
    folder, short = tmp_path_factory.mktemp("bin"), f'"{sys.executable}" -m tests.support.short_minirram'
    variables = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP")}
    variables = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", PYTHONPATH=str(ROOT), CI="true", **variables)
    del variables["MINIRRAM_TRUST"]  # which a reader has not set
    python = f'''case "$*" in
benchmarks/*) exec {short} "$@";;
"data_scripts/fashion_mnist.py --out data") exit;;
esac
exec "{sys.executable}" "$@"
'''
    with served_commands(folder, "tests.support.short_minirram", variables) as ready:
        minirram = f'[ "$(ulimit -v)" = unlimited ] || exec {short} "$@"\nexec {ready} "$@"\n'
        for name, lines in (("minirram", minirram), ("python", python), ("python3", python)):
            program = folder / name
            program.write_text(f"#!/bin/sh\n{lines}")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        yield variables


@pytest.fixture(scope="module")
def given(tmp_path_factory, shell):
    """GIVEN: runs/demo, data, archives of sets, mine.csv, map.npy of formed cells, and bars.py of docs/extending.md."""
    folder = tmp_path_factory.mktemp("given")
    write_sets(folder / "data")
    write_archives(folder)
    inputs, labels = own_task.blobs(300, 95, 6)
    own_task.save_table(str(folder / "mine.csv"), inputs, [f"class {label}" for label in labels])
    np.save(str(folder / "map.npy"), np.random.default_rng(0).lognormal(np.log(12.0), 0.15, (512, 512)))
    (bars,) = [block for block in BLOCKS if block.file == "bars.py"]
    (folder / "bars.py").write_text(bars.text)
    _made(folder / ".venv" / "bin").joinpath("activate").write_text("")
    run_shell("minirram demo --out runs/demo --quiet", folder, shell)
    return folder


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def run_shell(text, folder, shell):
    """What a text of commands prints; fails at the first command that does."""
    done = subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=str(folder),
        env=shell,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def run_block(block: Block, folder, *, shell, names, capsys):
    """What a block prints; None where it prints nothing, or a tool is not installed."""
    if block.file:
        (folder / block.file).write_text(block.text)
    if block.language == "sh":
        if any(re.search(rf"\b{tool}\b", block.text) and not shutil.which(tool) for tool in TOOLS):
            return None
        return run_shell(block.text, folder, shell)
    if block.language == "python":
        script = folder / (block.file or "block.py")
        script.write_text(block.text)
        capsys.readouterr()
        names.update(runpy.run_path(str(script), init_globals=names))
        return capsys.readouterr().out
    return None


def check_shown(block: Block, printed):
    """The lines of a block that shows output stand in what was printed, in that order."""
    left = iter(line.strip() for line in printed.splitlines())
    for line in filter(None, map(str.strip, block.text.splitlines())):
        assert line in left, f"{block.place}: {line!r} was not printed, or not in this place, of\n{printed}"


FIRMWARE = "export/README.md"
"""its blocks have tests of their own, below"""
RUN = sorted(
    {
        block.page
        for block in BLOCKS
        if block.language in ("sh", "python") and not block.not_run and block.page != FIRMWARE
    }
)
"""pages with blocks that run; those of `console` are run by tests/cli/test_fit_cases.py"""


BEFORE = {
    "docs/comparison.md": "minirram train fashion-mnist --data data --out runs/fashion --quiet",
    "docs/energy.md": """minirram train spoken-digits --data data --out runs/digits0 --quiet
minirram train retina --data data --out runs/retina-pair --quiet""",
    "docs/measured-chip.md": "minirram train bars.py --data synthetic --map map.npy --unit uS --out RUN --quiet",
    "docs/measurements.md": "rm -r runs/demo",
    "docs/offline.md": "rm -r runs/demo",
    "docs/onnx.md": """python benchmarks/onnx_garments.py --out garments --epochs 1
cp garments/garments.onnx network.onnx
cp garments/garments.npz mine.npz
echo '{"name": "mine", "network": {"input_shape": [14, 14, 1], "input_bits": 4}}' > mine.json""",
    "docs/report.md": """minirram compare fashion-mnist --data data --out runs/comparison \\
    --arms pair float --seeds 0 --rates 0.1
minirram sweep --run runs/demo --vary read_noise=0,0.02 --out studies/noise
minirram fit map.npy --unit uS --out mine.json""",
}
"""page -> commands that make what it takes as given"""


@pytest.mark.slow
def test_a_command_of_a_block_is_one_of_its_shell(shell, tmp_path):
    """Exit code, folder, variables and streams, though a copy of one process runs it; memory that is limited is."""
    (tmp_path / "here").mkdir()
    text = """cd here && minirram vectors 4x2 --format npz --out made > told && ls -d made && grep -q made told
minirram inspect none.xbp 2> told || echo code $? && grep -c "none.xbp" told
[ "$(COLUMNS=60 minirram --help)" = "$(COLUMNS=150 minirram --help)" ] || echo wider"""
    assert run_shell(text, tmp_path, shell).split() == ["made", "code", "2", "1", "wider"]
    with pytest.raises(AssertionError):
        run_shell("(ulimit -v 100000; minirram --version)", tmp_path, shell)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_every_block_of_a_page_runs(page, given, shell, tmp_path, monkeypatch, capsys, forgotten):
    folder = tmp_path / "page"
    shutil.copytree(str(given), str(folder))
    for name in TREE:
        (folder / name).symlink_to(ROOT / name)
    for name in WRITTEN:
        shutil.copytree(str(ROOT / name), str(folder / name), ignore=shutil.ignore_patterns("build"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("MINIRRAM_TRUST")
    monkeypatch.syspath_prepend(str(folder))
    names, printed = {}, None
    if page == "docs/onnx.md":
        pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")
    shell = dict(shell, **{FIGURES: "1"}) if page == "docs/report.md" else shell
    small = dict(shell, **{SMALL: "1"})
    run_shell(BEFORE.get(page, ""), folder, small)
    for block in blocks(page):
        if block.not_run:
            continue
        if block.printed and printed is not None:
            check_shown(block, printed)
        try:
            printed = run_block(block, folder, shell=small if block.small else shell, names=names, capsys=capsys)
        except Exception as error:
            pytest.fail(f"{block.place}: {type(error).__name__}: {error}")


@pytest.mark.slow
def test_the_simulator_of_the_conformance_page_is_mended_by_what_the_page_says(tmp_path, capsys):
    page = list(blocks("docs/conformance.md"))
    (broken,) = [block for block in page if "class MySimulator" in block.text and "check(MySimulator" in block.text]
    (given,) = [block for block in page if block.place in GIVES]
    wrong = "len(self.difference_S) // SPEC.tile_rows"
    assert broken.text.count(wrong) == 1
    script = tmp_path / "mended.py"
    script.write_text(broken.text.replace(wrong, f"-(-{wrong})"))
    runpy.run_path(str(script))
    check_shown(given, capsys.readouterr().out)


@contextlib.contextmanager
def board_at_a_port(macro):
    """The name of a pseudo-terminal with a board of one macro at its other end."""
    tty = pytest.importorskip("tty", reason="a pseudo-terminal is needed")
    board, host = os.openpty()
    tty.setraw(board)
    try:
        with served(SimulatedDriver([macro]), FileLine(board)):
            yield os.ttyname(host)
    finally:
        os.close(board)
        os.close(host)


@pytest.mark.slow
def test_the_blocks_with_a_board_run_on_one_in_memory(shell, tmp_path):
    """Those of the page on drivers that program a chip, on a macro of 64 x 64 cells."""
    pytest.importorskip("serial", reason="pyserial is the extra driver")
    run_shell("minirram train fashion-mnist-64 --data synthetic --rows 64 --cols 64 --out RUN --quiet", tmp_path, shell)
    name = test_the_blocks_with_a_board_run_on_one_in_memory.__name__
    found = [block.text for block in blocks("docs/driver.md") if str(block.not_run).endswith(name)]
    assert len(found) == 2
    with board_at_a_port(small_macro(rows=64, cols=64)) as port:
        for text in found:
            text = text.replace("/dev/ttyUSB0", port).replace("READBACK", "RUN/bench/readback.npy")
            said = run_shell(f"{text.rstrip()} || [ $? = 1 ]", tmp_path, shell)  # 1: a cell of the macro is stuck
            assert re.search(r"cells +1 of \d+ failed", said), said


@pytest.mark.slow
def test_the_blocks_that_learn_on_a_chip_run_on_one_in_memory(shell, tmp_path):
    """Those of the page on drivers: a board at a serial line, and the bench of that page; one epoch of 40 bars."""
    pytest.importorskip("serial", reason="pyserial is the extra driver")
    name = test_the_blocks_that_learn_on_a_chip_run_on_one_in_memory.__name__
    (text,) = [block.text for block in blocks("docs/driver.md") if str(block.not_run).endswith(name)]
    given = {block.file: block.text for block in BLOCKS if block.file in ("bars.py", "mybench.py")}
    given["bars.py"] = given["bars.py"].replace("epochs=6", "epochs=1").replace("training=480", "training=44")
    for file, words in given.items():
        (tmp_path / file).write_text(words)
    with board_at_a_port(small_macro(rows=64, cols=64)) as port:
        run_shell(text.replace("/dev/ttyUSB0", port), tmp_path, shell)
    for run, bench in (("board", "simulated taox-40nm"), ("bench", "my bench")):
        assert json.loads((tmp_path / "runs" / run / "driver.json").read_text())["name"] == bench
        calls = (tmp_path / "runs" / run / "driver.log").read_text()
        assert all(f'"{call}"' in calls for call in ("read", "reset"))  # its cells were formed before


@pytest.mark.slow
def test_the_lines_of_the_guide_to_a_board_of_your_own_run(tmp_path, capsys):
    """Python beside the steps of the firmware page: a line that echoes, then one pulse of a cell."""
    pytest.importorskip("serial", reason="pyserial is the extra driver")
    echo, form = [block for block in blocks(FIRMWARE) if block.language == "python"]
    script = tmp_path / "step.py"
    board, host = os.openpty()
    pytest.importorskip("tty").setraw(board)
    stop = threading.Event()

    def echoing():
        while not stop.is_set():
            if select.select([board], [], [], 0.1)[0]:
                os.write(board, os.read(board, 64))

    thread = threading.Thread(target=echoing, daemon=True)
    thread.start()
    script.write_text(echo.text.replace("/dev/ttyUSB0", os.ttyname(host)).replace("1 << 14", "1 << 5"))
    runpy.run_path(str(script))
    stop.set()
    thread.join()
    os.close(board)
    os.close(host)
    assert capsys.readouterr().out == "0\n"
    with board_at_a_port(small_macro(rows=64, cols=64)) as port:
        script.write_text(form.text.replace("/dev/ttyUSB0", port))
        runpy.run_path(str(script))
    assert capsys.readouterr().out == "1\n"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cc") or not shutil.which("make"), reason="needs make and a C compiler")
@pytest.mark.parametrize("formed", [False, True])
def test_the_loop_of_the_firmware_page_runs(formed, shell, tmp_path):
    """From a run folder to a verified chip; a chip from a map is formed, which its programmer is told."""
    folder = tmp_path / "export"
    shutil.copytree(str(ROOT / "export"), str(folder), ignore=shutil.ignore_patterns("build"))
    np.save(str(folder / "map.npy"), np.random.default_rng(0).lognormal(np.log(12.0), 0.15, (512, 512)))
    measured = " --map map.npy --unit uS" if formed else ""
    run_shell(f"minirram train fashion-mnist --data synthetic --out RUN --quiet{measured}", folder, shell)
    (text,) = [block.text for block in blocks(FIRMWARE) if block.language == "sh"]
    assert "# --chip map.npy --formed" in text
    text = text.replace("--chip map.npy --out", "--chip map.npy --formed --out") if formed else text
    assert "none differ" in run_shell(text, folder, shell)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", sorted((ROOT / "docs" / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_every_notebook_runs(notebook, tmp_path, monkeypatch, capsys):
    """Percent cells, from top to bottom; each asserts what it shows."""
    monkeypatch.chdir(tmp_path)
    text = notebook.read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # ") and "\nassert " in text
    runpy.run_path(str(notebook))
    assert capsys.readouterr().out

"""The C programmer survives kills at any write, lost and damaged replies, stuck cells, noise, all kinds of boards."""

import dataclasses
import os
import re
import stat
import subprocess

import numpy as np
import pytest

from minirram.chip.cell_results import CellResults
from minirram.chip.dead_lines import read_faults
from minirram.device import presets, pulses
from minirram.errors import DataError
from minirram.programming import readback
from minirram.programming.build import chip_identity, increment, pulse_record
from minirram.programming.manifest import check_pair, read_manifest
from minirram.xbp import codec, digests
from minirram.xbp.records import Program, TileProgram

from ..support.c_programs import EXPORT, NEEDS_COMPILER, PROGRAMMER
from ..support.options import figures

pytestmark = NEEDS_COMPILER

ROWS, COLS = 12, 20
CELL = np.dtype(
    [("on", "<u4"), ("now", "<u4"), ("condition", "<u4"), ("turns", "<u4"), ("pulses", "<u8"), ("at", "<u8")]
)
CRASH = tuple(f"-D{name}=crash_{name}" for name in ("fwrite", "fsync", "rename", "remove"))


@pytest.fixture(scope="session")
def crash(built):
    """The programmer that ends at a chosen write."""
    return built("crash", (*PROGRAMMER, "tests/crash.c"), CRASH)


def recipes(**fields):
    """READ 0, FORM 1, SET 2, RESET 3; fields: of SET and RESET."""
    made = pulses.pulse_recipes(presets.TAOX_40NM)
    order = ("READ", "FORM", "SET", "RESET")
    records = [pulse_record(made[kind], number) for number, kind in enumerate(order)]
    verify = dict(verify_id=0, good_reads=2, max_pulses=10, **fields)
    return tuple(dataclasses.replace(one, **verify) if one.kind_name in ("SET", "RESET") else one for one in records)


class Bench:
    """A small chip, the program that it gets, and the increment after it.

    read_all: the increment reads all cells back; without, those that it pulses, as the programmer does unasked.
    """

    def __init__(self, folder, read_all=True, **fields):
        random = np.random.Generator(np.random.PCG64(4))
        self.folder = folder
        self.read_all = read_all
        self.map_S = np.rint(random.uniform(9e3, 15e3, (1, ROWS, COLS))) * 1e-9
        np.save(folder / "map.npy", self.map_S)
        self.masks = [random.random((ROWS, COLS)) < 0.5 for _ in range(2)]
        self.recipes = recipes(**fields)
        self.old, self.new = map(self.program, self.masks)
        self.step = increment(self.old, self.new)
        for name, made in (("old", self.old), ("step", self.step)):
            (folder / f"{name}.xbp").write_bytes(codec.write(made))

    def program(self, mask, **fields):
        """Form all cells, reset those that the mask leaves out."""
        passes = ((1, np.ones_like(mask)), (3, ~mask))
        tile = TileProgram(0, 0, 0, 0, ROWS, COLS, 0, 5400, 4900, mask, passes=passes)
        return Program(chip_identity(self.map_S), 1, ROWS, COLS, self.recipes, (tile,), directory=False, **fields)

    def command(self, programmer, *options, programs=("old", "step")):
        """The command that runs programs, with all outputs."""
        given = ["--chip", "map.npy", "--memory", "chip.bin", "--journal", "journal.txt", "--out", "readback.npy"]
        given += ["--cells", "cells.npz", "--manifest", "manifest.json", *options]
        given += ["--read-all"] * self.read_all
        return [*programmer, *given, *(f"{name}.xbp" for name in programs)]

    def run(self, programmer, *options, programs=("old", "step"), **environment):
        """(exit status, standard output, standard error)."""
        done = subprocess.run(
            self.command(programmer, *options, programs=programs),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env={**os.environ, **environment},
        )
        assert b"Sanitizer" not in done.stderr, done.stderr.decode()
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def fresh(self):
        """Forget all runs."""
        for name in ("chip.bin", "journal.txt", "readback.npy", "cells.npz", "manifest.json"):
            for path in (self.folder / name, self.folder / f"{name}.part"):
                if path.exists():
                    path.unlink()

    def cells(self):
        """What the chip is, by its own memory."""
        return np.frombuffer((self.folder / "chip.bin").read_bytes(), CELL, offset=32)

    def script(self, text):
        """Options for a fault script."""
        (self.folder / "faults.txt").write_text(text)
        return "--faults", "faults.txt"

    def found(self):
        """The read-back."""
        return np.load(self.folder / "readback.npy")


@pytest.fixture()
def bench(tmp_path):
    """A fresh bench."""
    return Bench(tmp_path)


def kill_at(crash, bench, points, random):
    """Kill at each point, then go on; (right states, extra pulses as a share of all, runs)."""
    bench.fresh()
    code, _, errors = bench.run(crash)
    assert code == 0, errors
    calls, given, state = int(errors.split()[-2]), bench.cells()["pulses"].sum(), bench.cells()["now"] > 5000
    right, extra = 0, 0
    for at in random.integers(1, calls + 1, points).tolist():
        bench.fresh()
        half = int(random.integers(3))
        code, _, _ = bench.run(crash, CRASH_AT=str(at), CRASH_HALF=str(half))
        assert code == 137
        if half == 2:
            power_cut(bench.folder / "journal.txt", random)
        if (bench.folder / "readback.npy").exists():  # what lies there is true at every moment
            found = bench.found().ravel() * 1e9
            read = np.isfinite(found)
            assert np.all(read) if bench.read_all else read[changed(bench).ravel()].all()
            assert np.abs(found - bench.cells()["now"])[read].max() < 1e-3
        again = int(random.integers(1, 60))
        killed, _, errors = bench.run(crash, CRASH_AT=str(again), CRASH_HALF=str(half))  # and once more
        if killed == 137:
            killed, _, errors = bench.run(crash)
        ended = killed == 0 or (killed == 3 and "holds" in errors or "another state" in errors)
        cells = bench.cells()
        right += bool(ended and (cells["now"] > 5000).tolist() == state.tolist() and passed(bench))
        extra += max(0, int(cells["pulses"].sum() - given))
    return right, extra / (points * given)


def power_cut(journal, random):
    """Take lines away that may not have reached the disk: those behind the last one that was waited for."""
    lines = journal.read_bytes().splitlines(True) if journal.exists() else []
    waited = 0
    for number, line in enumerate(lines, start=1):
        begun = re.match(rb'{"begin": (\d+), "pulse": 0}', line)
        if int(begun.group(1)) % 64 == 0 if begun else not line.startswith((b'{"begin', b'{"done')):
            waited = number
    journal.write_bytes(b"".join(lines[: int(random.integers(waited, len(lines) + 1))]))


def changed(bench):
    """The cells that the increment pulses."""
    return bench.masks[0] != bench.masks[1]


def passed(bench):
    """Whether the files that are there say that the chip holds the new masks: of all cells that were to be read."""
    folder, found = bench.folder, bench.found()
    made = check_pair(folder / "manifest.json", program=folder / "step.xbp", readback=folder / "readback.npy")
    whole = readback.verify(bench.new if bench.read_all else bench.step, found)
    right_cells = np.array_equal(np.isfinite(found[0]), changed(bench) | bench.read_all)
    return made.bit_errors == 0 and made.checked == np.count_nonzero(changed(bench)) and whole.passed and right_cells


@pytest.mark.parametrize("read_all", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_kill_at_any_write_is_survived(crash, tmp_path, read_all):
    right, extra = kill_at(crash, Bench(tmp_path, read_all), 12, np.random.Generator(np.random.PCG64(1)))
    assert right == 12 and extra < 0.01


@pytest.mark.slow
def test_a_thousand_kills_are_survived(crash, tmp_path):
    random = np.random.Generator(np.random.PCG64(2))
    right, extra = kill_at(crash, Bench(tmp_path), 1000, random)
    print(f"{right} of 1,000 ended in the right state, {extra:.3%} extra pulses")
    assert right == 1000 and extra < 0.01


@pytest.mark.slow
def test_a_thousand_bad_links_are_survived(crash, tmp_path):
    """Replies are lost and damaged, and at a random command the link drops for good: the same command goes on."""
    random = np.random.Generator(np.random.PCG64(3))
    bench = Bench(tmp_path)
    assert bench.run(crash)[0] == 0
    given, right, extra = bench.cells()["pulses"].sum(), 0, 0
    for seed in range(1000):
        bench.fresh()
        link = f"seed {seed}\nlose {random.uniform(0, 0.1)}\ndamage {random.uniform(0, 0.1)}\n"
        code, _, _ = bench.run(crash, *bench.script(link + f"dead_from {random.integers(1, 1500)}\n"))
        assert code == 4
        code, _, errors = bench.run(crash, *bench.script(link))
        right += code == 0 and passed(bench)
        extra += max(0, int(bench.cells()["pulses"].sum() - given))
    print(f"{right} of 1,000 ended in the right state, {extra / (1000 * given):.3%} extra pulses")
    assert right == 1000 and extra < 0.01 * 1000 * given


def test_lost_and_damaged_replies_cost_no_pulse(programmer, bench):
    assert bench.run(programmer)[0] == 0
    expected = bench.cells()
    bench.fresh()
    code, text, errors = bench.run(programmer, *bench.script("lose 0.2\ndamage 0.1\nseed 3\n"))
    assert code == 0 and "given again" in text, errors
    for name in ("now", "pulses"):
        assert np.array_equal(bench.cells()[name], expected[name])
    assert passed(bench)


def test_a_dead_link_is_told_and_the_same_command_goes_on(programmer, bench):
    code, _, errors = bench.run(programmer, *bench.script("dead_from 150\n"))
    assert code == 4 and "no answer from the board" in errors and not (bench.folder / "readback.npy").exists()
    assert 0 < np.count_nonzero(bench.cells()["pulses"]) < ROWS * COLS
    code, text, _ = bench.run(programmer)
    assert code == 0 and "went on after a stop" in text and passed(bench)


def test_ctrl_c_ends_between_two_commands_and_the_same_command_goes_on(programmer, bench):
    code, _, errors = bench.run(programmer, *bench.script("interrupt 150\n"))
    assert code == 5 and "the same command goes on" in errors
    given = bench.cells()["pulses"].sum()
    code, text, _ = bench.run(programmer, *bench.script("interrupt 1\n"), programs=["old"])
    assert code == 5 and bench.cells()["pulses"].sum() == given
    code, text, _ = bench.run(programmer)
    assert code == 0 and passed(bench)


@pytest.mark.parametrize("drive", [0, 1, 2])
@pytest.mark.parametrize("board", ["cell", "line", "mask"])
@pytest.mark.parametrize("verifies", [False, True])
def test_boards_of_all_kinds_leave_the_same_chip(programmer, tmp_path, drive, board, verifies):
    lines = dict(drive=drive, compliance_nA=60_000, budget_nA=300_000 if drive else 0)
    bench = Bench(tmp_path, **lines, read_first=1, guard_nS=100, row_step_mV=0, row_to_mV=None)
    code, _, errors = bench.run(programmer, *bench.script(f"granularity {board}\n" + "verify_on_board\n" * verifies))
    assert code == 0 and passed(bench), errors
    assert np.array_equal(bench.cells()["now"] > 5000, bench.masks[1].ravel())
    lines = (bench.folder / "journal.txt").read_text().count('"done"')
    passes = ROWS * COLS + np.count_nonzero(~bench.masks[0]) + np.count_nonzero(bench.masks[0] != bench.masks[1])
    assert (lines == passes) == (drive == 0 or board == "cell")


@pytest.mark.parametrize("change", [{"select_mV": 0}, {"compliance_nA": 1}])
def test_a_closed_gate_or_no_current_does_not_form_a_cell(programmer, bench, change):
    fields = {f"{line}_to_mV": None for line in ("row", "col", "select")}
    forms = [dataclasses.replace(one, **fields, **change) if one.kind_name == "FORM" else one for one in bench.recipes]
    made = dataclasses.replace(bench.old, recipes=tuple(forms))
    (bench.folder / "old.xbp").write_bytes(codec.write(made))
    code, text, _ = bench.run(programmer, programs=["old"])
    assert code == 1 and not np.any(bench.cells()["condition"])
    assert readback.verify(made, bench.found()).bit_errors == np.count_nonzero(bench.masks[0])
    assert text.count(": off\n") == np.count_nonzero(bench.masks[0])


def test_ramps_reach_the_board_pulse_by_pulse(programmer, tmp_path):
    """RESET that starts at 0.4 V turns nothing off before its fourth pulse, at 1.0 V."""
    bench = Bench(tmp_path, col_mV=400, col_step_mV=200, col_to_mV=1800, row_mV=0, row_to_mV=None)
    made = dataclasses.replace(bench.old, recipes=tuple(one for one in bench.recipes if one.kind_name != "SET"))
    (bench.folder / "old.xbp").write_bytes(codec.write(made))
    assert bench.run(programmer, programs=["old"])[0] == 0
    resets = bench.cells()["pulses"][~bench.masks[0].ravel()] - 1
    assert resets.min() == 4 and resets.max() <= 6


def test_the_result_of_each_cell_is_what_the_chip_got_and_its_failures_are_faults(programmer, bench):
    off = np.argwhere(~bench.masks[0])[0]
    on = np.argwhere(bench.masks[0])[0]
    texts = "0 {} {} stuck_on\n0 {} {} stuck_off\n".format(*off, *on)
    code, text, _ = bench.run(programmer, *bench.script(texts), programs=["old"])
    made = CellResults.load(bench.folder / "cells.npz")
    assert code == 1 and np.array_equal(made.pulses.ravel(), bench.cells()["pulses"]) and not made.interrupted.any()
    assert np.array_equal(made.last_read_S, bench.found())
    assert sorted(made.failed()) == sorted([(0, *off, "stuck_on"), (0, *on, "stuck_off")])
    assert sorted(read_faults(bench.folder / "cells.npz")) == sorted([(0, *off, True), (0, *on, False)])
    for place, why in ((off, "on"), (on, "off")):
        assert "macro 0 row {} col {}: {}\n".format(*place, why) in text
    bound = read_manifest(bench.folder / "manifest.json")
    assert bound.bit_errors == 2 and bound.checked == ROWS * COLS


def test_verify_takes_what_the_programmer_wrote_and_no_other_pair(programmer, bench):
    assert bench.run(programmer)[0] == 0
    for name in ("readback.npy", "cells.npz"):
        found = figures("verify", str(bench.folder / "step.xbp"), str(bench.folder / name))
        assert found["passed"] and found["checked"] == np.count_nonzero(bench.masks[0] != bench.masks[1])
        with pytest.raises(DataError, match="not the program"):
            check_pair(bench.folder / "manifest.json", program=bench.folder / "old.xbp", readback=bench.folder / name)
    np.save(bench.folder / "readback.npy", bench.found() * 1.001)
    with pytest.raises(DataError, match="not the readback"):
        read_manifest(bench.folder / "manifest.json")


def test_what_cannot_be_written_or_read_is_told_before_the_first_pulse(programmer, bench):
    (bench.folder / "there").mkdir()
    for options, programs in [
        (("--out", "absent/readback.npy"), ["old"]),
        (("--cells", "absent/cells.npz"), ["old"]),
        (("--journal", "there"), ["old"]),
        ((), ["old", "absent"]),
        (("--manifest", "there/manifest.json"), ["old"]),
    ]:
        code, _, errors = bench.run(programmer, *options, programs=programs)
        assert code == 2 and errors
        untouched = not (bench.folder / "chip.bin").exists() or not bench.cells()["pulses"].any()
        assert untouched and not (bench.folder / "readback.npy").exists()
    bench.fresh()
    assert bench.run(programmer, programs=["absent"])[0] == 2 and not (bench.folder / "journal.txt").exists()


@pytest.mark.skipif(os.name == "nt", reason="pipes and limits of POSIX")
def test_pipes_and_devices_are_refused_at_once_and_stay(programmer, bench):
    os.mkfifo(bench.folder / "pipe")
    for options, programs in [
        (("--journal", "/dev/full"), ["old"]),
        (("--journal", "/dev/urandom"), ["old"]),
        (("--journal", "pipe"), ["old"]),
        (("--memory", "pipe"), ["old"]),
        (("--out", "pipe"), ["old"]),
        (("--cells", "pipe"), ["old"]),
        (("--faults", "/dev/urandom"), ["old"]),
        (("--faults", "/dev/full"), ["old"]),
        (("--chip", "/dev/full"), ["old"]),
    ]:
        code, _, errors = bench.run(programmer, *options, programs=programs)
        assert code == 2 and len(errors.splitlines()) == 1
    assert stat.S_ISFIFO(os.stat(bench.folder / "pipe").st_mode)
    os.rename(bench.folder / "pipe", bench.folder / "pipe.xbp")
    bench.fresh()
    code, _, errors = bench.run(programmer, programs=["old", "pipe"])
    assert code == 2 and "a pipe or a device" in errors and not (bench.folder / "chip.bin").exists()


@pytest.mark.skipif(os.name == "nt", reason="pipes and limits of POSIX")
@pytest.mark.parametrize("most", [1000, 3000, 6300])
def test_a_full_disk_leaves_no_half_file(programmer, bench, most):
    """Read-back, cells, memory of the chip: each is the first that does not fit."""
    import resource
    import signal

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    options = ["--out", "readback.npy", "--cells", "cells.npz"] + ["--memory", "chip.bin"] * (most > 6000)
    command = [*programmer, "--chip", "map.npy", *options, "old.xbp"]
    done = subprocess.run(command, cwd=bench.folder, preexec_fn=full, stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"cannot be written" in done.stderr
    assert not list(bench.folder.glob("*.part")) and not (bench.folder / "cells.npz").exists()


def test_after_a_stop_the_chip_takes_the_same_program_or_a_repair_alone(programmer, bench):
    bench.run(programmer, *bench.script("dead_from 300\n"), programs=["old"])
    (bench.folder / "other.xbp").write_bytes(codec.write(bench.new))
    code, _, errors = bench.run(programmer, programs=["other"])
    assert code == 3 and "which is unknown" in errors
    code, text, _ = bench.run(programmer, programs=[])
    assert code == 0 and f"{digests.readback_id(bench.found()):08x}" in text
    code, _, errors = bench.run(programmer, programs=["old"])
    assert code == 3 and "which is unknown" in errors  # the read-back gave it up
    fields = dict(before=3, readback_id=digests.readback_id(bench.found()))
    (bench.folder / "repair.xbp").write_bytes(codec.write(bench.program(bench.masks[1], **fields)))
    code, _, errors = bench.run(programmer, programs=["repair"])
    assert code == 0 and readback.verify(bench.new, bench.found()).passed, errors
    assert bench.run(programmer, programs=["repair"])[1].endswith("done already\n")


def test_a_journal_of_another_chip_or_damaged_in_the_middle_is_refused(programmer, bench):
    assert bench.run(programmer)[0] == 0
    journal = bench.folder / "journal.txt"
    whole = journal.read_bytes()
    lines = whole.splitlines(True)
    done = next(number for number, line in enumerate(lines) if b'"done": 9,' in line)
    for data, why in [
        (whole[:100] + b"x" + whole[101:], "damaged before its last line"),
        (b"".join(lines[:done] + lines[done + 1 :]), "do not follow each other"),
        (b"nothing", "not the journal"),
    ]:
        journal.write_bytes(data)
        code, _, errors = bench.run(programmer)
        assert code == 2 and why in errors
    journal.write_bytes(whole)
    np.save(bench.folder / "map.npy", bench.map_S + 1e-9)
    (bench.folder / "chip.bin").unlink()
    code, _, errors = bench.run(programmer)
    assert code == 2 and "the journal of another chip" in errors


def test_a_byte_of_the_journal_that_is_damaged_is_refused_or_costs_nothing(programmer, bench):
    bench.run(programmer, *bench.script("dead_from 200\n"))
    journal, chip = ((bench.folder / name).read_bytes() for name in ("journal.txt", "chip.bin"))
    codes = []
    for at in [*np.random.Generator(np.random.PCG64(5)).integers(0, len(journal), 8).tolist(), len(journal) - 5]:
        bench.fresh()
        (bench.folder / "chip.bin").write_bytes(chip)
        (bench.folder / "journal.txt").write_bytes(journal[:at] + bytes([journal[at] ^ 4]) + journal[at + 1 :])
        code, _, errors = bench.run(programmer)
        codes.append(code)
        assert passed(bench) if code == 0 else code == 2 and "journal" in errors
        assert code == 0 or (bench.folder / "chip.bin").read_bytes() == chip
    assert {0, 2} == set(codes)


def test_one_journal_serves_one_programmer_at_a_time(programmer, bench):
    fcntl = pytest.importorskip("fcntl")
    with open(bench.folder / "journal.txt", "w") as handle:
        fcntl.lockf(handle, fcntl.LOCK_EX)
        code, _, errors = bench.run(programmer)
    assert code == 2 and "in use by another programmer" in errors and not bench.cells()["pulses"].any()


def test_the_chip_misbehaves_as_its_script_says(programmer, bench):
    def run(text):
        bench.fresh()
        code = bench.run(programmer, *bench.script(text), programs=["old"])[0]
        return code, bench.found().ravel() * 1e9, bench.cells()

    _, clean, cells = run("")
    on = bench.masks[0].ravel()
    _, noisy, _ = run("noise 0.03\nseed 2\n")
    assert 0.025 < np.std(noisy / clean - 1) < 0.035
    _, drifted, _ = run("drift 0.05 1 10\n")
    assert np.allclose((drifted / clean)[on], 0.6456, atol=1e-3)  # all are read 6,300 s after they were written
    _, moved, after = run("disturb 0.02\n")
    assert np.count_nonzero(after["now"] != cells["now"]) > 20
    _, relaxed, after = run(
        "relax -2 0 100 0.1\ndrift 0 1 10\n"
    )  # 6,300 s after it was written, 1.8 decades behind 100 s
    assert np.allclose((relaxed - clean)[on], -2000 * (1 + 0.1 * np.log10(63)), atol=1)
    _, spread, _ = run("relax 0 0.5 100 0\ndrift 0 1 10\n")
    assert 400 < np.std((spread - clean)[on]) < 600
    _, fresh, _ = run("preset hfox-1t1r\nnoise 0\n")  # within milliseconds a third of it has come
    assert -6000 < np.mean((fresh - clean)[on]) < -500
    _, worn, after = run("wear 1\n")
    assert np.all(after["condition"] == 2) and np.array_equal(worn > 5000, np.ones_like(on))
    _, wired, _ = run("wire_ohm 20\n")
    share = 1 / (1 + 20 * np.add.outer(np.arange(ROWS), np.arange(COLS) + 2).ravel() * clean * 1e-9)
    assert np.allclose(wired[on], (clean * share)[on], rtol=1e-3)


@pytest.mark.parametrize("board", ["line", "mask"])
def test_cells_of_one_command_share_the_wire_of_their_row(programmer, bench, board):
    assert bench.run(programmer, programs=["old"])[0] == 0
    clean_S = np.load(bench.folder / "readback.npy")[0]
    ohm = 50.0
    code, _, errors = bench.run(programmer, *bench.script(f"granularity {board}\nwire_ohm {ohm}\n"), programs=[])
    assert code == 0, errors
    places = np.arange(1, COLS + 1)
    along_ohm = ohm * np.minimum.outer(places, places)  # the wire that two cells of a row have in common
    for row, S in enumerate(clean_S):
        ohms = np.diag(1 / S) + along_ohm + np.diag(np.full(COLS, ohm * (row + 1)))
        assert np.allclose(bench.found()[0, row], np.linalg.solve(ohms, np.ones(COLS)), rtol=1e-4)


def test_presets_of_the_script_are_those_of_the_package():
    text = (EXPORT / "chip_faults.c").read_text()
    for model in (presets.TAOX_40NM, presets.HFOX_1T1R, presets.PCM, presets.SONOS_40NM):
        ages, relaxes = model.drift_exponent, model.relaxation_std_S
        mean = model.relaxation_mean_per_decade
        figures = [model.read_noise, ages, model.drift_start_s if ages else 1]
        figures += [1e6 * model.relaxation_mean_S, 1e6 * relaxes, model.relaxation_time_s if relaxes else 1]
        figures += [model.relaxation_per_decade, model.relaxation_per_decade if mean is None else mean]
        assert f'{{ "{model.name}", {", ".join(f"{figure:g}" for figure in figures)} }}' in text


@pytest.mark.parametrize(
    "text",
    [
        "nose 1\n",
        "noise\n",
        "noise -1\n",
        "drift 0.1\n",
        "relax 1 -1 1 0\n",
        "relax 1 1 1\n",
        "preset tin\n",
        "lose 2\n",
        "wear 1 2\n",
    ],
)
def test_a_line_that_is_none_is_named(programmer, bench, text):
    code, _, errors = bench.run(programmer, *bench.script("# a script\n\nseed 1\n" + text))
    assert code == 2 and "line 4: expected lines of" in errors

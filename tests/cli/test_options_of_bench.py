"""`minirram bench` and `minirram repair`: each option seen where it acts; a stop by a kill and by Ctrl-C."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minirram.chip.cell_results import CellResults
from minirram.chip.dead_lines import read_faults
from minirram.driver.simulated import SimulatedDriver
from minirram.errors import BenchError
from minirram.programming.manifest import check_pair
from minirram.programming.readback import read_program, verify
from minirram.runs.bench import SIMULATED_CHIP, pristine_macros
from minirram.runs.folder import RunFolder

from ..support.options import PAIRS, ROWS, call, figures, shows
from ..support.places import ROOT

SIMULATED = ("--driver", "simulated")
FILES = {"journal", "program.xbp", "readback.npy", "cells.npz", "failed.txt", "manifest.json", "digital.json"}
MADE = []
"""the benches that the tests' own driver classes made"""


class OfTheRun(SimulatedDriver):
    """The simulated chip of the run folder that is the port, some of whose cells are stuck."""

    def __init__(self, port):
        chip, _, _ = RunFolder.open(port).load_trained()
        macros = pristine_macros(chip, formed=False)
        stuck = np.zeros(macros[0].on.shape, bool)
        stuck[0, 0:4] = True
        macros[0].stick(lrs=stuck)
        super().__init__(macros)
        self.idled = self.closed = 0
        MADE.append(self)

    def safe_idle(self):
        self.idled += 1

    def close(self):
        self.closed += 1


class Interrupts(OfTheRun):
    """Somebody presses Ctrl-C while the first cells are RESET."""

    def reset(self, macro, mask, recipe, *, verify=None):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return super().reset(macro, mask, recipe, verify=verify)


class NeverIdle(OfTheRun):
    """Its lines cannot be switched off at once."""

    def safe_idle(self):
        super().safe_idle()
        if self.idled == 1:
            raise BenchError("lines stay on")


class Slow(OfTheRun):
    """Takes its time."""

    def form(self, macro, mask, recipe, *, verify=None):
        time.sleep(0.3)
        return super().form(macro, mask, recipe, verify=verify)


def own(name, folder):
    """The options of a driver of these tests."""
    return "--driver", f"{__name__}:{name}", "--port", folder


@pytest.mark.slow
@shows("bench", "RUN", "--driver", "--out")
def test_bench_programs_the_run_s_chip_and_binds_what_it_found(runs):
    out = runs.path("bench-out")
    made = figures("bench", runs.trained(), *SIMULATED, "--out", out)
    assert made["state"] == "programmed" and made["failed"] == [] and not made["resumed"]
    assert FILES <= set(os.listdir(out))
    names = {"program": "program.xbp", "readback": "readback.npy"}
    pair = check_pair(os.path.join(out, "manifest.json"), **{k: os.path.join(out, v) for k, v in names.items()})
    assert pair.bit_errors == 0 and pair.new_state == made["new_state"]
    call("export", runs.trained(), "--out", runs.path("exported.xbp"))
    with open(runs.path("digital.json")) as one, open(os.path.join(out, "digital.json")) as two:
        assert one.read() == two.read()
    chip_S = runs.chip("programmed")
    read_S = np.load(os.path.join(out, "readback.npy"))
    used = np.isfinite(read_S)
    assert np.array_equal(read_S[used] > 5e-6, chip_S[used] > 5e-6)
    again = figures("bench", runs.trained(), *SIMULATED, "--out", out)
    assert again["failed"] == [] and not again["resumed"] and again["pulses"] == made["pulses"]  # read back anew
    other = runs.trained("--level", "cell", "--epochs", "2")
    answer = call("bench", other, *SIMULATED, "--out", out)
    assert answer.code == 2 and "is the journal of" in answer.err


@pytest.mark.slow
def test_a_simulated_chip_lies_in_the_folder_between_two_starts(runs, monkeypatch):
    """A stop puts it there; of a killed process nothing is left, and the same command says so."""
    out, whole = runs.path("kept-out"), runs.path("whole-out")
    with monkeypatch.context() as patched:
        patched.setattr(SimulatedDriver, "reset", Interrupts.reset)
        assert call("bench", runs.trained(), *SIMULATED, "--out", out).code == 130
    kept = os.path.join(out, SIMULATED_CHIP)
    with open(kept, "rb") as handle:
        stopped = handle.read()
    reset, there = SimulatedDriver.reset, []

    def looks(self, *request, **options):
        there.append(os.path.exists(kept))
        return reset(self, *request, **options)

    with monkeypatch.context() as patched:
        patched.setattr(SimulatedDriver, "reset", looks)
        made = figures("bench", runs.trained(), *SIMULATED, "--out", out)
    assert there and not any(there)  # while it is pulsed, no file stands for it
    assert made["resumed"] and made["failed"] == []
    at_once = figures("bench", runs.trained(), *SIMULATED, "--out", whole)
    assert made["pulses"] == at_once["pulses"]
    assert np.array_equal(*(np.load(os.path.join(f, "readback.npy")) for f in (out, whole)), equal_nan=True)
    with open(kept, "wb") as handle:  # another time: the chip as it was at the stop is read again, cell by cell
        handle.write(stopped)
    assert call("bench", runs.trained(), *SIMULATED, "--out", out).code == 1
    os.remove(kept)
    answer = call("bench", runs.trained(), *SIMULATED, "--out", out)
    assert answer.code == 2 and "ended with its process" in answer.err


@shows("bench", "--dry-run")
def test_a_dry_run_estimates_and_leaves_nothing(runs):
    out = runs.path("bench-dry")
    made = figures("bench", runs.trained(), *SIMULATED, "--out", out, "--dry-run")
    assert made["state"] == "untouched" and made["pulses"] == 0 and not os.path.exists(out)
    ask = made["estimate"]
    full = figures("bench", runs.trained(), *SIMULATED, "--out", out)
    assert sum(ask["pulses"].values()) == full["pulses"] and full["estimate"] == ask
    text = call("bench", runs.trained(), *SIMULATED, "--out", out, "--dry-run").out
    assert "nothing was pulsed" in text and "docs/driver.md" in text
    assert f"{sum(made['line_bytes'].values()):,} bytes, {made['line_minutes']:.3g} minutes at 115,200 baud" in text
    assert made["line_bytes"] == full["line_bytes"] and made["line_bytes"]["read-back"] > 4 * ask["cells"]


@shows("bench", "--port")
def test_cells_that_fail_are_listed_and_end_in_one(runs):
    out = runs.path("bench-stuck")
    answer = call("bench", runs.trained(), *own("OfTheRun", runs.trained()), "--out", out)
    bench = MADE[-1]
    assert answer.code == 1 and bench.closed == 1 and bench.idled >= 1
    cells = CellResults.load(os.path.join(out, "cells.npz"))
    failed = cells.failed()
    assert failed and all(why == "stuck_on" and (m, r) == (0, 0) and c < 4 for m, r, c, why in failed)
    assert f"{len(failed)} of" in answer.out and "macro 0 row 0 col" in answer.out
    for name in ("failed.txt", "cells.npz"):
        assert read_faults(os.path.join(out, name)) == cells.stuck()
    faults = ("--faults", os.path.join(out, "cells.npz"))
    assert runs.results(*faults)["stuck_cells"] == len(failed)


def test_what_cannot_be_written_is_found_before_the_first_pulse(runs):
    out = os.path.join(runs.trained(), "config.json")
    answer = call("bench", runs.trained(), *own("OfTheRun", runs.trained()), "--out", out)
    assert answer.code == 2 and MADE[-1].macros[0].pulses["form"] == 0 and MADE[-1].closed == 1


@shows("bench", "--timeout")
def test_a_bench_that_does_not_answer_ends_in_four(runs):
    answer = call("bench", runs.trained(), *own("Slow", runs.trained()), "--timeout", "0.05")
    assert answer.code == 4 and "longer than 0.05 s" in answer.err
    shutil.rmtree(os.path.join(runs.trained(), "bench"))


def test_ctrl_c_goes_to_safe_idle_and_the_same_command_goes_on(runs):
    out = runs.path("bench-interrupted")
    answer = call("bench", runs.trained(), *own("Interrupts", runs.trained()), "--out", out)
    bench = MADE[-1]
    assert answer.code == 130 and bench.idled >= 1 and bench.closed == 1
    assert not os.path.exists(os.path.join(out, "manifest.json"))


def test_a_bench_whose_lines_stay_on_has_not_ended(runs):
    out = runs.path("bench-on")
    answer = call("bench", runs.trained(), *own("NeverIdle", runs.trained()), "--out", out)
    assert answer.code == 4 and "lines stay on" in answer.err
    assert not os.path.exists(os.path.join(out, "manifest.json"))


@pytest.mark.parametrize("command", ["recalibrate", "repair", "verify", "train"])
def test_a_read_back_that_its_manifest_does_not_bind_is_refused(runs, command):
    out = runs.path("bench-bound")
    if not os.path.exists(out):
        figures("bench", runs.trained(), *SIMULATED, "--out", out)
    read = os.path.join(out, "readback.npy")
    np.save(read, np.load(read) * 1.001)
    files = {
        "recalibrate": (runs.trained(), "--readback", read),
        "repair": (runs.trained(), read),
        "verify": (os.path.join(out, "program.xbp"), read),
        "train": runs.arguments(runs.path("of-unbound"), "--faults", os.path.join(out, "cells.npz"))[1:],
    }
    answer = call(command, *files[command])
    assert answer.code == 3 and "not the readback" in answer.err


@pytest.mark.slow
@shows("repair", "RUN", "READBACK", "--out")
@shows("bench", "--program", "--readback")
def test_a_repair_leads_a_measured_chip_to_the_masks(runs):
    run, out, kept = runs.trained(), runs.path("bench-kept"), runs.path("chip-state.npz")
    driver = (*SIMULATED, "--port", kept)
    whole = figures("bench", run, *driver, "--out", out)
    read = runs.path("measured.npy")
    shutil.copy(os.path.join(out, "readback.npy"), read)
    assert figures("repair", run, read)["file"] is None
    foreign = call("repair", runs.trained("--chip-seed", "8"), os.path.join(out, "cells.npz"))
    assert foreign.code in (2, 3) and "measured on chip" in foreign.err, foreign.err
    with np.load(kept) as archive:
        arrays = dict(archive)
    arrays["macro0/on"] = arrays["macro0/on"] ^ (np.random.default_rng(1).random(arrays["macro0/on"].shape) < 0.1)
    np.savez(kept, **arrays)
    measured = figures("bench", run, *driver, "--out", out, code=1)
    shutil.copy(os.path.join(out, "readback.npy"), read)
    fix = figures("repair", run, os.path.join(out, "cells.npz"), "--out", runs.path("fix.xbp"))
    assert fix["file"] == runs.path("fix.xbp") and fix["hopeless"] == []
    assert fix["cells"] == len(measured["failed"]) > 10 and fix["new_state"] == whole["new_state"]
    program, after = ("--program", fix["file"]), ("--out", runs.path("bench-repaired"))
    refused = call("bench", run, *driver, *program, *after)
    assert refused.code == 2 and "--readback" in refused.err
    again = call("bench", run, *driver, *after)
    assert again.code == 2 and "a chip that is unformed" in again.err
    shutil.rmtree(after[1])
    old = call("bench", run, *driver, *program, *after, "--readback", os.path.join(run, "chip-of-old.npy"))
    assert old.code in (2, 3)
    repaired = figures("bench", run, *driver, *program, *after, "--readback", read)
    assert repaired["failed"] == [] and repaired["pulses"] <= 2 * len(measured["failed"])
    assert verify(
        read_program(os.path.join(out, "program.xbp")), np.load(os.path.join(after[1], "readback.npy"))
    ).passed


def test_cells_that_no_program_helps_end_in_one(runs):
    read_S = runs.chip("programmed")
    read_S[0, 0, 0] = np.nan
    path = runs.path("unread.npy")
    np.save(path, read_S)
    answer = call("repair", runs.trained(), path)
    assert answer.code == 1 and "row 0 col 0: not read" in answer.out
    refused = call("repair", runs.trained(), runs.lines)
    assert refused.code == 3 and "not a .npy file" in refused.err


def start(run, out, kept):
    """The bench command in a process of its own."""
    command = [sys.executable, "-m", "minirram", "bench", run, *SIMULATED, "--port", kept, "--out", out, "--json"]
    return subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_killed_processes_leave_a_chip_that_the_next_one_finishes(runs):
    """SIGKILL at random times; the chip lives in a file."""
    run, generator = runs.trained(), np.random.default_rng(5)
    whole = figures("bench", run, *SIMULATED, "--out", runs.path("bench-whole"))
    for trial in range(2):
        out, kept = runs.path(f"bench-killed{trial}"), runs.path(f"chip-killed{trial}.npz")
        kills = 0
        while kills < 3:
            process = start(run, out, kept)
            time.sleep(0.4 + generator.random())
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        output, errors = start(run, out, kept).communicate(timeout=60)
        made = json.loads(output)
        assert made["failed"] == [] and made["new_state"] == whole["new_state"], errors
        with np.load(kept) as archive:
            given = sum(int(archive[f"macro{m}/pulses/{kind}"]) for m in range(2) for kind in ("form", "set", "reset"))
        assert given <= 1.01 * whole["pulses"]
        assert np.array_equal(
            np.load(os.path.join(out, "readback.npy")),
            np.load(os.path.join(runs.path("bench-whole"), "readback.npy")),
            equal_nan=True,
        )


@shows("verify", "--manifest")
def test_verify_takes_the_manifest_of_the_pair_and_refuses_a_wrong_one(runs):
    out, other = runs.path("bench-verified"), runs.path("bench-of-another")
    figures("bench", runs.trained(), *SIMULATED, "--out", out)
    figures("bench", runs.trained("--level", "cell", "--epochs", "2"), *SIMULATED, "--out", other)
    program, readback = (os.path.join(out, name) for name in ("program.xbp", "readback.npy"))
    bound = figures("verify", program, readback)
    assert bound["differing"] == 0 and bound["manifest"] == os.path.join(out, "manifest.json")
    assert "0 of 4240 cells differ" in call("verify", program, readback).out
    assert figures("verify", program, os.path.join(out, "cells.npz"))["differing"] == 0
    alone = runs.path("readback-alone.npy")
    shutil.copy(readback, alone)
    said = call("verify", program, alone)
    assert said.code == 0 and "0 of" not in said.out and "none differ" in said.out
    assert "no manifest says" in said.out
    assert figures("verify", program, alone)["manifest"] is None
    named = figures("verify", program, alone, "--manifest", os.path.join(out, "manifest.json"))
    assert named["manifest"] == os.path.join(out, "manifest.json")
    os.rename(os.path.join(out, "manifest.json"), runs.path("moved.json"))
    refused = call("verify", program, readback)
    assert refused.code == 3 and "has not ended" in refused.err
    os.rename(runs.path("moved.json"), os.path.join(out, "manifest.json"))
    for pair in (
        (os.path.join(other, "program.xbp"), readback),
        (program, os.path.join(other, "readback.npy")),
        (program, alone, "--manifest", os.path.join(other, "manifest.json")),
    ):
        refused = call("verify", *pair)
        assert refused.code == 3 and "binds" in refused.err and "differ" not in refused.out


@pytest.mark.slow
def test_an_increment_takes_a_chip_on_from_the_state_that_its_manifest_says(runs):
    """Another seed learns other masks on the same chip; the chip lives in a file."""
    first, second, kept = runs.trained(), runs.trained("--seed", "3"), runs.path("chip-of-two.npz")
    driver, out = (*SIMULATED, "--port", kept), runs.path("bench-first")
    figures("bench", first, *driver, "--out", out)
    step = runs.path("step.xbp")
    figures("export", second, "--from", os.path.join(out, "program.xbp"), "--out", step)
    program = ("bench", second, *driver, "--program", step, "--out", runs.path("bench-second"))
    alone = runs.path("unbound.npy")
    shutil.copy(os.path.join(out, "readback.npy"), alone)
    for readback, code, text in (((), 2, "last read-back"), (("--readback", alone), 3, "there is none")):
        refused = call(*program, *readback)
        assert refused.code == code and text in refused.err
    made = figures(*program, "--readback", os.path.join(out, "readback.npy"))
    whole = runs.path("whole.xbp")
    said = figures("export", second, "--out", whole)
    assert made["failed"] == [] and made["new_state"] == said["new_state"] and made["pulses"] < 4240
    with np.load(kept) as archive:
        on = np.concatenate([archive[f"macro{m}/on"].ravel() for m in range(2)])
    chip_S = runs.chip("programmed", "--seed", "3")
    used = np.isfinite(np.load(os.path.join(out, "readback.npy")))
    assert np.array_equal((chip_S > 5e-6)[used], on.reshape(chip_S.shape)[used])
    again = call(*program, "--readback", os.path.join(runs.path("bench-second"), "readback.npy"))
    assert again.code == 3 and "is for a chip that holds" in again.err


@pytest.mark.slow
def test_a_measured_chip_with_cells_that_did_not_form_is_programmed(runs, tmp_path):
    """Every fourth cell of the map conducts nothing: that is the chip, and no other state of it."""
    draw = np.random.default_rng(8)
    map_uS = draw.lognormal(np.log(12), 0.2, (2, ROWS, 2 * PAIRS))
    map_uS[draw.random(map_uS.shape) < 0.25] = 0
    np.save(runs.path("quarter.npy"), map_uS)
    run = runs.trained("--map", runs.path("quarter.npy"), "--unit", "uS")
    made = figures("bench", run, *SIMULATED, "--out", str(tmp_path / "bench"))
    assert made["failed"] == [] and made["pulses"] > 0
    np.save(runs.path("whole.npy"), np.where(map_uS == 0, 12.0, map_uS))
    other = runs.trained("--map", runs.path("whole.npy"), "--unit", "uS")
    port = str(tmp_path / "chip.npz")
    figures("bench", other, *SIMULATED, "--port", port, "--out", str(tmp_path / "other"))
    refused = call("bench", run, *SIMULATED, "--port", port, "--out", str(tmp_path / "refused"))
    assert refused.code == 2 and "in another state" in refused.err

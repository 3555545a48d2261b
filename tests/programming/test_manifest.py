"""The manifest: pairs that belong together pass, and thirty forged, stale and swapped ones are refused."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from minirram.chip.cell_results import CellResults
from minirram.cli.main import main
from minirram.errors import MinirramError
from minirram.json_codec import built
from minirram.programming import manifest
from minirram.programming.manifest import Manifest, bind, check_measured, check_pair, read_manifest
from minirram.runs.bench import _check_program
from minirram.xbp import codec, digests, table

from ..support.stops import COLS, ROWS, small_program


def save_bench(folder, seed=0, wrong=0):
    """A bench folder: program, read-back, cells, digital.json and manifest."""
    os.makedirs(folder)
    program = small_program(seed)
    generator = np.random.default_rng(seed)
    on = program.tiles[0].mask ^ (np.arange(ROWS * COLS) < wrong).reshape(ROWS, COLS)
    read_S = np.where(on, 12e-6, 1e-6)[np.newaxis] * (1 + 0.01 * generator.standard_normal((1, ROWS, COLS)))
    with open(os.path.join(folder, "program.xbp"), "wb") as handle:
        handle.write(codec.write(program))
    np.save(os.path.join(folder, "readback.npy"), read_S)
    zeros = np.zeros(read_S.shape, np.uint8)
    CellResults(zeros.astype(np.uint32), read_S, zeros, zeros.astype(bool)).save(os.path.join(folder, "cells.npz"))
    with open(os.path.join(folder, "digital.json"), "w") as handle:
        json.dump({"format": 1, "seed": seed}, handle)
    with open(os.path.join(folder, manifest.JOURNAL), "w") as handle:
        handle.write("a programming began\n")
    bind(folder, bench="test", digital="digital.json")
    return folder


@pytest.fixture(scope="module")
def benches(tmp_path_factory):
    """Three bench folders: of two programs, and one whose chip has wrong cells."""
    root = tmp_path_factory.mktemp("benches")
    return [save_bench(str(root / "a"), 0), save_bench(str(root / "b"), 1), save_bench(str(root / "c"), 0, wrong=9)]


def pair(folder):
    """Check the pair of a folder by its manifest."""
    files = {"program": os.path.join(folder, "program.xbp"), "readback": os.path.join(folder, "readback.npy")}
    return check_pair(os.path.join(folder, manifest.NAME), **files)


def test_what_belongs_together_passes(benches):
    good, other, bad = [pair(folder) for folder in benches]
    assert good.bit_errors == other.bit_errors == 0 and bad.bit_errors == 9
    assert good.new_state == bad.new_state != other.new_state
    assert good.checked == ROWS * COLS and len(good.seal) == 64


def edit(folder, change, seal=False):
    """Change the JSON of a manifest, with a new seal on wish."""
    path = os.path.join(folder, manifest.NAME)
    with open(path) as handle:
        value = json.load(handle)
    change(value)
    if seal:
        value = built(Manifest, value).sealed().to_json()
    with open(path, "w") as handle:
        json.dump(value, handle)


def take(name, source=1):
    """Replace a file by that of another bench folder."""

    def change(folder, benches):
        shutil.copy(os.path.join(benches[source], name), os.path.join(folder, name))

    return change


def lose(name):
    return lambda folder, benches: os.unlink(os.path.join(folder, name))


def say(field, value, seal=False):
    def change(folder, benches):
        def put(manifest):
            place = manifest
            *path, last = field.split(".")
            for step in path:
                place = place[step]
            place[last] = value

        edit(folder, put, seal)

    return change


def bend(name, at=-1):
    """Change one bit of a file."""

    def change(folder, benches):
        path = os.path.join(folder, name)
        with open(path, "r+b") as handle:
            data = bytearray(handle.read())
            data[at] ^= 1
            handle.seek(0)
            handle.write(data)

    return change


def forge_readback(folder, benches):
    """A read-back made from the program instead of the chip, its digests put into the manifest."""
    path = os.path.join(folder, "readback.npy")
    forged_S = np.where(small_program(0).tiles[0].mask, 12e-6, 1e-6)[np.newaxis]
    np.save(path, forged_S)
    digest, short = manifest.sha256_of(path), f"{digests.readback_id(forged_S):08x}"
    edit(folder, lambda value: value["readback"].update(sha256=digest), seal=True)
    edit(folder, lambda value: value.update(readback_id=short), seal=True)


def forge_what_was_never_programmed(folder, benches):
    """The manifest of a chip with wrong cells over the read-back of a good one."""
    shutil.copy(os.path.join(benches[2], manifest.NAME), os.path.join(folder, manifest.NAME))
    digest = manifest.sha256_of(os.path.join(folder, "readback.npy"))
    edit(folder, lambda value: value["readback"].update(sha256=digest), seal=True)


def claim_no_errors(folder, benches):
    """The chip with wrong cells, whose manifest says that there are none."""
    for name in ("readback.npy", "cells.npz", manifest.NAME):
        shutil.copy(os.path.join(benches[2], name), os.path.join(folder, name))
    edit(folder, lambda value: value.update(bit_errors=0), seal=True)


def both(*changes):
    def change(folder, benches):
        for one in changes:
            one(folder, benches)

    return change


CORPUS = {
    "program of another run": take("program.xbp"),
    "read-back of another run": take("readback.npy"),
    "read-back of an earlier day": take("readback.npy", 2),
    "cells of another run": take("cells.npz"),
    "cells of an earlier day": both(take("readback.npy", 2), take("cells.npz", 2)),
    "digital.json of another run": take("digital.json"),
    "manifest of another run": take(manifest.NAME),
    "manifest of an earlier day": take(manifest.NAME, 2),
    "program and read-back of another run": both(take("program.xbp"), take("readback.npy")),
    "read-back and manifest of another run": both(take("readback.npy"), take(manifest.NAME)),
    "program lost": lose("program.xbp"),
    "read-back lost": lose("readback.npy"),
    "cells lost": lose("cells.npz"),
    "digital.json lost": lose("digital.json"),
    "manifest lost": lose(manifest.NAME),
    "program damaged": bend("program.xbp"),
    "read-back damaged": bend("readback.npy"),
    "cells damaged": bend("cells.npz", 100),
    "digital.json damaged": bend("digital.json", 2),
    "manifest damaged": bend(manifest.NAME, 3),
    "other new state": say("new_state", "00000001"),
    "other new state, sealed": say("new_state", "00000001", seal=True),
    "other chip, sealed": say("chip_id", "00000002", seal=True),
    "other base, sealed": say("base_state", "00000003", seal=True),
    "other read-back digest, sealed": say("readback_id", "00000004", seal=True),
    "other file digest, sealed": say("readback.sha256", "0" * 64, seal=True),
    "a file elsewhere, sealed": say("program.file", "../b/program.xbp", seal=True),
    "more cells checked, sealed": say("checked", 10**6, seal=True),
    "another format": say("format", 2),
    "errors denied": claim_no_errors,
    "read-back forged from a program": forge_readback,
    "a good read-back under a bad chip's manifest": forge_what_was_never_programmed,
    "a field more": say("note", "trust me"),
}


def test_the_corpus_is_large_enough():
    assert len(CORPUS) >= 30


@pytest.mark.parametrize("name", list(CORPUS))
def test_what_does_not_belong_together_is_refused(benches, tmp_path, capsys, name):
    folder = str(tmp_path / "a")
    shutil.copytree(benches[0], folder)
    CORPUS[name](folder, benches)
    with pytest.raises(MinirramError):
        pair(folder)
    names = [os.path.join(folder, name) for name in ("program.xbp", "readback.npy")]
    assert main(["verify", *names]) in (2, 3) and "differ" not in capsys.readouterr().out


def test_a_read_back_is_of_the_chip_that_is_named(benches, tmp_path):
    for name in ("readback.npy", "cells.npz"):
        path = os.path.join(benches[0], name)
        assert check_measured(path, chip_id=1).chip_id == "00000001"
        with pytest.raises(MinirramError, match="measured on chip 00000001"):
            check_measured(path, chip_id=2)
    shutil.copytree(benches[0], str(tmp_path / "a"))
    shutil.copy(os.path.join(benches[1], "readback.npy"), str(tmp_path / "a" / "other.npy"))
    with pytest.raises(MinirramError, match="not the read-back"):
        check_measured(str(tmp_path / "a" / "other.npy"))
    shutil.copy(os.path.join(benches[1], "readback.npy"), str(tmp_path / "alone.npy"))
    assert check_measured(str(tmp_path / "alone.npy")) is None


@pytest.mark.parametrize("before", ["measured", "programmed"])
def test_a_program_that_goes_on_takes_no_read_back_of_another_chip(benches, before):
    program = replace(small_program(), chip_id=2, before=table.BEFORE[before])
    with pytest.raises(MinirramError, match="measured on chip 00000001"):
        _check_program(program, program, os.path.join(benches[0], "readback.npy"))


def test_a_pair_that_is_given_must_be_the_bound_one(benches):
    path = os.path.join(benches[0], manifest.NAME)
    read_manifest(path)
    for what in ("program", "readback"):
        files = {
            "program": os.path.join(benches[0], "program.xbp"),
            "readback": os.path.join(benches[0], "readback.npy"),
        }
        files[what] = files[what].replace(benches[0], benches[1])
        with pytest.raises(MinirramError, match="that .*manifest.json binds"):
            check_pair(path, **files)

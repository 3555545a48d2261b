"""Commands on program files: whether a program belongs to the run beside it."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from minirram.cli import main
from minirram.rng import stream
from minirram.runs import export
from minirram.tasks import datasets, drawn_garments, fashion_mnist
from minirram.xbp import codec


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(run folder, program file, conductances of its chip, data) of a network that has hardly learned anything."""
    folder = tmp_path_factory.mktemp("files")
    trained, file, readback, data = (str(folder / name) for name in ("run", "program.xbp", "readback.npy", "data"))
    drawn = {part: drawn_garments.garments(stream(0, part), 30) for part in ("train", "validation", "test")}
    parts = {p: {"inputs": x, "labels": y} for p, (x, y) in drawn.items()}
    datasets.save(data, fashion_mnist.LAYOUT, parts=parts, origin="drawn")
    small = ["--epochs", "1", "--batch-size", "10"]
    assert main.main(["train", "fashion-mnist", "--data", data, "--out", trained, "--json"] + small) == 0
    export.export(trained, file)
    export.chip_map(trained, readback, state="programmed")
    return trained, file, readback, data


def changed(program):
    """The program with one more cell kept."""
    first = program.tiles[0]
    mask = first.mask.copy()
    row, pair = np.argwhere(~first.mask.reshape(first.n_row, -1, 2).any(axis=2))[0]
    mask[row, 2 * pair] = True
    tile = dataclasses.replace(first, mask=mask, passes=())
    return dataclasses.replace(program, tiles=(tile, *program.tiles[1:]))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["chip_id", "new_state"])
def test_verify_refuses_a_program_of_another_run(run, what, tmp_path, capsys):
    trained, file, readback, data = run
    built = export.read_program(file)
    other = changed(built) if what == "new_state" else dataclasses.replace(built, chip_id=built.chip_id ^ 1)
    path = str(tmp_path / "other.xbp")
    (tmp_path / "other.xbp").write_bytes(codec.write(other))
    assert main.main(["verify", path, readback, "--run", trained, "--data", data]) == 3
    errors = capsys.readouterr().err
    assert f"{what} is {getattr(other, what):08x}" in errors
    assert f"{getattr(built, what):08x}: not a program of this run" in errors


@pytest.mark.slow
@pytest.mark.parametrize("code_bits", [0, 8, 16])
def test_verify_takes_the_run_s_program_whatever_its_codes(run, code_bits, tmp_path, capsys):
    trained, _, readback, data = run
    path = str(tmp_path / "own.xbp")
    export.export(trained, path, code_bits=code_bits)
    capsys.readouterr()
    assert main.main(["verify", path, readback, "--run", trained, "--data", data, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["passed"] and shown["accuracy_programmed"] == shown["accuracy_read_back"]
    assert (shown["targets"] is not None) == (code_bits > 0) and shown["targets_left_out"] is None


@pytest.mark.slow
def test_verify_tells_of_targets_that_are_of_another_program_and_refuses_those_that_were_named(run, tmp_path, capsys):
    _, file, readback, _ = run
    built = export.read_program(file)
    named = str(tmp_path / "targets.xbp")
    shutil.copyfile(os.path.join(os.path.dirname(file), "targets.xbp"), named)
    (tmp_path / "other.xbp").write_bytes(codec.write(changed(built)))
    (tmp_path / "own.xbp").write_bytes(codec.write(built))
    other, own = str(tmp_path / "other.xbp"), str(tmp_path / "own.xbp")
    assert main.main(["verify", other, readback]) == 1
    assert "targets not compared: " in capsys.readouterr().out
    assert main.main(["verify", other, readback, "--targets", named]) == 3
    assert "targets of another program: new_state is" in capsys.readouterr().err
    assert main.main(["verify", own, readback, "--targets", file]) == 3
    assert "has no conductance targets" in capsys.readouterr().err
    assert main.main(["verify", own, readback, "--targets", named]) == 0

"""Every option of `vectors`, and its effect seen in the files."""

import os

import numpy as np

from ..support.options import MATRICES, call, figures, shows


def written(tmp_path, name, *arguments):
    """(figures, arrays) of vectors as an archive of NumPy."""
    out = str(tmp_path / name)
    found = figures("vectors", *arguments, "--format", "npz", "--out", out)
    with np.load(os.path.join(out, "vectors.npz")) as archive:
        return found, {key: archive[key] for key in archive.files}


@shows("vectors", "RUN|SHAPE", "--samples", "--seed", "--input-bits", "--adc-bits", "--arrangement", "--noise", "--out")
def test_vectors_of_a_shape(tmp_path):
    found, usual = written(tmp_path, "a", "9x3")
    assert (
        (found["rows"], found["pairs"], found["samples"]) == (9, 3, 64) == (*usual["plus"].shape, len(usual["codes"]))
    )
    assert usual["saturated"].sum() == found["saturated"] and found["noise_lsb"] is None and "noise" not in usual
    options = "--samples 20 --seed 5 --input-bits 6 --adc-bits 7 --arrangement polarity --noise".split()
    found, other = written(tmp_path, "b", "9x3", *options)
    assert other["codes"].shape == (20, 9) and other["codes"].max() == 63 and other["TOP"] == 127
    assert not np.array_equal(other["plus"], usual["plus"]) and other["POLARITY"] == 1
    assert found["noise_lsb"] > 0 and other["noise"].max() == round(found["noise_lsb"] * 256)


@shows("vectors", "--format", "--wire-ohm")
def test_formats_and_the_lines_of_a_netlist(tmp_path):
    for form, file in (("readmemh", "codes.hex"), ("c", "vectors.h"), ("spice", "tile.cir")):
        found = figures("vectors", "4x2", "--samples", "12", "--format", form, "--out", str(tmp_path / form))
        assert any(path.endswith(file) for path in found["files"]) and all(map(os.path.isfile, found["files"]))
    out = str(tmp_path / "wired")
    figures("vectors", "4x2", "--samples", "12", "--format", "spice", "--wire-ohm", "7", "--out", out)
    with open(os.path.join(out, "tile.cir")) as handle:
        assert {"Rr0_0 r0 r0_0 7.0", "Rc0_0 c0_0 c1_0 7.0"} <= set(handle.read().splitlines())
    answer = call("vectors", "4x2", "--format", "c", "--wire-ohm", "7", "--out", str(tmp_path / "c7"))
    assert answer.code == 2 and "spice" in answer.err


@shows("vectors", "RUN|SHAPE", "--layer", "--tile")
def test_vectors_of_a_run(runs, tmp_path):
    run, chip = runs.trained(), runs.chip("programmed")
    found, whole = written(tmp_path, "whole", run, "--layer", "fc1", "--samples", "15")
    assert found["tiles"] == len(whole["tiles"]) > 1 and "fc1" in found["about"]
    on_chip = np.sort(np.rint(chip[chip > 0] * 1e9))
    cells = np.concatenate([whole["plus"].ravel(), whole["minus"].ravel()])
    assert np.isin(cells, on_chip).all() and found["input_bits"] == whole["INPUT_BITS"]
    with np.load(os.path.join(run, "model.npz")) as model:
        lsb = np.float32(model["adc_lsb/fc1"] * 2.0 ** -int(model["adc_shift/fc1"]))
    assert whole["LSB_NUMERATOR"] / 2.0 ** int(whole["LSB_SHIFT"]) == lsb
    with open(str(tmp_path / "whole" / "README.txt")) as handle:
        text = handle.read()
    assert "One grid unit is 1e-09 S" in text and "A driven row is at 0.2 V" in text
    row, rows, pair, pairs = whole["tiles"][1].tolist()
    found, part = written(tmp_path, "part", run, "--layer", "fc1", "--tile", "1", "--samples", "15")
    assert found["tiles"] == 1 and np.array_equal(part["plus"], whole["plus"][row : row + rows, pair : pair + pairs])
    assert np.array_equal(part["codes"], whole["codes"][:, row : row + rows])
    total = np.zeros_like(whole["expected"])
    for k, (_, _, pair, pairs) in enumerate(whole["tiles"].tolist()):
        _, part = written(tmp_path, f"part{k}", run, "--layer", "fc1", "--tile", str(k), "--samples", "15")
        total[:, pair : pair + pairs] += part["expected"]
    assert np.array_equal(total, whole["expected"])


def test_vectors_of_a_run_behind_wires(runs, tmp_path):
    """Integers are those of the cells as products see them; a netlist has the bare cells and the run's lines."""
    run = runs.trained("--wire-ohm", "20")
    _, arrays = written(tmp_path, "wired", run, "--layer", "fc2", "--samples", "12")
    out = str(tmp_path / "spice")
    figures("vectors", run, "--layer", "fc2", "--samples", "12", "--format", "spice", "--out", out)
    with open(os.path.join(out, "tile.cir")) as handle:
        assert {"Rr0_0 r0 r0_0 20.0", "Rc0_0 c0_0 c1_0 20.0"} <= set(handle.read().splitlines())
    for name in ("plus", "minus"):
        with open(os.path.join(out, f"{name}.hex")) as handle:
            bare = np.array([int(word, 16) for word in handle.read().split()]).reshape(arrays[name].shape)
        on = bare > 5000
        assert on.any() and (arrays[name][on] < bare[on]).all()


@shows("vectors", "--layer", "--tile", "--input-bits")
def test_wrong_names_are_one_line(runs, tmp_path):
    run, out = runs.trained(), str(tmp_path / "out")
    for arguments, message in (
        ((run,), "name one of " + ", ".join(MATRICES)),
        ((run, "--layer", "fc9"), "fc"),
        ((run, "--layer", "fc2", "--tile", "99"), "counted from 0"),
        ((run, "--layer", "fc2", "--adc-bits", "9"), "--adc-bits belongs to a shape"),
        (("4x2", "--layer", "fc2"), "--layer belongs to a run"),
        (("4x",), "no shape"),
    ):
        answer = call("vectors", *arguments, "--format", "npz", "--out", out)
        assert answer.code == 2 and message in answer.err and not os.path.exists(out)

"""A checkpoint on disk: what was saved comes back bit for bit, the formed chip is written once, older ones go on."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from minirram.errors import DataError
from minirram.files import read_npz, write_npz
from minirram.runs import checkpoints
from minirram.runs.checkpoints import FILE, FORMED, LASTING, Checkpoints, packed, unpacked

from ..support.tiny import StripeData, tiny_learner

DTYPES = st.sampled_from(["?", "u1", "<u2", "<u4", "<u8", "<i8", "<f4", "<f8"])
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9)


def same(one, other):
    """Whether two dicts of arrays are the same bits."""
    return set(one) == set(other) and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one
    )


@given(st.dictionaries(st.text("ab/~0.", min_size=1), arrays_of.arrays(DTYPES, SHAPES), max_size=4))
def test_what_is_packed_comes_back(arrays):
    stored = packed(arrays)
    assert same(unpacked(stored), arrays)
    assert sum(array.nbytes for array in stored.values()) <= sum(array.nbytes for array in arrays.values())


def test_bits_that_do_not_fit_their_name_are_refused():
    for name, array in (("a~bits9", np.zeros((2, 1), np.uint8)), ("a~bits9", np.zeros((2, 2), np.uint16))):
        with pytest.raises(DataError, match="a~bits9"):
            unpacked({name: array})
    wide = {f"{k}~uint64": np.zeros((10, 10), np.uint8) for k in range(3)}
    assert unpacked(wide, most_bytes=2400)
    with pytest.raises(DataError, match="2~uint64: unpacks beyond 2399"):
        unpacked(wide, most_bytes=2399)
    floats = {"a~bits9": np.zeros(3), "b~uint32": np.zeros(3)}
    assert same(unpacked(floats), floats)  # names of an older version


@pytest.fixture()
def saved(tmp_path):
    """(learner after an epoch, its checkpoints, folder)"""
    learner, folder = tiny_learner(epochs=3), str(tmp_path)
    learner.epoch(StripeData())
    own = Checkpoints(folder)
    own.save(learner.checkpoint())
    return learner, own, folder


def load(folder):
    return Checkpoints(folder).load(read_npz(os.path.join(folder, FILE)))


def test_the_formed_chip_is_written_once(saved):
    learner, own, folder = saved
    assert same(load(folder), {name: np.asarray(array) for name, array in learner.checkpoint().items()})
    formed = os.stat(os.path.join(folder, FORMED)).st_mtime_ns
    learner.epoch(StripeData())
    learner.chip.macros[0].stick(np.arange(learner.chip.used[0].size).reshape(learner.chip.used[0].shape) == 7)
    own.save(learner.checkpoint())
    assert os.stat(os.path.join(folder, FORMED)).st_mtime_ns == formed
    again = Checkpoints(folder)
    found = again.load(read_npz(os.path.join(folder, FILE)))
    assert same(found, {name: np.asarray(array) for name, array in learner.checkpoint().items()})
    held = {name.partition("~")[0] for name in read_npz(os.path.join(folder, FILE))}
    assert {name for name in held if name.rpartition("/")[2] in LASTING} >= {"chip/macro0/stuck"}
    assert "read_out_S" not in held and "chip/macro0/forming_V" not in held
    again.save(learner.checkpoint())  # a run that goes on writes no chip, either
    assert os.stat(os.path.join(folder, FORMED)).st_mtime_ns == formed and same(load(folder), found)


@pytest.mark.slow
def test_a_run_goes_on_from_either_kind_with_the_same_bits(saved, tmp_path):
    whole, _, folder = saved
    old = str(tmp_path / "old")
    os.makedirs(old)
    write_npz(os.path.join(old, FILE), whole.checkpoint(), compress=False)
    twins = []
    for at in (folder, old):
        twins.append(tiny_learner(epochs=3))
        twins[-1].restore(load(at))
        twins[-1].epoch(StripeData())
    whole.epoch(StripeData())
    one, two, three = ({n: np.asarray(a) for n, a in own.checkpoint().items()} for own in (whole, *twins))
    for times in ("history/seconds", "history/samples_per_second"):
        for arrays in (one, two, three):
            arrays.pop(times)
    assert same(one, two) and same(one, three)


def test_conductances_that_change_are_kept_where_they_do(saved):
    learner, own, folder = saved
    macro = learner.chip.macros[0]
    cells = learner.chip.used[0] & (np.random.default_rng(0).random(learner.chip.used[0].shape) < 0.1)
    macro.tune(cells, 7e-6)
    own.save(learner.checkpoint())
    stored = read_npz(os.path.join(folder, FILE))
    assert stored["chip/macro0/on_grid~values"].size <= np.count_nonzero(cells)
    assert "chip/macro0/on_grid" not in stored and "chip/macro0/off_grid~values" not in stored
    assert same(load(folder), {name: np.asarray(array) for name, array in learner.checkpoint().items()})
    for name, change in (("~values", lambda a: a[1:]), ("~values", lambda a: a.astype(float)), ("~where~bits", None)):
        (key,) = [key for key in stored if f"on_grid{name}" in key]
        broken = {other: array for other, array in stored.items() if other != key}
        if change is not None:
            broken[key] = change(stored[key])
        with pytest.raises(DataError, match="on_grid~values"):
            Checkpoints(folder).load(broken)


@pytest.mark.slow
def test_a_chip_of_another_run_is_refused(saved, tmp_path):
    _, _, folder = saved
    beside = os.path.join(folder, FORMED)
    other = str(tmp_path / "other.npz")
    shutil.copy(beside, other)
    arrays = read_npz(beside)
    write_npz(beside, dict(arrays, read_out_S=arrays["read_out_S"] * 2))
    with pytest.raises(DataError, match="another chip"):
        load(folder)
    os.unlink(beside)
    with pytest.raises(DataError, match=f"{FORMED}: missing"):
        load(folder)
    shutil.copy(other, beside)
    assert load(folder)


def test_a_stop_between_the_two_files_leaves_the_older_checkpoint(saved, monkeypatch, tmp_path):
    learner, _, folder = saved
    at = str(tmp_path / "stopped")
    os.makedirs(at)
    write_npz(os.path.join(at, FILE), learner.checkpoint(), compress=False)
    before = load(at)
    learner.epoch(StripeData())
    written = []

    def stops(path, arrays, **rest):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write_npz(path, arrays, **rest)

    monkeypatch.setattr(checkpoints, "write_npz", stops)
    with pytest.raises(KeyboardInterrupt):
        Checkpoints(at).save(learner.checkpoint())
    assert written == [os.path.join(at, FORMED)] and same(load(at), before)

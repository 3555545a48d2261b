"""Files are whole or not there, and damaged ones give a DataError that names them."""

import json
import os

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError
from minirram.files import atomic_writer, read_json, read_npz, write_json, write_npz


def test_failure_leaves_the_old_file_and_no_debris(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_writer(path, "w") as handle:
        handle.write("half")
        raise RuntimeError("power cut")
    assert path.read_text() == "old"
    assert os.listdir(str(tmp_path)) == ["result.txt"]


def test_no_file_takes_the_place_of_a_device_or_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(str(pipe))
    os.symlink("pipe", str(tmp_path / "link"))
    for path in (os.devnull, str(pipe), str(tmp_path / "link")):
        before = os.stat(path).st_mode
        with pytest.raises(ConfigError, match="a device or a pipe; name a file"), atomic_writer(path):
            pytest.fail("the body must not run")
        assert os.stat(path).st_mode == before
    assert sorted(os.listdir(str(tmp_path))) == ["link", "pipe"]


def test_path_under_a_file_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError), atomic_writer(tmp_path / "file" / "x"):
        pytest.fail("the body must not run")


def test_round_trips(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5], "a": None})
    assert read_json(tmp_path / "a.json") == {"a": None, "b": [1, 2.5]}
    write_npz(tmp_path / "a.npz", {"layer/x": np.arange(3), "y.z": np.ones((2, 2), bool)})
    arrays = read_npz(tmp_path / "a.npz")
    assert arrays["layer/x"].tolist() == [0, 1, 2] and arrays["y.z"].all()
    assert list(read_npz(tmp_path / "a.npz", ["y.z"])) == ["y.z"]


def test_damage_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(DataError, match="no such file"):
        read_npz(tmp_path / "none.npz")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="not a JSON file"):
        read_json(tmp_path / "bad.json")
    write_npz(tmp_path / "a.npz", {"x": np.zeros(1000)})
    with pytest.raises(DataError, match="lacks the array"):
        read_npz(tmp_path / "a.npz", ["y"])
    whole = (tmp_path / "a.npz").read_bytes()
    for size in (0, 10, len(whole) // 2):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(DataError, match="not a readable"):
            read_npz(tmp_path / "cut.npz", ["x"])
    np.savez(str(tmp_path / "object.npz"), x=np.array([{}]))
    with pytest.raises(DataError, match="not a readable"):
        read_npz(tmp_path / "object.npz")


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()
    write_json(tmp_path / "a.json", {"x": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}

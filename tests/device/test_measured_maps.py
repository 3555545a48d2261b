"""Maps from disk: units, sizes, and an error for each way a file can be wrong."""

import numpy as np
import pytest

from minirram.device.fit import ks_distance
from minirram.device.measured_maps import read_conductance_map, read_table
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError, MissingFileError, ShapeError

from ..support.places import data_folder


def test_csv_and_npy_agree_in_any_unit(tmp_path):
    values = np.array([[0.0, 12.5], [7.25, 0.1]])
    np.savetxt(str(tmp_path / "m.csv"), values, delimiter=",")
    np.save(str(tmp_path / "m.npy"), values.astype(np.float32) * 1000)
    assert np.array_equal(read_conductance_map(tmp_path / "m.csv", "uS"), values * 1e-6)
    assert np.allclose(read_conductance_map(tmp_path / "m.npy", "nS"), values * 1e-6, rtol=1e-6, atol=0)


def test_a_measured_map():
    path = data_folder("devices", "random_conductance_50x50.csv")
    map_S = read_conductance_map(path, "uS")
    assert map_S.shape == (50, 50)
    assert ks_distance(map_S[map_S > 0], TAOX_40NM.lrs_cdf) < 0.04


def test_each_fault_has_its_error(tmp_path):
    def written(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    with pytest.raises(MissingFileError, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="not a table of numbers"):
        read_table(written("words.csv", "a,b\n"))
    with pytest.raises(DataError, match="holds 0 values|not a table"):
        read_table(written("empty.csv", ""))
    with pytest.raises(DataError, match="not a table of numbers"):
        read_table(written("cut.npy", "\x93NUMPY"))
    with pytest.raises(ConfigError, match="unit 'siemens'"):
        read_conductance_map(written("a.csv", "1,2\n"), "siemens")
    with pytest.raises(ConfigError, match="choose one of S, mS, uS, nS"):
        read_conductance_map(tmp_path / "a.csv", None)
    with pytest.raises(ShapeError, match="at most 512 x 512, an even number"):
        read_conductance_map(written("odd.csv", "1,2,3\n"), "uS")
    with pytest.raises(ShapeError, match="at most 1 x 2"):
        read_conductance_map(written("tall.csv", "1,2\n3,4\n"), "uS", rows=1, cols=2)
    with pytest.raises(DataError, match="row 1, column 0 is not finite"):
        read_conductance_map(written("nan.csv", "1,2\nnan,4\n"), "uS")
    with pytest.raises(DataError, match="row 0, column 1 is negative"):
        read_conductance_map(written("minus.csv", "1,-2\n"), "uS")

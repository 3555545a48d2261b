"""Small files that bench engineers met, each with its right answer; the files lie in `cases/`."""

import numpy as np
import pytest

from minirram.chip.dead_lines import read_lines
from minirram.device.goodness import ks_distance
from minirram.device.presets import TAOX_40NM
from minirram.errors import DataError
from minirram.labfiles.dialect import Dialect
from minirram.labfiles.maps import Policy, read_forming_voltages, read_map

from ..support.places import ROOT, data_folder

CASES = ROOT / "tests" / "labfiles" / "cases"
GRID_uS = np.loadtxt(str(CASES / "11_tab.csv"))
"""8 x 8 cells that most of the cases hold"""


def case(number):
    """Path of a case."""
    (path,) = CASES.glob(f"{number}_*")
    return path


def grid_uS(number, **options):
    return read_map(case(number), "uS", **options).conductances_S * 1e6


def test_01_a_decimal_comma_in_one_column_is_asked_for():
    with pytest.raises(DataError, match="line 1: '12,062' may be .* 12062; or .* 12.062. minirram import --decimal"):
        grid_uS("01")
    found = read_map(case("01"), "uS", dialect=Dialect(decimal="comma"))
    assert np.array_equal(found.conductances_S, GRID_uS.reshape(-1, 1) * 1e-6)


def test_03_an_error_of_a_spreadsheet_is_a_missing_cell_in_its_place():
    with pytest.raises(DataError, match=r"row 2, column 0 is missing \(line 3: '#N/A,11.641.*--missing unformed"):
        grid_uS("03")
    found = read_map(case("03"), "uS", policy=Policy(missing="unformed"))
    expected = np.where(found.is_kind("missing"), 0, GRID_uS)
    assert np.allclose(found.conductances_S * 1e6, expected, rtol=1e-15) and found.reading.counts["missing"] == 1
    assert found.is_kind("missing")[2, 0] and "1 missing (1 of them taken for unformed)" in found.reading.line


def test_05_not_a_number_of_a_tester_is_missing_and_infinity_is_a_short(tmp_path):
    with pytest.raises(DataError, match="row 3, column 3 is missing .line 4: '8.997,10.621,11.187,9.91E"):
        grid_uS("05")
    for marker in ("199.999E+99", "9.9E+37", "OVLD", "inf"):
        path = tmp_path / "map.csv"
        path.write_text(case("05").read_text().replace("9.91E+37", marker))
        with pytest.raises(DataError, match="row 3, column 3 is short .line 4"):
            read_map(path, "uS")
        found = read_map(path, "kOhm")
        assert found.is_kind("open")[3, 3] and found.conductances_S[3, 3] == 0


def test_07_forming_voltages_in_mV_are_refused():
    with pytest.raises(DataError, match="3427 V.*is the unit volt"):
        read_forming_voltages(case("07"))


@pytest.mark.parametrize("number, median_uS", [("08", 11.3), ("09", 118.0)])
def test_08_and_09_are_read_as_they_are(number, median_uS):
    assert np.median(grid_uS(number)[grid_uS(number) > 1]) == pytest.approx(median_uS, rel=0.1)


def test_10_resistances():
    ohms = np.loadtxt(str(case("10")))
    found = read_map(case("10"), "ohm")
    assert np.array_equal(found.conductances_S[:, 0], 1 / ohms) and found.reading.layout == "column"


@pytest.mark.parametrize("number", ["11", "13", "15"])
def test_11_13_15_tab_mark_and_header(number):
    assert np.array_equal(np.round(grid_uS(number), 9).ravel(), GRID_uS.ravel())


def test_15_the_header_states_the_unit():
    assert read_map(case("15")).reading.unit == "uS"
    with pytest.raises(DataError, match="the header states uS, the unit given is nS"):
        read_map(case("15"), "nS")


def test_16_the_offset_of_an_open_cell_is_counted():
    found = read_map(case("16"), "uS")
    assert found.is_kind("offset")[3, 3] and found.conductances_S[3, 3] == 0 and found.reading.replaced == 1
    with pytest.raises(DataError, match=r"row 3, column 3 is offset \(line 4"):
        grid_uS("16", policy=Policy(offset="error"))
    assert grid_uS("16", policy=Policy(offset="keep"))[3, 3] == pytest.approx(-0.002)


def test_18_19_25_upper_case_own_maps_and_reads():
    assert read_map(case("18"), "S").conductances_S.shape == (8, 8)
    own = read_map(case("19"), "S")
    assert own.conductances_S.shape == (1, 16, 16) and np.array_equal(own.conductances_S, np.load(str(case("19"))))
    assert [macro.shape for macro in own.macros_S()] == [(16, 16)]
    for k in range(6):
        assert read_map(CASES / f"25_repeated_read_{k}.npy", "S").reading.counts["conducting"] == 64


def test_20_dead_lines_with_a_byte_order_mark():
    assert read_lines(case("20")).dead_rows == ((0, 17),)


def test_a_measured_map():
    map_S = read_map(data_folder("devices", "random_conductance_50x50.csv"), "uS").conductances_S
    assert map_S.shape == (50, 50)
    assert ks_distance(map_S[map_S > 0], TAOX_40NM.lrs_cdf) < 0.04

"""Every option of `inspect`, `verify`, `diff`, `dump` and `fit`, changed, and its effect seen where it is predicted."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

from minirram.device.presets import HFOX_1T1R, PCM, TAOX_40NM

from ..support.options import call, figures, save_changed_data, shows
from ..support.places import ROOT

MOVED = ("--learning-rate", "0.2")


@pytest.fixture(scope="session")
def programs(runs):
    """Program files of two trainings on the same chip."""
    files = tuple(os.path.join(runs.path(name), "program.xbp") for name in "ab")
    for file, options in zip(files, ((), MOVED)):
        os.makedirs(os.path.dirname(file))
        figures("export", runs.trained(*options), "--out", file)
    return files


@shows("inspect", "FILE")
def test_inspect_shows_the_file(runs, programs):
    on = [np.count_nonzero(runs.chip("programmed", *options) > 4.1e-6) for options in ((), MOVED)]
    assert [figures("inspect", file)["cells_on"] for file in programs] == on


@shows("verify", "FILE", "READBACK", "--tolerance", "--targets")
def test_verify_compares_the_file_with_the_readback_within_the_tolerance(runs, programs, tmp_path):
    exact, drifted = str(tmp_path / "exact.npy"), str(tmp_path / "drifted.npy")
    on_S = runs.chip("programmed")
    np.save(exact, on_S)
    np.save(drifted, on_S * 1.05)
    kept = np.count_nonzero(on_S > 4.1e-6)
    assert figures("verify", programs[0], drifted, "--tolerance", "0.1")["differing"] == 0
    found = figures("verify", programs[0], drifted, "--tolerance", "0.01", code=1)
    assert found["differing"] == kept and found["bit_errors"] == 0
    assert figures("verify", programs[0], exact, "--tolerance", "0.01")["differing"] == 0
    alone = shutil.copy(programs[0], str(tmp_path / "alone.xbp"))
    assert figures("verify", alone, drifted)["differing"] == 0
    targets = os.path.join(os.path.dirname(programs[0]), "targets.xbp")
    named = figures("verify", alone, drifted, "--tolerance", "0.01", "--targets", targets, code=1)
    assert named["differing"] == kept and named["targets"] == targets
    differing = np.count_nonzero((runs.chip("programmed", *MOVED) > 4.1e-6) != (on_S > 4.1e-6))
    assert figures("verify", programs[1], exact, code=1)["bit_errors"] == differing > 0


@shows("convert", "FILE", "--out")
def test_convert_writes_a_file_of_format_1_anew(tmp_path):
    old, new = str(ROOT / "tests" / "xbp" / "files" / "format1.xbp"), str(tmp_path / "new.xbp")
    converted = figures("convert", old, "--out", new)
    assert converted["file"] == new and converted["bytes"] == os.path.getsize(new)
    assert figures("inspect", new)["new_state"] == converted["new_state"]
    assert call("convert", new, "--out", str(tmp_path / "again.xbp")).code == 3
    assert not os.path.exists(str(tmp_path / "again.xbp"))


@shows("convert", "FILE", "--out")
def test_convert_writes_the_binary_that_export_wrote(programs, tmp_path):
    beside, new = os.path.dirname(programs[0]), str(tmp_path / "digital.bin")
    converted = figures("convert", os.path.join(beside, "digital.json"), "--out", new)
    assert (converted["new_state"], converted["bytes"]) == (None, os.path.getsize(new))
    with open(new, "rb") as one, open(os.path.join(beside, "digital.bin"), "rb") as two:
        assert one.read() == two.read()
    (tmp_path / "bad.json").write_text("{")
    assert call("convert", str(tmp_path / "bad.json"), "--out", new).code == 3


@pytest.mark.slow
@shows("verify", "--run", "--data")
def test_verify_examines_the_readback_on_the_data_of_the_run(runs, programs, tmp_path):
    readback = str(tmp_path / "readback.npy")
    np.save(readback, runs.chip("programmed"))

    def change(arrays):
        arrays["validation_labels"] = (arrays["validation_labels"] + 1) % 10

    other = save_changed_data(runs.data, str(tmp_path / "data"), change)
    for options in ((), ("--data", other)):
        found = figures("verify", programs[0], readback, "--run", runs.trained(), *options)
        expected = figures("evaluate", runs.trained(), *options)["accuracy"]
        assert found["accuracy_programmed"] == found["accuracy_read_back"] == expected
    refused = call("verify", programs[0], readback, "--run", runs.trained(*MOVED))
    assert refused.code == 3 and "not a program of this run" in refused.err


@shows("diff", "A", "B")
def test_diff_goes_from_the_first_to_the_second(runs, programs):
    on = [runs.chip("programmed", *options) > 4.1e-6 for options in ((), MOVED)]
    counts = np.count_nonzero(on[1] & ~on[0]), np.count_nonzero(on[0] & ~on[1])
    there, back = (figures("diff", *files, code=1) for files in (programs, programs[::-1]))
    assert (there["turned_on"], there["turned_off"]) == counts == (back["turned_off"], back["turned_on"])
    assert 0 < counts[0] != counts[1]


@shows("dump", "FILE", "--format", "--out")
def test_dump_writes_the_file_in_the_format(runs, programs, tmp_path):
    for kind in ("csv", "json", "npy"):
        names = figures("dump", programs[1], "--format", kind, "--out", str(tmp_path / kind))["files"]
        assert all(os.path.exists(name) and str(tmp_path / kind) in name for name in names)
    with open(str(tmp_path / "json")) as handle:
        dumped = json.load(handle)
    assert figures("inspect", programs[1])["new_state"] in json.dumps(dumped)
    masks = np.load(str(tmp_path / "npy" / "mask.npy"))
    assert np.count_nonzero(masks == 1) == figures("inspect", programs[1])["cells_on"]


# -- fit ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def measured(runs):
    """Paths of measured things by name: two maps of other arrays, two reads of one, forming voltages."""
    generator = np.random.default_rng(8)
    first = generator.lognormal(np.log(20), 0.2, (40, 50))
    tables = {
        "first": first,
        "again": first * generator.normal(1, 0.05, first.shape),
        "second": generator.lognormal(np.log(40), 0.2, (40, 50)),
        "forming": generator.normal(2.5, 0.2, 400),
    }
    paths = {}
    for name, table in tables.items():
        paths[name] = runs.path(f"{name}.npy")
        np.save(paths[name], table)
    return paths


@shows("fit", "MAP", "--unit")
def test_a_fit_pools_the_maps_in_their_unit(measured):
    one, both = (
        figures("fit", *(measured[name] for name in names), "--unit", "uS")
        for names in (["first"], ["first", "second"])
    )
    assert (one["formed"], both["formed"]) == (2000, 4000)
    assert one["model"]["lrs_median_S"] == pytest.approx(20e-6, rel=0.02)
    assert both["model"]["lrs_median_S"] == pytest.approx(np.sqrt(20 * 40) * 1e-6, rel=0.02)
    small = figures("fit", measured["first"], "--unit", "nS", code=3)
    assert small["states"][0]["median_S"] == pytest.approx(1e-3 * one["model"]["lrs_median_S"])
    assert "the unit is likely uS, not nS" in small["reasons"][0]
    assert "--unit uS is likely" in call("fit", measured["first"]).err


@shows("fit", "--forming", "--repeated")
def test_a_fit_takes_forming_voltages_and_repeated_reads(measured):
    reads = ["fit", measured["first"], measured["again"], "--unit", "uS"]
    voltages = figures(*reads, "--forming", measured["forming"])["model"]
    assert voltages["forming_mean_V"] == pytest.approx(2.5, abs=0.05)
    assert voltages["forming_std_V"] == pytest.approx(0.2, rel=0.1)
    assert voltages["read_noise"] == TAOX_40NM.read_noise
    repeated = figures(*reads, "--repeated")
    # A read without an error beside one with: their difference has the variance of one, shared by both.
    assert repeated["model"]["read_noise"] == pytest.approx(0.05 / np.sqrt(2), rel=0.1)
    assert repeated["formed"] == 2000 and repeated["model"]["forming_mean_V"] == TAOX_40NM.forming_mean_V


@shows("fit", "--base", "--out")
def test_a_fit_completes_the_base_and_becomes_a_technology(runs, measured):
    file = runs.path("fitted.json")
    found = figures("fit", measured["second"], "--unit", "uS", "--base", "pcm", "--out", file)["model"]
    assert found["drift_exponent"] == PCM.drift_exponent and found["read_noise"] == PCM.read_noise
    assert figures("fit", measured["second"], "--unit", "uS", "--base", "hfox-1t1r")["model"]["reset_voltage_V"] == (
        HFOX_1T1R.reset_voltage_V
    )
    formed_S = runs.chip("formed", "--technology", file)
    assert np.median(formed_S[formed_S > 2e-6]) == pytest.approx(40e-6, rel=0.02)


@shows("fit", "--force")
def test_a_fit_that_is_not_usable_is_written_by_force_alone(runs, measured):
    file = runs.path("forced.json")
    command = ["fit", measured["second"], "--unit", "uS", "--states", "pristine", "--out", file]
    refused = figures(*command, code=3)
    assert refused["verdict"] == "not usable" and refused["model_file"] is None and not os.path.exists(file)
    shown = call(*command)
    assert shown.code == 3 and "because    no cell is in the on state" in shown.out and "--force takes" in shown.out
    forced = figures(*command, "--force")
    assert forced["verdict"] == "not usable" and forced["forced"] and forced["model_file"] == file
    assert os.path.exists(file)


@pytest.mark.slow
@shows("fit", "--states")
def test_a_fit_takes_the_states_by_their_names(measured, tmp_path):
    low = str(tmp_path / "low.npy")
    generator = np.random.default_rng(9)
    low_uS = np.where(generator.random((40, 50)) < 0.3, 0.2, 20) * generator.lognormal(0, 0.2, (40, 50))
    np.save(low, low_uS)
    for names in ("pristine,on", "off,on"):
        found = figures("fit", low, "--unit", "uS", "--states", names)
        assert ",".join(state["name"] for state in found["states"]) == names
        assert (found["formed"] == 2000) == (names == "off,on")
    found = figures("fit", low, "--unit", "uS", "--states", "off,on")["model"]
    assert found["hrs_median_S"] == pytest.approx(0.2e-6, rel=0.05)
    assert "3 states were named" in call("fit", low, "--unit", "uS", "--states", "pristine,off,on").err


@shows("fit", "--missing", "--short", "--open", "--offset")
def test_a_fit_leaves_out_what_has_no_conductance(measured, tmp_path):
    file, map_uS = str(tmp_path / "marked.csv"), np.load(measured["first"])
    rows = [[f"{value:.6g}" for value in row] for row in map_uS]
    rows[0][0], rows[1][1], rows[2][2] = "#N/A", "OVLD", "-0.002"
    with open(file, "w") as handle:
        handle.writelines(",".join(row) + "\n" for row in rows)
    command = ["fit", file, "--unit", "uS"]
    for allowed, kind in ((["--short", "unformed"], "missing"), (["--missing", "unformed"], "short")):
        refused = call(*command, *allowed)
        assert refused.code == 3 and f"is {kind} (line" in refused.err
    allowed = ["--missing", "unformed", "--short", "unformed"]
    found = figures(*command, *allowed)
    assert (found["not_read"], found["shorted"], found["formed"]) == (1, 1, 1998)
    assert found["exclusions"] == ["shorted cells: 1", "cells without a value: 1"]
    assert call(*command, *allowed, "--offset", "error").code == 3
    # Also where the unit is proposed, and where the file states it.
    assert "--unit uS is likely" in call("fit", file, *allowed).err
    listed = str(tmp_path / "listed.csv")
    with open(listed, "w") as handle:
        handle.write("row,col,G (uS)\n")
        handle.writelines(f"{r},{c},{cell}\n" for r, row in enumerate(rows) for c, cell in enumerate(row))
    stated = figures("fit", listed, *allowed)
    assert (stated["not_read"], stated["shorted"], stated["formed"]) == (1, 1, 1998)
    np.savetxt(file, np.where(map_uS == map_uS.max(), np.inf, 1 / map_uS), delimiter=",")
    command[3] = "MOhm"
    assert figures(*command)["formed"] == 1999 and call(*command, "--open", "error").code == 3


@shows("fit", "--forming-unit")
def test_a_fit_takes_forming_voltages_in_millivolt(measured, tmp_path):
    file = str(tmp_path / "mV.csv")
    np.savetxt(file, 1000 * np.load(measured["forming"]))
    command = ["fit", measured["first"], "--unit", "uS", "--forming", file]
    assert figures(*command, "--forming-unit", "mV")["model"]["forming_mean_V"] == pytest.approx(2.5, abs=0.05)
    refused = call(*command)
    assert refused.code == 3 and "is the unit volt?" in refused.err


@shows("fit", "--pulses")
def test_a_fit_takes_a_pulse_response_in_the_unit_of_the_maps(measured, tmp_path):
    file, n = str(tmp_path / "pulses.csv"), np.arange(41)
    np.savetxt(file, np.column_stack([n, 5 + 15 * (1 - np.exp(-n / 12))]), delimiter=",")
    command = ["fit", measured["first"], "--unit", "uS", "--pulses", file]
    (branch,) = figures(*command)["pulses"]
    assert branch["direction"] == "rising" and branch["constant_pulses"] == pytest.approx(12, rel=0.02)
    assert branch["start_S"] == pytest.approx(5e-6, rel=0.01)
    assert "rising from 5 uS to 19.46 uS in 40, constant 12," in call(*command).out
    np.savetxt(file, np.column_stack([n + 0.5, n + 1.0]), delimiter=",")
    refused = call(*command)
    assert refused.code == 3 and "pulse numbers are whole" in refused.err


@pytest.mark.slow  # matplotlib takes its time to load
@shows("fit", "--plot")
def test_a_fit_is_drawn(measured, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib, of the extra 'report'")
    command = ["fit", measured["first"], "--unit", "uS", "--forming", measured["forming"]]
    file = str(tmp_path / "fit.png")
    assert figures(*command, "--plot", file)["picture_file"] == file
    with open(file, "rb") as handle:
        assert handle.read(8) == b"\x89PNG\r\n\x1a\n"
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    call(*command, "--plot", file)
    shown = [axes.get_xlabel() for axes in drawn[0].axes if axes.get_xlabel()]
    assert shown == ["conductance (uS)", "column", "forming voltage (V)"] and drawn[0].axes[0].lines
    refused = call(*command, "--plot", str(tmp_path / "fit.doc"))
    assert refused.code == 2 and "the ending must be one of" in refused.err and not (tmp_path / "fit.doc").exists()


def test_without_matplotlib_a_picture_names_its_extra(measured, monkeypatch, tmp_path):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    file = str(tmp_path / "model.json")
    refused = call("fit", measured["first"], "--unit", "uS", "--plot", str(tmp_path / "fit.png"), "--out", file)
    assert refused.code == 2 and "'.[report]'" in refused.err and not os.path.exists(file)

"""The small files that a fit once got wrong, by the command; and maps that a training starts from."""

import re

import numpy as np
import pytest

from minirram.device.presets import HFOX_1T1R, TAOX_40NM, save_cell_model

from ..support.options import PAIRS, ROWS, call, figures
from ..support.places import ROOT

CASES = ROOT / "tests" / "labfiles" / "cases"


def case(number):
    """Paths of a case."""
    return sorted(map(str, CASES.glob(f"{number}_*")))


def test_07_forming_voltages_in_mV_are_refused():
    answer = call("fit", *case("08"), "--unit", "uS", "--forming", *case("07"))
    assert answer.code == 3 and "3427 V" in answer.err and "is the unit volt?" in answer.err


def test_08_pristine_cells_do_not_pull_the_on_median():
    found = figures("fit", *case("08"), "--unit", "uS")
    assert found["model"]["lrs_median_S"] == pytest.approx(12e-6, rel=0.02)
    assert found["model"]["lrs_sigma_ln"] == pytest.approx(0.15, rel=0.05)
    assert found["formed"] == 184 and found["cells"] == 256  # 70 % were planted
    assert found["model"]["pristine_S"] == pytest.approx(0.1e-6, rel=0.05)
    text = call("fit", *case("08"), "--unit", "uS").out
    assert "formed     from 1.486 uS: 184 of 256 cells" in text and text.endswith("verdict    usable\n")


def test_09_a_grid_holds_118_uS_cells_and_a_chip_of_them_is_not_clipped(runs):
    file = runs.path("hfox.json")
    found = figures("fit", *case("09"), "--unit", "uS", "--out", file)
    assert found["model"]["grid_S"] == 50e-9 and found["grid_max_S"] > 1e-3
    assert "the grid is 50 nS" in call("fit", *case("09"), "--unit", "uS").out
    formed_S = runs.chip("formed", "--technology", file)
    on_S = formed_S[formed_S > 2e-6]
    assert np.median(on_S) == pytest.approx(118e-6, rel=0.05)
    assert np.log(on_S).std() == pytest.approx(found["model"]["lrs_sigma_ln"], rel=0.05)


def test_25_a_trend_that_all_cells_share_is_no_read_noise():
    found = figures("fit", *case("25"), "--unit", "S", "--repeated")
    assert found["model"]["read_noise"] == pytest.approx(0.0065, rel=0.05)
    assert found["reads"]["trend"][-1] == pytest.approx(1.01**5, abs=0.002)
    assert "common trend +5.0" in call("fit", *case("25"), "--unit", "S", "--repeated").out


@pytest.mark.slow
def test_a_training_says_how_it_took_its_maps(runs):
    """A twentieth of the cells conducts as pristine cells do, and a few are shorted."""
    generator = np.random.default_rng(5)
    maps_S = TAOX_40NM.sample_lrs_S(generator, (2, ROWS, 2 * PAIRS))
    pristine = generator.random(maps_S.shape) < 0.05
    maps_S[pristine] = 0.1e-6 * np.exp(0.2 * generator.standard_normal(pristine.sum()))
    shorted = (generator.random(maps_S.shape) < 0.005) & ~pristine
    maps_S[shorted] = 1e-3
    file = runs.path("maps.npy")
    np.save(file, maps_S)
    options = ("--map", file, "--unit", "S")
    results = runs.results(*options)
    for taken, low, high in zip(results["maps"], pristine, shorted):
        assert (taken["pristine"], taken["shorted"]) == (low.sum(), high.sum())
        assert taken["formed"] == low.size - low.sum() and 0.5e-6 < taken["formed_min_S"] < 6e-6
    assert results["unformed_pairs"] > 0 and 0 < results["stuck_cells"] <= shorted.sum()
    formed_S = runs.chip("formed", *options)
    assert np.array_equal(np.isclose(formed_S, 0.1e-6, atol=0), pristine)
    assert (formed_S[shorted] > 30e-6).all()
    text = call(*runs.arguments(runs.trained(*options), "--resume", *options)).out
    assert f"map 0                   {results['maps'][0]['formed']} of 4096 cells formed (from" in text
    assert f"{pristine[1].sum()} as pristine cells, {shorted[1].sum()} shorted, stuck on" in text
    assert runs.results()["maps"] == []
    _shorted_cells_are_no_failure(runs, runs.trained(*options))


def _shorted_cells_are_no_failure(runs, run):
    """The masks were learned with them; another cell that differs is one."""
    file, readback = runs.path("shorted.xbp"), runs.path("shorted.npy")
    figures("export", run, "--out", file)
    found = figures("verify", file, "--run", run, "--simulate")
    assert 0 < found["known_stuck"] == found["differing"]
    assert "of them known as stuck  " in call("verify", file, "--run", run, "--simulate").out
    figures("chip", run, "--out", readback, "--state", "programmed")
    map_S = np.load(readback)
    map_S[0, :20] = 13e-6 - np.minimum(map_S[0, :20], 12e-6)
    np.save(readback, map_S)
    found = figures("verify", file, readback, "--run", run, code=1)
    assert found["differing"] > found["known_stuck"] > 0


def test_the_page_shows_what_the_commands_print(monkeypatch):
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "measured-chip.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    shown = [part for block in blocks for part in ("\n" + block).split("\n$ minirram ")[1:]]
    assert len(shown) == 6
    for part in shown:
        command, _, printed = part.partition("\n")
        answer = call(*command.split())
        assert answer.out + answer.err == printed.rstrip("\n") + "\n", command


def test_a_grid_that_cuts_the_cells_is_refused_and_a_few_are_counted(runs):
    """The preset's grid of 1 nS cut 99.96 % of such cells, without a word."""
    models = {}
    for name, median_S, grid_S in (("coarse", 118e-6, 1e-11), ("close", 118e-6, 1.5e-9)):
        models[name] = runs.path(f"{name}.json")
        save_cell_model(models[name], HFOX_1T1R.changed(name=name, lrs_median_S=median_S, grid_S=grid_S))
    answer = call(*runs.arguments(runs.path("cut"), "--technology", models["coarse"]))
    assert (
        answer.code == 2 and "the grid of coarse holds up to 2.621 uS" in answer.err and "larger grid_S" in answer.err
    )
    results = runs.results("--technology", models["close"])
    assert 0 < results["clipped_conductances"] < 2 * ROWS * 2 * PAIRS / 100
    text = call(
        *runs.arguments(runs.trained("--technology", models["close"]), "--resume", "--technology", models["close"])
    )
    assert f"conductances cut        {results['clipped_conductances']}" in text.out
    assert runs.results()["clipped_conductances"] == 0


def test_what_is_wrong_with_voltages_or_pulses_names_the_file_and_the_line(tmp_path):
    grid = str(CASES / "08_pristine_cells_read_100nS.csv")
    voltages, pulses = tmp_path / "volts.csv", tmp_path / "pulses.csv"
    rising = [f"{n},{2 + n / 10}\n" for n in range(30)]
    for text, expected in (
        ("3.4\n" * 30, "volts.csv: all 30 forming voltages have the value 3.4"),
        ("3.4\n3.5\n-3.4\n" * 20, "volts.csv: -3.4 at row 2, column 0 (line 3: '-3.4')"),
    ):
        voltages.write_text(text)
        assert expected in refused("fit", grid, "--unit", "uS", "--forming", str(voltages))
    for text, expected in (
        (rising[:9] + ["9.5,3\n"], "pulses.csv: row 9: the first column holds 9.5;"),
        (rising[:9] + ["9,0\n"], "pulses.csv: row 9, curve 0: 0.0 S is no conductance"),
        (rising + rising[:3], "pulses.csv: row 30: a branch of 3 readings"),
    ):
        pulses.write_text("".join(text))
        told = refused("fit", grid, "--unit", "uS", "--pulses", str(pulses))
        assert expected in told and f"(line {text.index(text[-1]) + 1 if len(text) < 12 else 31}: " in told


def refused(*command):
    """The one line of a command that ends with code 3."""
    done = call(*command)
    assert done.code == 3 and done.err.count("\n") == 1
    return done.err

"""Every option of `report`, changed, and seen on the page."""

import os
import sys
import webbrowser
from pathlib import Path

import pytest

from minirram.pages.report import make_page
from minirram.pages.run import Wishes

from ..support.html_pages import check_page
from ..support.options import call, figures, pools_made, shows
from .test_options_of_use import cost_file

AGEING = ("--technology", "hfox-1t1r")


@pytest.fixture(autouse=True)
def no_matplotlib(monkeypatch):
    """Drawings take seconds; the slow tests have them."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def seen(path):
    """A page as a reader sees it."""
    return check_page(Path(path).read_text(encoding="utf-8"))


@pytest.mark.slow
@shows("report", "WHAT", "--out", "--open")
def test_the_page_of_what_is_named_goes_where_it_is_asked_and_opens(runs, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    out = str(tmp_path / "page <1>.html")
    shown = figures("report", runs.trained(), "--out", out)
    assert shown["file"] == out and not opened and os.path.getsize(out) == shown["bytes"]
    page = make_page(runs.trained(), Wishes())
    assert (shown["lead"], shown["basis"]) == (page.lead, page.basis)
    other = figures("report", runs.trained("--seed", "5"), "--open")
    assert other["file"] == os.path.join(runs.trained("--seed", "5"), "report.html")
    assert opened == [Path(other["file"]).absolute().as_uri()] and other["lead"] != shown["lead"]
    assert [seen(path).tables["Figures, noisy reads and ideal ones"] for path in (out, other["file"])] != [[], []]


@pytest.mark.slow
@shows("report", "--data", "--costs")
def test_data_and_costs_are_those_of_the_energy_account(runs, tmp_path, other_answers):
    out, costs = str(tmp_path / "page.html"), cost_file(runs, adc_8b_J=2e-9)
    figures("report", runs.trained(), "--out", out, "--costs", costs)
    total = figures("energy", runs.trained(), "--costs", costs)["total"]
    row = seen(out).tables["Energy of one inference by layer and event"][-1]
    value, unit = row[4].split()
    assert total["adc_J"] > 10 * figures("energy", runs.trained())["total"]["adc_J"]
    assert float(value) * {"nJ": 1e-9, "µJ": 1e-6}[unit] == pytest.approx(total["adc_J"], rel=0.006)
    missing = figures("report", runs.trained(), "--out", out, "--data", str(tmp_path / "none"))
    assert "Energy" not in missing["sections"] and "Left out: Energy." in missing["notes"][0]
    assert "Energy" in figures("report", runs.trained(), "--out", out, "--data", other_answers)["sections"]


@pytest.mark.slow
@shows("report", "--drift", "--threads")
def test_drift_is_examined_where_it_is_asked_for(runs, tmp_path):
    out, folder = str(tmp_path / "page.html"), runs.trained(*AGEING)
    with pools_made() as made:
        shown = figures("report", folder, "--out", out, "--drift", "--threads", "3")
    assert made[("crossbar", 2)] > 0 and "Drift" in shown["sections"]
    rows = seen(out).tables["Validation accuracy by age"][1:]
    assert [row[0] for row in rows] == ["1 second", "1 hour", "1 day", "30 days", "1 year", "10 years"]
    old = figures("evaluate", folder, "--age", str(10 * 31_557_600))
    gained = figures("evaluate", folder, "--age", str(10 * 31_557_600), "--compensate")
    assert rows[-1][1:] == [f"{old['accuracy']:.2%}".replace("%", " %"), f"{gained['accuracy']:.2%}".replace("%", " %")]
    with pools_made() as made:
        plain = figures("report", folder, "--out", out, "--threads", "1")
    assert not made and "Drift" not in plain["sections"]
    still = call("report", runs.trained(), "--out", out, "--drift")
    assert still.code == 0 and "Left out: Drift. taox-40nm does not age" in still.out


@pytest.mark.parametrize("name", ["mine.fit.json", "comparison.json", "results.json"])
def test_what_is_wrong_in_a_file_is_told_with_its_name(tmp_path, name):
    (tmp_path / name).write_text('{"type": "Nothing", "recalibrated": {}}')
    refused = call("report", str(tmp_path / name) if name == "mine.fit.json" else str(tmp_path))
    assert refused.code in (2, 3) and str(tmp_path) in refused.err

"""Pages of runs, comparisons and fits: that they hold what the files say, and say what they leave out."""

import json
import os
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import minirram
from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.wires import Wires
from minirram.device.cell import CellModel
from minirram.device.presets import PCM, TAOX_40NM
from minirram.errors import ConfigError, DataError, MissingFileError
from minirram.files import read_json, write_json
from minirram.pages import chip_state, comparison, cost, learning, provenance
from minirram.pages.outcome import outcome_of, sampling_interval
from minirram.pages.report import NO_PICTURES, default_out, make_page
from minirram.pages.run import Wishes, _drift
from minirram.report.cell_map import STATES
from minirram.report.svg import HEIGHT_PX
from minirram.report.text import percent
from minirram.runs.evaluate import Evaluation
from minirram.runs.fit_file import histogram_of, load_fit
from minirram.runs.folder import RunFolder

from ..support.filled import filled
from ..support.html_pages import check_page
from ..support.options import call, figures
from ..support.own_task import features, pixels
from ..support.page_texts import without_matplotlib
from ..support.places import ROOT

CLASSES = ("x", "<b>y</b> & z", "$z$")


@pytest.fixture(scope="module", autouse=True)
def no_matplotlib():
    """Drawings take seconds; the slow tests have them."""
    with without_matplotlib():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `table`, a run on a table of one's own that was programmed through a bench with a stuck cell."""
    folder = str(tmp_path_factory.mktemp("pages"))
    features(folder)
    table = Path(folder, "mine.csv").read_text(encoding="utf-8")
    for short, name in zip("yz", CLASSES[1:]):
        table = table.replace("," + short, "," + name)
    Path(folder, "mine.csv").write_text(table, encoding="utf-8")
    Path(folder, "stuck.txt").write_text("0 3 4 stuck_on\n0 5 6 stuck_off\n")
    words = ["train", folder + "/mine.json", "--data", folder + "/mine.csv", "--out", folder + "/table"]
    words += ["--seed", "3", "--chip-seed", "4"]
    figures(*words, "--faults", folder + "/stuck.txt", "--rows", "64", "--cols", "48", "--adc-bits", "8")
    figures("bench", folder + "/table", "--driver", "simulated", code=1)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    """(the page of that run, what a reader sees of it)"""
    found = make_page(folder + "/table", Wishes())
    return found, check_page(found.html())


@pytest.mark.slow
def test_a_page_of_a_task_of_ones_own_has_every_section(page):
    found, _ = page
    assert [section.title for section in found.sections] == [
        "Result",
        "Answers by class",
        "Learning",
        "Conductances",
        "Macro map",
        "Density",
        "Saturation and clipping",
        "Energy",
        "Pulses and wear",
        "On the bench",
        "Program",
        "Provenance",
        "Words",
    ]
    assert found.notes == (NO_PICTURES,) and found.pictures() == 0


def test_the_sentence_says_what_it_rests_on(folder, page):
    found, seen = page
    results = read_json(folder + "/table/results.json")
    test = results["test"]
    assert f"{100 * test['accuracy']:.2f} %" in found.lead and "on 1 macro" in found.lead
    for part in (f"{test['samples']} test samples", "1 draw", "8-bit ADCs", "0.65 %", "opened once"):
        assert part in found.basis
    assert seen.text("p").count(found.lead) == 1


def test_confusion_and_epochs_are_those_of_the_files(folder, page):
    _, seen = page
    test = read_json(folder + "/table/results.json")["test"]
    confusion = seen.tables["Confusion on the test set: true class by row, answer by column"]
    assert confusion[0] == ["true class", *sorted(CLASSES)]
    assert [[name, *map(str, row)] for name, row in zip(sorted(CLASSES), test["confusion"])] == confusion[1:]
    epochs = seen.tables["Epochs"]
    lines = Path(folder, "table", "history.csv").read_text().splitlines()
    assert len(epochs) == len(lines) and [float(row[1]) for row in epochs[1:]] == pytest.approx(
        [float(line.split(",")[1]) for line in lines[1:]], abs=1e-4
    )


@pytest.mark.parametrize(
    "text, why",
    [
        ("epoch,loss\n1,2\n", "no column validation"),
        ("epoch,loss,validation\n1,x,0.5\n", "could not convert"),
        ("epoch,loss,validation\n1,2\n", "as many cells as names"),
        ("epoch,loss,validation\n" + "1,2,3\n" * (learning.MOST_EPOCHS + 1), "at most"),
    ],
)
def test_a_history_that_is_none_is_named(tmp_path, text, why):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(DataError, match=f"history.csv.*{why}"):
        learning.history_of(RunFolder(str(tmp_path), None))


def test_the_map_holds_every_cell_and_its_failures(folder, page):
    _, seen = page
    run = RunFolder.open(folder + "/table")
    chip, model, masks = run.load_trained()
    wanted = chip.wanted_on(masks, model.signs)
    states = {row[0]: int(row[1].replace(",", "")) for row in seen.tables["Cells by state"][1:]}
    assert sum(states.values()) == 64 * 48 and set(states) <= set(STATES)
    assert states["not in use"] == np.count_nonzero(~chip.used)
    rare = states.get("not formed", 0) + states.get("stuck", 0) + states.get("failed", 0)
    assert states["kept"] + rare >= np.count_nonzero(wanted) >= states["kept"]
    listed = seen.tables["Cells that did not form, are stuck or failed"][1:]
    assert ["macro 0", "3", "4"] in [row[:3] for row in listed] and len(listed) == rare
    with np.load(folder + "/table/bench/cells.npz") as cells:
        pulses, failures = cells["pulses"], np.argwhere(cells["failure"] > 0)
    assert states["failed"] == len(failures) == len(seen.tables["Failed cells"]) - 1
    counted = seen.tables["Cells by pulses of the bench"][1:]
    number = {int(row[0]): int(row[1].replace(",", "")) for row in counted}
    assert sum(n * k for n, k in number.items()) == pulses.sum() and f"{pulses.sum():,}" in seen.text("dd")


def test_figures_are_those_of_the_commands(folder, page):
    _, seen = page
    energy, written = (
        figures("energy", folder + "/table"),
        figures("export", folder + "/table", "--out", folder + "/p.xbp"),
    )
    rows = {row[0]: row for row in seen.tables["Energy of one inference by layer and event"]}
    assert set(rows) == {"layer", "all", *energy["by_matrix"], *energy["digital_layers"]}
    value, unit = rows["all"][-2].split()
    scale = {"fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9, "µJ": 1e-6}[unit]
    assert float(value) * scale == pytest.approx(energy["total"]["total_J"], rel=0.006)
    density = seen.tables["Density by layer"][1:]
    _, _, masks = RunFolder.open(folder + "/table").load_trained()
    of_all = [sum(mask.size for mask in masks.values()), sum(np.count_nonzero(mask) for mask in masks.values())]
    assert [row[0] for row in density] == [*masks, "all"]
    assert [int(number.replace(",", "")) for number in density[-1][2:4]] == of_all
    pulses = {row[0]: int(row[1].replace(",", "")) for row in seen.tables["Pulses of the program"][1:]}
    assert pulses == {kind: n for kind, n in written["pulses"].items() if n}
    assert f"{written['bytes']:,} bytes" in seen.text("dd") and written["new_state"] in seen.text("dd")
    wear = seen.tables["Cells by writes"][1:]
    assert sum(int(row[1].replace(",", "")) for row in wear) == energy["training"]["pulses"]["form"]
    saturated = read_json(folder + "/table/results.json")["test"]["saturated"]
    shown = {row[0]: int(row[1]) for row in seen.tables["Conversions on the test set"][1:]}
    assert shown == {name: sum(tiles) for name, tiles in saturated.items()}


def test_the_same_run_gives_the_same_bytes(folder, page):
    assert make_page(folder + "/table", Wishes()).html() == page[0].html()


def test_the_command_makes_the_run_again(folder, page):
    found = outcome_of(RunFolder.open(folder + "/table"))
    line, assumed = provenance.command_of(RunFolder.open(folder + "/table"), found)
    words = line.replace("TASK.json", folder + "/mine.json").replace("RUN", folder + "/again")
    words = words.replace("--data mine.csv", f"--data {folder}/mine.csv").replace("stuck.txt", folder + "/stuck.txt")
    assert len(assumed) == 1 and line in page[1].text("code")
    again = figures(*words.split()[1:])
    assert again["test"]["confusion"] == read_json(folder + "/table/results.json")["test"]["confusion"]
    for name in ("masks.npz", "model.npz"):
        assert Path(folder, "again", name).read_bytes() == Path(folder, "table", name).read_bytes()


def test_where_a_run_comes_from(folder):
    run = RunFolder.open(folder + "/table")
    stated = dict(provenance.provenance_section(run, outcome_of(run)).parts[0].items)
    config = read_json(folder + "/table/config.json")
    assert stated["trained with minirram"] == config["version"] == minirram.__version__
    assert stated["CRC-32 of the training data"] == f"{config['data_crc']:08x}"
    assert (stated["technology"], stated["bench"]) == ("taox-40nm", "none, a simulated chip")
    assert (stated["seed of learning"], stated["seed of the chip"]) == (3, 4)
    assert re.fullmatch(r"stuck\.txt [0-9a-f]{8}", stated["stuck cells planted"])
    assert stated["maps of the chip"] == "none, it was drawn"


@pytest.mark.parametrize(
    "changes, words, assumed",
    [
        ({"wires": Wires(row_ohm=2.5)}, "--wire-ohm 2.5", []),
        ({"lines": ChipLines(rows=64, pairs=24)}, "--rows 64 --cols 48", []),
        ({"lines": ChipLines(rows=64, pairs=24, dead_rows=((0, 3),))}, "--dead-lines LINES.json", ["LINES.json"]),
        ({"cell_model": TAOX_40NM.changed(read_noise=0.02)}, "--read-noise 0.02", []),
        ({"cell_model": PCM}, "--technology pcm", []),
        ({"cell_model": replace(PCM, name="own")}, "--technology CELLS.json", ["CELLS.json"]),
        ({"adc_bits": 6, "adc_arrangement": "polarity"}, "--adc-bits 6 --adc-arrangement polarity", []),
        ({"maps": ("a.npy 0123abcd missing=open",)}, "--map a.npy --missing open --unit ''", []),
        ({"faults": "b.txt 0123abcd"}, "--faults b.txt", []),
    ],
)
def test_the_command_names_what_was_configured(folder, changes, words, assumed):
    run = RunFolder.open(folder + "/table")
    plain = replace(run.config, lines=None, faults="", adc_bits=8)
    line, before = provenance.command_of(SimpleNamespace(config=plain), outcome_of(run))
    other, after = provenance.command_of(SimpleNamespace(config=replace(plain, **changes)), outcome_of(run))
    added = shlex.split(other)
    for word in shlex.split(line):
        added.remove(word)
    assert added == shlex.split(words) and list(after) == [*before, *assumed]


def test_a_chip_is_examined_at_each_age_as_it_is_and_compensated(folder, monkeypatch):
    asked = []

    def evaluated(run, *, data, threads, conditions):
        asked.append((conditions.age_s, conditions.compensated, conditions.wires, data, threads))
        return filled(Evaluation, full=True)

    monkeypatch.setattr("minirram.pages.run.evaluate", evaluated)
    monkeypatch.setattr("minirram.pages.run.AGES_S", (1.0, 1e8))
    wires = Wires(row_ohm=2.5)
    config = SimpleNamespace(wires=wires)
    opened = SimpleNamespace(
        run=SimpleNamespace(folder=folder, config=config),
        chip=SimpleNamespace(cell_model=PCM),
        model=SimpleNamespace(probes={"a": 1}),
    )
    _drift(opened, Wishes(data="d", threads=2))
    assert asked == [(age, fixed, wires, "d", 2) for age in (1.0, 1e8) for fixed in (False, True)]


def test_the_page_says_how_data_were_held_out(folder, tmp_path):
    """What the data script wrote into the data file, which a run copies into its results."""
    origin = "CHASE_DB1, as supplied by the user; held out by child: 09 and 10 validation, 11 to 14 test"
    assert origin in Path(ROOT, "data_scripts", "retina_layouts.py").read_text(encoding="utf-8")
    shutil.copytree(os.path.join(folder, "table"), tmp_path / "run")
    path = str(tmp_path / "run" / "results.json")
    write_json(path, {**read_json(path), "data": origin})
    seen = check_page(make_page(str(tmp_path / "run"), Wishes()).html())
    assert origin in seen.text("dd")


def test_what_cannot_be_shown_is_said(folder, tmp_path):
    away = str(tmp_path / "away")
    shutil.copytree(folder + "/table", away)
    os.unlink(away + "/data.npz")
    found = make_page(away, Wishes(drift=True))
    titles = [section.title for section in found.sections]
    assert "Energy" not in titles and "Drift" not in titles and "Macro map" in titles
    assert [note.split(".")[0] for note in found.notes[:2]] == ["Left out: Energy", "Left out: Drift"]
    check_page(found.html())
    os.unlink(away + "/results.json")
    with pytest.raises(DataError, match="the training has not ended"):
        make_page(away, Wishes())


@pytest.mark.slow
def test_pixels_have_overlays_and_curves(tmp_path):
    folder = str(tmp_path)
    pixels(folder)
    figures("train", folder + "/mine.json", "--data", folder + "/mine.npz", "--out", folder + "/run", "--epochs", "1")
    before = RunFolder.open(folder + "/run").test_openings()
    found = make_page(folder + "/run", Wishes())
    seen = check_page(found.html())
    rows = seen.tables["Pixels by image"][1:]
    with np.load(folder + "/run/data.npz") as data:
        truth = data["validation_labels"] & data["validation_region"]
    for image, row in zip(truth, rows):
        assert int(row[1].replace(",", "")) + int(row[2].replace(",", "")) == image.sum()
    assert "ROC AUC" in found.lead and "false alarm" in seen.text("li") and "Pixels at other thresholds" in seen.tables
    assert RunFolder.open(folder + "/run").test_openings() == before


# -- sweeps, comparisons and fits --------------------------------------------------------------------------------------


def test_a_fit_leaves_a_file_that_has_a_page(tmp_path):
    generator = np.random.default_rng(0)
    on_S = TAOX_40NM.lrs_median_S * np.exp(0.15 * generator.standard_normal((20, 30)))
    np.save(tmp_path / "a <map>.npy", np.where(generator.random((20, 30)) < 0.3, 0.0, on_S))
    model = str(tmp_path / "mine.json")
    answer = figures("fit", str(tmp_path / "a <map>.npy"), "--unit", "S", "--out", model)
    assert answer["report_file"] == str(tmp_path / "mine.fit.json") and read_json(answer["report_file"]) == answer
    assert sum(answer["histogram"]["cells"]) == np.count_nonzero(np.load(tmp_path / "a <map>.npy"))
    assert isinstance(load_fit(answer["report_file"]).model, CellModel)
    for what in (model, answer["report_file"]):
        found = make_page(what, Wishes())
        seen = check_page(found.html())
        on = load_fit(answer["report_file"]).on
        assert found.kind == "Fit" and found.lead == (
            f"The fit is usable: on cells conduct {1e6 * on.median_S:.4g} µS, spread {on.sigma_ln:.4f} of ln G."
        )
        assert found.basis == (
            f"It rests on 600 cells of 1 map, {on.cells} of them formed. "
            f"On cells lie {on.ks:.4f} from their log-normal (limit {on.ks_limit:.4f})."
        )
        (state,) = seen.tables["States of the cells"][1:]
        assert state[:2] == ["on", str(answer["states"][0]["cells"])] and "a <map>.npy" in seen.text("dd")
    assert default_out(answer["report_file"]) == str(tmp_path / "mine.fit.html")


@pytest.mark.slow
def test_a_comparison_has_a_page_of_its_arms(folder, tmp_path):
    out = str(tmp_path / "compared")
    words = ["compare", folder + "/mine.json", "--data", folder + "/mine.csv", "--out", out, "--epochs", "1"]
    told = figures(*words, "--arms", "pair", "float", "--seeds", "0", "1", "--rates", "0.1", "--processes", "1")
    found = make_page(out, Wishes())
    seen = check_page(found.html())
    assert found.kind == "Comparison" and "2 arms learned mine for 1 epoch with 2 seeds each" in found.basis
    by_seed = {
        row[0]: [float(one.rstrip(" %")) / 100 for one in row[1:]] for row in seen.tables["Test accuracy by seed"][1:]
    }
    for arm in told["arms"]:
        assert by_seed[arm["arm"]] == pytest.approx(list(arm["by_seed"].values()), abs=1e-4)
    assert "Distance below the arm" in seen.text("span") and make_page(out + "/comparison.json", Wishes()) == found


@pytest.mark.slow
def test_pictures_are_as_high_as_what_they_list(folder, tmp_path, monkeypatch):
    """A line takes as much of any picture, however many there are."""
    heights = {}

    def noted(draw, title, said, *, height_px=HEIGHT_PX):
        heights[title] = height_px

    for module in (chip_state, comparison, cost, learning):
        monkeypatch.setattr(module, "picture", noted)
    out = str(tmp_path / "compared")
    words = ["compare", folder + "/mine.json", "--data", folder + "/mine.csv", "--out", out, "--epochs", "1"]
    figures(*words, "--arms", "pair", "cell", "pair-free", "--seeds", "0", "--processes", "1")
    make_page(folder + "/table", Wishes())
    make_page(out, Wishes())
    assert {name: height for name, height in heights.items() if height != HEIGHT_PX} == {
        "Density by layer": 90 + 2 * 22,
        "Energy by layer": 64 + 6 * 20,
        "Energy by event": 64 + 7 * 20,
        "Pulses of the bench": 264,
        "Scores by arm": 80 + 3 * 26,
        "Wear by arm": 264 + 14,
    }


@pytest.mark.slow
def test_a_sweep_has_a_page_of_its_findings(folder, tmp_path):
    out = str(tmp_path / "a <study>")
    vary = ("--vary", "read_noise=0,0.3,0.9", "--vary", "adc_bits=5,8,99", "--energy", "--processes", "1")
    told = figures("sweep", "--run", folder + "/table", *vary, "--out", out, "--threshold", "0.5")
    found = make_page(out, Wishes())
    seen = check_page(found.html())
    assert found.kind == "Sweep" and found.title == "a <study>" and "3 points failed" in found.notes[0]
    assert {section.title for section in found.sections} > {"What each parameter does", "Figure and energy", "Yield"}
    effects = seen.tables["Main effects, the strongest first"][1:]
    assert [row[0] for row in effects] == [one["parameter"] for one in told["findings"]["effects"]]
    assert len(seen.tables["Points with figures"]) == 7 and len(seen.tables["Points that failed"]) == 4
    front = seen.tables["Points that no other beats in both"][1:]
    assert [row[0] for row in front] == [one["point"] for one in told["findings"]["front"]]
    (pair,) = [name for name in seen.tables if name.startswith("Mean accuracy: ")]
    head, *good = seen.tables["Points with figures"]
    assert "run" not in head and "All of them: run " in seen.text("p")  # what is alike is said once
    best = told["findings"]["best"]
    (row,) = [row for row in good if row[0] == best["point"]]
    assert row[head.index("accuracy")] == percent(float(best["value"])) and row[head.index("energy")].endswith("J")
    assert f"The highest accuracy, {percent(float(best['value']))}, " in found.lead
    assert "read_noise 0.0" not in found.lead
    assert len(seen.tables[pair]) > 2


def test_a_histogram_counts_what_conducts():
    found = histogram_of([np.array([[1e-6, 0.0], [np.nan, np.inf]]), np.array([2e-6, 3e-6])])
    assert sum(found.cells) == 3 and len(found.edges_S) == len(found.cells) + 1
    assert histogram_of([np.zeros(3)]) is None


def test_what_no_command_left_is_refused(tmp_path):
    write_json(tmp_path / "other.json", {"a": 1})
    for what, error, words in (
        (tmp_path / "none", MissingFileError, "no such folder or file"),
        (tmp_path, MissingFileError, "no config.json of a run"),
        (tmp_path / "other.json", ConfigError, "not what compare, sweep or fit leaves"),
    ):
        with pytest.raises(error, match=words):
            make_page(str(what), Wishes())


@pytest.mark.parametrize("right, of", [(0, 10), (10, 10), (90, 100), (1, 1)])
def test_the_interval_of_a_share_holds_it(right, of):
    low, high = sampling_interval(right / of, of)
    assert 0 <= low <= right / of <= high <= 1 and low < high
    if right == of:
        assert low == pytest.approx(of / (of + 1.96**2))


def test_schema_of_the_report(folder):
    shown = figures("report", folder + "/table", "--out", folder + "/page.html")
    assert shown["bytes"] == os.path.getsize(folder + "/page.html") and shown["pictures"] == 0
    text = call("report", folder + "/table", "--out", folder + "/page.html").out
    assert text.splitlines()[-1].startswith(folder + "/page.html: ") and json.dumps(shown["lead"])[1:20] in text

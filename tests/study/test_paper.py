"""The table of the paper's claims: no row is silent, its statuses follow from the numbers, new results come first."""

import re
import runpy

import pytest

from minirram.errors import DataError
from minirram.files import read_json, write_json
from minirram.study import paper, paper_runs
from minirram.study.kept import keep, kept

from ..support.places import ROOT

KEPT = ROOT / "docs" / "results"
TABLE = paper.table([KEPT])


def test_no_row_is_silent():
    assert len({row.claim for row in TABLE.claims}) == len(TABLE.claims) >= 15
    for row in TABLE.claims:
        assert row.claim and row.paper and row.why and row.status in ("agrees", "differs", "out of scope")
        assert not row.command or row.command.startswith(("minirram ", "python ")), row.claim
        assert bool(row.ours) == bool(row.command) == (row.status != "out of scope"), row.claim
    for words in ("87.4", "17.3", "19.9", "9.8", "2 %", "82.1", "51.2", "99.8", "99.94", "7.7", "12.94", "TEM"):
        assert any(words in row.paper + row.claim for row in TABLE.claims), words


def test_each_file_says_what_made_it():
    for one in TABLE.results:
        assert one.command.startswith(("python benchmarks/", "minirram ", "typed from"))
        assert one.commit and (one.when or one.command.startswith("typed from")), one.file
    assert TABLE.seconds == pytest.approx(sum(one.seconds or 0 for one in TABLE.results)) and TABLE.seconds > 600


def test_the_page_is_the_table():
    made = runpy.run_path(str(ROOT / "docs" / "make_results.py"))["page"]()
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == made  # python docs/make_results.py


@pytest.mark.parametrize("task", ["fashion-mnist", "spoken-digits", "retina"])
def test_kept_energies_are_those_of_the_code(task):
    new, old = paper_runs.energy(task), kept([KEPT], f"energy-{task}").found
    assert {key: old[key] for key in new if key != "seconds"} == pytest.approx(
        {key: value for key, value in new.items() if key != "seconds"}
    )


def changed(folder, name, **figures):
    value = read_json(KEPT / f"{name}.json")
    value["found"].update(figures)
    folder.mkdir(exist_ok=True)
    write_json(folder / f"{name}.json", value)


@pytest.mark.parametrize(
    "name, figures, claim, status, words",
    [
        ("masks-fashion-mnist", {"test": 0.85}, "Fashion-MNIST, masks on the chip", "differs", "85.00%"),
        (
            "masks-fashion-mnist",
            {"test": 0.88, "data": "synthetic"},
            "Fashion-MNIST, masks on",
            "agrees",
            "on built-in data",
        ),
        (
            "masks-fashion-mnist",
            {"validation": 0.95},
            "Fashion-MNIST, masks above .* equal writes",
            "differs",
            "[+]25.1",
        ),
        ("energy-fashion-mnist", {"cut_gpu_int8": 0.6}, "Energy of the Fashion-MNIST CNN", "differs", "60.0%"),
        ("energy-retina", {"cut_gpu_int8": 0.99}, "Energy of the U-Net", "agrees", "99.0%"),
        ("typed-tables", {"read_noise_points": -0.7}, "Accuracy holds at a read noise", "differs", "-0.70 points"),
        (
            "typed-tables",
            {"width": {"1": 80.0, "1/2": 81.0, "1/4": 75.0, "1/8": 67.0}},
            "A wide network",
            "differs",
            "^80.0 % at width 1",
        ),
        (
            "typed-tables",
            {"technologies": {"TaOx": 86.6, "HfOx": 86.0, "PCM": 85.5, "SONOS": 87.0}},
            "Masks work on other memories",
            "differs",
            "85.5 % on PCM",
        ),
        (
            "typed-tables",
            {"retina_pr_auc": {"past a threshold": 0.1, "every weight": 0.09}},
            "DRIVE, masks above .* PR-AUC",
            "agrees",
            "[+]0.100 past a threshold",
        ),
        ("energy-fashion-mnist", {"array_J": 7.0, "array_dense_J": 10.0}, "Energy in the array", "agrees", "-30.0%"),
    ],
)
def test_a_status_follows_from_the_numbers(tmp_path, name, figures, claim, status, words):
    """New results lie in the first folder; the kept ones stand for those that are not there."""
    changed(tmp_path, name, **figures)
    (row,) = [row for row in paper.table([tmp_path, KEPT]).claims if re.match(claim, row.claim)]
    assert row.status == status and re.search(words, row.ours)


@pytest.mark.parametrize("change", [{"command": 3}, {"found": []}, {"when": None}])
def test_results_that_do_not_say_what_made_them_are_refused(tmp_path, change):
    write_json(tmp_path / "x.json", dict({"command": "c", "commit": "", "when": "", "found": {}}, **change))
    with pytest.raises(DataError, match=r"x\.json: no kept results"):
        kept([tmp_path], "x")


def test_what_is_kept_comes_back(tmp_path):
    rows = [{"arm": "a", "seed": seed, "updates": n, "seconds": 2.0 * n} for seed in (0, 1) for n in (1, 3)]
    keep(tmp_path / "x.json", {"rows": rows}, command="a command")
    one = kept([tmp_path / "none", tmp_path], "x")
    assert (one.made.command, one.found, one.made.seconds) == ("a command", {"rows": rows}, 12.0)

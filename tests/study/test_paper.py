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
NOISY = [(0, 0.0065, 0.881), (0, 0.02, 0.875), (1, 0.0065, 0.88), (1, 0.02, 0.872)]
"""(chip, read noise, accuracy)"""
VESSELS = [("pair", 90.0), ("wo-step-budget-0.15", 80.0), ("wo-every-budget-0.15", 81.0)]
"""(arm, PR-AUC)"""


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
        assert one.command.startswith(("python benchmarks/", "minirram ")), one.file
        assert one.commit and one.when and one.seconds is not None, one.file
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
        (
            "read-noise",
            {"data": "", "rows": [dict(chip=c, draws=4, read_noise=n, test=t) for c, n, t in NOISY]},
            "Accuracy holds at a read noise",
            "differs",
            r"^-0.70 points .0.65 to 2 %, 2 chips, 4 draws each.$",
        ),
        (
            "widths",
            {
                "data": "",
                "rows": [dict(width=w, density=0.5, validation=v) for w, v in ((0.5, 0.81), (1.0, 0.8), (0.25, 0.7))],
            },
            "A wide network",
            "differs",
            r"^share of the width .density.: 80.0% at 1 .0.5., 81.0% at 0.5 .0.5., 70.0% at 0.25 .0.5.$",
        ),
        (
            "technologies",
            {"data": "", "rows": [dict(technology=t, test=v) for t, v in (("pcm", 0.855), ("taox-40nm", 0.866))]},
            "Masks work on other memories",
            "differs",
            "^85.5% on pcm beside 86.6% on taox-40nm$",
        ),
        (
            "writes-retina",
            {"rows": [dict(arm=a, figures={"roc_auc": 97.0, "pr_auc": f}) for a, f in VESSELS]},
            "DRIVE, masks above .* PR-AUC",
            "agrees",
            r"[+]0.100 past a threshold, [+]0.090 every weight .HRF",
        ),
        (
            "writes-fashion-mnist",
            {"rows": [dict(arm=a, writes_per_weight=w) for a, w in (("pair", 6.0), ("wo-every-free-0.15", 10000.0))]},
            "Fashion-MNIST, programs spared",
            "agrees",
            "^99.94%$",
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

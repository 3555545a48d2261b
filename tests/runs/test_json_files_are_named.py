"""A JSON file with wrong contents is named in the error of whoever reads it."""

import json
from types import SimpleNamespace

import pytest

from minirram.errors import DataError
from minirram.pages.outcome import outcome_of
from minirram.pages.sweep import sweep_page
from minirram.programming.manifest import read_manifest
from minirram.runs.beside import read_beside
from minirram.runs.fit_file import load_fit
from minirram.runs.train import _report, read_results
from minirram.study.summary import load_comparison
from minirram.study.transfer import load_transfer
from minirram.sweep.findings import study_in


def as_run(path):
    """The little of a run folder that its readers of JSON ask for."""
    return SimpleNamespace(folder=path.parent, path=lambda name: str(path), has=lambda name: True)


READERS = {
    "beside.json": lambda path: read_beside(as_run(path)),
    "data-report.json": lambda path: _report(as_run(path)),
    "results.json": lambda path: read_results(str(path)),
    "transfer/results.json": load_transfer,
    "model.fit.json": load_fit,
    "manifest.json": read_manifest,
    "comparison.json": lambda path: load_comparison(json.loads(path.read_text()), str(path)),
    "findings.json": lambda path: sweep_page(str(path.parent)),
    "study.json": lambda path: study_in(path.parent),
}
KINDS = {"recalibrated": 1, "from_chip_seed": 1, "written": None}
"""keys by which the page of a run knows what left its results"""


@pytest.mark.parametrize("name", list(READERS))
def test_a_file_of_another_kind_is_named(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"study": {"oops": 1}, "oops": 1}))
    with pytest.raises(DataError) as refused:
        READERS[name](path)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize("key", list(KINDS))
def test_results_of_each_kind_are_named(tmp_path, key):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({key: KINDS[key]}))
    with pytest.raises(DataError) as refused:
        outcome_of(as_run(path))
    assert str(refused.value).startswith(str(path))

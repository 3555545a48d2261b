"""docs/first-hour.md: its commands, on a table of 95 features and 6 classes; the page names what the package has."""

import json
import re
import shlex

import pytest

from minirram.cli import main
from minirram.tasks import draft
from minirram.tasks.data_files import DataRules

from .support import own_task
from .support.places import ROOT

PAGE = (ROOT / "docs" / "first-hour.md").read_text(encoding="utf-8")


def commands():
    """The commands of the page's first block."""
    block, *_ = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.M | re.S)
    return [shlex.split(line) for line in block.splitlines()]


def test_the_commands_lead_from_a_table_to_a_verified_program(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(draft, "STEPS", 300)  # a drafted recipe, only shorter
    inputs, labels = own_task.blobs(300, 95, 6)
    own_task.save_table(str(tmp_path / "mine.csv"), inputs, [f"class {label}" for label in labels])
    monkeypatch.chdir(tmp_path)
    assert len(commands()) <= 4
    for name, *arguments in commands():
        assert name == "minirram"
        capsys.readouterr()
        assert main.main(arguments) == 0, arguments
    told = capsys.readouterr().out
    assert "of 12928 cells of the map none differ" in told and "nothing was measured" in told
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["accuracy"] > 0.8 and results["data_report"]["samples"]["test"] == 48
    assert (tmp_path / "run" / "program.xbp").stat().st_size > 1000


@pytest.mark.parametrize("name", ["label", "leave_out", "split", "validation", "test", "seed", "missing"])
def test_the_page_names_every_rule_of_reading(name):
    assert hasattr(DataRules(), name) and f"`{name}`" in PAGE

"""docs/api.md: the table has every public name with an example that runs; the ten lines run as they are written."""

import re
import runpy

import pytest

import minirram as mr

from .support.pages import python_blocks, sections

PAGE = sections("api.md")
ROWS = re.findall(r"^\| `(\w+)` \| ([^|]+) \| `(.+)` \|$", PAGE["Names"], flags=re.M)


def test_the_table_has_every_name_once_with_a_line_and_an_example():
    assert sorted(name for name, _, _ in ROWS) == mr.__all__
    for name, text, example in ROWS:
        assert re.search(rf"\bmr\.{name}\b", example), name
        assert len(text.split()) < 20, name


def run(code, path, values):
    """The names that `code` leaves when it runs with `values`; `path` is its file while it runs."""
    path.write_text(code, encoding="utf-8")
    return runpy.run_path(str(path), init_globals=values)


def test_every_example_runs(tmp_path, monkeypatch, capsys, forgotten):
    """In the order of the page, after the ten lines."""
    monkeypatch.chdir(tmp_path)
    (block,) = python_blocks(PAGE["From a cell to a program file"])
    values = run(block, tmp_path / "ten_lines.py", {})
    accuracy, total_J = map(float, capsys.readouterr().out.split())
    assert 0.5 < accuracy <= 1 and 1e-12 < total_J < 1e-6
    assert (tmp_path / "program.xbp").exists() and (tmp_path / "digital.json").exists()
    assert values["y"].shape == (100, 256) and values["saturated"] == 0
    for name, _, example in ROWS:
        try:
            values.update(run(example, tmp_path / f"{name}.py", values))
        except Exception as error:
            pytest.fail(f"the example of {name}: {error!r}")
    assert not values["good"] and values["contents"] == (tmp_path / "bars.xbp").read_bytes()
    assert values["spec"].grid_S == 1e-9 and values["score"].split == "test"

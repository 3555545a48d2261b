"""docs/commands.md is what docs/make_commands.py writes; docs/physics.md names tests that are there."""

import re
import runpy

from .support.places import ROOT


def test_the_reference_of_commands_is_up_to_date():
    made = runpy.run_path(str(ROOT / "docs" / "make_commands.py"))
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert made["reference"]() == written, "python docs/make_commands.py writes it anew"


def test_each_effect_names_a_test_that_is_there():
    page = (ROOT / "docs" / "physics.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 25
    for file, test in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not test or f"\ndef {test}(" in text, f"{file}::{test}"
    for field in re.findall(r"`([a-z_]+_(?:V|S|s|K|eV|ln|std|exponent|cycles|noise|sigmas|lrs|hrs|decade))`", page):
        source = (ROOT / "minirram" / "device" / "cell.py").read_text(encoding="utf-8")
        assert f"\n    {field}: " in source, field

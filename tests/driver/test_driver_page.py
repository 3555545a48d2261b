"""docs/driver.md: its driver keeps the laws, its names and numbers are those of the code."""

import runpy

from minirram.conformance import check_driver
from minirram.device.presets import technology
from minirram.device.pulses import pulse_recipes
from minirram.device.thresholds import thresholds
from minirram.driver import messages
from minirram.driver.registry import NAMES

from ..support.pages import python_blocks
from ..support.places import ROOT

TEXT = (ROOT / "docs" / "driver.md").read_text(encoding="utf-8")


def test_the_driver_on_the_page_keeps_the_laws(capsys, tmp_path):
    page = tmp_path / "page.py"
    page.write_text("\n".join(python_blocks(TEXT)), encoding="utf-8")
    names = runpy.run_path(str(page))
    assert "BROKEN" not in capsys.readouterr().out
    cell = technology("taox-40nm")
    assert check_driver(names["Bench"](), pulse_recipes(cell), thresholds(cell)).passed


def test_every_driver_and_every_operation_is_on_the_page():
    for name in (*NAMES, "module:Class"):
        assert f"| `{name}` |" in TEXT
    for name in ("HELLO", "PULSE", "READ", "IDLE", "MULTIPLY", "KNOWN_BAD"):
        assert f"| {getattr(messages, name)} {name} |" in TEXT
    for at, kind in enumerate(messages.KINDS):
        assert f"{at} {kind}" in TEXT

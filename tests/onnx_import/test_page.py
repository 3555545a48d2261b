"""docs/onnx.md names every operator that is read, every layer that comes of one, and every option of `place`."""

import re
import runpy

import pytest

from minirram.cli import main
from minirram.cli.main import build_parser
from minirram.onnx_import.constants import FOLDED
from minirram.onnx_import.operators import OPERATORS

from ..support.pages import blocks
from ..support.places import ROOT

PAGE = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
SELDOM = {
    *("--missing", "--open", "--short", "--offset", "--wire-model", "--json", "--threads", "--seed", "--size"),
    *("--output", "--adc-arrangement", "--learning-rate"),
}
"""options that `minirram place --help` tells of"""


def test_every_operator_is_in_the_table() -> None:
    table = PAGE[PAGE.index("## What is read") : PAGE.index("## Is it right?")]
    named = set(re.findall(r"`(\w+)`", table))
    assert set(OPERATORS) - named == set()
    assert {"Constant", "ConstantOfShape", "Shape", "Gather", "Slice", "Cast"} <= named & {*FOLDED, "Shape"}


def test_every_option_is_told_of() -> None:
    (commands,) = [action for action in build_parser()._actions if action.choices and "place" in action.choices]
    options = {option for action in commands.choices["place"]._actions for option in action.option_strings[:1]}
    named = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    assert options - {"-h"} - SELDOM - named == set()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the exporter
def test_the_line_that_exports_from_pytorch(tmp_path, monkeypatch, capsys) -> None:
    """A model of PyTorch as the page's line writes it, with a convolution and its classes."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"the exporter of PyTorch needs {package}")
    (line,) = [block.text for block in blocks("docs/onnx.md") if str(block.not_run).startswith("needs PyTorch")]
    nn = torch.nn
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1800, 10)]
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "line.py"
    script.write_text(line)
    runpy.run_path(str(script), init_globals={"torch": torch, "model": nn.Sequential(*layers)})
    capsys.readouterr()
    assert main.main(["place", "network.onnx"]) == 0
    assert re.search(r"weights +18216 ", capsys.readouterr().out)  # 216 and 18,000

"""docs/onnx.md names every operator that is read, every layer that comes of one, and every option of `place`."""

import re

from minirram.cli.main import build_parser
from minirram.onnx_import.constants import FOLDED
from minirram.onnx_import.operators import OPERATORS

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

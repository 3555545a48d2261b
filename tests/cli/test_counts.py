"""What was counted and should not be there is also shown, a line each; nothing is shown that is not there."""

import re
from dataclasses import replace

import pytest

from minirram.cli import train
from minirram.cli.counts import count_lines
from minirram.json_codec import built
from minirram.runs.train import MovedLine, TrainingResults

from ..support.options import call, figures


def number(text, name):
    """The count that a text shows under a name; None where it shows none."""
    found = re.search(rf"^{re.escape(name)}\s+(\d+)$", text, re.MULTILINE)
    return None if found is None else int(found.group(1))


def test_only_counts_that_are_not_zero_are_shown():
    assert list(count_lines({"cells": 0, "pairs": 3})) == ["pairs                   3"]


def results_with(runs, **changes):
    results = built(TrainingResults, runs.results())
    clean = replace(results.test, clipped={}, saturated={})
    return replace(
        results,
        **dict(dict(unformed_pairs=0, signs_given=0, dead_pairs=0, stuck_cells=0, moved=(), test=clean), **changes),
    )


@pytest.mark.parametrize(
    "name, changes, count",
    [
        ("unformed pairs", {"unformed_pairs": 7}, 7),
        ("signs given by forming", {"signs_given": 6}, 6),
        ("pairs without a weight", {"dead_pairs": 8}, 8),
        ("stuck cells", {"stuck_cells": 5}, 5),
        ("rows and pairs moved", {"moved": (MovedLine(0, "row", 3, 9),)}, 1),
    ],
)
def test_a_training_shows_what_it_counted(runs, name, changes, count):
    assert number(train.text(results_with(runs, **changes)), name) == count
    assert number(train.text(results_with(runs)), name) is None


def test_saturation_and_clipping_are_summed_over_tiles_and_quantisers(runs):
    results = results_with(runs)
    score = replace(results.test, saturated={"a": (1, 2), "b": (4,)}, clipped={"q": 3, "r": 2})
    text = train.text(replace(results, test=score))
    assert number(text, "saturated conversions") == 7 and number(text, "clipped activations") == 5
    shown = call("evaluate", runs.trained(), "--read-noise", "0.5").out
    counted = figures("evaluate", runs.trained(), "--read-noise", "0.5")
    assert number(shown, "clipped activations") == (sum(counted["clipped"].values()) or None)
    saturated = sum(sum(tiles) for tiles in counted["saturated"].values())
    assert number(shown, "saturated conversions") == (saturated or None)


def test_kept_cells_that_never_formed_are_shown(runs):
    """Where so few cells are unformed, signs are drawn: some cells that the masks keep never formed."""
    options = ("--formed-share", "0.995")
    counted = figures("export", runs.trained(*options))
    assert counted["not_formed"] > 0
    assert number(call("export", runs.trained(*options)).out, "cells to keep unformed") == counted["not_formed"]

"""What was counted and should not be there is also shown, a line each; nothing is shown that is not there."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple, get_args, get_type_hints

import numpy as np
import pytest

from minirram.chip.counts import UnformedLine
from minirram.cli import counts, counts_page, train
from minirram.cli.main import COMMANDS, module_of
from minirram.device.presets import HFOX_1T1R, TAOX_40NM, save_cell_model
from minirram.device.unusual import unusual
from minirram.json_codec import built
from minirram.runs.train import MovedLine, TrainingResults
from minirram.study.summary import ArmRow

from ..support.options import PAIRS, ROWS, call, figures
from ..support.places import ROOT
from ..support.tiny import save_garments


def number(text, name):
    """The count that a text shows under a name; None where it shows none."""
    found = re.search(rf"^{re.escape(name)}\s+(\d+)(?:: .*)?$", text, re.MULTILINE)
    return None if found is None else int(found.group(1))


# -- the table ---------------------------------------------------------------------------------------------------------


def field_of(kind: Any, field: str) -> Any:
    """The type of a field within the fields of a result."""
    for name in field.split("."):
        kind = next((one for one in get_args(kind) if one is not type(None)), kind)
        kind = get_type_hints(kind)[name]
    return kind


def test_the_page_is_that_of_the_code():
    """`python -m minirram.cli.counts_page docs/counts.md` writes it."""
    assert (ROOT / "docs" / "counts.md").read_text(encoding="utf-8") == counts_page.page()


def test_every_count_and_every_line_has_its_field_in_the_results():
    listed = [(command, field) for one in counts.COUNTS for command, field in one.fields.items()]
    listed += [(command, field) for told in counts_page.TOLD for command in told.commands for field in told.fields]
    for command, field in listed:
        assert command in COMMANDS
        assert field_of(ArmRow if (command, field.split(".")[0]) in IN_ARMS else module_of(command).RESULT, field)


IN_ARMS = {("compare", field.split(".")[0]) for one in counts.COUNTS for field in one.fields.values()}


def test_nothing_is_clipped_in_a_module_that_the_page_leaves_out():
    named = {module for module, _, _ in counts_page.HARMLESS}
    package = ROOT / "minirram"
    assert all((package / module).is_file() for module in named)
    clips = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\.clip\(", path.read_text(encoding="utf-8"))
    }
    assert len(clips) > 10 and clips <= named


class Two(NamedTuple):
    """Stands in for results."""

    not_formed: Any


@pytest.mark.parametrize(
    "value, number", [(None, 0), (0, 0), (3, 3), ({"a": (1, 2), "b": (4,)}, 7), ((MovedLine(0, "row", 3, 9),), 1)]
)
def test_a_line_shows_the_sum_where_it_is_not_zero(value, number):
    lines = [f"cells to keep unformed  {number}"] if number else []
    assert list(counts.count_lines("export", Two(value))) == lines


# -- each event, planted -----------------------------------------------------------------------------------------------


def results_with(runs, **changes):
    results = built(TrainingResults, runs.results())
    clean = replace(results.test, clipped={}, saturated={})
    return replace(
        results,
        **{
            **dict(unformed_pairs=0, signs_given=0, dead_pairs=0, unformed_lines=(), stuck_cells=0, moved=()),
            **dict(test=clean),
            **changes,
        },
    )


@pytest.mark.parametrize(
    "name, changes, count",
    [
        ("unformed pairs", {"unformed_pairs": 7}, 7),
        ("signs given by forming", {"signs_given": 6}, 6),
        ("pairs without a weight", {"dead_pairs": 8}, 8),
        ("lines that never formed", {"unformed_lines": (UnformedLine(0, "row", 3), UnformedLine(1, "row", 3))}, 2),
        ("stuck cells", {"stuck_cells": 5}, 5),
        ("moved off dead lines", {"moved": (MovedLine(0, "row", 3, 9),)}, 1),
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


def both(*command, code=0):
    """{line: count} of a command, of its text and its fields alike."""
    text, found = call(*command), figures(*command, code=code)
    assert text.code == code, text.err
    shown = {}
    for one in counts.COUNTS:
        if command[0] in one.fields:
            count = number_of(found, one.fields[command[0]])
            assert number(text.out, one.line) == (count or None), one.line
            shown[one.line] = count
    return shown, text.out, found


def number_of(found, field):
    """The count that a field of JSON holds: a number, a sum, or the length of a list of objects."""
    for name in field.split("."):
        found = None if found is None else found[name]
    if isinstance(found, list):
        return len(found)
    sums = (
        [sum(one) if isinstance(one, list) else one for one in found.values()] if isinstance(found, dict) else [found]
    )
    return sum(one or 0 for one in sums)


@pytest.fixture(scope="module")
def poor(runs, tmp_path_factory):
    """Options of a training on a chip with all that can be out of order; files lie in the folder beside them."""
    folder = tmp_path_factory.mktemp("poor")
    save_cell_model(
        str(folder / "close.json"),
        HFOX_1T1R.changed(name="close", lrs_median_S=118e-6, grid_S=1.5e-9, relaxation_std_S=1e-4),
    )
    dead = {"rows": ROWS, "pairs": PAIRS, "dead_rows": [[0, 3]], "dead_cols": [[0, 9]]}
    (folder / "dead.json").write_text(json.dumps(dead))
    (folder / "stuck.txt").write_text("0 5 1 stuck_on\n0 7 3 stuck_off\n")
    options = ["--technology", "close.json", "--dead-lines", "dead.json", "--faults", "stuck.txt"]
    options = [str(folder / word) if "." in word else word for word in options]
    return SimpleNamespace(options=(*options, "--formed-share", "0.9"), folder=folder, lines=options[2:])


def test_a_training_tells_what_is_out_of_order_on_its_chip(runs, poor):
    out = runs.trained(*poor.options)
    shown, _, found = both(*runs.arguments(out, "--resume", *poor.options))
    assert shown["stuck cells"] == 2 and shown["moved off dead lines"] == len(found["moved"]) > 0
    assert min(shown[name] for name in ("conductances cut", "unformed pairs", "signs given by forming")) > 0
    assert shown["pairs without a weight"] > 0
    taken = [reading["file"] for reading in found["readings"]]
    assert taken == ["stuck.txt", "dead.json"]


@pytest.mark.slow
def test_files_of_stuck_cells_and_dead_lines_say_what_was_taken(runs, poor):
    text = call(*runs.arguments(runs.trained(*poor.options), "--resume", *poor.options)).out
    assert "read                    stuck.txt: stuck cells 2; 1 stuck off, 1 stuck on\n" in text
    assert "read                    dead.json: dead lines 64 x 64; skip them; 1 dead columns, 1 dead rows\n" in text
    lines = poor.options[poor.options.index("--dead-lines") + 1]
    assert "dead.json: dead lines 64 x 64" in call("fit-network", "fashion-mnist", "--dead-lines", lines).out


@pytest.mark.slow
def test_a_transfer_tells_them_of_the_other_chip(runs, poor):
    """Its technology is that of the first chip."""
    source, out = runs.trained(*poor.options), runs.path("poor-transferred")
    command = ["transfer", source, "--out", out, "--chip-seed", "3", "--epochs", "1", *poor.lines]
    figures(*command)
    shown, _, _ = both(*command)
    assert shown["stuck cells"] == 2
    for name in ("conductances cut", "unformed pairs", "signs given by forming", "moved off dead lines"):
        assert shown[name] > 0, name


@pytest.mark.slow
def test_a_comparison_tells_them_of_each_arm(runs, poor):
    data = runs.path("poor-data")
    save_garments(data, train=240, validation=20, test=20)
    command = ["compare", "fashion-mnist", "--data", data, "--out", runs.path("poor-compared"), "--seeds", "0"]
    command += ["--epochs", "1", "--arms", "pair", "--threads", "1", *poor.options[:6]]
    text, found = call(*command), figures(*command)
    (pair,) = found["arms"]
    assert pair["chip"]["stuck_cells"] == 2 and pair["chip"]["clipped_conductances"] > 0
    for one in counts.COUNTS:
        if "compare" in one.fields:
            count = number_of(pair, one.fields["compare"])
            line = f"pair: {one.line:23s} {count}"
            assert (line in text.out.splitlines()) == (count > 0)
    assert "pair: stuck cells             2" in text.out


def test_evaluation_tells_what_saturates_and_what_age_lifts_beyond_the_grid(runs, poor):
    run = runs.trained(*poor.options)
    young, _, _ = both("evaluate", run)
    shown, _, _ = both("evaluate", run, "--read-noise", "1", "--age", "1e6")
    assert shown["saturated conversions"] > 0 and shown["clipped activations"] > 0
    assert shown["conductances cut"] > young["conductances cut"] > 0


def test_energy_tells_what_saturates(runs):
    shown, _, _ = both("energy", runs.trained("--read-noise", "0.65"))
    assert shown["saturated conversions"] > 0


def test_a_map_of_a_chip_tells_its_unformed_cells(runs, poor, tmp_path):
    shown, _, _ = both("chip", runs.trained(*poor.options), "--out", str(tmp_path / "chip.npy"))
    assert shown["cells unformed"] == np.count_nonzero(np.load(tmp_path / "chip.npy") == 0) > 0


@pytest.mark.slow
def test_verify_tells_cells_without_a_number_and_what_saturates(runs, tmp_path):
    file, readback = str(tmp_path / "program.xbp"), str(tmp_path / "readback.npy")
    figures("export", runs.trained(), "--out", file)
    map_S = 2.5 * runs.chip("programmed")
    map_S[0, 0, :3] = np.nan
    np.save(readback, map_S)
    shown, text, found = both("verify", file, readback, "--run", runs.trained(), code=1)
    assert shown["cells without a number"] == 3 and shown["saturated conversions"] > 0
    plain = figures("verify", file, readback, code=1)
    assert plain["saturated_read_back"] is None and plain["without_number"] == 3


def test_a_fit_tells_the_cells_that_are_not_formed(tmp_path):
    map_S = np.random.default_rng(1).lognormal(np.log(12e-6), 0.2, (20, 20))
    map_S[0, :7] = 0
    np.save(tmp_path / "map.npy", map_S)
    shown, _, _ = both("fit", str(tmp_path / "map.npy"), "--unit", "S")
    assert shown["cells not formed"] == 7


# -- what looks like a slip, and what is refused -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_read_noise_in_percent_is_told(runs):
    """Taken as it is; before a long training the line comes on stderr, too."""
    line = "read noise is a share, not percent: 0.65 is 65 % of the conductance"
    options = ("--read-noise", "0.65")
    out = runs.trained(*options)
    answer = call(*runs.arguments(out, "--resume", *options))
    assert f"warning                 {line}" in answer.out and f"minirram: warning: {line}" in answer.err
    assert runs.results(*options)["warnings"] == [line] and runs.results(*options)["read_noise"] == 0.65
    assert runs.results()["warnings"] == []
    assert f"warning                 {line}" in call("evaluate", runs.trained(), *options).out
    assert figures("evaluate", runs.trained(), *options)["warnings"] == [line]
    transferred = ["transfer", out, "--out", runs.path("noisy"), "--chip-seed", "3", "--epochs", "1"]
    assert figures(*transferred)["warnings"] == [line] and f"warning {line}" in call(*transferred).out
    assert unusual(TAOX_40NM.changed(read_noise=0.1)) == () == unusual(object())


def test_a_temperature_without_a_law_is_refused(runs):
    run = runs.trained("--technology", "pcm")
    answer = call("evaluate", run, "--age", "3600", "--celsius", "85")
    assert answer.code == 2 and "has no temperature law" in answer.err and "leave the temperature out" in answer.err
    assert call("evaluate", run, "--age", "3600").code == 0


def test_options_that_would_do_nothing_are_refused(runs, tmp_path):
    file = str(tmp_path / "p.xbp")
    figures("export", runs.trained(), "--out", file, "--code-bits", "0")
    readback, column = str(tmp_path / "r.npy"), str(tmp_path / "v.csv")
    np.save(readback, runs.chip("programmed"))
    (tmp_path / "v.csv").write_text("G (uS)\n12.5\n13.5\n")
    out = ["--out", runs.path("never")]
    compare = ["compare", "fashion-mnist", "--data", runs.data, *out]
    for command, said in (
        (runs.arguments(out[1], "--unit", "uS"), "--map"),
        (runs.arguments(out[1], "--missing", "unformed"), "--map"),
        (["verify", file, "--run", runs.trained(), "--simulate", "--unit", "uS"], "--unit is that of a read-back"),
        (["verify", file, readback, "--tolerance", "0.2"], "--tolerance is that of targets"),
        ([*compare, "--arms", "float", "--score-step", "0.1"], "--score-step is that of masks"),
        (["place", "net.onnx", "--learning-rate", "0.1"], "--learning-rate is that of --epochs"),
        (["fit", readback, "--unit", "S", "--forming-unit", "mV"], "--forming-unit is that of the voltages"),
        (["import", column, *out, "--first", "1"], "--first"),
        (["import", column, *out, "--variable", "G"], "--variable"),
        (["import", readback, *out, "--unit", "S", "--delimiter", "comma"], "--delimiter"),
        (["import", readback, *out, "--unit", "S", "--decimal", "comma"], "--decimal"),
    ):
        answer = call(*command)
        assert answer.code == 2 and said in answer.err, (command, answer)

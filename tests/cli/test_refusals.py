"""Words of a command line that are refused, with their exit code; and a reader that goes away."""

import argparse
import os
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Dict

import numpy as np
import pytest

from minirram.cli import main, verify
from minirram.cli.arguments import MOST_AT_ONCE, READER_GONE
from minirram.cli.console import ReaderGone, flush, say, tell
from minirram.cli.field_options import field_option
from minirram.device.interface import KINDS, Cell
from minirram.device.presets import TAOX_40NM, save_cell_model
from minirram.errors import DataError
from minirram.inference import digital_json
from minirram.runs.folder import RunFolder

from ..programming.test_manifest import save_bench
from ..support.hostile_files import chip, program, record
from ..support.options import call


def refused(code, *words):
    """The line of a command that ends with `code` and writes no result."""
    answer = call(*words)
    assert (answer.code, answer.out) == (code, "")
    return answer.err


def test_counts():
    for option, count, message in (
        ("--threads", 0, "0 is not at least 1"),
        ("--threads", MOST_AT_ONCE + 1, "1025 is more than 1024"),
        ("--rows", 0, "0 is not at least 1"),
        ("--rows", 1, "epochs is 0; it must be at least 1"),
        ("--threads", MOST_AT_ONCE, "epochs is 0; it must be at least 1"),
    ):
        assert message in refused(
            2, "train", "retina", "--data", "x", "--out", "x", option, str(count), "--epochs", "0"
        )


def test_numbers():
    for text, message in (("ten", "'ten' is no number"), ("nan", "nan is no finite number"), ("1e999", "no finite")):
        assert message in refused(2, "verify", "a.xbp", "b.npy", "--tolerance", text)
    assert "a.xbp" in refused(2, "verify", "a.xbp", "b.npy", "--tolerance", "1e308")


@dataclass(frozen=True)
class Fields:
    """Of a configuration."""

    count: int = 1
    """a number"""
    table: Dict[str, int] = field(default_factory=dict)
    """a table"""


def test_fields_without_a_text_form():
    parser = argparse.ArgumentParser()
    field_option(parser, "--count", Fields, "count")
    assert parser.parse_args(["--count", "3"]).count == 3
    with pytest.raises(TypeError, match=r"Fields.table is a .*Dict.*: the command line takes int, float, str, bool"):
        field_option(parser, "--table", Fields, "table")


class Gone:
    """A stream whose reader has closed it."""

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def test_a_reader_that_goes_away(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Gone())
    for call_of in (lambda: say("a result"), lambda: tell("a line"), flush):
        with pytest.raises(ReaderGone):
            call_of()
    for words in (["verify", "none.xbp", "none.npy"], ["inspect", "none.xbp"]):
        assert main.main(words) == READER_GONE


# -- fit


@pytest.fixture
def own(tmp_path):
    """The file of a cell that is no CellModel; no other module knows its class."""

    @dataclass(frozen=True)
    class Own(Cell):
        name: str = "own"

        def sample_forming_V(self, generator, shape):
            return np.ones(shape)

        sample_lrs_S = sample_hrs_S = sample_forming_V

        def read_std(self, conductance, unit_S=1.0):
            return 0 * conductance

    path = str(tmp_path / "own.json")
    save_cell_model(path, Own())
    yield path
    del KINDS["Own"]


def test_fits_of_what_cannot_be_fitted(tmp_path, own):
    map_file, cube = str(tmp_path / "map.npy"), str(tmp_path / "cube.npy")
    np.save(map_file, np.random.default_rng(1).uniform(1.0, 20.0, (8, 16)))
    np.save(cube, np.ones((2, 3, 4)))
    told = refused(2, "fit", map_file, "--unit", "uS", "--base", own)
    assert "own.json is a Own; a fit gives the numbers of a CellModel" in told
    told = refused(3, "fit", map_file, "--unit", "uS", "--pulses", cube)
    assert "cube.npy: a pulse response is a table of rows and columns, not (2, 3, 4)" in told
    told = refused(2, "fit", map_file, "--unit", "kohm", "--pulses", cube)
    assert "cube.npy: conductances in --unit S, mS, uS or nS; kohm was given" in told


# -- transfer, verify


@pytest.mark.parametrize("stuck", [[], ["--stuck-hrs", "0", "--stuck-lrs", "0"]])
def test_stuck_cells_that_are_none(monkeypatch, tmp_path, stuck):
    run = SimpleNamespace(config=SimpleNamespace(cell_model=TAOX_40NM.changed(stuck_lrs=0.0, stuck_hrs=0.0)))
    monkeypatch.setattr(RunFolder, "open", lambda folder: run)
    told = refused(2, "transfer", "run", "--out", str(tmp_path / "out"), "--epochs", "1", "--know-faults", *stuck)
    assert "--know-faults without stuck cells; give --stuck-lrs, --stuck-hrs or --faults" in told
    assert os.listdir(str(tmp_path)) == []


def test_a_program_that_says_of_no_cell_what_it_must_be(tmp_path):
    (tmp_path / "a.xbp").write_bytes(program([chip(0, 2, rows=8, cols=16), record("END")]))
    np.save(str(tmp_path / "a.npy"), np.zeros((1, 8, 16)))
    told = refused(2, "verify", str(tmp_path / "a.xbp"), str(tmp_path / "a.npy"))
    assert "a.xbp says of no cell what it must be (no mask, no change): nothing to verify" in told


def test_a_manifest_of_what_was_not_measured():
    told = refused(2, "verify", "a.xbp", "--simulate", "--run", "run", "--manifest", "manifest.json")
    assert "--manifest binds what was measured; --simulate measures nothing" in told


@pytest.mark.parametrize("seed, message", [(0, "it goes on"), (1, "digital.json: not the digital.json of the run run")])
def test_the_digital_side_of_another_run(monkeypatch, tmp_path, seed, message):
    folder = save_bench(str(tmp_path / "bench"))

    def goes_on(options):
        raise DataError("it goes on")

    config = SimpleNamespace(network="network", wires="wires")
    run = SimpleNamespace(config=config, load_trained=lambda: ("chip", "model", None))

    def describe(*asked, **named):
        of_the_run = (asked, named) == (("network", "model"), {"chip": "chip", "wires": "wires"})
        return {"format": 1, "seed": seed} if of_the_run else {}

    monkeypatch.setattr(verify, "_check_belongs", lambda *_: None)
    monkeypatch.setattr(verify, "_conductances", goes_on)
    monkeypatch.setattr(RunFolder, "open", lambda folder: run)
    monkeypatch.setattr(digital_json, "describe", describe)
    files = [os.path.join(folder, name) for name in ("program.xbp", "readback.npy")]
    assert message in refused(3, "verify", *files, "--run", "run")

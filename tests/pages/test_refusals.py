"""Files in a run folder that no page can be made of."""

import numpy as np
import pytest

from minirram.chip.cell_results import CellResults
from minirram.chip.dead_lines import ChipLines
from minirram.device.presets import TAOX_40NM
from minirram.errors import DataError, ShapeError
from minirram.files import write_json
from minirram.nn.network import matrices
from minirram.pages.chip_state import cells_of
from minirram.pages.outcome import outcome_of
from minirram.runs.folder import RunFolder
from minirram.runs.place import Placing, place_network

from ..support.tiny import tiny_chip, tiny_network, tiny_recipe


def results(shape):
    """Results of cells without a pulse."""
    zeros = np.zeros(shape, np.uint8)
    return CellResults(zeros, zeros.astype(float), zeros, zeros.astype(bool))


def test_results_of_another_chip():
    chip = tiny_chip(tiny_recipe(), lines=ChipLines(rows=96, pairs=16))
    masks = {name: np.ones(shape, bool) for name, shape in matrices(tiny_network())}
    shape = chip.conductance_S().shape
    assert cells_of(chip, masks, masks, results(shape)).states.shape == shape
    other = (shape[0], shape[1], shape[2] - 2)
    with pytest.raises(ShapeError, match=rf"^results of \({other[0]}, {other[1]}, {other[2]}\) cells, the chip of the"):
        cells_of(chip, masks, masks, results(other))


def test_a_graph_that_was_placed_without_its_weights(tmp_path):
    models = pytest.importorskip("tests.support.onnx_models", reason="needs the package onnx: pip install '.[onnx]'")
    file = models.save(models.small_network(), tmp_path / "m.onnx")
    write_json(tmp_path / "results.json", place_network(file, Placing(TAOX_40NM)).to_json())
    with pytest.raises(DataError, match="results.json: the graph alone was placed, its weights were not written"):
        outcome_of(RunFolder(str(tmp_path), None))

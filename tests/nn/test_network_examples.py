"""The code of docs/networks.md runs, and does what the page says."""

import pathlib
import re
import runpy
from collections import Counter

import numpy as np
import pytest

import minirram as mr
from minirram.chip.placement import place
from minirram.nn.network import conversions, matrices, weights_by_layer

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "networks.md"


def example(number, folder):
    """Names that an example of the page defines."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[number]
    script = folder / "example.py"
    script.write_text(code, encoding="utf-8")
    return runpy.run_path(str(script))


def coloured_stripes(generator, n):
    """Images (n, 8, 8, 3) with stripes in each channel, upright or not; the class tells those of red and of blue."""
    upright = generator.integers(0, 2, (n, 3))
    row, col = np.mgrid[0:8, 0:8]
    line = np.where(upright[:, None, None, :] == 1, col[..., None], row[..., None])
    bright = (line // 2 + generator.integers(0, 2, (n, 1, 1, 3))) % 2
    return (128 * bright + generator.integers(0, 128, (n, 8, 8, 3))).astype(np.uint8), 2 * upright[:, 0] + upright[:, 2]


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    """(the page's residual network with a depthwise convolution, its run on three-channel images)"""
    folder = tmp_path_factory.mktemp("residual")
    network = example(0, folder)["network"]
    data = mr.LabelledData.split(*coloured_stripes(np.random.default_rng(0), 800))
    return network, mr.train(network, data, mr.Recipe(epochs=4, batch_size=20), out=str(folder / "run"))


@pytest.mark.slow
def test_a_residual_network_of_three_channels_trains_on_one_macro(residual):
    network, run = residual
    assert sum(weights_by_layer(network).values()) == 4384
    assert place(matrices(network)).n_macros == 1
    assert run.evaluate("test").accuracy > 0.9


@pytest.mark.slow
def test_the_program_of_groups_uses_as_many_cells_as_they_have_weights(residual, tmp_path):
    network, run = residual
    run.export(str(tmp_path / "program.xbp"))
    program = mr.read_program(str(tmp_path / "program.xbp"))
    assert program.macros == 1
    written = np.zeros((program.rows, program.cols), int)
    for tile in program.tiles:
        rows, cols = next(iter(cells.shape for _, cells in tile.passes))
        written[tile.row0 : tile.row0 + rows, tile.col0 : tile.col0 + cols] += 1
    assert written.max() == 1 and written.sum() == 2 * 4384  # no cell twice, none between groups
    groups = [shape for shape in matrices(network) if shape[0].startswith("branch.")]
    assert len(groups) == 16 and all(shape == (9, 1) for _, shape in groups)


@pytest.mark.slow
def test_energy_counts_each_group(residual):
    network, run = residual
    rows = run.energy(adc_bits=8).by_matrix
    per_plane = conversions(network)
    for name, _ in matrices(network):
        assert sum(np.atleast_1d(rows[name].conversions)) == 4 * per_plane[name]
    assert Counter(name.split(".")[0] for name in rows)["branch"] == 16


@pytest.mark.slow
def test_tones_are_told_apart(tmp_path, capsys):
    example(1, tmp_path)
    assert float(capsys.readouterr().out.split()[-1]) > 0.9

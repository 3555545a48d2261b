"""What reads of weights see behind wires, and its gradient, on a macro with lines out of use."""

import numpy as np
import pytest

from minirram.crossbar.behind_wires import Attenuated, Exact
from minirram.crossbar.macro import Macro
from minirram.crossbar.region import Region
from minirram.crossbar.wires import Wires, attenuated_S, transfer_S
from minirram.device.presets import TAOX_40NM

LINES = Wires(3000.0, 2000.0)
IN_USE = np.array([0, 1, 3, 4, 5, 6, 8]), np.array([0, 1, 2, 3, 6, 7])


@pytest.fixture
def macro():
    """Seven of nine rows and six of eight columns in use, about half of the cells on."""
    macro = Macro.sample(TAOX_40NM, 3, index=0, rows=9, cols=8).on_lines(*IN_USE)
    macro.form(5.0)
    macro.reset(np.random.default_rng(4).random((7, 6)) < 0.5)
    return macro


def seen_S(kind, array_S):
    """Of the whole array, by the model that `kind` stands for."""
    if kind is Attenuated:
        return attenuated_S(array_S, LINES, tolerance=1e-10)
    return transfer_S(array_S, LINES, rows=slice(None), cols=slice(None), tolerance=1e-10, threads=1)


@pytest.mark.parametrize("kind", [Attenuated, Exact])
def test_a_region_is_seen_as_the_model_says(macro, kind):
    expected = seen_S(kind, macro.on_array(macro.conductance_S()))[np.ix_(*IN_USE)] / TAOX_40NM.grid_S
    found = kind(macro, LINES).grid(Region(slice(2, 6), slice(2, 6)))
    assert found.dtype == np.float32 and np.allclose(found, expected[2:6, 2:6], rtol=1e-3, atol=0.5)


@pytest.mark.parametrize("kind", [Attenuated, Exact])
def test_a_cell_that_switches_counts_by_the_share_that_it_had(macro, kind):
    behind, before = kind(macro, LINES), macro.conductance_grid()
    first = behind.grid(macro.whole)
    macro.set(np.arange(42).reshape(7, 6) == 17)
    moved = behind.grid(macro.whole) - first
    assert np.allclose(moved, (macro.conductance_grid() - before) * behind.share, rtol=1e-4, atol=0.5)


@pytest.mark.parametrize("kind, error", [(Attenuated, 0.02), (Exact, 1e-4)])
def test_the_gradient_is_that_of_the_model(macro, kind, error):
    """The solve for a gradient of the reduced model is as fine as its tolerance."""
    generator = np.random.default_rng(5)
    d_seen = generator.standard_normal((7, 6)).astype(np.float32)
    array_S, found = macro.on_array(macro.conductance_S()), kind(macro, LINES).gradient(d_seen)
    expected = np.empty((7, 6))
    for cell in np.ndindex(7, 6):
        step_S = np.zeros(array_S.shape)
        step_S[IN_USE[0][cell[0]], IN_USE[1][cell[1]]] = 1e-9
        change = (seen_S(kind, array_S + step_S) - seen_S(kind, array_S - step_S))[np.ix_(*IN_USE)] / 2e-9
        expected[cell] = (d_seen * change).sum()
    assert found.dtype == np.float32 and found.shape == (7, 6)
    assert np.abs(found - expected).max() < error * np.abs(expected).max()
    assert np.abs(d_seen - expected).max() > 0.3 * np.abs(expected).max()  # the straight one is another

"""Elimination row by row against one nodal solve per row, which a dense solve holds to account."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.crossbar.elimination import Eliminated
from minirram.crossbar.wires import Wires, conductance_gradient, transfer_S
from minirram.errors import ConfigError, ShapeError

from ..support.gradients import GradientError, check_gradient
from .test_wires import draw, nodal_solve, seeds, sizes

ohms = st.sampled_from([0.0, 0.3, 20.0, 1e4])  # the last one is beyond the short series
everything = slice(None)


@given(seeds, sizes, sizes, ohms, ohms)
def test_transfer_and_gradient_are_those_of_one_solve_per_row(seed, m, n, row_ohm, col_ohm):
    conductance_S, lines = draw(seed, m, n)[0], Wires(row_ohm, col_ohm)
    d_transfer = np.random.default_rng([seed, 1]).standard_normal((m, n))
    solved_S = transfer_S(conductance_S, lines, rows=everything, cols=everything, tolerance=1e-11, threads=1)
    expected = conductance_gradient(conductance_S, np.eye(m), d_transfer, wires=lines, tolerance=1e-11)
    for dtype, error in ((np.float64, 3e-6), (np.float32, 2e-5)):
        found = Eliminated(conductance_S, lines, dtype=dtype)
        assert np.abs(found.transfer_S - solved_S).max() <= error * np.abs(solved_S).max()
        assert np.abs(found.gradient(d_transfer) - expected).max() <= error * np.abs(expected).max()


@given(seeds, sizes, sizes)
def test_without_wires_cells_are_the_transfer_and_its_gradient_their_own(seed, m, n):
    conductance_S, _ = draw(seed, m, n)
    d_transfer = np.random.default_rng(seed).standard_normal((m, n))
    found = Eliminated(conductance_S, Wires(0.0, 0.0), dtype=np.float64)
    assert np.allclose(found.transfer_S, conductance_S, rtol=1e-12, atol=0)
    assert np.allclose(found.gradient(d_transfer), d_transfer, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("part", [1.0, 0.999])
def test_gradient_against_differences_of_the_dense_solve(part):
    """Of one cell a thousandth left out is noticed."""
    x = draw(8, 6, 5)[0] / 1e-4 + 0.2
    generator = np.random.default_rng(9)
    d_transfer = generator.standard_normal(x.shape)

    def loss(scaled):
        return float((nodal_solve(1e-4 * scaled, np.eye(6), 200.0, 30.0) * d_transfer).sum()) / 1e-4

    gradient = Eliminated(1e-4 * x, Wires(200.0, 30.0), dtype=np.float64).gradient(d_transfer)
    gradient[np.unravel_index(np.abs(gradient).argmax(), x.shape)] *= part
    if part == 1:
        check_gradient(loss, x, gradient, generator, tolerance=1e-5)
    else:
        with pytest.raises(GradientError, match="differences give"):
            check_gradient(loss, x, gradient, generator, tolerance=1e-5)


def test_what_is_no_array_or_no_gradient_of_it_is_refused():
    with pytest.raises(ConfigError, match="not negative"):
        Eliminated(-np.ones((2, 3)), Wires())
    with pytest.raises(ShapeError, match="array of 2 x 3"):
        Eliminated(np.ones((2, 3)), Wires()).gradient(np.ones((3, 2)))

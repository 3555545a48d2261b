"""IR drop against a dense nodal solve that writes down every Kirchhoff equation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.crossbar import wires
from minirram.crossbar.macro import Macro
from minirram.crossbar.wires import Wires, column_currents_A, conductance_gradient, transfer_S
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, ShapeError

from ..support.gradients import GradientError, check_gradient

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 7)
ohms = st.floats(1e-3, 300.0)


def nodal_solve(conductance_S, inputs_V, row_ohm, col_ohm):
    """Column currents (n, cols), of the dense solve."""
    potentials = node_potentials(conductance_S, inputs_V, row_ohm, col_ohm)
    m, n = conductance_S.shape
    return potentials[m * n + (m - 1) * n :].T / col_ohm


def node_potentials(conductance_S, inputs_V, row_ohm, col_ohm):
    """Potentials (2 rows cols, n), those of rows first: one equation per node of every line, solved densely."""
    m, n = conductance_S.shape
    system, source = np.zeros((2 * m * n, 2 * m * n)), np.zeros((2 * m * n, len(inputs_V)))

    def row_node(i, j):
        return i * n + j

    def col_node(i, j):
        return m * n + i * n + j

    def connect(a, b, siemens):
        for x, y in ((a, b), (b, a)):
            system[x, x] += siemens
            system[x, y] -= siemens

    for i in range(m):
        for j in range(n):
            connect(row_node(i, j), col_node(i, j), conductance_S[i, j])
            if j + 1 < n:
                connect(row_node(i, j), row_node(i, j + 1), 1 / row_ohm)
            if i + 1 < m:
                connect(col_node(i, j), col_node(i + 1, j), 1 / col_ohm)
        system[row_node(i, 0), row_node(i, 0)] += 1 / row_ohm
        source[row_node(i, 0)] += inputs_V[:, i] / row_ohm
    for j in range(n):
        system[col_node(m - 1, j), col_node(m - 1, j)] += 1 / col_ohm
    return np.linalg.solve(system, source)


def draw(seed, m, n):
    generator = np.random.default_rng(seed)
    conductance_S = 10 ** generator.uniform(-6, -3, (m, n))
    conductance_S[generator.random((m, n)) < 0.1] = 0.0
    return conductance_S, generator.uniform(-0.2, 0.2, (3, m))


@given(seeds, sizes, sizes, ohms, ohms)
def test_currents_against_the_dense_solve(seed, m, n, row_ohm, col_ohm):
    conductance_S, inputs_V = draw(seed, m, n)
    currents_A = column_currents_A(conductance_S, inputs_V, wires=Wires(row_ohm, col_ohm), tolerance=1e-10)
    expected_A = nodal_solve(conductance_S, inputs_V, row_ohm, col_ohm)
    scale = np.abs(inputs_V).max() * conductance_S.sum(axis=0).max()
    assert np.allclose(currents_A, expected_A, rtol=1e-6, atol=1e-8 * scale)


@given(seeds, sizes, sizes, ohms, ohms, seeds)
def test_transfer_against_the_dense_solve(seed, m, n, row_ohm, col_ohm, region_seed):
    """Both ways to it (by rows, by columns) and any region."""
    conductance_S, _ = draw(seed, m, n)
    expected_S = nodal_solve(conductance_S, np.eye(m), row_ohm, col_ohm)
    first, last = np.sort(np.random.default_rng(region_seed).integers(0, [[m + 1, n + 1]] * 2), axis=0)
    for rows, cols in (
        (slice(None), slice(None)),
        (slice(0, 1), slice(None)),
        (slice(None), slice(0, 1)),
        (slice(first[0], last[0]), slice(first[1], last[1])),
    ):
        found_S = transfer_S(conductance_S, Wires(row_ohm, col_ohm), rows=rows, cols=cols, tolerance=1e-10, threads=1)
        assert found_S.shape == expected_S[rows, cols].shape
        assert np.allclose(found_S, expected_S[rows, cols], rtol=1e-6, atol=1e-9 * conductance_S.max())


@given(seeds, sizes, sizes, ohms)
def test_superposition_of_inputs(seed, m, n, ohm):
    conductance_S, inputs_V = draw(seed, m, n)
    lines = Wires(ohm, 2 * ohm)
    together_A = column_currents_A(conductance_S, inputs_V.sum(axis=0, keepdims=True), wires=lines, tolerance=1e-10)
    apart_A = column_currents_A(conductance_S, inputs_V, wires=lines, tolerance=1e-10).sum(axis=0, keepdims=True)
    assert np.allclose(together_A, apart_A, rtol=1e-6, atol=1e-7 * conductance_S.sum())


@given(seeds, sizes, sizes)
def test_ideal_wires_drop_nothing(seed, m, n):
    conductance_S, inputs_V = draw(seed, m, n)
    currents_A = column_currents_A(conductance_S, inputs_V, wires=Wires(0.0, 0.0))
    assert np.allclose(currents_A, inputs_V @ conductance_S, rtol=1e-12, atol=1e-18)
    assert np.array_equal(
        wires.effective_S(conductance_S, Wires(0.0, 0.0), rows=slice(None), cols=slice(None), threads=1), conductance_S
    )


@given(seeds, sizes, sizes, ohms)
def test_equal_inputs_only_lose_current(seed, m, n, ohm):
    """No cell can see more than the common drive. (Unequal inputs may gain: a strong row can lift a weak one.)"""
    conductance_S, _ = draw(seed, m, n)
    volts = wires.cell_voltages_V(conductance_S, np.full((1, m), 0.2), wires=Wires(ohm, ohm), tolerance=1e-10)
    assert np.all(volts <= 0.2 * (1 + 1e-7)) and np.all(volts >= -1e-8)


@given(seeds, sizes, sizes, ohms)
def test_reduced_model_is_exact_for_uniform_inputs(seed, m, n, ohm):
    conductance_S, _ = draw(seed, m, n)
    lines = Wires(ohm, ohm, "reduced")
    uniform_V = np.full((1, m), 0.2)
    reduced_A = uniform_V @ wires.attenuated_S(conductance_S, lines, tolerance=1e-10)
    exact_A = column_currents_A(conductance_S, uniform_V, wires=lines, tolerance=1e-10)
    assert np.allclose(reduced_A, exact_A, rtol=1e-6, atol=1e-9 * conductance_S.max())


def test_reduced_model_error_on_the_macro():
    """The figures of `attenuated_S`, on a quarter of the area with twice the resistance: the same drop."""
    generator = np.random.default_rng(0)
    macro = Macro.sample(TAOX_40NM, 1, index=0, rows=256, cols=256)
    macro.form(5.0)
    macro.reset(generator.random((256, 256)) < 0.75)
    conductance_S, lines = macro.conductance_S(), Wires(4.0, 4.0)
    inputs = (generator.random((8, 256)) < 0.5).astype(np.float64)
    exact = column_currents_A(conductance_S, inputs, wires=lines)

    def error(currents):
        pair, exact_pair = currents[:, 0::2] - currents[:, 1::2], exact[:, 0::2] - exact[:, 1::2]
        return [np.sqrt(np.mean((a - b) ** 2) / np.mean(b**2)) for a, b in ((currents, exact), (pair, exact_pair))]

    reduced, ideal = error(inputs @ wires.attenuated_S(conductance_S, lines)), error(inputs @ conductance_S)
    assert reduced[0] < 0.01 and reduced[1] < 0.08
    assert ideal[0] > 0.5 and ideal[1] > 0.7


def test_tolerance_is_what_it_says():
    conductance_S = 10 ** np.random.default_rng(1).uniform(-6, -4, (64, 64))
    inputs_V = np.random.default_rng(2).uniform(0, 1, (2, 64))
    lines = Wires(20.0, 20.0)
    best_A = column_currents_A(conductance_S, inputs_V, wires=lines, tolerance=1e-12)
    found_A = [
        column_currents_A(conductance_S, inputs_V, wires=lines, tolerance=tolerance) for tolerance in (1e-3, 1e-5, 1e-7)
    ]
    errors = [np.abs(currents_A / best_A - 1).max() for currents_A in found_A]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-5


@pytest.fixture
def three_at_a_time(monkeypatch):
    """40 x 30 cells, three inputs to a batch."""
    monkeypatch.setattr(wires, "_BATCH_BYTES", 3 * 8 * 40 * 30)
    return draw(3, 40, 30)[0]


def test_many_inputs_in_batches_equal_one_at_a_time(three_at_a_time):
    inputs_V = np.random.default_rng(4).uniform(0, 1, (8, 40))
    currents_A = column_currents_A(three_at_a_time, inputs_V, wires=Wires(5.0, 5.0), tolerance=1e-9)
    for one, found_A in zip(inputs_V, currents_A):
        alone_A = column_currents_A(three_at_a_time, one[None], wires=Wires(5.0, 5.0), tolerance=1e-9)[0]
        assert np.allclose(found_A, alone_A, rtol=1e-7, atol=0)


@pytest.mark.parametrize("values", [{"row_ohm": -1.0}, {"col_ohm": float("nan")}, {"model": "guess"}])
def test_wrong_wires_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        Wires(**values)


def test_wrong_operands_are_refused():
    with pytest.raises(ShapeError, match="inputs of shape"):
        column_currents_A(np.ones((3, 2)), np.ones((1, 2)), wires=Wires())
    with pytest.raises(ConfigError, match="not negative"):
        column_currents_A(-np.ones((3, 2)), np.ones((1, 3)), wires=Wires())


@given(seeds, sizes, sizes, ohms, ohms)
def test_gradient_against_differences_of_the_dense_solve(seed, m, n, row_ohm, col_ohm):
    conductance_S, inputs_V = draw(seed, m, n)
    generator = np.random.default_rng([seed, 1])
    d_currents = generator.standard_normal((len(inputs_V), n))
    x = conductance_S / 1e-4 + 0.2  # of the order of 1; differences go to both sides of the cell

    def loss(scaled):
        return float((nodal_solve(1e-4 * scaled, inputs_V, row_ohm, col_ohm) * d_currents).sum()) / 1e-4

    gradient = conductance_gradient(1e-4 * x, inputs_V, d_currents, wires=Wires(row_ohm, col_ohm), tolerance=1e-11)
    check_gradient(loss, x, gradient, generator, directions=2, tolerance=1e-5)


@given(seeds, sizes, sizes)
def test_without_wires_the_gradient_is_the_outer_product(seed, m, n):
    """Cells with no conductance have theirs, too: it says what they would bring."""
    conductance_S, inputs_V = draw(seed, m, n)
    d_currents = np.random.default_rng([seed, 2]).standard_normal((len(inputs_V), n))
    gradient = conductance_gradient(conductance_S, inputs_V, d_currents, wires=Wires(0.0, 0.0))
    assert np.allclose(gradient, inputs_V.T @ d_currents, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("wrong", ["transposed lines", "one input short", "no adjoint"])
def test_the_check_of_the_gradient_catches(wrong):
    conductance_S, inputs_V = draw(5, 6, 4)
    generator = np.random.default_rng(6)
    d_currents = generator.standard_normal((3, 4))
    x = conductance_S / 1e-4 + 0.2
    lines = Wires(200.0, 30.0)
    gradient = {
        "transposed lines": lambda: conductance_gradient(1e-4 * x, inputs_V, d_currents, wires=Wires(30.0, 200.0)),
        "one input short": lambda: conductance_gradient(1e-4 * x, inputs_V[1:], d_currents[1:], wires=lines),
        "no adjoint": lambda: inputs_V.T @ d_currents,
    }[wrong]()

    def loss(scaled):
        return (
            float((column_currents_A(1e-4 * scaled, inputs_V, wires=lines, tolerance=1e-12) * d_currents).sum()) / 1e-4
        )

    with pytest.raises(GradientError, match="differences give"):
        check_gradient(loss, x, gradient, generator, tolerance=1e-5)


def test_gradient_of_many_inputs_is_the_sum_over_them(three_at_a_time):
    generator = np.random.default_rng(4)
    inputs_V, d_currents = generator.uniform(0, 1, (8, 40)), generator.standard_normal((8, 30))
    gradients = [
        conductance_gradient(three_at_a_time, inputs_V[some], d_currents[some], wires=Wires(5.0, 5.0), tolerance=1e-9)
        for some in (slice(None), *(slice(k, k + 1) for k in range(8)))
    ]
    assert np.allclose(gradients[0], sum(gradients[1:]), rtol=1e-6, atol=1e-9 * np.abs(gradients[0]).max())


def test_gradients_of_another_shape_are_refused():
    for shape in ((2, 2), (1, 3)):
        with pytest.raises(ShapeError, match="for 1 inputs of 2 columns"):
            conductance_gradient(np.ones((3, 2)), np.ones((1, 3)), np.ones(shape), wires=Wires())


def dense_attenuated_S(conductance_S, row_ohm, col_ohm):
    """The reduced model from the dense solve: each cell's conductance times the voltage on it, all rows at 1 V."""
    m, n = conductance_S.shape
    rows, cols = node_potentials(conductance_S, np.ones((1, m)), row_ohm, col_ohm).reshape(2, m, n)
    return conductance_S * (rows - cols)


def attenuated_gradient(conductance_S, d_attenuated, lines, tolerance=1e-11):
    share = wires.cell_voltages_V(conductance_S, np.ones((1, len(conductance_S))), wires=lines, tolerance=tolerance)[0]
    return wires.attenuated_gradient(conductance_S, d_attenuated, share=share, wires=lines, tolerance=tolerance)


@given(seeds, sizes, sizes, ohms, ohms)
def test_gradient_of_the_reduced_model_against_differences_of_the_dense_solve(seed, m, n, row_ohm, col_ohm):
    generator = np.random.default_rng([seed, 1])
    x = draw(seed, m, n)[0] / 1e-4 + 0.2
    d_attenuated = generator.standard_normal((m, n))

    def loss(scaled):
        return float((dense_attenuated_S(1e-4 * scaled, row_ohm, col_ohm) * d_attenuated).sum()) / 1e-4

    gradient = attenuated_gradient(1e-4 * x, d_attenuated, Wires(row_ohm, col_ohm))
    check_gradient(loss, x, gradient, generator, directions=2, tolerance=1e-5)


@pytest.mark.parametrize("wrong", ["transposed lines", "a thousandth of a cell", "no adjoint", "no share"])
def test_the_check_of_the_gradient_of_the_reduced_model_catches(wrong):
    x = draw(5, 6, 4)[0] / 1e-4 + 0.2
    generator = np.random.default_rng(6)
    d_attenuated = generator.standard_normal((6, 4))
    gradient = attenuated_gradient(1e-4 * x, d_attenuated, Wires(200.0, 30.0))
    share = dense_attenuated_S(1e-4 * x, 200.0, 30.0) / (1e-4 * x)
    if wrong == "a thousandth of a cell":
        gradient[np.unravel_index(np.abs(gradient).argmax(), x.shape)] *= 0.999
    else:
        gradient = {
            "transposed lines": lambda: attenuated_gradient(1e-4 * x, d_attenuated, Wires(30.0, 200.0)),
            "no adjoint": lambda: share * d_attenuated,
            "no share": lambda: gradient / share,
        }[wrong]()

    def loss(scaled):
        return float((dense_attenuated_S(1e-4 * scaled, 200.0, 30.0) * d_attenuated).sum()) / 1e-4

    with pytest.raises(GradientError, match="differences give"):
        check_gradient(loss, x, gradient, generator, tolerance=1e-5)


@pytest.mark.parametrize("size", [1.0, 1e-25])
def test_the_gradient_of_the_reduced_model_in_float32(size):
    """Gradients are as small as the loss makes them: their squares are nothing in float32."""
    conductance_S = draw(3, 40, 30)[0]
    d_attenuated = np.random.default_rng(1).standard_normal((40, 30))
    expected = attenuated_gradient(conductance_S, d_attenuated, Wires(20.0, 20.0))
    found = attenuated_gradient(conductance_S, (size * d_attenuated).astype(np.float32), Wires(20.0, 20.0), 1e-5)
    assert np.abs(found / size - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_gradient_of_zeros_is_one_of_zeros_and_other_shapes_are_refused():
    conductance_S, zeros = draw(3, 4, 3)[0], np.zeros((4, 3), np.float32)
    assert not attenuated_gradient(conductance_S, zeros, Wires()).any()
    with pytest.raises(ShapeError, match="array of"):
        attenuated_gradient(conductance_S, zeros.T, Wires())

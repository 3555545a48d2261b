"""The crossbar product against a slow integer oracle; its laws; its noise."""

import math
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from unittest import mock

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.crossbar import columns, converters, product
from minirram.crossbar import read_noise as read_noise_module
from minirram.crossbar.converters import Adc, ColumnErrors
from minirram.crossbar.product import multiply, multiply_tiles
from minirram.crossbar.read_noise import ReadNoise, read_variance
from minirram.device.cell import normal_cdf
from minirram.device.goodness import ks_distance
from minirram.errors import ConfigError, ShapeError

seeds = st.integers(0, 2**32 - 1)
arrangements = st.sampled_from(converters.ARRANGEMENTS)
sizes = st.integers(1, 9)
input_bits = st.integers(1, 8)


def oracle(codes, cells_grid, bits, adc):
    """One conversion at a time, in Python integers and fractions."""
    n, rows = codes.shape
    pairs = cells_grid.shape[1] // 2
    y = np.zeros((n, pairs), np.int64)
    saturated = 0
    for s in range(n):
        for j in range(pairs):
            for b in range(bits):
                plane = [(int(code) >> b) & 1 for code in codes[s]]
                plus = sum(bit * int(cells_grid[i, 2 * j]) for i, bit in enumerate(plane))
                minus = sum(bit * int(cells_grid[i, 2 * j + 1]) for i, bit in enumerate(plane))
                signed = [(plus - minus, 1)] if adc.arrangement == "pair" else [(plus, 1), (minus, -1)]
                for current, sign in signed:
                    code = round(current / Fraction(float(adc.tile_lsb)))  # halves to even
                    saturated += abs(code) > adc.top
                    y[s, j] += sign * 2**b * min(max(code, adc.bottom), adc.top)
    return y, saturated


def draw(seed, rows, pairs, bits, n=3, g_max=30_000):
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 2**bits, (n, rows)).astype(np.uint8)
    return codes, generator.integers(0, g_max + 1, (rows, 2 * pairs)).astype(np.float32)


@pytest.mark.parametrize("planes", [0, 1, 8, 16, 17])
@pytest.mark.parametrize("rows, cols", [(512, 256), (512, 300), (1024, 130), (9, 64)])
def test_sums_strip_by_strip_are_the_whole_product(planes, rows, cols):
    generator = np.random.default_rng(rows + cols)
    bits = (generator.random((planes, rows)) < 0.5).astype(np.float32)
    cells = generator.integers(-15_000, 15_001, (rows, cols)).astype(np.float32)
    out = np.full((planes, cols), np.nan, np.float32)
    assert columns.sums(bits, cells, out=out) is out
    assert np.array_equal(out, bits.astype(np.int64) @ cells.astype(np.int64))


def exact_product(codes, cells_grid):
    difference = cells_grid[:, 0::2].astype(np.int64) - cells_grid[:, 1::2].astype(np.int64)
    return codes.astype(np.int64) @ difference


@given(seeds, sizes, sizes, input_bits, st.integers(4, 14), arrangements, st.floats(1.0, 5000.0), st.integers(0, 2))
def test_multiply_against_the_oracle(seed, rows, pairs, bits, adc_bits, arrangement, lsb, shift):
    codes, cells_grid = draw(seed, rows, pairs, bits)
    adc = Adc(adc_bits, lsb, arrangement, shift)
    y, saturated = multiply(codes, cells_grid, input_bits=bits, adc=adc)
    expected, expected_saturated = oracle(codes, cells_grid, bits, adc)
    assert y.dtype == np.int64
    assert np.array_equal(y, expected) and saturated == expected_saturated


@pytest.mark.parametrize("threads", [1, 2])
@given(seeds, st.integers(1, 600), sizes, input_bits, arrangements, st.integers(1, 70))
def test_exact_integers_at_unit_lsb(threads, seed, rows, pairs, bits, arrangement, n):
    codes, cells_grid = draw(seed, rows, pairs, bits, n, g_max=(2**24 - 1) // rows)
    # A sum of 24 bits needs a 24-bit converter; the signed one keeps 23 for the magnitude.
    if arrangement == "pair":
        cells_grid = np.floor(cells_grid / 2)
    with mock.patch.object(read_noise_module, "_BLOCK_VALUES", 9000):
        y, saturated = multiply(codes, cells_grid, input_bits=bits, adc=Adc(24, 1.0, arrangement), threads=threads)
    assert saturated == 0
    assert np.array_equal(y, exact_product(codes, cells_grid))


@given(seeds, st.integers(1, 40), sizes, input_bits, arrangements, st.integers(1, 12))
def test_tiling_changes_nothing_with_an_ideal_adc(seed, rows, pairs, bits, arrangement, tile_rows):
    codes, cells_grid = draw(seed, rows, pairs, bits, g_max=20_000)
    y, saturated = multiply_tiles(
        codes, cells_grid, input_bits=bits, adc=Adc(24, 1.0, arrangement), tile_rows=tile_rows
    )
    assert saturated.shape == (-(-rows // tile_rows),) and not saturated.any()
    assert np.array_equal(y, exact_product(codes, cells_grid))


@pytest.mark.parametrize("held", [None, False, True])
@given(seeds, st.integers(1, 40), sizes, input_bits, arrangements, st.integers(1, 70))
def test_a_product_onto_a_total_is_the_sum(held, seed, rows, pairs, bits, arrangement, n):
    codes, cells_grid = draw(seed, rows, pairs, bits, n)
    adc, variance = Adc(8, 100.0, arrangement), None if held is None else read_variance(0.1 * cells_grid)
    noise = [None if held is None else ReadNoise(3, "onto", held=held) for _ in range(2)]
    wide = np.random.default_rng(seed).integers(-(2**40), 2**40, (n, pairs + 3))
    before, total = wide.copy(), wide[:, 1 : pairs + 1]  # a view, as a run has it
    with mock.patch.object(read_noise_module, "_BLOCK_VALUES", 9000):
        y, saturated = multiply(codes, cells_grid, input_bits=bits, adc=adc, noise=noise[0], variance=variance)
        found, again = multiply(
            codes, cells_grid, input_bits=bits, adc=adc, noise=noise[1], variance=variance, threads=2, onto=total
        )
    assert found is total and again == saturated and np.array_equal(total, before[:, 1 : pairs + 1] + y)
    wide[:, 1 : pairs + 1] = before[:, 1 : pairs + 1]
    assert np.array_equal(wide, before)


@given(seeds, sizes, sizes, input_bits, arrangements)
def test_zero_in_zero_out(seed, rows, pairs, bits, arrangement):
    codes, cells_grid = draw(seed, rows, pairs, bits)
    y, _ = multiply(np.zeros_like(codes), cells_grid, input_bits=bits, adc=Adc(8, 37.0, arrangement))
    assert not y.any()


@given(seeds, sizes, sizes, input_bits, arrangements)
def test_a_pruned_column_with_equal_off_states_reads_zero(seed, rows, pairs, bits, arrangement):
    codes, cells_grid = draw(seed, rows, pairs, bits)
    cells_grid[:, 1::2] = cells_grid[:, 0::2]
    y, _ = multiply(codes, cells_grid, input_bits=bits, adc=Adc(8, 37.0, arrangement))
    assert not y.any()


@given(seeds, sizes, sizes, input_bits, arrangements)
def test_a_pruned_column_leaks_no_more_than_its_off_cells_allow(seed, rows, pairs, bits, arrangement):
    codes, cells_grid = draw(seed, rows, pairs, bits, g_max=1500)
    adc = Adc(10, 400.0, arrangement)
    y, saturated = multiply(codes, cells_grid, input_bits=bits, adc=adc)
    leak_lsb = np.abs(cells_grid[:, 0::2] - cells_grid[:, 1::2]).sum(axis=0) / 400.0
    conversions = 1 if arrangement == "pair" else 2
    assert saturated == 0
    assert np.all(np.abs(y) <= (2**bits - 1) * (leak_lsb + 0.5 * conversions) + 1e-3)


@given(seeds, sizes, sizes, input_bits, arrangements)
def test_superposition_of_bit_planes(seed, rows, pairs, bits, arrangement):
    codes, cells_grid = draw(seed, rows, pairs, bits)
    adc = Adc(8, 300.0, arrangement)
    y, saturated = multiply(codes, cells_grid, input_bits=bits, adc=adc)
    parts = [multiply(codes & np.uint8(1 << b), cells_grid, input_bits=bits, adc=adc) for b in range(bits)]
    assert np.array_equal(y, sum(part for part, _ in parts)) and saturated == sum(count for _, count in parts)


@given(seeds, sizes, sizes, input_bits, arrangements)
def test_permuting_rows_with_their_inputs_changes_nothing(seed, rows, pairs, bits, arrangement):
    codes, cells_grid = draw(seed, rows, pairs, bits)
    order = np.random.default_rng(seed).permutation(rows)
    adc = Adc(8, 300.0, arrangement)
    assert np.array_equal(
        multiply(codes, cells_grid, input_bits=bits, adc=adc)[0],
        multiply(codes[:, order], cells_grid[order], input_bits=bits, adc=adc)[0],
    )


@given(seeds, st.integers(1, 30), sizes, input_bits, arrangements, st.integers(4, 14), st.integers(1, 10))
def test_error_bound_without_noise(seed, rows, pairs, bits, arrangement, adc_bits, tile_rows):
    codes, cells_grid = draw(seed, rows, pairs, bits)
    lsb = converters.bounding_lsb(cells_grid, adc_bits, arrangement=arrangement)
    if not lsb > 0:
        return
    y, saturated = multiply_tiles(
        codes, cells_grid, input_bits=bits, adc=Adc(adc_bits, lsb, arrangement), tile_rows=tile_rows
    )
    tiles = -(-rows // tile_rows)
    bound = tiles * (2**bits - 1) * (0.5 if arrangement == "pair" else 1.0)
    error = np.abs(y - exact_product(codes, cells_grid) / np.float64(np.float32(lsb)))
    assert not saturated.any()
    assert error.max() <= bound * (1 + 1e-5)


@given(seeds, sizes, sizes, st.integers(1, 7), st.integers(0, 127))
def test_zero_point_is_taken_back(seed, rows, pairs, bits, zero_point):
    """Signed inputs: codes shifted by z give, after the correction, the product of the signed values."""
    codes, cells_grid = draw(seed, rows, pairs, bits)
    zero_point %= 2**bits
    adc = Adc(24, 1.0)
    y, _ = multiply(codes, cells_grid, input_bits=bits, adc=adc)
    product.remove_zero_point(
        y, zero_point, sums_lsb=product.Operand(cells_grid).column_sums_grid / float(adc.tile_lsb)
    )
    assert np.array_equal(y, exact_product(codes.astype(np.int64) - zero_point, cells_grid))


def test_errors_of_converters_are_per_column():
    codes, cells_grid = draw(1, 8, 3, 2)
    columns = 2100  # more than one block of columns
    wide = np.tile(cells_grid, (1, columns // 6))
    errors = converters.sample_column_errors(rng.stream(1, "adc"), columns, offset_std_lsb=2.0, gain_std=0.05)
    y, _ = multiply(codes, wide, input_bits=2, adc=Adc(14, 100.0, "polarity"), errors=errors)
    for column in (0, 512, 1049):
        own = slice(2 * column, 2 * column + 2)
        its = ColumnErrors(errors.offset_lsb[own], errors.gain[own])
        alone, _ = multiply(codes, wide[:, own], input_bits=2, adc=Adc(14, 100.0, "polarity"), errors=its)
        assert np.array_equal(y[:, column], alone[:, 0])


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of few samples and columns, so that small cases have many."""
    monkeypatch.setattr(read_noise_module, "_BLOCK_VALUES", 600)
    monkeypatch.setattr(read_noise_module, "STACKED_COLS", 4)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@given(seeds, st.lists(st.integers(1, 90), min_size=1, max_size=5), input_bits, arrangements, st.booleans())
def test_noise_is_the_same_for_any_split_and_any_threads(small_blocks, seed, split, bits, arrangement, held):
    n = sum(split)
    codes, cells_grid = draw(seed, 6, 3, bits, n)
    adc, variance = Adc(14, 5.0, arrangement), read_variance(0.02 * cells_grid)

    def noise():
        return ReadNoise(seed, "tile", 3, held=held)

    whole = noise()
    expected = multiply(codes, cells_grid, input_bits=bits, adc=adc, noise=whole, variance=variance)
    threaded = multiply(codes, cells_grid, input_bits=bits, adc=adc, noise=noise(), variance=variance, threads=2)
    assert np.array_equal(expected[0], threaded[0]) and expected[1] == threaded[1]
    parts, stops, source = [], np.cumsum(split), noise()
    for first, last in zip([0] + list(stops[:-1]), stops):
        parts.append(
            multiply(codes[first:last], cells_grid, input_bits=bits, adc=adc, noise=source, variance=variance)[0]
        )
    assert np.array_equal(expected[0], np.concatenate(parts))
    assert source.position == whole.position == n
    resumed = ReadNoise(seed, "tile", 3, position=int(stops[0]), held=held)
    rest, _ = multiply(codes[stops[0] :], cells_grid, input_bits=bits, adc=adc, noise=resumed, variance=variance)
    assert np.array_equal(rest, expected[0][stops[0] :])


def test_calls_from_several_threads_share_no_noise(small_blocks):
    """Together they get the numbers that one call after the other gets, each call its own."""
    codes, cells_grid = draw(3, 9, 2, 4, n=5)
    variance = read_variance(np.float32(0.1) * cells_grid)

    def read(noise):
        y, _ = multiply(codes, cells_grid, input_bits=4, adc=Adc(24, 1.0), noise=noise, variance=variance)
        return y.tobytes()

    noise, alone = ReadNoise(1, "threads"), ReadNoise(1, "threads")
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read, [noise] * 40))
    assert sorted(together) == sorted(read(alone) for _ in range(40)) and len(set(together)) == 40
    assert noise.position == alone.position == 200


def test_noise_differs_between_reads_names_planes_and_polarities():
    codes = np.full((40, 5), 3, np.uint8)
    cells_grid = np.full((5, 4), 10_000, np.float32)
    variance = read_variance(0.1 * cells_grid)
    adc = Adc(14, 10.0)
    noise = ReadNoise(1, "a")
    first, second = (
        multiply(codes, cells_grid, input_bits=2, adc=adc, noise=noise, variance=variance)[0] for _ in range(2)
    )
    other, _ = multiply(codes, cells_grid, input_bits=2, adc=adc, noise=ReadNoise(1, "b"), variance=variance)
    assert not np.array_equal(first, second) and not np.array_equal(first, other)
    assert len(np.unique(first)) > 30  # samples, columns and planes differ
    assert first.any()  # equal G+ and G- would cancel if both had one and the same noise


def noise_currents(codes, cells_grid, bits, std_grid, held, n_reads):
    """The noise currents of the fast path, before the ADC: (n_reads, bits, columns)."""
    noise = ReadNoise(11, "law", held=held)
    parts = product.Operand(cells_grid, read_variance(std_grid)).blocks("polarity")
    of_noise, bare = (
        columns.Columns(parts, Adc(8, 1.0, "polarity"), input_bits=bits, noise=source, samples=64)
        for source in (noise, None)
    )
    planes = converters.bit_planes(np.repeat(codes, n_reads, axis=0), bits)
    noisy, ideal = (
        one.currents(parts[0], planes, np.arange(bits), position=5, buffers=read_noise_module.Buffers())
        for one in (of_noise, bare)
    )
    return (noisy - ideal).transpose(1, 0, 2)


@pytest.mark.parametrize("which", [0b000, 0b001, 0b0110, 0b1000, 0b1010])
@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_planes_that_drive_no_row_change_nothing(which, arrangement):
    """A plane without a bit is left out; beside a sample that drives all planes it is not."""
    codes, cells_grid = draw(8, 20, 70, 4, n=6)
    codes &= which
    adc, variance = Adc(10, 400.0, arrangement), read_variance(0.02 * cells_grid)
    beside = np.concatenate([codes, np.full((1, 20), 15, np.uint8)])
    for own in ({}, {"variance": variance}):
        (alone, n_alone), (among, n_among) = (
            multiply(x, cells_grid, input_bits=4, adc=adc, noise=ReadNoise(2, "left out") if own else None, **own)
            for x in (codes, beside)
        )
        assert np.array_equal(alone, among[:-1]) and n_alone <= n_among
        assert alone.any() == (which > 0)


def test_planes_that_drive_no_row_are_converted_where_converters_have_offsets():
    errors = ColumnErrors(np.full(3, 5, np.float32), np.ones(3, np.float32))
    _, cells_grid = draw(8, 4, 3, 2, n=1)
    y, _ = multiply(np.zeros((1, 4), np.uint8), cells_grid, input_bits=2, adc=Adc(8, 100.0), errors=errors)
    assert np.array_equal(y, np.full((1, 3), 5 * (1 + 2)))


@pytest.mark.parametrize("held", [False, True])
def test_noise_law_against_draws_per_cell(held):
    """Covariance over the planes: predicted from the cells, drawn cell by cell, and by the fast path."""
    bits, rows, n_reads = 3, 7, 20_000
    codes, cells_grid = draw(3, rows, 2, bits, n=1)
    std_grid = 0.05 * cells_grid
    planes = converters.bit_planes(codes, bits)[:, 0]
    generator = np.random.default_rng(5)
    shape = (n_reads, 1 if held else bits, rows, 4)
    by_cell = np.einsum(
        "bi,nbij->nbj", planes, np.broadcast_to(std_grid * generator.standard_normal(shape), (n_reads, bits, rows, 4))
    )
    fast = noise_currents(codes, cells_grid, bits, std_grid, held, n_reads)
    shared = np.einsum("ai,bi,ij->jab", planes, planes, std_grid.astype(np.float64) ** 2)
    predicted = shared if held else shared * np.eye(bits)
    for drawn in (by_cell, fast):
        for column in range(4):
            measured = np.cov(drawn[:, :, column].T)
            spread = np.sqrt((predicted[column] ** 2 + np.outer(*2 * [np.diag(predicted[column])])) / n_reads)
            assert np.all(np.abs(measured - predicted[column]) <= 5 * spread + 1e-9)
            ratio = measured[0, 0] / predicted[column][0, 0]
            assert abs(ratio - 1) < 5 * math.sqrt(2 / n_reads)


def test_held_noise_with_dependent_planes():
    """Equal planes get equal noise, an empty plane none, and nothing is undefined."""
    planes = np.zeros((4, 1, 3), np.float32)
    planes[0] = planes[2] = [[1, 0, 1]]
    planes[3] = [[1, 1, 1]]
    normals = np.random.default_rng(1).standard_normal((4, 1, 5)).astype(np.float32)
    variance, buffers = np.full((3, 5), 4, np.float32), read_noise_module.Buffers()
    noise = read_noise_module.held_noise(planes, variance, normals=[(slice(0, 1), normals)], buffers=buffers)
    assert np.allclose(noise[0], noise[2], rtol=1e-5, atol=0)
    assert not noise[1].any() and np.isfinite(noise).all()
    assert not np.allclose(noise[3], noise[0], rtol=0.1, atol=0)


def test_variance_grid_is_exact_and_fine_enough():
    std_grid = np.float32(0.0065) * np.random.default_rng(1).integers(1000, 20_000, (512, 64)).astype(np.float32)
    variance = read_variance(std_grid)
    step = 2.0 ** (math.ceil(math.log2(variance.max())) - 14)
    assert np.array_equal(variance / step, np.rint(variance / step))
    assert 2 * 512 * variance.max() / step < 2**24
    total = variance.sum(axis=0, dtype=np.float64)
    assert np.allclose(total, (std_grid.astype(np.float64) ** 2).sum(axis=0), rtol=1e-4, atol=0)
    assert not read_variance(np.zeros((3, 2), np.float32)).any()


@given(seeds, st.integers(1, 600), st.sampled_from([512.0, 3.0, 1.0, 0.3]))
def test_each_pair_has_its_own_variance_grid(seed, rows, largest):
    """A pair of off cells beside one of on cells: powers of two, exact sums, and the rounding of a cell is bounded."""
    generator = np.random.default_rng(seed)
    std_grid = generator.random((rows, 6)).astype(np.float32) * np.array([78, 78, largest, 0.65, 0, 0], np.float32)
    std_grid[0, 2] = largest  # a power of two among the cases: its square may be the top of its grid
    variance = read_variance(std_grid).astype(np.float64)
    exact = np.square(std_grid, dtype=np.float32).astype(np.float64)
    for pair in (slice(0, 2), slice(2, 4), slice(4, 6)):
        top = exact[:, pair].max()
        step = 2.0 ** math.ceil(math.log2(top / ((2**24 - 1) // (2 * rows)))) if top else 1.0
        steps = variance[:, pair] / step
        assert np.array_equal(steps, np.rint(steps)) and steps.sum() < 2**24
        assert np.array_equal(steps, np.rint(exact[:, pair] / step))


@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_a_pair_of_off_cells_beside_on_cells_keeps_its_noise(arrangement):
    """Fully pruned pair, 0.1 uS off against 12 uS on: its noise is that of its own cells."""
    cells_grid = np.full((512, 4), 100, np.float32)
    cells_grid[:, 0] = 12_000
    n, read_noise = 20_000, np.float32(0.0065)
    noise, variance = ReadNoise(3, "off"), read_variance(read_noise * cells_grid)
    y, _ = multiply(
        np.ones((n, 512), np.uint8),
        cells_grid,
        input_bits=1,
        adc=Adc(24, 1.0, arrangement),
        noise=noise,
        variance=variance,
    )
    measured = y[:, 1].std()
    assert np.isclose(measured**2, 2 * 512 * 0.65**2, rtol=6 * np.sqrt(2 / n), atol=0)


def test_noise_words_do_not_depend_on_the_byte_order():
    """The indices into the table of normals are the words from the lowest bits of each raw number upwards."""
    raw = int(rng.stream(7, "words").bit_generator.random_raw())
    table = read_noise_module._normal_table()
    a, b, c, d = (table[raw >> 16 * k & 0xFFFF] for k in range(4))
    wanted = [a + c, b + d, a - c, b - d]
    found = read_noise_module.fast_normals(rng.stream(7, "words"), (4,), buffers=read_noise_module.Buffers())
    assert found.tolist() == [float(value) for value in wanted]


def test_fast_normals_are_normal():
    draws = read_noise_module.fast_normals(
        rng.stream(1, "n"), (1000, 1000), buffers=read_noise_module.Buffers()
    ).astype(np.float64)
    assert ks_distance(draws[:100], normal_cdf) < 1.95 / math.sqrt(1e5)
    assert abs(draws.mean()) < 5e-3 and abs(draws.var() - 1) < 5 * math.sqrt(2e-6)
    assert abs(np.mean(draws**4) - 3) < 5 * math.sqrt(96e-6)
    table = read_noise_module._normal_table().astype(np.float64)
    assert math.isclose(2 * np.mean(table**2), 1, rel_tol=1e-6) and abs(table.sum()) < 1e-3
    assert math.isclose(4 * np.mean(table**4), 3, rel_tol=1e-4)


def test_fast_normals_have_the_tails_of_a_normal():
    """The exact distribution of a + b, with each outermost slice in its finer ones: within 0.3 % up to 6 sigma."""
    table, tail = (
        make().astype(np.float64) for make in (read_noise_module._normal_table, read_noise_module._tail_table)
    )
    inner, share = np.sort(table)[read_noise_module.TAIL_SLICES : -read_noise_module.TAIL_SLICES], 1 / len(table)
    upper = np.sort(-tail)
    for x in (3.0, 4.0, 5.0, 6.0):
        both_inner = np.sum(len(inner) - np.searchsorted(inner, x - inner)) * share**2
        one_outer = 2 * np.mean(len(inner) - np.searchsorted(inner, x - upper)) * share
        both_outer = np.mean(len(upper) - np.searchsorted(upper, x - upper)) / len(upper)
        weight = read_noise_module.TAIL_SLICES * share
        beyond = both_inner + one_outer * weight + both_outer * weight**2
        assert math.isclose(beyond, 0.5 * math.erfc(x / math.sqrt(2)), rel_tol=3e-3)


def test_draws_of_the_outermost_slices_are_drawn_again():
    """Of a million draws some 120 lie there, on both sides, and hardly two are alike."""
    n = 1_000_000
    normals = read_noise_module.fast_normals(rng.stream(1, "n"), (2, n // 2), buffers=read_noise_module.Buffers())
    draws = np.stack((normals[0] + normals[1], normals[0] - normals[1])) / 2  # a and b again
    edge = np.sort(read_noise_module._normal_table())[read_noise_module.TAIL_SLICES]
    for outermost in (draws[draws < edge - 1e-3], -draws[draws > -edge + 1e-3]):
        expected = n * read_noise_module.TAIL_SLICES / 2**16
        assert abs(len(outermost) - expected) < 5 * math.sqrt(expected)
        assert len(np.unique(outermost)) > 0.95 * len(outermost) and outermost.max() < edge


def test_the_two_halves_of_fast_normals_are_independent():
    """a + b and a - b share their draws: products of their first, second and fourth powers must not tell."""
    n = 1_000_000
    first, second = read_noise_module.fast_normals(
        rng.stream(2, "n"), (2, n), buffers=read_noise_module.Buffers()
    ).astype(np.float64)
    for power, moment, fourth in ((1, 0.0, 1.0), (2, 1.0, 9.0), (4, 9.0, 105.0**2)):
        products = first**power * second**power
        assert abs(products.mean() - moment) < 5 * math.sqrt((fourth - moment**2) / n)
    both_large = np.count_nonzero((abs(first) > 2) & (abs(second) > 2))
    share = math.erfc(2 / math.sqrt(2)) ** 2
    assert abs(both_large - n * share) < 5 * math.sqrt(n * share)


def test_noise_numbers_are_pinned():
    """The first numbers of a named stream: a change here changes every noisy result."""
    values = read_noise_module.fast_normals(rng.stream(7, "pin", 1), (5,), buffers=read_noise_module.Buffers())
    assert values.tolist() == PINNED


def test_noisy_products_are_pinned():
    """The same bits on every supported Python and NumPy: the checksum of one noisy product, for each noise law."""
    codes, cells_grid = draw(1, 40, 3, 4, n=70)
    cells_grid = np.rint(cells_grid / 3)
    for held, checksum in ((False, PINNED_FRESH), (True, PINNED_HELD)):
        noise = ReadNoise(5, "pin", held=held)
        y, _ = multiply(
            codes,
            cells_grid,
            input_bits=4,
            adc=Adc(14, 40.0),
            noise=noise,
            variance=read_variance(np.float32(0.02) * cells_grid),
        )
        assert zlib.crc32(y.astype("<i8").tobytes()) == checksum


PINNED_FRESH, PINNED_HELD = 507472985, 2263853382
PINNED = [
    -0.763028085231781,
    0.7600149512290955,
    -0.7450894117355347,
    0.8529067635536194,
    2.193004608154297,
]


@pytest.mark.parametrize("n", [0, 1])
def test_small_batches(n):
    codes, cells_grid = draw(1, 4, 2, 3, n=n)
    y, saturated = multiply(codes, cells_grid, input_bits=3, adc=Adc(14, 10.0))
    assert y.shape == (n, 2) and saturated == 0


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"codes": np.zeros((2, 5), np.uint8)}, ShapeError, "codes of shape"),
        ({"codes": np.full((2, 4), 8, np.uint8)}, ConfigError, "below 2\\^3"),
        ({"codes": np.zeros((2, 4))}, ConfigError, "uint8"),
        ({"cells_grid": np.zeros((4, 3), np.float32)}, ShapeError, "2 \\* pairs"),
        ({"cells_grid": np.zeros((4, 4))}, ConfigError, "float32"),
        ({"cells_grid": np.full((4, 4), 2**22, np.float32)}, ConfigError, "2\\^24"),
        ({"cells_grid": np.full((4, 4), np.nan, np.float32)}, ConfigError, "0 or more"),
        ({"cells_grid": np.full((4, 4), -1, np.float32)}, ConfigError, "0 or more"),
        ({"cells_grid": np.array([[-0.0, 2**22]] * 4, np.float32)}, ConfigError, "2\\^24"),
        ({"threads": 0}, ConfigError, "threads"),
        ({"onto": np.zeros((2, 3), np.int64)}, ShapeError, "a total of int64 \\(2, 3\\)"),
        ({"onto": np.zeros((2, 2), np.int32)}, ShapeError, "expected int64"),
        ({"input_bits": 0}, ConfigError, "input bits"),
        ({"noise": ReadNoise(1, "x")}, ConfigError, "both"),
        ({"noise": ReadNoise(1, "x"), "variance": read_variance(np.ones((4, 2)))}, ShapeError, "variance"),
        ({"errors": ColumnErrors(np.zeros(3, np.float32), np.ones(3, np.float32))}, ShapeError, "expected 2"),
    ],
)
def test_wrong_operands_are_refused(change, error, message):
    operands = {"codes": np.zeros((2, 4), np.uint8), "cells_grid": np.ones((4, 4), np.float32), "input_bits": 3}
    operands.update(change, adc=Adc(8, 1.0))
    with pytest.raises(error, match=message):
        multiply(**operands)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_flag_that_a_kernel_leaves_behind_is_no_error(threads):
    """Seen once: "invalid value in matmul" of finite operands. Results are checked, flags are not."""
    codes, cells_grid = draw(1, 9, 3, 4, n=40)
    adc = Adc(14, 10.0)
    expected = multiply(codes, cells_grid, input_bits=4, adc=adc)[0]
    matmul = np.matmul

    def leaves_a_flag(*operands, **options):
        np.subtract(np.float32(np.inf), np.float32(np.inf))
        return matmul(*operands, **options)

    with mock.patch.object(product.np, "matmul", leaves_a_flag):
        assert np.array_equal(multiply(codes, cells_grid, input_bits=4, adc=adc, threads=threads)[0], expected)
    with mock.patch.object(product.np, "matmul", lambda *operands, **options: matmul(*operands, **options) * np.nan):
        with pytest.raises(ConfigError, match="not a number"):
            multiply(codes, cells_grid, input_bits=4, adc=adc, threads=threads)


def test_an_error_in_one_thread_waits_for_the_others():
    """Else they would go on writing into a result that the caller has back."""
    begun, done = threading.Event(), []

    def work(share):
        if not share:
            begun.wait(10)
            raise ConfigError("of the first thread")
        begun.set()
        time.sleep(0.1)
        done.append(share)

    with pytest.raises(ConfigError, match="of the first thread"):
        product._in_threads(work, [[], [(0, 1)]])
    assert done == [[(0, 1)]]


def test_working_memory_never_holds_what_others_left():
    buffers = read_noise_module.Buffers()
    assert not buffers.take("current", (50, 70)).any()
    buffers.take("current", (50, 70))[:] = 3
    assert (buffers.take("current", (10, 7)) == 3).all() and not buffers.take("current", (90, 70)).any()

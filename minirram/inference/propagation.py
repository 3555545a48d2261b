"""Accuracy under read noise without drawing it: means and noise covariances carried from layer to layer.

`nn.engine.moment_nodes` says how. Here are the products of a chip: each conversion by the moments of a rounded normal
number. Behind the first product there are few conversions per output; what they give is counted code by code up to the
next quantiser. The chance of a right answer is that of the right output being the largest.

It holds for fresh noise of each read and the layers of `moment_nodes.PROPAGATE`, where conversions seldom saturate.
"""

from dataclasses import dataclass
from typing import Any, List, NamedTuple, Sequence

import numpy as np

from ..chip.chip import Chip
from ..crossbar.conditions import Conditions
from ..crossbar.converters import Adc, bit_planes
from ..crossbar.read_noise import read_variance
from ..errors import ConfigError
from ..nn.engine.moment_nodes import Settings, Summed, check_kinds, output_moments
from ..nn.engine.moments import (
    SHARP,
    TINY,
    Above,
    Moments,
    Passed,
    code_chances,
    converted,
    cumulative,
    right_answers,
    shifted_sum,
)
from ..nn.network import Network, input_bits
from .model import Model
from .product import ChipProduct

CHUNK = 20
"""samples that are worked on together"""


class Products:
    """Moments of the products of a chip."""

    def __init__(self, network: Network, model: Model, chip: Chip, conditions: Conditions) -> None:
        self.chip, self.model, self.conditions, self.bits = chip, model, conditions, input_bits(network)
        self.product = ChipProduct(
            chip, model.adcs, input_bits=self.bits, scales_S=model.scales_S, conditions=conditions
        )
        self.weights = {name: self._weights(name) for name in model.scales_S}

    def _weights(self, name: str) -> np.ndarray:
        """What a code changes in the product, converters' gain errors and all: float32 (fan_in, fan_out)."""
        adc, weights = self.model.adcs[name], np.empty(self.chip.placement.shape(name), np.float32)
        for tile in self.chip.placement.tiles_of(name):
            cells, errors = self._cells(tile, adc).mean, self.product.readings[tile].errors
            seen = cells if errors is None else cells * errors.gain
            weights[tile.matrix_rows, tile.matrix_cols] = (
                seen if adc.arrangement == "pair" else seen[:, 0::2] - seen[:, 1::2]
            )
        return weights * np.float32(self._unit(name))

    def _unit(self, name: str) -> float:
        """Of one LSB in the product."""
        lsb_weight = float(self.model.adcs[name].tile_lsb) * self.chip.cell_model.grid_S / self.model.scales_S[name]
        return lsb_weight * self.model.factors.get(name, 1.0)

    def __call__(self, name: str, planes: np.ndarray, variance: np.ndarray, zero_point: int = 0) -> Summed:
        """sum_i (x_i - zero_point) w_ij of codes x; the gain is the matrix.

        planes: chance of each of their bits, (bits, m, fan_in). variance: of the codes (m, fan_in).
        """
        chip, adc, tiles = self.chip, self.model.adcs[name], self.chip.placement.tiles_of(name)
        shape = planes.shape[1], chip.placement.shape(name)[1]
        mean, own = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for tile in tiles:
            seen = self._seen(tile, planes[:, :, tile.matrix_rows], adc)
            read = _converted(seen, adc)
            mean[:, tile.matrix_cols] += read.mean
            own[:, tile.matrix_cols] += read.variance
        offset: Any = 0.0
        if zero_point:
            offset = np.rint(zero_point * chip.column_sums_lsb(name, adc, wires=self.conditions.wires))
        unit, weights = self._unit(name), self.weights[name]
        total = Moments((mean - offset) * unit, own * unit**2 + np.matmul(variance, np.square(weights)))
        certain = len(tiles) == 1 and adc.arrangement == "pair" and not variance.any()
        return Summed(Passed(total, weights, own * unit**2), _counted(seen, total, offset, unit) if certain else None)

    def _seen(self, tile: Any, planes: np.ndarray, adc: Adc) -> "List[Seen]":
        """What the converters of a tile see of each plane."""
        cells, errors = self._cells(tile, adc), self.product.readings[tile].errors
        found = []
        for plane in planes:
            current, spread = np.matmul(plane, cells.mean), np.matmul(plane, cells.variance)
            coded = np.matmul(plane * (1 - plane), np.square(cells.mean))
            if errors is not None:
                current, spread = current * errors.gain + errors.offset_lsb, spread * errors.gain**2
                coded = coded * errors.gain**2
            found.append(Seen(np.clip(current, adc.bottom, adc.top), spread, coded))
        return found

    def _cells(self, tile: Any, adc: Adc) -> Moments:
        """Of what the converters of a tile see of each cell in one read, (rows, columns) in LSB."""
        macro, model, lsb = self.chip.macros[tile.macro], self.chip.cell_model, np.float32(adc.tile_lsb)
        grid = macro.effective_grid(tile.region, self.conditions.wires)
        variance = read_variance(model.read_std(grid, model.grid_S))
        if adc.arrangement == "pair":
            grid, variance = grid[:, 0::2] - grid[:, 1::2], variance[:, 0::2] + variance[:, 1::2]
        return Moments(grid / lsb, variance / lsb**2)


class Seen(NamedTuple):
    """What converters see of one plane, (m, columns) in LSB."""

    current: np.ndarray
    """its mean"""
    noise: np.ndarray
    """variance of the read"""
    coded: np.ndarray
    """variance that the bits bring"""


def _converted(seen: Sequence[Seen], adc: Adc) -> Moments:
    """Moments of the shifted sum of a tile, (m, pairs) in LSB; the variance without that of the bits."""
    mean, own = np.zeros_like(seen[0].current), np.zeros_like(seen[0].current)
    for bit, (current, noise, coded) in enumerate(seen):
        read = converted(current, noise + coded)
        mean += 2.0**bit * read.mean
        own += 4.0**bit * np.maximum(read.variance - coded, 0.0)
    if adc.arrangement == "pair":
        return Moments(mean, own)
    return Moments(mean[:, 0::2] - mean[:, 1::2], own[:, 0::2] + own[:, 1::2])


def _counted(seen: Sequence[Seen], total: Moments, offset: Any, unit: float) -> Above:
    """Chance of a product to reach a threshold: code by code where noise is small against an LSB, else as normal."""
    tail = shifted_sum([code_chances(one.current, one.noise) for one in seen])
    base = sum(2.0**bit * np.rint(one.current) for bit, one in enumerate(seen)) - offset
    sharp = np.logical_and.reduce([one.noise < SHARP**2 for one in seen])
    sigma = np.sqrt(np.maximum(total.variance, TINY))

    def above(threshold: Any) -> np.ndarray:
        place = np.ceil(threshold / unit - base) + len(tail) // 2 - 1
        index = np.clip(place, 0, len(tail) - 1).astype(np.int64)
        counted = np.take_along_axis(tail, index[None], axis=0)[0]
        return np.where(sharp, counted, cumulative((total.mean - threshold) / sigma))

    return above


@dataclass(frozen=True)
class Prediction:
    """What reads would give, without a read."""

    accuracy: float
    """expected share of right answers"""
    standard_deviation: float
    """of the accuracy of one draw of the read noise"""


def predicted(
    network: Network, model: Model, chip: Chip, *, codes: np.ndarray, labels: np.ndarray, conditions: Conditions
) -> Prediction:
    """The accuracy that read noise leaves on samples with one label each.

    codes: uint8 (n, height, width, channels). labels: (n,). ConfigError for what moments are not carried through.
    """
    check(network, conditions)
    products = Products(network, model, chip, conditions)
    use = Settings(products, model.state)
    chances = []
    for first in range(0, len(codes), CHUNK):
        some = slice(first, first + CHUNK)
        own = codes[some]
        planes = bit_planes(own.reshape(-1, own.shape[-1]), network.input_bits).reshape((-1,) + own.shape)
        outputs, covariance = output_moments(network, own, planes, use)
        chances.append(right_answers(outputs, covariance, labels[some]))
    chance = np.concatenate(chances)
    return Prediction(float(chance.mean()), float(np.sqrt((chance * (1 - chance)).sum()) / len(chance)))


def check(network: Network, conditions: Conditions) -> None:
    """ConfigError for what moments are not carried through."""
    check_kinds(network)
    if conditions.held_noise:
        raise ConfigError("noise covariances are those of fresh noise; held noise needs draws")

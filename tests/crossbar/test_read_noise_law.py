"""Read noise is asked from the kind of cell: a law of one's own is the one that everything reads with."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.conditions import Conditions
from minirram.crossbar.converters import Adc
from minirram.crossbar.wires import Wires
from minirram.device.cell import CellModel
from minirram.device.presets import TAOX_40NM
from minirram.inference.product import ChipProduct
from minirram.rng import stream

READS = 3000


@dataclass(frozen=True)
class ShotNoise(CellModel):
    """Noise that grows with the root of the conductance, as that of a current of single charges."""

    shot_S: float = 4e-9
    """conductance whose root, times that of the cell, is the deviation of a read"""

    def read_std(self, conductance, unit_S=1.0):
        return np.sqrt(conductance * np.asarray(self.shot_S / unit_S, conductance.dtype))


SHOT = ShotNoise(**{field.name: getattr(TAOX_40NM, field.name) for field in dataclasses.fields(CellModel)})


@pytest.fixture(scope="module")
def chip():
    made = Chip.sample(SHOT, (("w", (6, 4)),), level="cell", seed=1, lines=ChipLines(rows=6, pairs=4))
    made.form(10.0)
    made.program({"w": np.random.default_rng(1).random((2, 6, 4)) < 0.5}, {"w": None})
    return made


def check_variance(found, wanted):
    """Variances of READS reads, within five standard errors."""
    assert np.all(np.abs(found / wanted - 1) < 5 * np.sqrt(2 / READS))


def test_every_read_has_the_law_of_the_cell(chip):
    variance_S = SHOT.shot_S * chip.conductance_S()[0]
    generator = stream(1, "reads")
    check_variance(np.var([chip.read_out(generator)[0] for _ in range(READS)], axis=0), variance_S)
    of_pairs = variance_S[:, 0::2] + variance_S[:, 1::2]
    check_variance(
        np.var([chip.read_weights("w", 1e-6, generator=generator) for _ in range(READS)], axis=0) * 1e-12, of_pairs
    )


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("wires", [None, Wires(50.0, 50.0)])
@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_every_product_has_the_law_of_the_cell(chip, held, wires, arrangement):
    seen_S = chip.macros[0].effective_grid(wires=wires, region=None).astype(float) * SHOT.grid_S
    code = np.array([3, 1, 0, 2, 3, 1])
    bits = np.array([(code >> bit) & 1 for bit in range(2)])
    weight = code**2 if held else bits.T @ np.array([1, 4])
    variance = weight @ (SHOT.shot_S * (seen_S[:, 0::2] + seen_S[:, 1::2]))
    product = ChipProduct(
        chip,
        {"w": Adc(24, 1.0, arrangement)},
        input_bits={"w": 2},
        scales_S={"w": 1e-6},
        noise_seed=1,
        conditions=Conditions(wires=wires, held_noise=held),
    )
    check_variance(product("w", np.tile(code, (READS, 1)).astype(np.uint8)).var(axis=0) * 1e-12, variance)


def test_the_built_in_law_of_a_pair_is_that_of_its_cells():
    plus, minus = np.random.default_rng(1).integers(0, 20_000, (2, 50)).astype(np.float32)
    for floor_S in (0.0, 60e-9):
        model = dataclasses.replace(TAOX_40NM, read_noise_floor_S=floor_S)
        of_two = np.hypot(*(model.read_std(cells.astype(np.float64), model.grid_S) for cells in (plus, minus)))
        pair = model.pair_read_std(plus, minus, unit_S=model.grid_S)
        assert pair.dtype == np.float32 and np.allclose(pair, of_two, rtol=1e-6, atol=0)

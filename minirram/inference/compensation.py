"""Drift that is compensated: one gain per matrix, from one calibration read of stored probe vectors."""

from dataclasses import dataclass
from typing import Dict, List, Mapping

import numpy as np

from ..errors import DataError
from ..nn.network import Network
from .forward import forward
from .product import ChipProduct

PROBE_VECTORS = 8
"""probe vectors of each matrix: a gain averages over this many times its columns"""
PROBED_SAMPLES = 50
"""calibration inputs whose input vectors are to choose from"""


@dataclass(frozen=True, eq=False)
class Probe:
    """Input vectors that a matrix answers at programming and again later."""

    codes: np.ndarray
    """uint8 (vectors, fan_in)"""
    response_lsb: np.ndarray
    """int64 (vectors, fan_out): integer totals at programming, zero point not taken back"""


def make_probes(
    network: Network, state: Dict[str, np.ndarray], *, codes: np.ndarray, product: ChipProduct
) -> Dict[str, Probe]:
    """A `Probe` per matrix: vectors that calibration inputs send into it, and what `product` makes of them.

    codes: calibration inputs, uint8 (n, height, width, channels). They lie in the range of the ADCs, and weigh the
    rows as use does. product: without read noise, which the mean of many reads does not have.
    """
    seen: Dict[str, List[np.ndarray]] = {}

    def recording(name: str, codes: np.ndarray, zero_point: int = 0) -> np.ndarray:
        seen.setdefault(name, []).append(codes)
        return product(name, codes, zero_point)

    forward(network, state, codes=codes[:PROBED_SAMPLES], product=recording)
    chosen = {name: _spread(np.concatenate(vectors)) for name, vectors in seen.items()}
    return {name: Probe(vectors, product.totals(name, vectors)) for name, vectors in chosen.items()}


def _spread(vectors: np.ndarray) -> np.ndarray:
    """PROBE_VECTORS of the vectors that drive a row, from all over them; of all, when none does."""
    driving = vectors[vectors.any(axis=1)]
    among = driving if len(driving) else vectors
    return among[np.linspace(0, len(among) - 1, min(PROBE_VECTORS, len(among))).astype(np.int64)]


def measured_factors(probes: Mapping[str, Probe], product: ChipProduct) -> Dict[str, float]:
    """What the products of each matrix are to be multiplied by: 1 / gain, from one read of its probe vectors now."""
    return {name: 1.0 / gain(probe, product.totals(name, probe.codes), name) for name, probe in probes.items()}


def gain(probe: Probe, response_lsb: np.ndarray, name: str) -> float:
    """Response now over that at programming: the g for which g times the old one lies nearest to the new one.

    Least squares over all vectors and columns: noise of the new read does not shift it. DataError that names the
    matrix when the new response has nothing of the old one. 1 where the matrix never answered.
    """
    before: np.ndarray = probe.response_lsb.astype(np.float64)
    power = float((before * before).sum())
    if power == 0:
        return 1.0
    found = float((before * response_lsb).sum()) / power
    if not found > 0:
        raise DataError(
            f"matrix {name} answers its probe vectors with {found:.2g} of its response at programming: "
            "no gain brings that back, program the chip anew"
        )
    return found

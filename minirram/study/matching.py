"""Masks matched to another chip: single bits are flipped until each layer answers as it did on the first chip.

No label is looked at. Layer by layer, the outputs of calibration inputs on this chip are brought as near as single bits
bring them to those of the first chip, in the sense of least squares. A layer takes the inputs that the layers before it
give on this chip, so what is left of their error is matched, too.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from ..chip.chip import Chip
from ..chip.levels import kept_weights
from ..inference.forward import CHUNK, signals
from ..inference.model import Model
from ..inference.product import IdealProduct
from ..json_codec import Result
from ..learn.adaptation import follow_chip
from ..learn.learned import Arrays, copies
from ..learn.mask_learner import MaskLearner
from ..nn.network import Network, matrices

SAMPLES = 2000
"""calibration inputs with one label each"""
PATCHES = 40
"""calibration inputs with a label per pixel"""
VECTORS = 20_000
"""input vectors of a matrix that are looked at, at most: spread evenly over those of all samples"""
DAMPING = 0.01
"""of the mean square of the inputs, added to that of each: bits with hardly any input stay as they are"""
LEAST_GAIN = 1e-3
"""share of the present squared error that a flip has to save"""


@dataclass(frozen=True)
class Matched(Result):
    """The other chip after its bits were matched to the outputs of the first chip's layers."""

    validation: float
    """validation score of the training forward"""
    recovered: Optional[float]
    """share of the gap between home and before that this won back; None: there was no gap"""
    samples: int
    """calibration inputs, whose labels nobody looked at"""
    flips: int
    """bits that differ from the first chip's masks"""
    pulses: int
    """SET and RESET pulses that they took"""


def match_stage(
    learner: MaskLearner, chip: Chip, model: Model, *, data: Any, scores: Tuple[float, float], samples: int
) -> Matched:
    """Match `learner` to the first `chip` and its `model`, and let the digital statistics see the outcome.

    data: of the training, of which the codes are used alone. scores: validation at home, and here before. samples: how
    many calibration inputs. What is held then is the best so far.
    """
    home = {name: chip.read_weights(name, scale_S) for name, scale_S in model.scales_S.items()}
    codes, pulsed = data.calibration_codes(samples), sum(learner.pulse_counts())
    flips = match_masks(learner, home, codes=codes)
    follow_chip(learner, data, stage="matched")
    validation = float(data.validation_score(learner.predict))
    learner.keep_first(validation)
    gap, won = scores[0] - scores[1], validation - scores[1]
    pulses = sum(learner.pulse_counts()) - pulsed
    return Matched(validation, won / gap if gap > 0 else None, len(codes), flips, pulses)


def match_masks(learner: MaskLearner, home: Mapping[str, np.ndarray], *, codes: np.ndarray) -> int:
    """Flip bits of `learner`, and program them, until its layers answer `codes` as the weights of the first chip do.

    home: dict matrix name -> float32 (fan_in, fan_out), the weights of the first chip, read without noise. codes: uint8
    (n, height, width, channels). What all outputs of a channel share is lost in a batch norm: its mean follows. Ranges
    stay. Returns how many bits were flipped.
    """
    network, state, norms, flips = learner.network, learner.state, norms_behind(learner.network), 0
    first = copies(state)
    for name, _ in matrices(network):
        there, _ = input_vectors(network, first, codes=codes, weights=home, name=name)
        here, step = input_vectors(network, state, codes=codes, weights=learner.read_weights(), name=name)
        wanted = there @ home[name]
        common = (here.mean(axis=0), wanted.mean(axis=0)) if name in norms else (0, 0)
        flipped = greedy_flips(
            here - common[0],
            wanted - common[1],
            weights=learner.read_weights()[name],
            flip=_flip_weights(learner, name),
        )
        flips += int(np.count_nonzero(flipped))
        learner.masks[name] = learner.masks[name] ^ flipped.reshape(learner.masks[name].shape)
        learner.chip.program(learner.masks, learner.signs)
        learner.apply_wires()
        if name in norms:
            moved = common[0] @ learner.read_weights()[name] - common[1]
            state[norms[name] + ".mean"] += (step * moved).astype(np.float32)
    learner.hold_masks()
    return flips


def greedy_flips(vectors: np.ndarray, wanted: np.ndarray, *, weights: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Which bits to flip so that vectors @ weights comes near `wanted`: bool, in the shape of `flip`.

    vectors: float (n, fan_in). wanted: float (n, fan_out). weights: (fan_in, fan_out), as they are. flip: (k, fan_in,
    fan_out), what each of the k bits of a weight adds to it when it flips; NaN where it cannot. In each column the bit
    that saves the most squared error flips next, until none saves LEAST_GAIN of what is left. Distances are damped, see
    DAMPING.
    """
    n = len(vectors)
    square = (vectors.T @ vectors).astype(np.float64) / n
    damping = DAMPING * float(np.mean(np.diag(square)))
    error = vectors @ weights - wanted
    left = np.square(error, dtype=np.float64).sum(axis=0) / n
    slope = (vectors.T @ error).astype(np.float64) / n
    square[np.diag_indices_from(square)] += damping
    each: np.ndarray = flip.astype(np.float64)
    flipped = np.zeros(flip.shape, bool)
    columns = np.arange(flip.shape[2])
    own = np.diag(square)[:, None]
    while len(columns):
        change = each[:, :, columns]
        gains = -change * (2.0 * slope[:, columns] + change * own)
        flat = np.where(np.isnan(gains), -np.inf, gains).reshape(-1, len(columns))
        best = flat.argmax(axis=0)
        gain = flat[best, np.arange(len(columns))]
        worth = gain > LEAST_GAIN * left[columns]
        columns, best, gain = columns[worth], best[worth], gain[worth]
        bit, row = np.divmod(best, flip.shape[1])
        step = each[bit, row, columns]
        slope[:, columns] += square[:, row] * step
        left[columns] = np.maximum(left[columns] - gain, 0.0)
        each[bit, row, columns] = -step
        flipped[bit, row, columns] ^= True
    return flipped


def norms_behind(network: Network) -> Dict[str, str]:
    """Batch norm that the outputs of a matrix go into, maybe through pools: dict matrix name -> its name."""
    found: Dict[str, str] = {}
    for index, layer in enumerate(network.layers):
        behind = [after for after in network.layers[index + 1 :] if not after.keeps_shifts]
        if behind and behind[0].whole_batch:
            found.update({name: behind[0].name for name, _ in layer.matrices()})
    return found


def _flip_weights(learner: MaskLearner, name: str) -> np.ndarray:
    """What each bit of a matrix adds to its weight when it flips: float32 (k, fan_in, fan_out), k = 1 at pair level and
    2 at cell level; NaN where the chip cannot flip it. A cell that goes off is taken to conduct as much as the mean of
    those of the matrix that are off."""
    kept, mask, chip = learner.kept[name], learner.masks[name], learner.chip
    grid_weight = np.float32(chip.cell_model.grid_S / learner.scales_S[name])
    plus, minus = (cells.astype(np.float32) * grid_weight for cells in chip.pair_grid(name))
    now = kept_weights(learner.recipe.level, plus, minus=minus, sign=learner.signs[name])
    off = np.abs(now[~mask]).mean() if not mask.all() else 0.0
    flip: np.ndarray = np.where(mask, np.sign(kept) * np.float32(off), kept) - now
    if name in learner.free:
        flip = np.where(learner.free[name], flip, np.nan)
    if name in learner.forced:
        forced = learner.forced[name]
        flip = np.where(forced.kept | forced.pruned, np.nan, flip)
    return flip.reshape((-1,) + flip.shape[-2:])


def input_vectors(
    network: Network, state: Arrays, *, codes: np.ndarray, weights: Mapping[str, np.ndarray], name: str
) -> Tuple[np.ndarray, float]:
    """(input vectors of matrix `name`, float32 (about VECTORS at most, fan_in) in codes; the step of these codes)."""
    ideal, most = IdealProduct(weights), max(1, VECTORS * min(CHUNK, len(codes)) // len(codes))
    seen: List[np.ndarray] = []
    steps: List[float] = []

    wanted = name

    def recording(name: str, codes: np.ndarray, zero_point: int = 0) -> np.ndarray:
        if name == wanted:
            some = codes[:: -(-len(codes) // most)]
            seen.append(some.astype(np.float32) - np.float32(zero_point))
        return ideal(name, codes, zero_point)

    for start in range(0, len(codes), CHUNK):
        for layer, taken, _ in signals(network, state, codes=codes[start : start + CHUNK], product=recording):
            if wanted in [matrix for matrix, _ in layer.matrices()]:
                steps.append(float(taken.step or 1.0))
                break
    return np.concatenate(seen), steps[0]

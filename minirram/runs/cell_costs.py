"""Which of the cells that differ cost most: by the gradient of the loss first, then each of the dearest by itself."""

from dataclasses import replace
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..chip.chip import Chip
from ..inference.calibration import effective_weights
from ..inference.model import Model
from ..nn.engine.engine import Engine
from ..nn.gradient import frozen_gradients
from ..nn.loss import softmax_cross_entropy
from ..nn.network import Network, macs
from ..programming.results import CostlyCell, WrongCell
from ..rng import stream

LISTED = 10
"""cells that are named"""
LOOKED_AT = 20
"""cells whose loss is worked out by itself, those with the largest estimated effect, of either sign"""
BATCH = 50
"""training samples that pass together"""
MOST_SAMPLES = 1000
MOST_MACS = 2e10
"""multiply-accumulates of one pass over the samples: of a large network there are fewer"""

Arrays = Dict[str, np.ndarray]
Batches = Sequence[Tuple[np.ndarray, np.ndarray, Optional[np.ndarray]]]


class Seen(NamedTuple):
    """A chip in one state."""

    cells_S: np.ndarray
    """(macros, rows, cols), logical numbers"""
    weights: Arrays
    """as its products see them"""


def seen(chip: Chip, model: Model, wires: Any) -> Seen:
    """What a chip conducts now, and the weights that this makes."""
    weights = {
        name: effective_weights(chip, name, scale_S, wires) * np.float32(model.factors.get(name, 1.0))
        for name, scale_S in model.scales_S.items()
    }
    return Seen(chip.conductance_S(), weights)


def samples(network: Network, data: Any, recipe: Any) -> Batches:
    """Training samples with their labels, always the same ones: at most MOST_SAMPLES, or of MOST_MACS."""
    count = min(MOST_SAMPLES, max(BATCH, int(MOST_MACS / macs(network))))
    found: List[Any] = []
    crops = None if recipe.samples_per_epoch is None else MOST_SAMPLES
    size = BATCH if crops else min(BATCH, len(data.codes))
    asked = replace(recipe, batch_size=size, samples_per_epoch=crops)
    for batch in data.batches(stream(recipe.seed, "cell costs"), asked):
        found.append(batch)
        if size * len(found) >= count:
            break
    return found


def costly_cells(
    network: Network,
    chip: Chip,
    model: Model,
    *,
    programmed: Seen,
    read_back: Seen,
    wrong: Sequence[WrongCell],
    batches: Batches,
) -> Tuple[CostlyCell, ...]:
    """Of the cells that differ those that raise the loss most, dearest first; at most LISTED.

    The estimate is the conductance error times the mean of the gradients of the loss at both states: the loss along
    the way between them, to second order. The LOOKED_AT cells with the largest estimates, of either sign, are then put
    right one at a time: that says what each costs. Noiseless reads without ADCs; a cell that raises no loss is not
    named.
    """
    if not batches:
        return ()
    estimates = _estimates(network, chip, model, programmed=programmed, read_back=read_back, batches=batches)
    places = tuple(np.array([cell.place for cell in wrong], np.int64).reshape(-1, 3).T)
    estimate = chip.physical(estimates)[places]
    strongest = [int(k) for k in np.argsort(-np.abs(estimate), kind="stable")[:LOOKED_AT] if estimate[k]]
    was, now = (chip.physical(state.cells_S) for state in (programmed, read_back))
    engine, weight_of = Engine(network, BATCH), _weights_of(chip)
    whole = _loss(engine, read_back.weights, model, batches)
    found = []
    for cell in (wrong[k] for k in strongest):
        name, row, col, sign = weight_of(cell)
        changed = read_back.weights[name].copy()
        changed[row, col] += sign * (was[cell.place] - now[cell.place]) / model.scales_S[name]
        loss = whole - _loss(engine, dict(read_back.weights, **{name: changed}), model, batches)
        if loss > 0:
            found.append(
                CostlyCell(
                    **vars(cell), programmed_S=float(was[cell.place]), examined_S=float(now[cell.place]), loss=loss
                )
            )
    return tuple(sorted(found, key=lambda cell: -cell.loss)[:LISTED])


def _estimates(
    network: Network, chip: Chip, model: Model, *, programmed: Seen, read_back: Seen, batches: Batches
) -> np.ndarray:
    """First estimate of what each cell costs, (macros, rows, cols), logical numbers; the loss summed over samples."""
    both: Arrays = {}
    for state in (programmed, read_back):
        for codes, labels, weight in batches:
            x = (codes.astype(np.float32) - np.float32(network.input_zero)) * np.float32(network.input_step)
            _, gradients = frozen_gradients(
                network, state.weights, state=model.state, x=x, labels=labels, weight=weight
            )
            for name, gradient in gradients.items():
                both[name] = both.get(name, 0) + gradient / 2
    error_S, cost = read_back.cells_S - programmed.cells_S, np.zeros(chip.used.shape)
    for name in chip.placement.names:
        plus_S, minus_S = chip.placement.gather(name, error_S)
        slope = both[name] / model.scales_S[name]
        chip.placement.scatter(name, (slope * plus_S, -slope * minus_S), cells=cost)
    return cost


def _weights_of(chip: Chip) -> Any:
    """cell -> (matrix, row, column, sign) of the weight that it carries."""
    names, numbers = chip.placement.names, np.full(chip.used.shape, -1, np.int64)
    starts = np.cumsum([0] + [int(np.prod(chip.placement.shape(name))) for name in names])
    for name, start in zip(names, starts):
        shape = chip.placement.shape(name)
        own = start + np.arange(shape[0] * shape[1]).reshape(shape)
        chip.placement.scatter(name, (own, own), cells=numbers)
    physical = chip.physical(numbers, elsewhere=-1)

    def weight_of(cell: WrongCell) -> Tuple[str, int, int, int]:
        number = int(physical[cell.place])
        index = int(np.searchsorted(starts, number, side="right")) - 1
        row, col = divmod(number - int(starts[index]), chip.placement.shape(names[index])[1])
        return names[index], row, col, -1 if cell.col % 2 else 1

    return weight_of


def _loss(engine: Engine, weights: Arrays, model: Model, batches: Batches) -> float:
    """Mean cross-entropy of the samples, or of their pixels."""
    loss = total = 0.0
    for codes, labels, weight in batches:
        logits = engine.predict(weights, model.state, x=codes)
        loss += softmax_cross_entropy(logits, labels, weight=weight, total=1.0)[0]
        total += labels.size if weight is None else float(weight.sum(dtype=np.float64))
    return loss / total

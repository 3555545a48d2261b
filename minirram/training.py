"""Mask learning through a chip: every step reads the chip anew, and every flipped bit is a pulse on it."""

import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

import numpy as np

from .chip import check_level, draw_signs, kept_weights, mask_shape, weight_scale_S
from .engine import Engine
from .errors import ConfigError, DataError
from .networks import affine_parameters, initial_state, matrices
from .optim import cosine_rate, sgd_step
from .pruning import initial_scores, kept_count, score_gradient, steady_mask, top_mask
from .rng import stream


@dataclass(frozen=True)
class Recipe:
    """How masks are learned. The defaults are the Fashion-MNIST recipe; `tasks` holds one per task."""

    epochs: int = 30
    """passes over the training set"""
    batch_size: int = 240
    """samples per step"""
    samples_per_epoch: Optional[int] = None
    """crops of one epoch, for tasks that train on crops; None: an epoch is one pass over the training set"""
    learning_rate: float = 0.1
    """at the first step; falls to 0 as half a cosine over all steps"""
    momentum: float = 0.9
    """of the scores' gradient descent"""
    weight_decay: float = 5e-4
    """pull of the scores towards 0 (authors' code)"""
    density: float = 0.5
    """kept fraction of each layer's connections (authors' code)"""
    level: str = "pair"
    """'pair': one mask bit per weight; 'cell': one per cell"""
    hysteresis: float = 0.01
    """smallest relative change of |score| in one step that lets a bit flip, at the start (authors' code)"""
    hysteresis_end: float = 0.007
    """the limit it falls to"""
    hysteresis_steps: int = 15
    """new best validation epochs from the start to the end of that fall (authors' code)"""
    formed_share: float = 0.9999
    """expected share of cells that the forming voltage forms"""
    seed: int = 0
    """of scores, signs, batches and read noise"""
    chip_seed: int = 0
    """of the chip: which individual it is"""

    def __post_init__(self):
        check_level(self.level)
        kept_count(self.density, 1)
        for name in ("epochs", "batch_size", "hysteresis_steps"):
            if getattr(self, name) < 1:
                raise ConfigError("{} is {}; it must be at least 1".format(name, getattr(self, name)))
        for name in ("learning_rate", "weight_decay", "hysteresis", "hysteresis_end", "seed", "chip_seed"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError("{} is {}; it must be finite and not negative".format(name, getattr(self, name)))
        if not 0 <= self.momentum < 1:
            raise ConfigError("momentum is {}; it must lie in 0..1, 1 excluded".format(self.momentum))


class MaskLearner:
    """The state of mask learning: a formed chip, the scores of its connections, and the network's digital state.

    `masks`, `scores`, `velocity`: dicts name -> array in the shape of `chip.mask_shape`. `signs`, `scales_S`: how
    cells become weights (see `chip`). `state`: digital state (see `networks.initial_state`). `best`: masks and
    state of the best validation epoch so far.
    """

    def __init__(self, network, chip, recipe, threads=1):
        if chip.placement.shapes != matrices(network) or chip.level != recipe.level:
            raise ConfigError(
                "the chip was placed for {} at {} level; the network {} at {} level needs {}".format(
                    chip.placement.shapes, chip.level, network.name, recipe.level, matrices(network)
                )
            )
        self.network = network
        self.recipe = recipe
        self.engine = Engine(network, recipe.batch_size, threads)
        self.chip = chip
        self._wire(chip.read_out(stream(recipe.chip_seed, "read-out")))
        if recipe.level == "pair":
            chip.reset_partners(self.signs)
        self.state = initial_state(network)
        self.affine_velocity = {name: np.zeros_like(self.state[name]) for name in affine_parameters(network)}
        self.scores, self.velocity, self.masks = {}, {}, {}
        for name, shape in matrices(network):
            generator = stream(recipe.seed, "scores", name)
            self.scores[name] = initial_scores(generator, mask_shape(recipe.level, shape), shape[0])
            self.velocity[name] = np.zeros_like(self.scores[name])
            self.masks[name] = top_mask(self.scores[name], recipe.density)
        self.chip.program(self.masks, self.signs)
        self.read_generator = stream(recipe.seed, "training", "read")
        self.hysteresis = recipe.hysteresis
        self.best: Dict[str, Any] = {}
        self.history: List[Dict[str, Any]] = []

    def _wire(self, read_out_S):
        """From the read-out of the formed chip: signs, scales, the weight of every connection when kept."""
        recipe, placement = self.recipe, self.chip.placement
        self.read_out_S = read_out_S
        self.signs = draw_signs(recipe.seed, placement)
        self.scales_S, self.kept = {}, {}
        for name in placement.names:
            plus_S, minus_S = placement.gather(name, read_out_S)
            kept_S = kept_weights(recipe.level, plus_S, minus_S, self.signs[name])
            self.scales_S[name] = weight_scale_S(recipe.level, kept_S, recipe.density)
            self.kept[name] = (kept_S / self.scales_S[name]).astype(np.float32)

    def read_weights(self, generator=None):
        """One fresh read of every mapped cell as weights, dict name -> float32; noiseless without a generator."""
        return {name: self.chip.read_weights(name, scale_S, generator) for name, scale_S in self.scales_S.items()}

    def step(self, codes, labels, weight, rate):
        """One step: read, forward, backward, move the scores, pulse the bits that flip. Returns (loss, n_correct)."""
        weights = self.read_weights(self.read_generator)
        loss, n_correct, gradients = self.engine.training_step(weights, self.state, codes, labels, weight)
        recipe = self.recipe
        for name, scores in self.scores.items():
            gradient = score_gradient(gradients[name], self.kept[name], scores)
            old_scores = scores.copy()
            sgd_step(scores, self.velocity[name], gradient, rate, recipe.momentum, recipe.weight_decay)
            wanted = top_mask(scores, recipe.density)
            if self.hysteresis:
                wanted = steady_mask(wanted, self.masks[name], scores, old_scores, self.hysteresis)
            self.masks[name] = wanted
        for name, velocity in self.affine_velocity.items():
            sgd_step(self.state[name], velocity, gradients[name], rate, recipe.momentum, 0.0)
        self.chip.program(self.masks, self.signs)
        return loss, n_correct

    def predict(self, codes):
        """The network's output for `codes` from one fresh read-out, digital product (the training forward)."""
        generator = stream(self.recipe.seed, "validation", len(self.history))
        return self.engine.predict(self.read_weights(generator), self.state, codes)

    def epoch(self, data):
        """One pass over `data` (see `tasks`), then its validation score. Returns the row for the history."""
        recipe, index = self.recipe, len(self.history)
        started = time.perf_counter()
        before = dict(self.chip.pulses)
        n_steps = data.steps_per_epoch(recipe)
        losses, n_correct, n_labels = 0.0, 0, 0
        batches = data.batches(stream(recipe.seed, "batches", index), recipe)
        for step, (codes, labels, weight) in enumerate(batches):
            rate = cosine_rate(recipe.learning_rate, index * n_steps + step, recipe.epochs * n_steps)
            loss, correct = self.step(codes, labels, weight, rate)
            losses += loss
            n_correct += correct
            n_labels += labels.size if weight is None else int(np.count_nonzero(weight))
        seconds = time.perf_counter() - started
        row = {
            "epoch": index + 1,
            "loss": losses / n_steps,
            "train_accuracy": n_correct / n_labels,
            "validation": data.validation_score(self.predict),
            "kept_fraction": self.kept_fraction(),
            "hysteresis": self.hysteresis,
            "set_pulses": self.chip.pulses["set"] - before["set"],
            "reset_pulses": self.chip.pulses["reset"] - before["reset"],
            "seconds": seconds,
            "samples_per_second": n_steps * recipe.batch_size / seconds,
        }
        self.history.append(row)
        self._keep_best(row["validation"])
        return row

    def _keep_best(self, score):
        """Remember the best validation epoch (the later of equals); at each new one tighten the hysteresis."""
        if self.best and score < self.best["validation"]:
            return
        self.best = {
            "epoch": len(self.history),
            "validation": score,
            "masks": {name: mask.copy() for name, mask in self.masks.items()},
            "state": {name: array.copy() for name, array in self.state.items()},
        }
        fall = (self.recipe.hysteresis - self.recipe.hysteresis_end) / self.recipe.hysteresis_steps
        self.hysteresis = max(self.hysteresis - fall, self.recipe.hysteresis_end)

    def kept_fraction(self):
        """Kept connections over all connections, now: hysteresis lets it drift from the recipe's density."""
        kept = sum(int(np.count_nonzero(mask)) for mask in self.masks.values())
        return kept / sum(mask.size for mask in self.masks.values())

    def take_best(self):
        """Programme the best validation epoch's masks onto the chip and take its digital state."""
        self.masks = {name: mask.copy() for name, mask in self.best["masks"].items()}
        self.state = {name: array.copy() for name, array in self.best["state"].items()}
        self.chip.program(self.masks, self.signs)

    def checkpoint(self):
        """Everything that `restore` needs, as a flat dict of arrays."""
        arrays = {"hysteresis": np.float64(self.hysteresis), "read_out_S": self.read_out_S}
        arrays.update(_prefixed("scores", self.scores))
        arrays.update(_prefixed("velocity", self.velocity))
        arrays.update(_prefixed("masks", self.masks))
        arrays.update(_prefixed("state", self.state))
        arrays.update(_prefixed("affine_velocity", self.affine_velocity))
        arrays.update(_prefixed("generator", _generator_arrays(self.read_generator)))
        arrays.update(_prefixed("chip", self.chip.state()))
        arrays.update(_history_arrays(self.history))
        if self.best:
            arrays["best_epoch"] = np.int64(self.best["epoch"])
            arrays["best_validation"] = np.float64(self.best["validation"])
            arrays.update(_prefixed("best_masks", self.best["masks"]))
            arrays.update(_prefixed("best_state", self.best["state"]))
        return arrays

    def restore(self, arrays):
        """Continue where `checkpoint` was taken; DataError when the arrays belong to another network or recipe."""
        try:
            self._wire(arrays["read_out_S"])
            self.hysteresis = float(arrays["hysteresis"])
            for name in ("scores", "velocity", "masks", "state", "affine_velocity"):
                _fill(getattr(self, name), _part(arrays, name), name)
            _restore_generator(self.read_generator, _part(arrays, "generator"))
            self.chip.restore(_part(arrays, "chip"))
            self.history = _history_rows(arrays)
            if "best_epoch" in arrays:
                self.best = {
                    "epoch": int(arrays["best_epoch"]),
                    "validation": float(arrays["best_validation"]),
                    "masks": _part(arrays, "best_masks"),
                    "state": _part(arrays, "best_state"),
                }
        except KeyError as error:
            raise DataError("the checkpoint lacks {}".format(error)) from None


def _prefixed(prefix, arrays):
    """{'prefix/name': array}"""
    return {"{}/{}".format(prefix, name): array for name, array in arrays.items()}


def _part(arrays, prefix):
    """The inverse of `_prefixed`."""
    start = prefix + "/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def _fill(target, source, what):
    """Replace the arrays of `target` by those of `source`, which must have the same names, shapes and types."""
    for name, old in target.items():
        new = source[name]
        if new.shape != old.shape or new.dtype != old.dtype:
            raise DataError(
                "checkpoint, {} of {}: {} {}, expected {} {}".format(
                    what, name, new.dtype, new.shape, old.dtype, old.shape
                )
            )
        target[name] = new


def _generator_arrays(generator):
    """The state of an SFC64 generator as arrays."""
    state = generator.bit_generator.state
    return {
        "words": np.array(state["state"]["state"], np.uint64),
        "half": np.array([state["has_uint32"], state["uinteger"]], np.uint64),
    }


def _restore_generator(generator, arrays):
    """Put a generator into the state that `_generator_arrays` saved."""
    state = generator.bit_generator.state
    state["state"]["state"] = arrays["words"]
    state["has_uint32"], state["uinteger"] = (int(word) for word in arrays["half"])
    generator.bit_generator.state = state


def _history_arrays(history):
    """History rows as one float64 array per column."""
    columns = history[0] if history else ()
    return {"history/" + column: np.array([row[column] for row in history], np.float64) for column in columns}


def _history_rows(arrays):
    """The inverse of `_history_arrays`; whole numbers become integers again."""
    columns = _part(arrays, "history")
    whole = ("epoch", "set_pulses", "reset_pulses")
    return [
        {name: int(value) if name in whole else float(value) for name, value in zip(columns, values)}
        for values in zip(*columns.values())
    ]

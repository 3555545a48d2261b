"""What all learners share: the schedule, the epoch, its history, the best validation epoch, the checkpoint."""

import time
from typing import Any, Dict, List, Tuple

import numpy as np

from ..errors import DataError, DivergedError
from ..files import fill, part, prefixed
from ..nn.engine.engine import Engine
from ..nn.network import affine_parameters, initial_state, matrices
from ..rng import stream
from .optim import cosine_rate, sgd_step

_WHOLE = ("epoch", "set_pulses", "reset_pulses")
"""columns of the history that hold integers"""


class Learner:
    """Learns a network by gradient descent on whatever makes its weights; what that is, a subclass says.

    `state`: the network's digital state (see `networks.initial_state`), trained here where it is affine.
    `history`: one row per epoch. `best`: what is learned, and the state, at the best validation epoch so far.

    A subclass gives `read_weights` and `update`; `learned` names its attributes (dicts matrix name -> array) that
    make up what is learned, `moving` those that a checkpoint needs beside them.
    """

    learned: Tuple[str, ...] = ()
    moving: Tuple[str, ...] = ()

    def __init__(self, network, schedule, threads=1):
        self.network = network
        self.recipe = schedule
        self.engine = Engine(network, schedule.batch_size, threads)
        self.state = initial_state(network)
        self.affine_velocity = {name: np.zeros_like(self.state[name]) for name in affine_parameters(network)}
        self.read_generators = self.generators("training", "read")
        self.best: Dict[str, Any] = {}
        self.history: List[Dict[str, Any]] = []

    def generators(self, *name):
        """A random generator per matrix, so that matrices may be read in any order: dict matrix name -> Generator."""
        return {matrix: stream(self.recipe.seed, *name, matrix) for matrix, _ in matrices(self.network)}

    def by_matrix(self, work):
        """{matrix name: work(name)} of all matrices, shared between the engine's threads."""
        results: Dict[str, Any] = {name: None for name, _ in matrices(self.network)}

        def put(name):
            results[name] = work(name)

        self.engine.share(put, results)
        return results

    def read_chip(self, chip, scales_S, generators=None):
        """One fresh read of every mapped cell of `chip` as weights; `generators` as for `read_weights`."""

        def read(name):
            return chip.read_weights(name, scales_S[name], None if generators is None else generators[name])

        return self.by_matrix(read)

    def read_weights(self, generators=None):
        """The weights that a pass sees, dict name -> float32 (fan_in, fan_out); noiseless without `generators`."""
        raise NotImplementedError

    def update(self, gradients, rate):
        """Learn from d_loss/d_weight, dict name -> array that may be overwritten."""
        raise NotImplementedError

    def pulse_counts(self):
        """(SET, RESET) pulses spent on learning so far."""
        return 0, 0

    def columns(self):
        """Further columns of the history: dict name -> number."""
        return {}

    def step(self, codes, labels, weight, rate):
        """One step: read, forward, backward, learn. Returns (loss, n_correct)."""
        weights = self.read_weights(self.read_generators)
        loss, n_correct, gradients = self.engine.training_step(weights, self.state, codes, labels, weight)
        for name, velocity in self.affine_velocity.items():
            sgd_step(self.state[name], velocity, gradients.pop(name), rate, self.recipe.momentum, 0.0)
        self.update(gradients, rate)
        return loss, n_correct

    def predict(self, codes):
        """The network's output for `codes` from one fresh read-out, digital product (the training forward)."""
        generators = self.generators("validation", len(self.history))
        return self.engine.predict(self.read_weights(generators), self.state, codes)

    def epoch(self, data):
        """One pass over `data` (see `tasks`), then its validation score. Returns the row for the history."""
        recipe, index = self.recipe, len(self.history)
        started = time.perf_counter()
        before = self.pulse_counts()
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
        self.check_finite(losses)
        validation = data.validation_score(self.predict)
        n_set, n_reset = (now - then for now, then in zip(self.pulse_counts(), before))
        row = {
            "epoch": index + 1,
            "loss": losses / n_steps,
            "train_accuracy": n_correct / n_labels,
            "validation": validation,
            **self.columns(),
            "set_pulses": n_set,
            "reset_pulses": n_reset,
            "seconds": seconds,
            "samples_per_second": n_steps * recipe.batch_size / seconds,
        }
        self.history.append(row)
        if not self.best or validation >= self.best["validation"]:
            self.keep_best(validation)
        return row

    def check_finite(self, loss):
        """DivergedError unless the loss and all that moves are finite; a chip's weights are whatever the scores."""
        finite = {"loss": np.isfinite(loss)}
        for group in self.learned + self.moving + ("affine_velocity",):
            for name, array in getattr(self, group).items():
                finite[f"{group} of {name}"] = np.isfinite(array).all()
        for what, is_finite in finite.items():
            if not is_finite:
                message = "the {} is not finite after epoch {}: lower the learning rate, it is {}"
                raise DivergedError(message.format(what, len(self.history) + 1, self.recipe.learning_rate))

    def keep_best(self, validation):
        """Remember what is learned now as the best so far (of equals, the later)."""
        self.best = {"epoch": len(self.history), "validation": validation, "state": _copies(self.state)}
        self.best.update({group: _copies(getattr(self, group)) for group in self.learned})

    def take_best(self):
        """Return to what was learned at the best validation epoch, and to its digital state."""
        for group in self.learned + ("state",):
            setattr(self, group, _copies(self.best[group]))

    def checkpoint(self):
        """Everything that `restore` needs, as a flat dict of arrays."""
        arrays = {}
        for name, generator in self.read_generators.items():
            arrays.update(prefixed("generator/" + name, _generator_arrays(generator)))
        for group in self.learned + self.moving + ("state", "affine_velocity"):
            arrays.update(prefixed(group, getattr(self, group)))
        columns = self.history[0] if self.history else ()
        rows = {column: np.array([row[column] for row in self.history], np.float64) for column in columns}
        arrays.update(prefixed("history", rows))
        if self.best:
            arrays["best_epoch"] = np.int64(self.best["epoch"])
            arrays["best_validation"] = np.float64(self.best["validation"])
            for group in self.learned + ("state",):
                arrays.update(prefixed("best_" + group, self.best[group]))
        return arrays

    def restore(self, arrays):
        """Continue where `checkpoint` was taken; DataError when the arrays belong to another network or recipe."""
        try:
            self.restore_parts(arrays)
        except KeyError as error:
            raise DataError(f"the checkpoint lacks {error}") from None

    def restore_parts(self, arrays):
        """What `restore` does; KeyError for what is missing."""
        for group in self.learned + self.moving + ("state", "affine_velocity"):
            fill(getattr(self, group), part(arrays, group), group)
        for name, generator in self.read_generators.items():
            _restore_generator(generator, part(arrays, "generator/" + name))
        columns = part(arrays, "history")
        self.history = [
            {name: int(value) if name in _WHOLE else float(value) for name, value in zip(columns, values)}
            for values in zip(*columns.values())
        ]
        if "best_epoch" in arrays:
            self.best = {"epoch": int(arrays["best_epoch"]), "validation": float(arrays["best_validation"])}
            self.best.update({group: part(arrays, "best_" + group) for group in self.learned + ("state",)})


def _copies(arrays):
    return {name: array.copy() for name, array in arrays.items()}


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

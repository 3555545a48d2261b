"""What all learners share: the schedule, the epoch, its history, the best validation epoch, the checkpoint."""

import time
from dataclasses import replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Protocol, Tuple

import numpy as np

from ..chip.chip import Chip
from ..errors import ConfigError, DataError, DivergedError
from ..files import fill, part, prefixed
from ..nn.engine.engine import Engine
from ..nn.network import Network, affine_parameters, initial_state, matrices
from ..rng import stream
from .learned import Arrays, Groups, Learned, copies, flat
from .optim import FLUSH_STEPS, cosine_rate, flush, sgd_step
from .recipe import Schedule

_WHOLE = ("epoch", "set_pulses", "reset_pulses")
"""columns of the history that hold integers"""

Generators = Mapping[str, np.random.Generator]
Predict = Callable[[np.ndarray], np.ndarray]
Batch = Tuple[np.ndarray, np.ndarray, Optional[np.ndarray]]


class TrainingData(Protocol):
    """The data that a learner asks for, see `tasks`."""

    def steps_per_epoch(self, recipe: Any) -> int:
        """Batches of one epoch."""

    def batches(self, generator: np.random.Generator, recipe: Any) -> Iterable[Batch]:
        """(codes, labels, weight of each label or None) of each step of an epoch."""

    def validation_score(self, predict: Predict) -> float:
        """The score by which the best epoch is chosen."""


class Learner:
    """Learns a network by gradient descent on whatever makes its weights; what that is, a subclass says.

    `state`: the network's digital state (see `network.initial_state`), trained here where it is affine.
    `history`: one row per epoch. `best`: what was learned at the best validation epoch so far.

    A subclass gives `read_weights` and `update`; `learned_groups` names the arrays that make up what is learned,
    `moving_groups` those that a checkpoint needs beside them.
    """

    def __init__(self, network: Network, recipe: Schedule, *, threads: int = 1) -> None:
        self.network = network
        self.recipe = recipe
        self.engine = Engine(network, recipe.batch_size, threads=threads)
        self.state: Arrays = initial_state(network)
        self.affine_velocity = {name: np.zeros_like(self.state[name]) for name in affine_parameters(network)}
        self.read_generators = self.generators("training", "read")
        self.history: List[Dict[str, Any]] = []
        self._best: Optional[Learned] = None

    def __repr__(self) -> str:
        done = f"{len(self.history)} of {self.recipe.epochs} epochs done"
        return f"<{type(self).__name__}: network {self.network.name}, {done}>"

    def learned_groups(self) -> Groups:
        """What is learned, as it is now. The names stand in checkpoints."""
        raise NotImplementedError

    def moving_groups(self) -> Groups:
        """What learning moves beside that, as it is now. The names stand in checkpoints."""
        raise NotImplementedError

    @property
    def best(self) -> Learned:
        """What was learned at the best validation epoch so far; ConfigError before the first."""
        if self._best is None:
            raise ConfigError("nothing has been learned yet: there is no best epoch before the first")
        return self._best

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to learn with, whatever epochs are left."""
        return False

    def generators(self, *name: Any) -> Dict[str, np.random.Generator]:
        """A random generator per matrix, so that matrices may be read in any order: dict matrix name -> Generator."""
        return {matrix: stream(self.recipe.seed, *name, matrix) for matrix, _ in matrices(self.network)}

    def by_matrix(self, work: Callable[[str], np.ndarray]) -> Arrays:
        """{matrix name: work(name)} of all matrices, shared between the engine's threads."""
        results: Dict[str, Any] = {name: None for name, _ in matrices(self.network)}

        def put(name: str) -> None:
            results[name] = work(name)

        self.engine.share(put, results)
        return results

    def read_chip(self, chip: Chip, scales_S: Mapping[str, float], *, generators: Optional[Generators]) -> Arrays:
        """One fresh read of every mapped cell of `chip` as weights; `generators` as for `read_weights`."""

        def read(name: str) -> np.ndarray:
            return chip.read_weights(name, scales_S[name], generator=None if generators is None else generators[name])

        return self.by_matrix(read)

    def read_weights(self, generators: Optional[Generators] = None) -> Arrays:
        """The weights that a pass sees, dict name -> float32 (fan_in, fan_out); noiseless without `generators`."""
        raise NotImplementedError

    def update(self, gradients: Arrays, rate: float) -> None:
        """Learn from d_loss/d_weight, dict name -> array that may be overwritten."""
        raise NotImplementedError

    def descend(self, parameter: np.ndarray, velocity: np.ndarray, *, gradient: np.ndarray, rate: float) -> None:
        """One step of gradient descent with the recipe's momentum and weight decay, in place; see `sgd_step`."""
        momentum, weight_decay = self.recipe.momentum, self.recipe.weight_decay
        sgd_step(parameter, velocity, gradient=gradient, rate=rate, momentum=momentum, weight_decay=weight_decay)

    def pulse_counts(self) -> Tuple[int, int]:
        """(SET, RESET) pulses spent on learning so far."""
        return 0, 0

    def columns(self) -> Dict[str, float]:
        """Further columns of the history: dict name -> number."""
        return {}

    def step(
        self, codes: np.ndarray, labels: np.ndarray, *, weight: Optional[np.ndarray], rate: float
    ) -> Tuple[float, int]:
        """One step: read, forward, backward, learn. Returns (loss, n_correct)."""
        weights = self.read_weights(self.read_generators)
        loss, n_correct, gradients = self.engine.training_step(
            weights, self.state, x=codes, labels=labels, weight=weight
        )
        momentum = self.recipe.momentum
        for name, velocity in self.affine_velocity.items():
            gradient = gradients.pop(name)
            sgd_step(self.state[name], velocity, gradient=gradient, rate=rate, momentum=momentum, weight_decay=0.0)
        self.update(gradients, rate)
        return loss, n_correct

    def predict(self, codes: np.ndarray) -> np.ndarray:
        """The network's output for `codes` from one fresh read-out, digital product (the training forward)."""
        generators = self.generators("validation", len(self.history))
        return self.engine.predict(self.read_weights(generators), self.state, x=codes)

    def epoch(self, data: TrainingData, *, on_step: Optional[Callable[[], None]] = None) -> Dict[str, Any]:
        """One pass over `data` (see `tasks`), then its validation score. Returns the row for the history.

        on_step: called after each step.
        """
        recipe, index = self.recipe, len(self.history)
        started = time.perf_counter()
        before = self.pulse_counts()
        n_steps = data.steps_per_epoch(recipe)
        losses, n_correct, n_labels, taken = 0.0, 0, 0, 0
        batches = data.batches(stream(recipe.seed, "batches", index), recipe)
        for step, (codes, labels, weight) in enumerate(batches):
            rate = cosine_rate(recipe.learning_rate, index * n_steps + step, n_steps=recipe.epochs * n_steps)
            if step % FLUSH_STEPS == 0:
                self._flush()
            loss, correct = self.step(codes, labels, weight=weight, rate=rate)
            losses += loss
            taken += 1
            n_correct += correct
            n_labels += labels.size if weight is None else int(np.count_nonzero(weight))
            if on_step is not None:
                on_step()
        seconds = time.perf_counter() - started
        self.check_finite(losses)
        validation = data.validation_score(self.predict)
        n_set, n_reset = (now - then for now, then in zip(self.pulse_counts(), before))
        row = {
            "epoch": index + 1,
            "loss": losses / taken,
            "train_accuracy": n_correct / n_labels,
            "validation": validation,
            **self.columns(),
            "set_pulses": n_set,
            "reset_pulses": n_reset,
            "seconds": seconds,
            "samples_per_second": taken * recipe.batch_size / seconds,
        }
        self.history.append(row)
        if self._best is None or validation >= self._best.validation:
            self.keep_best()
        return row

    def _flush(self) -> None:
        """Take velocities that have died away out of the way."""
        for velocity in (*self.affine_velocity.values(), *self.moving_groups().get("velocity", {}).values()):
            flush(velocity)

    def check_finite(self, loss: float) -> None:
        """DivergedError unless the loss and all that moves are finite; a chip's weights are whatever the scores."""
        finite = {"loss": np.isfinite(loss)}
        for group, arrays in dict(self._groups(), state=self.state).items():
            finite.update({f"{group} of {name}": np.isfinite(array).all() for name, array in arrays.items()})
        for what, is_finite in finite.items():
            if not is_finite:
                raise DivergedError(
                    f"the {what} is not finite after epoch {len(self.history) + 1}: lower the learning rate, it is "
                    f"{self.recipe.learning_rate}"
                )

    def learned(self) -> Learned:
        """What is learned now."""
        groups = {group: copies(arrays) for group, arrays in self.learned_groups().items()}
        validation = self.history[-1]["validation"] if self.history else float("nan")
        return Learned(groups, copies(self.state), len(self.history), validation)

    def adopt(self, learned: Learned) -> None:
        """Hold what was learned before, here or by another learner of this kind; DataError when it does not fit."""
        try:
            for group, arrays in self.learned_groups().items():
                fill(arrays, copies(learned.groups[group]), what=group)
            fill(self.state, copies(learned.state), what="state")
        except KeyError as error:
            raise DataError(f"what was learned lacks {error}") from None

    def keep_best(self) -> None:
        """Remember what is learned now as the best so far (of equals, the later)."""
        self._best = self.learned()

    def keep_first(self, validation: float) -> None:
        """Remember what is held before any epoch, with its score, as the best so far."""
        self._best = replace(self.learned(), validation=validation)

    def checkpoint(self) -> Arrays:
        """Everything that `restore` needs, as a flat dict of arrays."""
        arrays = flat(dict(self._groups(), state=self.state))
        for name, generator in self.read_generators.items():
            arrays.update(prefixed("generator/" + name, _generator_arrays(generator)))
        columns = self.history[0] if self.history else ()
        rows = {column: np.array([row[column] for row in self.history], np.float64) for column in columns}
        arrays.update(prefixed("history", rows))
        if self._best is not None:
            arrays.update({"best_" + name: array for name, array in self._best.to_arrays().items()})
        return arrays

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue where `checkpoint` was taken; DataError when the arrays belong to another network or recipe."""
        try:
            self.restore_parts(arrays)
        except KeyError as error:
            raise DataError(f"the checkpoint lacks {error}") from None

    def restore_parts(self, arrays: Mapping[str, np.ndarray]) -> None:
        """What `restore` does; KeyError for what is missing."""
        for group, own in dict(self._groups(), state=self.state).items():
            fill(own, part(arrays, group), what=group)
        for name, generator in self.read_generators.items():
            _restore_generator(generator, part(arrays, "generator/" + name))
        columns = part(arrays, "history")
        self.history = [
            {name: int(value) if name in _WHOLE else float(value) for name, value in zip(columns, values)}
            for values in zip(*columns.values())
        ]
        self._best = best_learned(arrays) if "best_epoch" in arrays else None

    def _groups(self) -> Groups:
        """All that moves but the digital state."""
        return {**self.learned_groups(), **self.moving_groups(), "affine_velocity": self.affine_velocity}


def best_learned(checkpoint: Mapping[str, np.ndarray]) -> Learned:
    """What was learned at the best epoch that the arrays of a checkpoint know of; DataError when there is none."""
    start = "best_"
    return Learned.from_arrays({name[len(start) :]: a for name, a in checkpoint.items() if name.startswith(start)})


def _generator_arrays(generator: np.random.Generator) -> Arrays:
    """The state of an SFC64 generator as arrays."""
    state: Any = generator.bit_generator.state
    return {
        "words": np.array(state["state"]["state"], np.uint64),
        "has_uint32": np.array(state["has_uint32"], np.uint64),
        "uinteger": np.array(state["uinteger"], np.uint64),
    }


def _restore_generator(generator: np.random.Generator, arrays: Mapping[str, np.ndarray]) -> None:
    """Put a generator into the state that `_generator_arrays` saved."""
    state: Any = generator.bit_generator.state
    state["state"]["state"] = arrays["words"]
    state["has_uint32"], state["uinteger"] = int(arrays["has_uint32"]), int(arrays["uinteger"])
    generator.bit_generator.state = state

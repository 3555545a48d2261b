"""What a transfer does with a placed network: its weights are written on the other chip, and learn on from there."""

from typing import Any

import numpy as np

from ..chip.chip import Chip
from ..errors import ConfigError
from ..inference.model import Model
from ..learn.learned import Learned
from ..learn.written_weights import WriteLearner
from ..nn.engine.engine import Engine
from ..rng import stream
from ..runs.config import RunConfig
from ..runs.folder import RunFolder
from ..runs.place import WEIGHTS, load_weights, written_model, written_on


def is_placed(run: RunFolder) -> bool:
    """Whether a run is a placed network, whose weights are written and no masks are learned."""
    return run.has(WEIGHTS)


def writer_on(config: RunConfig, chip: Chip, *, origin: RunFolder, model: Model, threads: int) -> WriteLearner:
    """A learner that has written the weights of `origin` on the other chip, with as much effort as on the first.

    model: of the first chip, whose digital state it goes on from.
    """
    weights, effort = load_weights(origin)
    learner = written_on(chip, config, weights, effort=effort, threads=threads)
    learner.take_state(model.state)
    return learner


def home_score(run: RunFolder, chip: Chip, model: Model, *, training: Any, threads: int) -> float:
    """Validation score of the training forward on the first chip, from one read of it."""
    config, names = run.config, chip.placement.names
    engine = Engine(config.network, config.recipe.batch_size, threads=threads)
    reads = {name: stream(config.recipe.seed, "home", "read", name) for name in names}
    weights = {name: chip.read_weights(name, model.scales_S[name], generator=reads[name]) for name in names}

    def predict(codes: np.ndarray) -> np.ndarray:
        return engine.predict(weights, model.state, x=codes)

    return float(training.validation_score(predict))


def finish_written(learner: WriteLearner, learned: Learned, *, data: Any, config: RunConfig) -> Model:
    """Return to weights that were learned or written, and calibrate the ADCs on training data: the Model."""
    learner.adopt(learned)
    return written_model(config, learner, data.calibration_codes())


def check_options(know_faults: bool, *, match: bool) -> None:
    """ConfigError for what weights have no use for."""
    if know_faults:
        raise ConfigError(
            "--know-faults is for masks; the writing of weights finds dead cells as it goes: leave it out"
        )
    if match:
        raise ConfigError("--match is for masks; weights are written near those of the first chip anyway: leave it out")

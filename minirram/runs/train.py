"""What a user does with a run folder, step by step: train, evaluate, account for energy, export. No printing."""

import os
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from .. import __version__
from ..chip.chip import Chip
from ..chip.dead_lines import read_faults
from ..device.measured_maps import read_conductance_map
from ..errors import ConfigError, MissingFileError
from ..files import read_json, write_json
from ..inference import calibration
from ..inference.examine import examine
from ..inference.model import Model
from ..learn.learned import Learned
from ..learn.mask_learner import MaskLearner
from ..nn.network import matrices, weights_by_layer
from ..tasks import datasets
from ..tasks.training_data import training_data
from .config import RunConfig
from .folder import RunFolder, open_test, open_training
from .own_data import DATA_SET, own_data


def train(folder, config, threads=1, resume=False, maps=(), unit=None, progress=None, faults=None):
    """Learn the masks of `config` in `folder`, then evaluate on validation and, once, on the test set.

    resume: continue the run in the folder, if there is one; its configuration must be `config`. maps, unit:
    conductance maps to start from, as named in `config.maps`. progress: called with each row of the history. faults:
    file of stuck cells, as named in `config.faults`. Returns the results, as `results.json` holds them.
    """
    return learn(folder, config, threads, resume, maps, unit, progress, faults)[0]


def learn(folder, config, threads=1, resume=False, maps=(), unit=None, progress=None, faults=None, arrays=None):
    """What `train` does: (results, test set that was opened for them, or None when the run had ended before).

    arrays: `LabelledData` that the run folder is to carry, instead of a data source; `config.layout` describes them.
    """
    config, arrays = own_data(config, arrays)
    chip = make_chip(config, maps, unit, faults)
    if arrays is None:
        data = open_training(config)
    else:
        data = training_data(config.data_layout, arrays.training, arrays.validation, network=config.network)
    data.steps_per_epoch(config.recipe)
    config = replace(config, data_crc=data.crc)
    run = RunFolder.open(folder) if resume and RunFolder.exists(folder) else RunFolder.create(folder, config)
    run.check_config(config)
    if run.has("results.json"):
        return read_json(run.path("results.json")), None
    if arrays is not None and not run.has(f"{DATA_SET}.npz"):
        datasets.save(run.folder, config.data_layout, arrays.arrays(), origin=arrays.training.origin)
    learner = MaskLearner(config.network, chip, recipe=config.recipe, threads=threads, wires=config.wires)
    run.learn(learner, data, progress=progress)
    model = finish(learner, learner.best, data=data, config=config)
    run.save_trained(chip, model, masks=learner.masks)
    run.log_test_opening("end of training")
    test_set = open_test(config, None if arrays is None else run.folder)
    results = _results(run, learner, model, data, test_set, threads)
    write_json(run.path("results.json"), results)
    return results, test_set


def make_chip(config, maps=(), unit=None, faults=None):
    """The formed chip of a run: drawn from the technology, or from measured maps (paths) in `unit`; with the stuck
    cells in the file `faults`."""
    recipe, shapes = config.recipe, matrices(config.network)
    if map_names(maps) != config.maps:
        raise ConfigError(f"this run starts from the maps {config.maps}; {map_names(maps)} were given")
    planted = "" if faults is None else map_names((faults,))[0]
    if planted != config.faults:
        raise ConfigError(f"this run has the stuck cells of {config.faults!r}; {planted!r} was given")
    stuck = () if faults is None else read_faults(faults)
    if maps:
        maps_S = [read_conductance_map(path, unit) for path in maps]
        chip = Chip.from_maps(config.cell_model, maps_S, shapes, recipe.level, recipe.chip_seed, config.lines)
        chip.stick(stuck)
    else:
        chip = Chip.sample(config.cell_model, shapes, recipe.level, recipe.chip_seed, config.lines)
        chip.stick(stuck)
        chip.form(config.forming_voltage_V)
    if chip.unformed_pairs() > chip.placement.n_pairs / 2:
        raise ConfigError(
            f"{chip.unformed_pairs()} of the {chip.placement.n_pairs} pairs that the network needs "
            "have a cell that is not formed"
        )
    return chip


def map_names(paths):
    """How a run remembers its maps: "NAME CRC-32" of each file; MissingFileError when there is none."""
    names = []
    for path in paths:
        try:
            with open(path, "rb") as handle:
                names.append(f"{os.path.basename(path)} {zlib.crc32(handle.read()):08x}")
        except OSError:
            raise MissingFileError(f"{path}: there is no such file") from None
    return tuple(names)


def finish(learner: MaskLearner, learned: Learned, *, data: Any, config: RunConfig) -> Model:
    """Program masks that were learned onto the chip and calibrate its ADCs on training data: the Model."""
    learner.adopt(learned)
    adcs = calibration.calibrate_adcs(
        config.network,
        learner.state,
        data.calibration_codes(),
        learner.chip,
        learner.scales_S,
        config.adc_bits,
        config.adc_arrangement,
    )
    return Model(learner.chip.placement, learner.signs, learner.scales_S, adcs, learner.state)


def _results(run, learner, model, data, test_set, threads):
    """Figures of a finished training."""
    config, network = run.config, run.config.network
    seed = config.recipe.seed
    validation = examine(config, learner.chip, model, data.validation, "validation", threads)
    test = examine(config, learner.chip, model, test_set, "test", threads)
    pulses = learner.chip.pulses
    return {
        "version": __version__,
        "task": config.task,
        "data": data.origin,
        "level": config.recipe.level,
        "density": config.recipe.density,
        "kept_fraction": learner.kept_fraction(),
        "epochs": len(learner.history),
        "best_epoch": learner.best.epoch,
        "primary": test_set.primary,
        "val_accuracy": validation["accuracy"],
        "test_accuracy": test["accuracy"],
        "ideal_accuracy": test["ideal_accuracy"],
        "validation": validation,
        "test": test,
        "read_noise": config.cell_model.read_noise,
        "re_set": config.cell_model.re_set,
        "adc_bits": config.adc_bits,
        "adc_arrangement": config.adc_arrangement,
        "seed": seed,
        "chip_seed": config.recipe.chip_seed,
        "images_per_second": float(np.mean([row["samples_per_second"] for row in learner.history])),
        "training_seconds": float(sum(row["seconds"] for row in learner.history)),
        "weights": sum(weights_by_layer(network).values()),
        "macros": learner.chip.placement.n_macros,
        "utilisation": learner.chip.placement.utilisation,
        "unformed_pairs": learner.chip.unformed_pairs(),
        "stuck_cells": learner.chip.stuck_cells(),
        "moved": config.lines.report() if config.lines is not None else [],
        "pulses": dict(pulses),
        "flips_per_weight": (pulses["set"] + pulses["reset"]) / learner.chip.placement.n_pairs,
        "test_openings": run.test_openings(),
    }

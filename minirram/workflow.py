"""What a user does with a run folder, step by step: train, evaluate, account for energy, export. No printing."""

import os
import time
import zlib
from collections import Counter
from dataclasses import replace

import numpy as np

from . import (
    __version__,
    accounting,
    digital,
    energy,
    events,
    inference,
    metrics,
    networks,
    program,
    readback,
    shapes,
    xbp,
)
from .chip import Chip
from .conditions import Conditions
from .costs import load_costs
from .errors import ConfigError, MissingFileError
from .files import atomic_writer, read_json, write_json
from .lines import read_faults
from .maps import read_conductance_map
from .model import Model
from .pulses import pulse_recipes
from .rng import stream
from .runs import Run, open_training
from .tasks import task
from .training import MaskLearner

ENERGY_SAMPLES = 500
"""validation samples whose events are counted"""
ENERGY_IMAGES = 3
"""the same where a sample is a whole image, cut into many fields of the network: as many as DRIVE holds back"""
UNPRUNED_STEPS = 20
"""batches from which the unpruned chip's digital statistics are taken"""


def train(folder, config, threads=1, resume=False, maps=(), unit=None, progress=None, faults=None):
    """Learn the masks of `config` in `folder`, then evaluate on validation and, once, on the test set.

    resume: continue the run in the folder, if there is one; its configuration must be `config`. maps, unit:
    conductance maps to start from, as named in `config.maps`. progress: called with each row of the history. faults:
    file of stuck cells, as named in `config.faults`. Returns the results, as `results.json` holds them.
    """
    return learn(folder, config, threads, resume, maps, unit, progress, faults)[0]


def learn(folder, config, threads=1, resume=False, maps=(), unit=None, progress=None, faults=None):
    """What `train` does: (results, test set that was opened for them, or None when the run had ended before)."""
    chosen = task(config.task)
    chip = make_chip(config, maps, unit, faults)
    data = open_training(config)
    data.steps_per_epoch(config.recipe)
    config = replace(config, data_crc=data.crc)
    run = Run.open(folder) if resume and Run.exists(folder) else Run.create(folder, config)
    run.check_config(config)
    if run.has("results.json"):
        return read_json(run.path("results.json")), None
    learner = MaskLearner(config.network, chip, config.recipe, threads, wires=config.wires)
    run.learn(learner, data, progress)
    model = finish(learner, data, config)
    run.save_trained(chip, model, learner.masks)
    run.log_test_opening("end of training")
    test_set = chosen.load_test(config.data, config.network)
    results = _results(run, learner, model, data, test_set, threads)
    write_json(run.path("results.json"), results)
    return results, test_set


def make_chip(config, maps=(), unit=None, faults=None):
    """The formed chip of a run: drawn from the technology, or from measured maps (paths) in `unit`; with the stuck
    cells in the file `faults`."""
    recipe, matrices = config.recipe, networks.matrices(config.network)
    if map_names(maps) != config.maps:
        raise ConfigError(f"this run starts from the maps {config.maps}; {map_names(maps)} were given")
    planted = "" if faults is None else map_names((faults,))[0]
    if planted != config.faults:
        raise ConfigError(f"this run has the stuck cells of {config.faults!r}; {planted!r} was given")
    stuck = () if faults is None else read_faults(faults)
    if maps:
        maps_S = [read_conductance_map(path, unit) for path in maps]
        chip = Chip.from_maps(config.cell_model, maps_S, matrices, recipe.level, recipe.chip_seed, config.lines)
        chip.stick(stuck)
    else:
        chip = Chip.sample(config.cell_model, matrices, recipe.level, recipe.chip_seed, config.lines)
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


def finish(learner, data, config):
    """Programme the best masks onto the chip and calibrate its ADCs on training data: the Model."""
    learner.take_best()
    adcs = inference.calibrate_adcs(
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
        "best_epoch": learner.best["epoch"],
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
        "weights": sum(networks.weights_by_layer(network).values()),
        "macros": learner.chip.placement.n_macros,
        "utilisation": learner.chip.placement.utilisation,
        "unformed_pairs": learner.chip.unformed_pairs(),
        "stuck_cells": learner.chip.stuck_cells(),
        "moved": config.lines.report() if config.lines is not None else [],
        "pulses": dict(pulses),
        "flips_per_weight": (pulses["set"] + pulses["reset"]) / learner.chip.placement.n_pairs,
        "test_openings": run.test_openings(),
    }


def examine(
    config,
    chip,
    model,
    examination,
    split,
    threads=1,
    draws=1,
    observer=None,
    conditions=None,
):
    """How a run answers an examination (see `tasks`) on its macros with everything on, and with ideal reads beside it.

    The figures are means over `draws` of the read noise (the confusion matrix is that of the last one); `by_draw` lists
    the primary figure of each, `ideal` holds the figures of ideal reads, `ideal_accuracy` their accuracy. `saturated`
    counts per tile, `conversions` per matrix, `clipped` per quantiser, in the last draw. observer: sees the codes of
    the first draw. conditions: `conditions.Conditions` of use; None: the run's wires, all else ideal. split: what is
    examined; its name, the run's seed and the draw name the read noise.
    """
    network, bits = config.network, inference.input_bits(config.network)
    own = Conditions(wires=config.wires)
    conditions = own if conditions is None else conditions
    answers, started = [], time.perf_counter()
    for draw in range(draws):
        noise_seed = int(stream(config.recipe.seed, "read", split, draw).integers(2**32))
        product = inference.ChipProduct(
            chip, model.adcs, bits, model.scales_S, noise_seed, threads, observer if draw == 0 else None, conditions
        )
        clipped: Counter = Counter()
        answers.append(_answer(examination, network, model, product, clipped))
    seconds = time.perf_counter() - started
    noiseless = inference.ChipProduct(chip, model.adcs, bits, model.scales_S, None, threads, conditions=own)
    ideal = _answer(examination, network, model, noiseless, None)
    figures = dict(answers[-1])
    figures.update({key: float(np.mean([answer[key] for answer in answers])) for key in figures if key != "confusion"})
    return dict(
        figures,
        primary=examination.primary,
        by_draw=[answer[examination.primary] for answer in answers],
        ideal={key: value for key, value in ideal.items() if key != "confusion"},
        ideal_accuracy=ideal["accuracy"],
        saturated=dict(product.saturated),
        conversions=dict(product.conversions),
        clipped=dict(clipped),
        images=len(examination),
        images_per_second=draws * len(examination) / seconds,
    )


def _answer(examination, network, model, product, clipped):
    """The examination's figures for one way to multiply."""
    return examination.figures(lambda codes: inference.predict(network, model.state, codes, product, clipped))


def evaluate(
    folder, split="validation", data=None, read_noise=None, draws=1, threads=1, conditions=inference.IDEAL_CONDITIONS
):
    """Accuracy of a run on its simulated macros: dict. Opening the test set is logged in the run folder.

    data: folder of the data set or "synthetic", instead of the run's. read_noise: instead of the run's technology's.
    draws: independent repetitions of the read noise. conditions: `conditions.Conditions` of use.
    """
    if split not in ("validation", "test"):
        raise ConfigError(f"split {split!r}: choose 'validation' or 'test'")
    if draws < 1:
        raise ConfigError(f"draws is {draws}; it must be at least 1")
    run = Run.open(folder)
    config = run.config
    cell_model = config.cell_model if read_noise is None else replace(config.cell_model, read_noise=read_noise)
    chip, model, _ = run.load_trained(cell_model)
    if conditions.wires is None:
        conditions = replace(conditions, wires=config.wires)
    conditions.let_time_pass(chip)
    examination = _split(run, split, data or config.data)
    score = examine(config, chip, model, examination, split, threads, draws, conditions=conditions)
    error = np.std(score["by_draw"], ddof=1) / np.sqrt(draws) if draws > 1 else None
    return dict(
        score,
        split=split,
        task=config.task,
        read_noise=cell_model.read_noise,
        adc_bits=config.adc_bits,
        draws=draws,
        standard_error=None if error is None else float(error),
        test_openings=run.test_openings(),
    )


def _split(run, split, source):
    """The examination of one split of a run's task; the test set's opening is logged first."""
    chosen, network = task(run.config.task), run.config.network
    if split == "test":
        run.log_test_opening("evaluate")
        return chosen.load_test(source, network)
    return chosen.load_training(source, network).validation


def account(folder, data=None, threads=1, what_if=None):
    """Energy, latency and area of a run, JSON-ready: per inference by matrix, plane and event, of programming and of
    training, digital hardware beside it. Energy and accuracy belong to the same ADC and input bits.

    what_if: `accounting.WhatIf`, what to change against the run.
    """
    what_if = accounting.WhatIf() if what_if is None else what_if
    run = Run.open(folder)
    config, costs, chosen = what_if.adapted(run.config), load_costs(what_if.technology), task(run.config.task)
    network = config.network
    pulse = energy.read_pulse(config.cell_model, costs, what_if.read_voltage_V, what_if.read_time_s)
    chip, model, masks = run.load_trained()
    training = open_training(run.config, data)
    if network != run.config.network:  # codes of other bits
        training = chosen.load_training(data or config.data, network)
    model = what_if.adapted_model(config, model, chip, training)
    examination = training.validation.first(ENERGY_IMAGES if chosen.per_pixel else ENERGY_SAMPLES)
    network_shapes = shapes.of_network(network)
    counter = events.EventCounter(network_shapes.bits, threads)
    score = examine(config, chip, model, examination, "validation", threads, observer=counter)
    # A whole image counts as so many inferences as fields of the network's own size it is cut into.
    first = chip.placement.names[0]
    inferences = counter.vectors[first] / network_shapes.positions[first]

    def inference_now():
        counted = events.counted_events(counter, chip, model.adcs, inferences)
        found = accounting.inference_account(
            counted,
            network_shapes.digital,
            chip.placement,
            costs,
            config.adc_bits,
            pulse,
            config.adc_arrangement,
            what_if.macros,
        )
        if what_if.macros is not None:
            accounting.add_reprogramming(found, chip, what_if.macros, costs)
        return found

    result = inference_now()
    accounting.add_baselines(result, network_shapes, costs)
    steps = training.steps_per_epoch(config.recipe) * config.recipe.epochs
    programming = energy.programming_energy(chip.pulses, config.cell_model, costs)
    result.update(
        task=config.task,
        adc_bits=config.adc_bits,
        input_bits=network.input_bits,
        samples=len(examination),
        inferences=inferences,
        macs=network_shapes.macs,
        programming_J={kind: float(joules[1]) for kind, joules in programming.items()},
        pulses=dict(chip.pulses),
        training=accounting.training_account(
            chip, config.recipe, steps, network_shapes, costs, config.adc_bits, pulse, config.adc_arrangement
        ),
    )
    if what_if.macros is None or what_if.macros >= chip.placement.n_macros:
        result.update({key: score[key] for key in ("accuracy", "roc_auc", "pr_auc") if key in score})
    else:
        result["assumed"] = accounting.SHARED_MACROS
    if what_if.densities:
        result["density_sweep"] = accounting.density_sweep(
            chip, model, masks, what_if.densities, config.recipe.seed, inference_now
        )
    return result


def export(folder, out=None, code_bits=8, old=None):
    """Write the run's program file (default program.xbp in the folder) and digital.json; returns what `inspect`
    shows.

    Cells that never formed cannot be kept on; `not_formed` counts those that the masks wanted. old: program file that
    the chip holds; the new one then takes it from there with the pulses that differ, and a chip in any other state
    refuses it.
    """
    run = Run.open(folder)
    config = run.config
    chip, model, masks = run.load_trained()
    built, not_formed = build_program(config, chip, model, masks, code_bits)
    if old is not None:
        built = program.increment(read_program(old)[0], built)
    data = xbp.write(built)
    path = os.fspath(out) if out is not None else run.path("program.xbp")
    beside = os.path.join(os.path.dirname(path), "digital.json")
    with atomic_writer(path) as handle:
        handle.write(data)
    write_json(beside, digital.describe(config.network, model, chip))
    return dict(readback.describe(built, len(data)), file=path, not_formed=not_formed)


def build_program(config, chip, model, masks, code_bits=8):
    """(program that takes the unformed chip to the masks, count of kept cells that never formed).

    The program names physical lines; no tile of it touches a line out of use.
    """
    limits = program.thresholds(config.cell_model)
    formed_S = chip.physical(chip.formed_S())
    wanted = chip.physical(chip.wanted_on(masks, model.signs))
    on = program.attainable(wanted, formed_S, limits)
    built = program.build_program(
        chip.physical_placement(),
        on,
        config.recipe.level,
        pulse_recipes(config.cell_model, config.forming_voltage_V),
        limits,
        program.chip_identity(formed_S),
        target_S=formed_S if code_bits else None,
        partners=chip.physical(chip.partners(model.signs)) if config.recipe.level == "pair" else None,
        code_bits=code_bits or 8,
        build_id=program.build_identity({key: value for key, value in config.to_json().items() if key != "data"}),
        formed=bool(config.maps),
        meta={"minirram": __version__, "task": config.task},
    )
    return built, int(np.count_nonzero(wanted & ~on))


def read_program(path):
    """The program in a file; DataError when there is no such file, FormatError when it breaks a rule."""
    try:
        with open(path, "rb") as handle:
            data = handle.read()
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None
    return xbp.read(data), len(data)


def chip_map(folder, out, state="formed"):
    """Write the chip of a run as `.npy`, float64 siemens (macros, rows, cols), physical numbers; returns the array.

    Lines out of use, dead ones among them, hold 0. state: "formed", as after FORM alone (what the example programmer
    starts from), or "programmed", with the masks.
    """
    if state not in ("formed", "programmed"):
        raise ConfigError(f"state {state!r}: choose 'formed' or 'programmed'")
    chip, _, _ = Run.open(folder).load_trained()
    map_S = chip.physical(chip.formed_S() if state == "formed" else chip.conductance_S())
    with atomic_writer(out) as handle:
        np.save(handle, map_S)
    return map_S


def accuracy_of_readback(folder, readback_S, data=None, threads=1):
    """What a chip that reads back as `readback_S` (macros, rows, cols) answers: (figures as programmed, as read back).

    Both on the run's validation set, on its macros; NaN counts as no conductance. Physical numbers.
    """
    run = Run.open(folder)
    chip, model, _ = run.load_trained()
    if readback_S.ndim == 2:
        readback_S = readback_S[None]
    examination = _split(run, "validation", data or run.config.data)
    programmed = examine(run.config, chip, model, examination, "validation", threads)
    chip.replace_conductances(np.nan_to_num(readback_S))
    return programmed, examine(run.config, chip, model, examination, "validation", threads)


def demo_baselines(folder, test_set):
    """What the demo prints beside its result: a linear classifier and the unpruned random chip on that test set."""
    run = Run.open(folder)
    config = run.config
    data = open_training(config)
    step = np.float32(config.network.input_step)
    generator = stream(config.recipe.seed, "linear")
    weights = metrics.softmax_regression(data.codes * step, data.labels, test_set.classes, generator)
    linear = metrics.accuracy(metrics.linear_predict(weights, test_set.codes * step), test_set.labels)
    return {"linear_accuracy": linear, "unpruned_accuracy": _unpruned(config, data, test_set)}


def _unpruned(config, data, test_set):
    """Accuracy of the chip with every connection kept and only the digital statistics taken from data."""
    learner = MaskLearner(config.network, make_chip(config), config.recipe)
    everything = {name: np.ones_like(mask) for name, mask in learner.masks.items()}
    learner.chip.program(everything, learner.signs)
    batches, reads = data.batches(stream(config.recipe.seed, "unpruned"), config.recipe), learner.generators("unpruned")
    for _, (batch, batch_labels, weight) in zip(range(UNPRUNED_STEPS), batches):
        learner.engine.training_step(learner.read_weights(reads), learner.state, batch, batch_labels, weight)
    return test_set.figures(learner.predict)["accuracy"]

"""What the claims of the paper rest on, made anew: trainings, plain arms, energies, each kept with its command."""

import json
import os
import time
from functools import partial
from itertools import islice
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, cast

import numpy as np

from ..accounting.account import shapes_account
from ..accounting.shapes import of_network
from ..chip.placement import place
from ..device.presets import technology
from ..errors import ConfigError, did_you_mean
from ..files import read_npz, write_npz
from ..learn.optim import cosine_rate
from ..learn.written_weights import WriteLearner
from ..rng import stream
from ..runs.config import RunConfig
from ..runs.folder import open_training
from ..runs.run import train
from ..tasks import registry
from ..tasks.datasets import SYNTHETIC
from .arms import ARMS, PLAIN, weight_config
from .kept import keep, kept
from .paper_trainings import Trainings, beside_writes, network_widths, read_noise, technologies
from .weight_runs import make_learner

PRESETS = ("quick", "full")
TASKS = ("fashion-mnist", "spoken-digits", "retina")


_BUDGET = ("wo-plain-budget-0.15",)
CHECKPOINT_S = 120.0
"""seconds from one checkpoint of a plain arm to the next"""


class Look(NamedTuple):
    """At the validation set during a training."""

    updates: int
    """of all weights so far"""
    score: float
    """primary figure"""
    seconds: float
    """since the start, over all sessions"""


class _Plan(NamedTuple):
    """The plain arms of one preset, and what else is trained."""

    seeds: Tuple[int, ...]
    epochs: Dict[str, int]
    """over which the rate falls, by task"""
    free_arms: Tuple[str, ...]
    """with free writes"""
    fashion: Tuple[int, ...]
    fashion_free: Tuple[int, ...]
    fashion_whole: Tuple[int, ...]
    digits: Tuple[int, ...]
    digits_free: Tuple[int, ...]
    retina: Tuple[int, ...]
    """numbers of whole updates; none: not run"""
    trainings: Trainings
    """chips under noise, memories, widths"""
    beside: Tuple[str, ...]
    """tasks on which masks stand beside a tuned baseline"""


PLANS = {
    "quick": _Plan(
        seeds=(0,),
        epochs=dict.fromkeys(TASKS, 8),
        free_arms=("wo-plain-free-0.15",),
        fashion=(3, 11, 37),
        fashion_free=(75, 150),
        fashion_whole=(),
        digits=(3, 40, 100),
        digits_free=(),
        retina=(),
        trainings=Trainings(chips=1, draws=2, epochs=1, width_epochs=1),
        beside=(),
    ),
    "full": _Plan(
        seeds=(0, 1, 2),
        epochs={"fashion-mnist": 65, "spoken-digits": 60, "retina": 8},  # the authors' of the first two
        free_arms=("wo-plain-free-0.15", "wo-plain-one-free-6"),
        fashion=(3, 6, 11, 20, 37),
        fashion_free=(75, 300, 900, 1800),
        fashion_whole=(916, 9160, 59540),
        digits=(3, 10, 40, 80, 100, 120, 160),
        digits_free=(100, 300, 900, 2400, 4800),
        retina=(3, 10, 20),
        trainings=Trainings(chips=3, draws=10, epochs=8, width_epochs=3),
        beside=TASKS,
    ),
}


def looks(
    arm: str,
    task: str,
    *,
    data: str,
    seed: int,
    updates: Tuple[int, ...],
    epochs: int,
    checkpoint: Optional[str] = None,
) -> List[Look]:
    """Validation of a plain arm after each number of `updates`.

    The authors' recipe; in the training forward, with read noise and without converters. The rate falls over `epochs`.
    checkpoint: a file that is written now and then and at each look; where it lies there already, the training goes on
    from it, to the same numbers. It is removed at the end. ConfigError for that of another training.
    """
    chosen = registry.task(task)
    base = RunConfig(task, data, chosen.network, chosen.recipe("full"), technology("taox-40nm"))
    config = weight_config(ARMS[arm], base, seed=seed, settings=PLAIN, n_steps=1, budget=2**40, updates=None)
    learner, samples = cast(WriteLearner, make_learner(config, threads=1)), open_training(config.run)
    training = json.dumps([arm, task, seed, epochs, updates, f"{samples.crc:08x}"])
    found = _go_on(learner, checkpoint, training) if checkpoint and os.path.exists(checkpoint) else []
    plan, step = learner.recipe, learner.steps
    started = saved = time.perf_counter() - (found.pop().seconds if found else 0.0)
    per_epoch = samples.steps_per_epoch(plan)
    while step < max(updates):
        batches = samples.batches(stream(seed, "batches", step // per_epoch), plan)
        for codes, labels, weight in islice(batches, step % per_epoch, None):
            rate = cosine_rate(plan.learning_rate, step, n_steps=epochs * per_epoch)
            learner.step(codes, labels, weight=weight, rate=rate)
            step, now = step + 1, time.perf_counter()
            if step in updates:
                found.append(Look(step, samples.validation_score(learner.predict), round(now - started, 1)))
            if checkpoint and (step in updates or now - saved > CHECKPOINT_S):
                saved = now
                _save(learner, checkpoint, training, [*found, Look(step, np.nan, now - started)])
            if step == max(updates):
                break
    if checkpoint and os.path.exists(checkpoint):
        os.remove(checkpoint)
    return found


def _save(learner: WriteLearner, path: str, training: str, found: Sequence[Look]) -> None:
    """A checkpoint of a plain arm. found: its looks; the last one says where it stands and has no score."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    write_npz(path, {**learner.checkpoint(), "looks": np.array(found), "training": np.array(training)}, compress=False)


def _go_on(learner: WriteLearner, path: str, training: str) -> List[Look]:
    """Put `learner` where a checkpoint was saved; returns the looks in it, see `_save`."""
    arrays = read_npz(path)
    if str(arrays.get("training")) != training:
        raise ConfigError(f"{path} is the checkpoint of another training, {arrays.get('training')}: remove it")
    learner.restore(arrays)
    return [Look(int(step), float(score), float(seconds)) for step, score, seconds in arrays["looks"]]


def make(out: str, preset: str, *, data: str, threads: int = 1, only: Sequence[str] = ()) -> Iterator[str]:
    """Make the results in `out`/results that are not there yet; yields the name of each when it is done.

    preset: "quick", minutes on built-in data, or "full". data: folder of the data sets, or "synthetic". only: names of
    results; none: all that the preset makes. A training that was stopped goes on. ConfigError for results that another
    command made, or that the preset does not make.
    """
    wanted = chosen_names(preset, only)
    command = f"minirram paper --out paper --run {preset}" + ("" if data == SYNTHETIC else " --data data")
    folder = os.path.join(out, "results")
    for name in wanted:
        one = kept([folder], name)
        if one is not None and one.made.command != command:
            raise ConfigError(
                f"{folder}: {name}.json was made by another command, {one.made.command}: name another --out"
            )
    steps = [step for step in _steps(out, preset, data, threads) if step.name in wanted]
    learned = [task for task in TASKS if task in {step.task for step in steps}]
    for task in learned if data != SYNTHETIC else ():  # data that are not there are told before anything is made
        chosen = registry.task(task)
        open_training(RunConfig(task, data, chosen.network, chosen.recipe("full"), technology("taox-40nm")))
    for step in steps:
        path = os.path.join(folder, f"{step.name}.json")
        if not os.path.exists(path):
            keep(path, dict(step.made(), data=data if data == SYNTHETIC else ""), command=command)
            yield step.name


def names(preset: str) -> Tuple[str, ...]:
    """Of the results that a preset makes."""
    return tuple(step.name for step in _steps("", preset, SYNTHETIC, 1))


def chosen_names(preset: str, only: Sequence[str]) -> Tuple[str, ...]:
    """Those of `names` that are asked for; none named: all. ConfigError for one that the preset does not make."""
    made = names(preset)
    for name in only:
        if name not in made:
            close = did_you_mean(name, made)
            raise ConfigError(f"--run {preset} makes no results {name}{close}; it makes {', '.join(made)}")
    return tuple(name for name in made if not only or name in only)


class _Step(NamedTuple):
    """One file of results."""

    name: str
    """of the file, without .json"""
    task: str
    """whose data it takes; empty: none"""
    made: Callable[[], Dict[str, Any]]
    """makes its contents"""


def _steps(out: str, preset: str, data: str, threads: int) -> Iterator[_Step]:
    """The results of a preset, short ones first."""
    plan = PLANS[preset]
    how: Dict[str, Any] = {"data": data, "threads": threads}
    for task in TASKS:
        yield _Step(f"energy-{task}", "", partial(energy, task))
    for task in TASKS[:2]:
        folder = os.path.join(out, "runs", task)
        yield _Step(f"masks-{task}", task, partial(_masks, task, folder, preset=preset, **how))
    arms = (
        ("plain-fashion-mnist", "fashion-mnist", _BUDGET, plan.seeds, plan.fashion),
        ("plain-fashion-mnist-free", "fashion-mnist", plan.free_arms, plan.seeds, plan.fashion_free),
        ("plain-fashion-mnist-free-whole", "fashion-mnist", plan.free_arms, (0,), plan.fashion_whole),
        ("plain-spoken-digits", "spoken-digits", _BUDGET, plan.seeds, plan.digits),
        ("plain-spoken-digits-free", "spoken-digits", plan.free_arms, plan.seeds, plan.digits_free),
        ("plain-retina", "retina", _BUDGET, (0,), plan.retina),
    )
    for name, task, chosen, seeds, updates in arms:
        if updates:
            rates: Dict[str, Any] = dict(data=data, seeds=seeds, updates=updates, epochs=plan.epochs[task])
            begun = os.path.join(out, "runs", name)
            yield _Step(name, task, partial(_plain, task, chosen, begun=begun, **rates))
    for name, learned in (("technologies", technologies), ("read-noise", read_noise), ("widths", network_widths)):
        yield _Step(name, "fashion-mnist", partial(learned, out, plan.trainings, **how))
    for task in plan.beside:
        yield _Step(f"writes-{task}", task, partial(beside_writes, out, task, **how))


def energy(task: str) -> Dict[str, Any]:
    """Cuts against a GPU and energy in the array of a task's network, from its shapes: 8 ADC bits, half of it kept."""
    started, network = time.perf_counter(), of_network(registry.task(task).network)
    half, dense = (
        shapes_account(
            network, place(network.matrices), cell_model=technology("taox-40nm"), adc_bits=8, density=density
        )
        for density in (0.5, 1.0)
    )
    return {
        "cut_gpu_int8": half.digital_hardware["gpu_int8"].saved_fraction.typical,
        "cut_gpu_fp32": half.digital_hardware["gpu_fp32"].saved_fraction.typical,
        "total_J": half.total_J.typical,
        "array_J": half.energy_terms_J["array_J"],
        "array_dense_J": dense.energy_terms_J["array_J"],
        "seconds": round(time.perf_counter() - started, 2),
    }


def _masks(task: str, folder: str, *, preset: str, data: str, threads: int) -> Dict[str, Any]:
    """Accuracy of learned masks on the simulated chip."""
    results = train(task, data=data, recipe=preset, out=folder, threads=threads, resume=True).results
    return {
        "validation": results.validation.value,
        "test": results.test.value,
        "flips_per_weight": results.flips_per_weight,
        "seconds": results.training_seconds,
    }


def _plain(
    task: str,
    arms: Tuple[str, ...],
    *,
    data: str,
    seeds: Tuple[int, ...],
    updates: Tuple[int, ...],
    epochs: int,
    begun: str,
) -> Dict[str, Any]:
    """Validation of plain arms over whole updates. begun: folder for checkpoints of what is stopped."""
    rows: List[Dict[str, Any]] = []
    how: Dict[str, Any] = {"data": data, "updates": updates, "epochs": epochs}
    for arm in arms:
        for seed in seeds:
            checkpoint = os.path.join(begun, f"{arm}-{seed}.npz")
            for step, score, seconds in looks(arm, task, seed=seed, checkpoint=checkpoint, **how):
                rows.append({"arm": arm, "seed": seed, "updates": step, "validation": score, "seconds": seconds})
    return {"task": task, "rows": rows}

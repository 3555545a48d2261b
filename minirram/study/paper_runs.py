"""What the claims of the paper rest on, made anew: masks, the plain baseline, energies, each kept with its command."""

import os
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

from ..accounting.account import shapes_account
from ..accounting.shapes import of_network
from ..chip.placement import place
from ..device.presets import technology
from ..errors import ConfigError
from ..learn.optim import cosine_rate
from ..rng import stream
from ..runs.config import RunConfig
from ..runs.folder import open_training
from ..runs.run import train
from ..tasks import registry
from ..tasks.datasets import SYNTHETIC
from .arms import ARMS, PLAIN, weight_config
from .kept import keep, kept
from .weight_runs import make_learner

PRESETS = ("quick", "full")
TASKS = ("fashion-mnist", "spoken-digits", "retina")


_BUDGET = ("wo-plain-budget-0.15",)


class _Plan(NamedTuple):
    """The plain arms of one preset."""

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
    ),
}


def looks(
    arm: str, task: str, *, data: str, seed: int, updates: Tuple[int, ...], epochs: int
) -> List[Tuple[int, float, float]]:
    """Validation of a plain arm after each number of `updates`: (updates, score, seconds since the start).

    The authors' recipe; in the training forward, with read noise and without converters. The rate falls over `epochs`.
    """
    chosen = registry.task(task)
    base = RunConfig(task, data, chosen.network, chosen.recipe("full"), technology("taox-40nm"))
    config = weight_config(ARMS[arm], base, seed=seed, settings=PLAIN, n_steps=1, budget=2**40, updates=None)
    learner, samples = make_learner(config, threads=1), open_training(config.run)
    plan, found, step, started = learner.recipe, [], 0, time.perf_counter()
    per_epoch = samples.steps_per_epoch(plan)
    while True:
        for codes, labels, weight in samples.batches(stream(seed, "batches", step // per_epoch), plan):
            rate = cosine_rate(plan.learning_rate, step, n_steps=epochs * per_epoch)
            learner.step(codes, labels, weight=weight, rate=rate)
            step += 1
            if step in updates:
                found.append((step, samples.validation_score(learner.predict), round(time.perf_counter() - started, 1)))
            if step >= max(updates):
                return found


def make(out: str, preset: str, *, data: str, threads: int = 1) -> Iterator[str]:
    """Make the results in `out`/results that are not there yet; yields the name of each when it is done.

    preset: "quick", minutes on built-in data, or "full". data: folder of the data sets, or "synthetic". A training that
    was stopped goes on. ConfigError for results that another command made.
    """
    command = f"minirram paper --out paper --run {preset}" + ("" if data == SYNTHETIC else " --data data")
    folder = os.path.join(out, "results")
    for name in names(preset):
        one = kept([folder], name)
        if one is not None and one.made.command != command:
            raise ConfigError(
                f"{folder}: {name}.json was made by another command, {one.made.command}: name another --out"
            )
    learned = TASKS if PLANS[preset].retina else TASKS[:2]
    for task in learned if data != SYNTHETIC else ():  # data that are not there are told before anything is made
        chosen = registry.task(task)
        open_training(RunConfig(task, data, chosen.network, chosen.recipe("full"), technology("taox-40nm")))
    for name, made in _steps(out, preset, data, threads):
        path = os.path.join(folder, f"{name}.json")
        if not os.path.exists(path):
            keep(path, dict(made(), data=data if data == SYNTHETIC else ""), command=command)
            yield name


def names(preset: str) -> Tuple[str, ...]:
    """Of the results that a preset makes."""
    return tuple(name for name, _ in _steps("", preset, SYNTHETIC, 1))


def _steps(out: str, preset: str, data: str, threads: int) -> Iterator[Tuple[str, Callable[[], Dict[str, Any]]]]:
    """(name, what makes it) of each result, short ones first."""
    plan = PLANS[preset]
    for task in TASKS:
        yield f"energy-{task}", lambda task=task: energy(task)  # type: ignore[misc]
    for task in ("fashion-mnist", "spoken-digits"):
        folder = os.path.join(out, "runs", task)
        yield (
            f"masks-{task}",
            lambda task=task, folder=folder: _masks(  # type: ignore[misc]
                task, folder, preset=preset, data=data, threads=threads
            ),
        )
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
            how = dict(data=data, seeds=seeds, updates=updates, epochs=plan.epochs[task])
            yield name, lambda task=task, chosen=chosen, how=how: _plain(task, chosen, **how)  # type: ignore[misc]


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
    task: str, arms: Tuple[str, ...], *, data: str, seeds: Tuple[int, ...], updates: Tuple[int, ...], epochs: int
) -> Dict[str, Any]:
    """Validation of plain arms over whole updates."""
    rows = []
    for arm in arms:
        for seed in seeds:
            for step, score, seconds in looks(arm, task, data=data, seed=seed, updates=updates, epochs=epochs):
                rows.append({"arm": arm, "seed": seed, "updates": step, "validation": score, "seconds": seconds})
    return {"task": task, "rows": rows}

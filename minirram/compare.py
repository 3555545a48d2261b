"""Runs the arms of a comparison, seed by seed, in parallel processes, and sums them up. No printing.

Every training has a folder of its own under the comparison's and goes on where it was stopped; one that is finished
is not run again. Free settings are chosen on validation with the first seed; only chosen trainings open the test set.
"""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Union

import numpy as np

from . import baselines, workflow
from .arms import candidates, choose
from .baselines import WeightConfig
from .errors import ConfigError
from .files import write_json
from .networks import weights_by_layer
from .runs import Run, RunConfig
from .tasks import task
from .wear import program_counts

PAPER = {
    "fashion-mnist": {"gap_at_budget": 0.173, "gap_with_free_writes": 0.077, "figure": "accuracy"},
    "spoken-digits": {"gap_at_budget": 0.199, "figure": "accuracy"},
    "retina": {"gap_at_budget": 0.098, "figure": "pr_auc"},
}
"""what Li et al. (arXiv 2311.07164) report that pruning gains over weight optimisation"""


@dataclass(frozen=True)
class Trial:
    """One training: an arm with one seed and one choice of its free settings."""

    arm: str
    seed: int
    folder: str
    config: Union[RunConfig, WeightConfig]
    test: bool
    """whether the test set is opened at its end"""
    threads: int = 1


def run_trial(trial):
    """Run a trial, or what is left of it: its results, with `programs` where cells were pulsed."""
    if isinstance(trial.config, WeightConfig):
        return baselines.train_weights(trial.folder, trial.config, trial.threads, test=trial.test)
    results = workflow.train(trial.folder, trial.config, trial.threads, resume=True)
    chip, _, _ = Run.open(trial.folder).load_trained()
    return dict(results, programs=program_counts(chip, results["pulses"]["set"], results["pulses"]["reset"]))


def compare(base, out, names, seeds, processes=1, threads=1, rates=None, tuning_epochs=None, progress=None):
    """Run the arms `names` (see `arms`) for all `seeds` in the folder `out`; returns what `comparison.json` holds.

    base: `RunConfig` of the task, recipe and technology. processes: trainings at a time. threads: of each. rates:
    learning rates of weights to try instead of the arms' own. tuning_epochs: length of the trainings that free
    settings are chosen by (and their share of a write budget); None: as long as the others. progress: called with a
    line of text per training.
    """
    arms = choose(names)
    if tuning_epochs is not None and not 1 <= tuning_epochs <= base.recipe.epochs:
        raise ConfigError("tuning epochs are {}; they must be 1..{}".format(tuning_epochs, base.recipe.epochs))
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError("seeds are {}; name at least one, each once".format(list(seeds)))
    data = task(base.task).load_training(base.data, base.network)
    n_steps = data.steps_per_epoch(base.recipe) * base.recipe.epochs
    rounds = _Rounds(base, os.fspath(out), list(seeds), n_steps, rates, tuning_epochs, processes, threads, progress)
    results = rounds.run([arm for arm in arms if not arm.budgeted])
    budgeted = [arm for arm in arms if arm.budgeted]
    if budgeted:
        results.update(rounds.run(budgeted, int(np.mean(_totals(results["pair"])))))
    n_weights = sum(weights_by_layer(base.network).values())
    summary = {
        "task": base.task,
        "data": base.data,
        "network": base.network.name,
        "epochs": base.recipe.epochs,
        "tuning_epochs": tuning_epochs or base.recipe.epochs,
        "steps": n_steps,
        "seeds": list(seeds),
        "every_weight_every_step": n_weights * n_steps,
        "paper": PAPER.get(base.task),
        "arms": [_row(arm, results[arm.name], results.get("pair"), n_weights * n_steps) for arm in arms],
    }
    write_json(os.path.join(out, "comparison.json"), summary)
    return summary


class _Rounds:
    """Chooses the free settings of arms with the first seed, then runs them with all seeds."""

    def __init__(self, base, out, seeds, n_steps, rates, tuning_epochs, processes, threads, progress):
        self.base, self.out, self.seeds, self.n_steps, self.rates = base, out, seeds, n_steps, rates
        self.tuning_epochs = tuning_epochs
        self.processes, self.threads, self.progress = processes, threads, progress

    def run(self, arms, budget=None):
        """{arm name: {seed: results}} of `arms`; `tried` of the first seed: validation scores of the candidates."""
        trials = [self._trials(arm, self.seeds[0], budget, tuning=True) for arm in arms]
        found = self._run_all([trial for tried in trials for trial in tried if len(tried) > 1])
        chosen = {}
        for arm, tried in zip(arms, trials):
            scores = [found[trial]["val_primary"] if len(tried) > 1 else 0.0 for trial in tried]
            chosen[arm.name] = int(np.argmax(scores))
        last = [self._trials(arm, seed, budget)[chosen[arm.name]] for arm in arms for seed in self.seeds]
        results: Any = {arm.name: {} for arm in arms}
        for trial, result in self._run_all(last).items():
            results[trial.arm][trial.seed] = result
        for arm, tried in zip(arms, trials):
            results[arm.name][self.seeds[0]]["tried"] = {
                os.path.basename(trial.folder): found[trial]["val_primary"] for trial in tried if trial in found
            }
        return results

    def _trials(self, arm, seed, budget, tuning=False):
        """The trials of an arm with one seed, one per candidate; those for tuning leave the test set closed."""
        base, n_steps = self.base, self.n_steps
        folder = os.path.join(self.out, arm.name)
        if tuning and self.tuning_epochs is not None:
            share = self.tuning_epochs / base.recipe.epochs
            base = replace(base, recipe=replace(base.recipe, epochs=self.tuning_epochs))
            n_steps, budget = int(n_steps * share), None if budget is None else int(budget * share)
            folder = os.path.join(folder, "tuning-{}-epochs".format(self.tuning_epochs))
        return [
            Trial(arm.name, seed, os.path.join(folder, _folder_name(seed, config)), config, not tuning, self.threads)
            for config in candidates(arm, base, seed, n_steps, budget, self.rates)
        ]

    def _run_all(self, trials):
        """{trial: results}, in the order of `trials`."""
        found = {}
        if self.processes == 1:
            for trial in trials:
                found[trial] = self._tell(trial, run_trial(trial))
            return found
        with ProcessPoolExecutor(self.processes, mp_context=get_context("spawn")) as pool:
            waiting = {pool.submit(run_trial, trial): trial for trial in trials}
            try:
                for done in as_completed(waiting):
                    found[waiting[done]] = self._tell(waiting[done], done.result())
            except BrokenProcessPool:
                raise ConfigError(
                    "a training was killed, perhaps for want of memory; the same command goes on, try fewer processes"
                ) from None
            except BaseException:
                for future in waiting:
                    future.cancel()
                raise
        return {trial: found[trial] for trial in trials}

    def _tell(self, trial, results):
        results["val_primary"] = results["validation"][results["primary"]]
        if self.progress is not None:
            name = os.path.join(trial.arm, os.path.basename(trial.folder))
            self.progress("{}: validation {} {:.4f}".format(name, results["primary"], results["val_primary"]))
        return results


def _folder_name(seed, config):
    """Where a trial lies: its seed and its free settings."""
    if not isinstance(config, WeightConfig):
        return "seed{}".format(seed)
    name = "seed{}-rate{:g}".format(seed, config.learning_rate)
    if config.writing is not None and config.writing.threshold_S:
        name += "-step{:.0f}nS".format(1e9 * config.writing.threshold_S)
    return name


def _row(arm, results, pair, every_write):
    """One row of the table: means over seeds, spreads, differences to the arm "pair" on the same seeds."""
    runs = list(results.values())
    primary = runs[0]["primary"]
    scores = [run["test"][primary] for run in runs]
    row = {
        "arm": arm.name,
        "text": arm.text,
        "primary": primary,
        "by_seed": {str(seed): run["test"][primary] for seed, run in results.items()},
        "validation": float(np.mean([run["val_primary"] for run in runs])),
        "test": {key: float(np.mean([run["test"][key] for run in runs])) for key in _FIGURES if key in runs[0]["test"]},
        "spread": float(np.std(scores, ddof=1)) if len(runs) > 1 else None,
        "learning_rate": runs[0].get("learning_rate"),
        "writing": runs[0].get("writing"),
        "tried": runs[0]["tried"],
        "training_seconds": float(sum(run["training_seconds"] for run in runs)),
    }
    if pair is not None and arm.name != "pair":
        row["below_pair"] = {key: _difference(pair, results, key) for key in row["test"]}
    if "programs" in runs[0]:
        row["programs"] = {
            key: float(np.mean([run["programs"][key] for run in runs]))
            for key in ("total", "per_weight", "energy_J", "time_s")
        }
        row["programs"]["max_per_cell"] = max(run["programs"]["wear"]["max"] for run in runs)
        row["programs"]["share_of_every_step"] = row["programs"]["total"] / every_write
        if pair is not None:
            row["programs"]["over_pair"] = row["programs"]["total"] / float(np.mean(_totals(pair)))
        row["wear"] = runs[0]["programs"]["wear"]
    return row


def _totals(results):
    """Program counts of an arm's runs."""
    return [run["programs"]["total"] for run in results.values()]


_FIGURES = ("accuracy", "roc_auc", "pr_auc", "sensitivity", "specificity", "dice")


def _difference(pair, results, figure):
    """How far an arm lies below "pair" in one figure of the test set: mean over seeds and its standard error."""
    gaps = [pair[seed]["test"][figure] - run["test"][figure] for seed, run in results.items()]
    error = float(np.std(gaps, ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else None
    return {"mean": float(np.mean(gaps)), "standard_error": error}

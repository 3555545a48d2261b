"""Runs the arms of a comparison, seed by seed, in parallel processes, and sums them up. No printing.

Every training has a folder of its own under the comparison's and goes on where it was stopped; one that is finished
is not run again. Free settings are chosen on validation with the first seed; only chosen trainings open the test set.
"""

import math
import os
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Dict, Union

import numpy as np

from ..chip.wear import program_counts
from ..errors import ConfigError, DivergedError
from ..files import write_json
from ..json_codec import bare
from ..nn.network import weights_by_layer
from ..runs import train
from ..runs.config import RunConfig
from ..runs.folder import RunFolder, open_training
from . import weight_runs
from .arms import begin_search, choose, mask_config, weight_config
from .settings_search import Settings
from .weight_runs import WeightConfig

PAPER = {
    "fashion-mnist": {
        "below_at_budget": {"accuracy": 0.173},
        "below_with_free_writes": {"accuracy": 0.077},
        "fewer_than_every_step": 0.9994,
    },
    "spoken-digits": {"below_at_budget": {"accuracy": 0.199}},
    "retina": {"below_at_budget": {"roc_auc": 0.02, "pr_auc": 0.098}},
}
"""How far weight optimisation lies below pruning by Li et al. (arXiv 2311.07164), and the programs that pruning spares.

All gaps are taken as differences. Those in accuracy are points; the areas' "9.8 % and 2 %" may be meant relatively.
"""


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
    """Run a trial, or what is left of it: its results, `programs` too where cells were pulsed; or {"diverged": why}."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of overflows on the way to a divergence
        try:
            return _results_of(trial)
        except DivergedError as error:
            return {"diverged": str(error)}


def _results_of(trial):
    if isinstance(trial.config, WeightConfig):
        return weight_runs.train_weights(trial.folder, trial.config, threads=trial.threads, test=trial.test)
    results = train.train(trial.folder, trial.config, threads=trial.threads, resume=True)
    chip, _, _ = RunFolder.open(trial.folder).load_trained()
    programs = program_counts(chip, n_set=results.pulses["set"], n_reset=results.pulses["reset"])
    return dict(results.to_json(), programs=programs)


def compare(base, out, names, seeds, processes=1, threads=1, rates=None, tuning_epochs=None, progress=None):
    """Run the arms `names` (see `arms`) for all `seeds` in the folder `out`; returns what `comparison.json` holds.

    base: `RunConfig` of the task, recipe and technology. processes: trainings at a time. threads: of each. rates:
    learning rates of weights to begin the search with instead of the arms' own; a single one is taken as it is.
    tuning_epochs: length of the trainings that free settings are chosen by; None: as long as the others. progress:
    called with a line of text per training.
    """
    arms = choose(names)
    if tuning_epochs is not None and not 1 <= tuning_epochs <= base.recipe.epochs:
        raise ConfigError(f"tuning epochs are {tuning_epochs}; they must be 1..{base.recipe.epochs}")
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds are {list(seeds)}; name at least one, each once")
    data = open_training(base)
    base = replace(base, data_crc=data.crc)
    per_epoch = data.steps_per_epoch(base.recipe)
    n_steps = per_epoch * base.recipe.epochs
    plan = _Rounds(base, os.fspath(out), list(seeds), per_epoch, rates, tuning_epochs, processes, threads, progress)
    results = plan.run([arm for arm in arms if not arm.budgeted])
    budgeted = [arm for arm in arms if arm.budgeted]
    if budgeted:
        results.update(plan.run(budgeted, {seed: run["programs"]["total"] for seed, run in results["pair"].items()}))
    every_write = sum(weights_by_layer(base.network).values()) * n_steps
    rows = [_row(arm, results[arm.name], results.get("pair"), every_write) for arm in arms]
    summary = {
        "task": base.task,
        "data": base.data,
        "network": base.network.name,
        "epochs": base.recipe.epochs,
        "tuning_epochs": tuning_epochs or base.recipe.epochs,
        "steps": n_steps,
        "seeds": list(seeds),
        "every_weight_every_step": every_write,
        "paper": PAPER.get(base.task),
        "best_weights": _compare_with_best_weights(rows),
        "arms": rows,
    }
    write_json(os.path.join(out, "comparison.json"), summary)
    return summary


class _Rounds:
    """Chooses the free settings of arms with the first seed, then runs them with all seeds."""

    def __init__(self, base, out, seeds, steps_per_epoch, rates, tuning_epochs, processes, threads, progress):
        self.base, self.out, self.seeds, self.steps_per_epoch = base, out, seeds, steps_per_epoch
        self.rates = rates
        self.tuning_epochs = tuning_epochs
        self.processes, self.threads, self.progress = processes, threads, progress

    def run(self, arms, budgets=None):
        """{arm name: {seed: results}} of `arms`; those of the first seed also say what was tried.

        budgets: dict seed -> writes that an arm with a budget may spend.
        """
        searches = self._search([arm for arm in arms if arm.level is None], budgets)
        results: Dict[str, Dict[int, Any]] = {}
        while len(results) < len(arms):
            rest = [arm for arm in arms if arm.name not in results]
            trials = [self._trial(arm, seed, searches.get(arm.name), budgets) for arm in rest for seed in self.seeds]
            found = self._run_all(trials)
            for arm in rest:
                runs = {trial.seed: result for trial, result in found.items() if trial.arm == arm.name}
                why = [run["diverged"] for run in runs.values() if "diverged" in run]
                if why:
                    self._give_up_best(arm, searches.get(arm.name), why[0])
                    continue
                results[arm.name] = runs
        for name, search in searches.items():
            results[name][self.seeds[0]].update(self._tried(search))
        return results

    def _search(self, arms, budgets):
        """{arm name: finished Search}: of each scheme the arm with the least error first, the others from there."""
        searches: Dict[str, Any] = {}
        leaders: Dict[Any, Any] = {}
        for arm in sorted(arms, key=lambda arm: arm.tuning_error or 0.0):
            leaders.setdefault(arm.scheme, arm)
        for wave in (list(leaders.values()), [arm for arm in arms if arm not in leaders.values()]):
            found = {}
            for arm in wave:
                leader = searches.get(leaders[arm.scheme].name)
                found[arm] = begin_search(
                    arm, self.base, rates=self.rates, optimum=None if leader is None else leader.best
                )
            self._tune(found, budgets)
            searches.update({arm.name: search for arm, search in found.items()})
        return searches

    def _tune(self, searches, budgets):
        """Run the trials that `searches` (dict arm -> Search) ask for, round by round, all arms at once."""
        rounds = {arm: search.rounds() for arm, search in searches.items()}
        while True:
            asked: Dict[Any, Any] = {arm: next(wanted, []) for arm, wanted in rounds.items()}
            trials = {
                self._trial(arm, self.seeds[0], searches[arm], budgets, settings): (arm, settings)
                for arm, wanted in asked.items()
                for settings in wanted
            }
            if not trials:
                return
            for trial, result in self._run_all(list(trials)).items():
                arm, settings = trials[trial]
                searches[arm].scores[settings] = result.get("val_primary", -math.inf)

    def _trial(self, arm, seed, search, budgets, tried=None):
        """The training of an arm with its best settings; with those `tried` the test set stays closed."""
        folder = os.path.join(self.out, arm.name)
        if search is None:
            config: Any = mask_config(arm, self.base, seed=seed)
            return Trial(arm.name, seed, os.path.join(folder, f"seed{seed}"), config, True, self.threads)
        base, budget, settings = self.base, (budgets or {}).get(seed), tried or search.best
        # All seeds of an arm follow one scheme: that of the smallest budget.
        updates = arm.whole_updates(base.network, min(budgets.values())) if budgets else None
        if tried and self.tuning_epochs is not None:
            # As many updates, or as many writes per step, as in the whole training.
            if budget is not None and updates is None:
                budget = budget * self.tuning_epochs // base.recipe.epochs
            base = replace(base, recipe=replace(base.recipe, epochs=self.tuning_epochs))
            folder = os.path.join(folder, f"tuning-{self.tuning_epochs}-epochs")
        n_steps = self.steps_per_epoch * base.recipe.epochs
        config = weight_config(arm, base, seed=seed, settings=settings, n_steps=n_steps, budget=budget, updates=updates)
        path = os.path.join(folder, f"seed{seed}-{settings_name(settings)}")
        return Trial(arm.name, seed, path, config, not tried, self.threads)

    def _give_up_best(self, arm, search, why):
        """Let the best settings lose, because a whole training with them diverged; ConfigError when none is left."""
        if search is not None:
            search.scores[search.best] = -math.inf
        if search is None or search.scores[search.best] == -math.inf:
            message = "no training of the arm {} went through: {}; without it the command gives the table of the others"
            raise ConfigError(message.format(arm.name, why))

    def _tried(self, search):
        """What a search has tried and found, JSON-ready; None: diverged."""
        scores = {settings_name(settings): score for settings, score in search.scores.items()}
        return {
            "settings": bare(search.best),
            "tried": {name: None if score == -math.inf else score for name, score in scores.items()},
            "at_edge": search.at_edge(),
        }

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
        name = os.path.join(trial.arm, os.path.basename(trial.folder))
        if "diverged" in results:
            line = "{}: {}".format(name, results["diverged"])
        else:
            primary = results["validation"]["primary"]
            results["val_primary"] = results["validation"][primary]
            line = "{}: validation {} {:.4f}".format(name, primary, results["val_primary"])
        if self.progress is not None:
            self.progress(line)
        return results


def settings_name(settings: Settings) -> str:
    """What `Settings` are called in names of folders: the value of each with its name."""
    return (
        f"rate{settings.learning_rate:g}-step{settings.threshold:g}"
        f"-momentum{settings.momentum:g}-decay{settings.weight_decay:g}"
    )


def _row(arm, results, pair, every_write):
    """One row of the table: means over seeds, spreads, differences to the arm "pair" on the same seeds."""
    runs = list(results.values())
    scores = {key: [run["test"][key] for run in runs] for key in _FIGURES if runs[0]["test"][key] is not None}
    row = {
        "arm": arm.name,
        "text": arm.text,
        "primary": runs[0]["test"]["primary"],
        "by_seed": {str(seed): run["test"][run["test"]["primary"]] for seed, run in results.items()},
        "validation": float(np.mean([run["val_primary"] for run in runs])),
        "test": {key: float(np.mean(values)) for key, values in scores.items()},
        "spread": {key: float(np.std(values, ddof=1)) if len(runs) > 1 else None for key, values in scores.items()},
        "settings": runs[0].get("settings"),
        "writing": runs[0].get("writing"),
        "tried": runs[0].get("tried", {}),
        "at_edge": runs[0].get("at_edge", []),
        "training_seconds": float(sum(run["training_seconds"] for run in runs)),
    }
    if pair is not None and arm.name != "pair":
        row["below_pair"] = {key: _difference(pair, results, key) for key in row["test"]}
    if "programs" in runs[0]:
        row["programs"] = _programs(runs, None if pair is None else list(pair.values()), every_write)
        row["wear"] = runs[0]["programs"]["wear"]
    if arm.budgeted:
        row["budgets"] = {str(seed): run["writing"]["budget"] for seed, run in results.items()}
        row["budget_spent_at_step"] = {str(seed): run["budget_spent_at_step"] for seed, run in results.items()}
    return row


def _programs(runs, pair_runs, every_write):
    """What the runs of an arm have programmed: means over seeds, and what they are of others."""
    programs = {
        key: float(np.mean([run["programs"][key] for run in runs]))
        for key in ("total", "per_weight", "energy_J", "time_s")
    }
    programs["max_per_cell"] = max(run["programs"]["wear"]["max"] for run in runs)
    programs["share_of_every_step"] = programs["total"] / every_write
    if pair_runs is not None:
        programs["over_pair"] = _ratio(programs["total"], np.mean([run["programs"]["total"] for run in pair_runs]))
    return programs


def _compare_with_best_weights(rows):
    """The arm with the best validation among those that write with an error, or None; its count beside all others."""
    written = [row for row in rows if row["writing"] is not None and row["writing"]["tuning_error"] > 0]
    if not written:
        return None
    best = max(written, key=lambda row: row["validation"])
    for row in rows:
        if "programs" in row:
            row["programs"]["over_best_weights"] = _ratio(row["programs"]["total"], best["programs"]["total"])
    return best["arm"]


def _ratio(count, other):
    """count / other; None without any of the other."""
    return float(count / other) if other else None


_FIGURES = ("accuracy", "roc_auc", "pr_auc", "sensitivity", "specificity", "dice")


def _difference(pair, results, figure):
    """How far an arm lies below "pair" in one figure of the test set: mean over seeds and its standard error."""
    gaps = [pair[seed]["test"][figure] - run["test"][figure] for seed, run in results.items()]
    error = float(np.std(gaps, ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else None
    return {"mean": float(np.mean(gaps)), "standard_error": error}

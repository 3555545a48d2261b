"""Runs the arms of a comparison, seed by seed, in parallel processes, and sums them up. No printing.

Every training has a folder of its own under the comparison's and goes on where it was stopped; one that is finished
is not run again. Free settings are chosen on validation with the first seed; only chosen trainings open the test set.
"""

import math
import os
import warnings
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from ..chip.counts import chip_counts
from ..chip.wear import program_counts
from ..device.unusual import unusual
from ..engines.engine import SERIAL, Engine, running
from ..engines.pool import WorkerDied
from ..engines.running import completed
from ..errors import ConfigError, DivergedError
from ..files import write_json
from ..nn.network import weights_by_layer
from ..progress.stages import stage
from ..runs import own_data, train
from ..runs.chip_files import DRAWN, ChipFiles
from ..runs.config import RunConfig
from ..runs.folder import RunFolder, open_training
from ..runs.learning_folder import Path, alone
from ..tasks.labelled_data import LabelledData
from . import weight_runs
from .arms import Arm, begin_search, choose, mask_config, weight_config
from .settings_search import Search, Settings, readable
from .summary import Comparison, Diverged, OfRun, Outcome, Paper, Tried, beside_best_weights, row_of
from .weight_runs import WeightConfig

PAPER = {
    "fashion-mnist": Paper({"accuracy": 0.173}, {"accuracy": 0.077}, 0.9994),
    "spoken-digits": Paper({"accuracy": 0.199}, {}, None),
    "retina": Paper({"roc_auc": 0.02, "pr_auc": 0.098}, {}, None),
}
"""Gaps in accuracy are points; the areas' "9.8 % and 2 %" may be meant relatively."""


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
    files: ChipFiles = DRAWN


def run_trial(trial: Trial) -> Union[Outcome, Diverged]:
    """Run a trial, or what is left of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of overflows on the way to a divergence
        try:
            return _outcome(trial)
        except DivergedError as error:
            return Diverged(str(error))


def _run_on_worker(_: Any, trial: Trial) -> Union[Outcome, Diverged]:
    return run_trial(trial)


def _outcome(trial: Trial) -> Outcome:
    if isinstance(trial.config, WeightConfig):
        found = weight_runs.train_weights(
            trial.folder, trial.config, files=trial.files, threads=trial.threads, test=trial.test
        )
        return Outcome(
            found.validation,
            found.test,
            found.training_seconds,
            found.programs,
            found.writing,
            found.budget_spent_at_step,
            found.chip,
        )
    results = train.train(trial.folder, trial.config, files=trial.files, threads=trial.threads, resume=True)
    chip, _, _ = RunFolder.open(trial.folder).load_trained()
    programs = program_counts(chip, n_set=results.pulses["set"], n_reset=results.pulses["reset"])
    counts = chip_counts(chip, signs_given=results.signs_given)
    counts = replace(counts, maps_left_out=results.maps_left_out)  # a loaded chip does not know
    return Outcome(results.validation, results.test, results.training_seconds, programs, chip=counts)


def compare(
    base: RunConfig,
    out: Path,
    *,
    names: Sequence[str],
    seeds: Sequence[int],
    files: ChipFiles = DRAWN,
    engine: Engine = SERIAL,
    threads: int = 1,
    rates: Optional[Sequence[float]] = None,
    tuning_epochs: Optional[int] = None,
    writes_per_weight: Optional[float] = None,
    progress: Optional[Callable[[str], None]] = None,
    arrays: Optional[LabelledData] = None,
    run: Optional[OfRun] = None,
) -> Comparison:
    """Run the arms `names` (see `arms`) for all `seeds` in the folder `out`; returns what `comparison.json` holds.

    base: `RunConfig` of the task, recipe, technology and lines. files: maps and stuck cells of the one chip that all
    arms and seeds share, as named in `base`; a seed then draws what the maps do not hold. engine: where the trainings
    run; its workers share the folder. threads: of each. rates: learning rates of weights to begin the search with
    instead of the arms' own; a single one is taken as it is. tuning_epochs: length of the trainings that free settings
    are chosen by; None: as long as the others. writes_per_weight: budget of the arms that have one; None: what `pair`
    has spent with the same seed. progress: called with a line of text per training. arrays: data that lie in no data
    source; `out` carries them as `data.npz`, where the processes of the trainings find them. run: that `base` comes
    from.
    """
    arms = choose(names, budget_given=writes_per_weight is not None)
    if writes_per_weight is not None and not 0 < writes_per_weight < math.inf:
        raise ConfigError(f"a budget of {writes_per_weight} writes per weight; it must be above 0")
    if tuning_epochs is not None and not 1 <= tuning_epochs <= base.recipe.epochs:
        raise ConfigError(f"tuning epochs are {tuning_epochs}; they must be 1..{base.recipe.epochs}")
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds are {list(seeds)}; name at least one, each once")
    with alone(out, "another comparison"):
        base = own_data.carried(base, out, arrays)
        data = open_training(base)
        base = replace(base, data_crc=data.crc)
        per_epoch = data.steps_per_epoch(base.recipe)
        plan = Plan(base, os.fspath(out), tuple(seeds), per_epoch, files, rates, tuning_epochs, engine, threads)
        plan = replace(plan, writes_per_weight=writes_per_weight, run=run)
        return _compared(plan, arms, progress)


def _compared(plan: "Plan", arms: Sequence[Arm], progress: Optional[Callable[[str], None]]) -> Comparison:
    """What `compare` does in a folder that is this process's alone."""
    rounds = _Rounds(plan, progress)
    outcomes = rounds.run([arm for arm in arms if not arm.budgeted])
    budgeted = [arm for arm in arms if arm.budgeted]
    if budgeted:
        outcomes.update(rounds.run(budgeted, _budgets(plan, outcomes.get("pair", {}))))
    summary = _summed_up(plan, arms, outcomes, tried=rounds.tried)
    write_json(os.path.join(plan.out, "comparison.json"), summary.to_json())
    return summary


def _budgets(plan: "Plan", pair: Dict[int, Outcome]) -> Dict[int, int]:
    """seed -> writes that an arm with a budget may spend."""
    if plan.writes_per_weight is None:
        return {seed: run.programs.total for seed, run in pair.items() if run.programs is not None}
    writes = int(plan.writes_per_weight * sum(weights_by_layer(plan.base.network).values()))
    return {seed: writes for seed in plan.seeds}


@dataclass(frozen=True)
class Plan:
    """What a comparison runs."""

    base: RunConfig
    """the task, its data and its recipe"""
    out: str
    """folder of the comparison"""
    seeds: Tuple[int, ...]
    """seeds of chip and learning, one training of each arm for each; free settings are chosen with the first"""
    steps_per_epoch: int
    """optimiser steps"""
    files: ChipFiles = DRAWN
    """of the chip"""
    rates: Optional[Sequence[float]] = None
    """learning rates of weights that the search begins with; None: three of each arm"""
    tuning_epochs: Optional[int] = None
    """epochs of the trainings that choose settings; None: as all others"""
    engine: Engine = SERIAL
    """where trainings run"""
    threads: int = 1
    """of each"""
    writes_per_weight: Optional[float] = None
    """budget of the arms that have one; None: what `pair` has spent with the same seed"""
    run: Optional[OfRun] = None
    """the run that was named in place of a task"""


def _summed_up(
    plan: Plan, arms: Sequence[Arm], outcomes: Dict[str, Dict[int, Outcome]], *, tried: Dict[str, Tried]
) -> Comparison:
    """The rows of all arms, each beside `pair` and the best written weights."""
    base, n_steps = plan.base, plan.steps_per_epoch * plan.base.recipe.epochs
    every_write, pair = sum(weights_by_layer(base.network).values()) * n_steps, outcomes.get("pair")
    rows = [
        row_of(arm, outcomes[arm.name], pair=pair, every_write=every_write, tried=tried.get(arm.name)) for arm in arms
    ]
    best_weights, beside = beside_best_weights(rows)
    return Comparison(
        task=base.task,
        data=base.data,
        network=base.network.name,
        epochs=base.recipe.epochs,
        tuning_epochs=plan.tuning_epochs or base.recipe.epochs,
        steps=n_steps,
        seeds=plan.seeds,
        every_weight_every_step=every_write,
        maps=base.maps,
        lines=base.lines,
        faults=base.faults,
        readings=plan.files.readings,
        warnings=unusual(base.cell_model),
        paper=PAPER.get(base.task),
        best_weights=best_weights,
        arms=beside,
        run=plan.run,
    )


Budgets = Optional[Dict[int, int]]
"""seed -> writes that an arm with a budget may spend"""


class _Rounds:
    """Chooses the free settings of arms with the first seed, then runs them with all seeds. `tried`: what was tried."""

    def __init__(self, plan: Plan, progress: Optional[Callable[[str], None]]) -> None:
        self.plan, self.progress = plan, progress
        self.tried: Dict[str, Tried] = {}

    def run(self, arms: List[Arm], budgets: Budgets = None) -> Dict[str, Dict[int, Outcome]]:
        """{arm name: {seed: outcome}} of `arms`."""
        searches = self._search([arm for arm in arms if arm.level is None], budgets)
        outcomes: Dict[str, Dict[int, Outcome]] = {}
        while len(outcomes) < len(arms):
            rest = [arm for arm in arms if arm.name not in outcomes]
            trials = [
                self._trial(arm, seed, search=searches.get(arm.name), budgets=budgets)
                for arm in rest
                for seed in self.plan.seeds
            ]
            found = self._run_all(trials)
            for arm in rest:
                runs = {trial.seed: outcome for trial, outcome in found.items() if trial.arm == arm.name}
                why = [run.why for run in runs.values() if isinstance(run, Diverged)]
                if why:
                    self._give_up_best(arm, searches.get(arm.name), why[0])
                    continue
                outcomes[arm.name] = {seed: run for seed, run in runs.items() if isinstance(run, Outcome)}
        self.tried.update({name: _tried(search) for name, search in searches.items()})
        return outcomes

    def _search(self, arms: List[Arm], budgets: Budgets) -> Dict[str, Search]:
        """{arm name: finished Search}: of each scheme the arm with the least error first, the others from there."""
        searches: Dict[str, Search] = {}
        leaders: Dict[Any, Arm] = {}
        for arm in sorted(arms, key=lambda arm: arm.tuning_error or 0.0):
            leaders.setdefault(arm.scheme, arm)
        for wave in (list(leaders.values()), [arm for arm in arms if arm not in leaders.values()]):
            found: Dict[Arm, Search] = {}
            for arm in wave:
                leader = searches.get(leaders[arm.scheme].name)
                begun = begin_search(
                    arm, self.plan.base, rates=self.plan.rates, optimum=None if leader is None else leader.best
                )
                if begun is not None:
                    found[arm] = begun
            self._tune(found, budgets)
            searches.update({arm.name: search for arm, search in found.items()})
        return searches

    def _tune(self, searches: Dict[Arm, Search], budgets: Budgets) -> None:
        """Run the trials that `searches` ask for, round by round, all arms at once."""
        rounds = {arm: search.rounds() for arm, search in searches.items()}
        while True:
            asked: Dict[Arm, List[Settings]] = {arm: next(wanted, []) for arm, wanted in rounds.items()}
            trials = {
                self._trial(arm, self.plan.seeds[0], search=searches[arm], budgets=budgets, tried=settings): (
                    arm,
                    settings,
                )
                for arm, wanted in asked.items()
                for settings in wanted
            }
            if not trials:
                return
            for trial, outcome in self._run_all(list(trials)).items():
                arm, settings = trials[trial]
                searches[arm].scores[settings] = (
                    -math.inf if isinstance(outcome, Diverged) else outcome.validation.value
                )

    def _trial(
        self,
        arm: Arm,
        seed: int,
        *,
        search: Optional[Search],
        budgets: Budgets,
        tried: Optional[Settings] = None,
    ) -> Trial:
        """The training of an arm with its best settings; with those `tried` the test set stays closed."""
        plan = self.plan
        folder = os.path.join(plan.out, arm.name)
        if search is None:
            masks = mask_config(arm, plan.base, seed=seed)
            return Trial(arm.name, seed, os.path.join(folder, f"seed{seed}"), masks, True, plan.threads, plan.files)
        base, budget, settings = plan.base, (budgets or {}).get(seed), tried or search.best
        # All seeds of an arm follow one scheme: that of the smallest budget.
        updates = arm.whole_updates(base.network, min(budgets.values())) if budgets else None
        if tried and plan.tuning_epochs is not None:
            # As many updates, or as many writes per step, as in the whole training.
            if budget is not None and updates is None:
                budget = budget * plan.tuning_epochs // base.recipe.epochs
            base = replace(base, recipe=replace(base.recipe, epochs=plan.tuning_epochs))
            folder = os.path.join(folder, f"tuning-{plan.tuning_epochs}-epochs")
        n_steps = plan.steps_per_epoch * base.recipe.epochs
        config = weight_config(arm, base, seed=seed, settings=settings, n_steps=n_steps, budget=budget, updates=updates)
        path = os.path.join(folder, f"seed{seed}-{settings_name(settings)}")
        return Trial(arm.name, seed, path, config, not tried, plan.threads, plan.files)

    def _give_up_best(self, arm: Arm, search: Optional[Search], why: str) -> None:
        """Let the best settings lose, because a whole training with them diverged; ConfigError when none is left."""
        if search is not None:
            search.scores[search.best] = -math.inf
        if search is None or search.scores[search.best] == -math.inf:
            raise ConfigError(
                f"no training of the arm {arm.name} went through: {why}; without it the command gives the table of the "
                "others"
            )

    def _run_all(self, trials: List[Trial]) -> Dict[Trial, Union[Outcome, Diverged]]:
        """{trial: outcome}, in the order of `trials`."""
        found: Dict[Trial, Union[Outcome, Diverged]] = {}
        with running(self.plan.engine, folder=self.plan.out) as engine, stage("trainings", len(trials)) as going:
            if engine.link is not None and self.progress is not None:
                self.progress(f"dashboard {engine.link}")
            for trial, outcome, error in completed(engine, _run_on_worker, trials):
                if isinstance(error, WorkerDied):
                    raise ConfigError(f"{error}; the same command goes on, try fewer processes")
                if error is not None:
                    raise error
                found[trial] = self._tell(trial, outcome)
                going.advance()
        return {trial: found[trial] for trial in trials}

    def _tell(self, trial: Trial, outcome: Union[Outcome, Diverged]) -> Union[Outcome, Diverged]:
        """Say how a trial went, and give it back."""
        if self.progress is not None:
            name = f"{trial.arm}, {readable(os.path.basename(trial.folder))}"
            if isinstance(outcome, Diverged):
                self.progress(f"{name}: {outcome.why}")
            else:
                score = outcome.validation
                self.progress(f"{name}: validation {score.primary} {score.value:.4f}")
        return outcome


def _tried(search: Search) -> Tried:
    """What a search has tried and found."""
    scores = {settings_name(settings): score for settings, score in search.scores.items()}
    found = {name: None if score == -math.inf else score for name, score in scores.items()}
    return Tried(search.best, found, tuple(search.at_edge()))


def settings_name(settings: Settings) -> str:
    """What `Settings` are called in names of folders: the value of each with its name."""
    return (
        f"rate{settings.learning_rate:g}-step{settings.threshold:g}"
        f"-momentum{settings.momentum:g}-decay{settings.weight_decay:g}"
    )

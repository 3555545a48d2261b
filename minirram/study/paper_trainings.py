"""Claims of the paper that rest on several trainings: chips under noise, memories, widths, and masks beside writes."""

import os
import time
from dataclasses import dataclass, replace
from typing import Any, Dict, NamedTuple, Optional, Tuple

from ..device.presets import TECHNOLOGIES, technology
from ..files import read_json, write_json
from ..json_codec import built
from ..learn.recipe import Recipe
from ..nn.layers.widths import widths, with_widths
from ..runs.config import RunConfig
from ..runs.run import Run, evaluate, train
from ..tasks import registry
from ..tasks.task import Task
from .comparison import compare
from .summary import ArmRow

READ_NOISES = (0.0065, 0.02)
"""the technology's, and the paper's largest"""
WIDTHS = ((1.0, 0.1), (0.5, 0.5), (0.25, 0.5), (0.125, 0.5))
"""(share of the network's channels, density): a wide network that is pruned, and narrower ones at the usual density"""
TUNED = ("wo-every-free-0.15", "wo-every-budget-0.15", "wo-step-budget-0.15")
"""weight optimisation on each task: any number of writes, and both schemes with as many as the masks"""


class Trainings(NamedTuple):
    """Of one preset."""

    chips: int
    """under read noise"""
    draws: int
    """of it"""
    epochs: int
    """of chips and memories"""
    width_epochs: int
    """of each width"""


class Beside(NamedTuple):
    """How masks and a tuned baseline are compared on one task."""

    arms: Tuple[str, ...]
    seeds: Tuple[int, ...]
    tuning_epochs: int
    """of the trainings by which settings are chosen"""
    rates: Optional[Tuple[float, ...]] = None
    """that the search begins with; None: the arms' own"""
    epochs: Optional[int] = None
    """of each training; None: the recipe's"""
    score_step: Optional[float] = None
    """see `Recipe`"""


BESIDE = {
    "fashion-mnist": Beside(
        ("pair", "cell", "wo-ideal", "wo-step-free-0.15") + TUNED,
        seeds=(0, 1, 2),
        tuning_epochs=3,
        rates=(0.1, 0.2),
        epochs=20,
        score_step=0.03,
    ),
    "spoken-digits": Beside(
        ("pair", "cell", "wo-ideal", "wo-step-free-0.15") + TUNED, seeds=(0, 1, 2), tuning_epochs=12
    ),
    "retina": Beside(("pair",) + TUNED, seeds=(0,), tuning_epochs=1, rates=(0.4, 0.8)),
}
"""by task; what the settings of the searches rest on: docs/comparison.md"""


@dataclass(frozen=True)
class _Spent:
    """By calls that were stopped."""

    seconds: float


class _Clock:
    """Wall clock of one result over all calls that made it; one that was stopped counts up to its last training."""

    def __init__(self, out: str, name: str) -> None:
        self.path = os.path.join(out, "runs", f"{name}.seconds.json")
        begun = os.path.isfile(self.path)
        self.earlier_s = built(_Spent, read_json(self.path), where=self.path).seconds if begun else 0.0
        self.started = time.perf_counter()

    def seconds(self) -> float:
        """So far."""
        return round(self.earlier_s + time.perf_counter() - self.started, 2)

    def keep(self, _told: object = None) -> None:
        """After each training."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        write_json(self.path, {"seconds": self.seconds()})


def read_noise(out: str, plan: Trainings, *, data: str, threads: int) -> Dict[str, Any]:
    """Test accuracy of several chips of Fashion-MNIST under each of READ_NOISES: a mean over draws, paired by chip."""
    clock, rows = _Clock(out, "read-noise"), []
    for chip in range(plan.chips):
        run = _learned(out, _garments(), plan.epochs, chip=chip, data=data, threads=threads)
        clock.keep()
        for noise in READ_NOISES:
            found = evaluate(run, "test", data=data, read_noise=noise, draws=plan.draws, threads=threads)
            rows.append({"chip": chip, "read_noise": noise, "test": found.value, "draws": plan.draws})
    return {"rows": rows, "seconds": clock.seconds()}


def technologies(out: str, plan: Trainings, *, data: str, threads: int) -> Dict[str, Any]:
    """Test accuracy of Fashion-MNIST on a chip of each technology."""
    clock, rows = _Clock(out, "technologies"), []
    for name in TECHNOLOGIES:
        run = _learned(out, _garments(), plan.epochs, cell=name, data=data, threads=threads)
        clock.keep()
        rows.append({"technology": name, "test": run.results.test.value})
    return {"rows": rows, "seconds": clock.seconds()}


def network_widths(out: str, plan: Trainings, *, data: str, threads: int) -> Dict[str, Any]:
    """Validation accuracy of Fashion-MNIST of each of WIDTHS."""
    clock, rows = _Clock(out, "widths"), []
    for width, density in WIDTHS:
        whole = _garments()
        chosen = {layer: max(1, round(width * own)) for layer, own in widths(whole.network).items()}
        task = replace(whole, network=with_widths(whole.network, chosen))
        run = _learned(out, task, plan.width_epochs, density=density, data=data, threads=threads)
        clock.keep()
        rows.append({"width": width, "density": density, "validation": run.results.validation.value})
    return {"rows": rows, "seconds": clock.seconds()}


def beside_writes(out: str, task: str, *, data: str, threads: int) -> Dict[str, Any]:
    """Test figures and writes per weight of masks and of the tuned baseline, means over seeds."""
    clock, how, chosen = _Clock(out, f"beside-{task}"), BESIDE[task], registry.task(task)
    own: Dict[str, Any] = {"epochs": how.epochs, "score_step": how.score_step}
    recipe = replace(chosen.recipe("full"), **{name: value for name, value in own.items() if value is not None})
    base = RunConfig(task, data, chosen.network, recipe, technology("taox-40nm"))
    found = compare(
        base,
        os.path.join(out, "runs", f"beside-{task}"),
        names=how.arms,
        seeds=how.seeds,
        threads=threads,
        rates=how.rates,
        tuning_epochs=how.tuning_epochs,
        progress=clock.keep,
    )
    return {"rows": [_row(task, arm) for arm in found.arms], "seconds": clock.seconds()}


def _row(task: str, arm: ArmRow) -> Dict[str, Any]:
    """An arm as the figure of writes and the claims take it, figures in percent."""
    kind = "tuned" if arm.arm.startswith("wo-") else arm.arm
    figures = {name: round(100 * value, 2) for name, value in arm.test.items()}
    writes = arm.programs.per_weight if arm.programs is not None else None
    row = {"arm": arm.arm, "kind": kind, "task": task, "score": figures[arm.primary], "writes_per_weight": writes}
    return {**row, "figures": figures}


def _garments() -> Task:
    return registry.task("fashion-mnist")


def _learned(
    out: str,
    task: Task,
    epochs: int,
    *,
    data: str,
    threads: int,
    chip: int = 0,
    cell: str = "taox-40nm",
    density: float = 0.5,
) -> Run:
    """The finished run of a task by its quick recipe; what was stopped goes on, what is done stays."""
    recipe: Recipe = replace(task.recipe("quick"), epochs=epochs, seed=chip, chip_seed=chip, density=density)
    width = "-".join(str(width) for width in widths(task.network).values())
    folder = os.path.join(out, "runs", f"{cell}-{chip}-{width}-{density:g}-{epochs}")
    return train(task, data, recipe, out=folder, cell=cell, threads=threads, resume=True)

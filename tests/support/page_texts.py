"""What pages say and draw, as text: of results with everything in them, of a small chip, and of drawn tables."""

import contextlib
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np
import pytest

from minirram.chip.cell_results import FAILURES, CellResults
from minirram.device.presets import TAOX_40NM
from minirram.device.thresholds import thresholds
from minirram.inference.examine import Score
from minirram.pages import answers, chip_state, comparison, cost, fit, learning, run, sweep
from minirram.pages.outcome import Outcome
from minirram.programming.manifest import Manifest
from minirram.report.html import Markup, joined, tag
from minirram.runs.beside import Beside
from minirram.runs.config import RunConfig
from minirram.runs.energy import EnergyAccount
from minirram.runs.evaluate import Evaluation
from minirram.runs.fit_file import FitReport
from minirram.runs.place import Placed
from minirram.runs.recalibrate import Recalibration
from minirram.runs.train import TrainingResults
from minirram.study.summary import Comparison
from minirram.study.transfer import TransferResults
from minirram.sweep.findings import findings
from minirram.sweep.study import Study
from minirram.tasks.examinations import PixelExamination

from .filled import filled
from .places import ROOT
from .tiny import tiny_learner, tiny_network, tiny_recipe

FOLDER = ROOT / "tests" / "pages" / "texts"
"""one file per page or section"""
DRAWING = (answers, chip_state, comparison, cost, fit, learning, sweep)
"""modules that draw"""


class Told:
    """Stands for what is drawn on: writes down each call, numbers to four digits."""

    def __init__(self, lines: List[str], name: str) -> None:
        self._lines, self._name = lines, name

    def __getattr__(self, name: str) -> "Told":
        return Told(self._lines, f"{self._name}.{name}")

    def __call__(self, *given: Any, **named: Any) -> "Told":
        words = [*map(_short, given), *(f"{name}={_short(value)}" for name, value in named.items())]
        self._lines.append(f"{self._name}({', '.join(words)})")
        return Told(self._lines, self._name + "()")


def _short(value: Any) -> str:
    """Numbers to four digits, of many the first, the last and the sum."""
    if callable(value):
        return "a function"
    if not isinstance(value, (list, tuple, np.ndarray)) or not len(value) or isinstance(value[0], str):
        return repr(value) if isinstance(value, (str, list, tuple, bool, type(None))) else f"{value:.4g}"
    if len(value) <= 6:
        return "[" + " ".join(map(_short, value)) + "]"
    return f"[{value[0]:.4g} .. {value[-1]:.4g}, {len(value)} of sum {np.sum(value):.4g}]"


@contextlib.contextmanager
def drawings_told() -> Iterator[None]:
    """Each drawing is its title, what is said of it and what is called to draw it; matplotlib is not asked."""

    def told(draw: Callable[[Any], None], title: str, describe: str, *, height_px: int = 0) -> Markup:
        lines = [f"drawing {title!r}: {describe} ({height_px or 'usual'} px high)"]
        draw(Told(lines, "axes"))
        return joined(*(tag("p", line) for line in lines))

    with pytest.MonkeyPatch.context() as patch:
        for module in DRAWING:
            patch.setattr(module, "picture", told)
            for name in ("score_ticks", "si_ticks", "whole_ticks"):
                if hasattr(module, name):
                    patch.setattr(module, name, lambda axis, *more, name=name: getattr(axis, name)(*more))
        yield


@contextlib.contextmanager
def without_matplotlib() -> Iterator[None]:
    """As where the extra is not installed: drawings take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        loaded = [name for name in sys.modules if name.startswith("matplotlib.")]
        for name in ["matplotlib", "matplotlib.figure", "matplotlib.backends", *loaded]:  # and loaded parts
            patch.setitem(sys.modules, name, None)
        yield


def page_text(name: str) -> str:
    """What a page, or some sections of the page of a run, say and draw."""
    with drawings_told():
        if name in PAGES:
            page = PAGES[name]()
            head, sections = [page.kind, page.title, page.lead, page.basis, *map(repr, page.key)], page.sections
            tail = list(page.notes)
        else:
            sections, head, tail = SECTIONS[name](), [], []
    lines = [line for section in sections for line in (f"== {section.title}", *map(repr, section.parts))]
    return "\n".join(head + lines + tail).replace("</p><p>", "\n    ") + "\n"


# -- what is shown -----------------------------------------------------------------------------------------------------


def _fit() -> Any:
    found = filled(FitReport, full=True)
    named = tuple(replace(state, name=name) for state, name in zip(found.states, fit._COLOURS))
    return fit.fit_page(replace(found, states=named))


def _sweep() -> Any:
    """The page of a study with drawn figures, its findings made of its table."""
    generator, rows = np.random.default_rng(3), []
    for k, (noise, bits, seed) in enumerate(np.ndindex(3, 2, 4)):
        value = 0.9 - 0.1 * noise - 0.05 * bits + round(float(generator.normal(0, 0.02)), 3)
        row: Dict[str, Any] = {"point": f"p{k:02d}", "read_noise": 0.3 * noise, "adc_bits": 5 + bits, "chip_seed": seed}
        row.update(
            value=value, accuracy=round(value - 0.2, 6), primary="accuracy", samples=30, energy_J=1e-9 * (30 - k)
        )
        row.update(version="1", commit="c", host="h", seconds=2.0, error=None)
        rows.append(row)
    rows[5].update(value=None, accuracy=None, energy_J=None, error="it broke")
    parameters = ("read_noise", "adc_bits", "chip_seed")
    study = Study(run=("runs/a",), fixed={"age_s": 3.0}, grid={"read_noise": (0.0, 0.3, 0.6)}, energy=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minirram.sweep.findings.rows_in", lambda folder: (parameters, rows))
        patch.setattr(sweep, "rows_in", lambda folder: (parameters, rows))
        patch.setattr(sweep, "study_in", lambda folder: study)
        patch.setattr(sweep, "findings", lambda folder: findings(folder, figure="accuracy", threshold=0.6))
        return sweep.sweep_page("there/is/none")


def _chip() -> Tuple[Any, ...]:
    """The chip of a small network with drawn masks, and what a bench left of it."""
    learner, generator = tiny_learner(), np.random.default_rng(4)
    for _ in range(2):
        masks = {name: generator.random(mask.shape) < 0.4 for name, mask in learner.masks.items()}
        learner.chip.program(masks, learner.signs)
    shape = (len(learner.chip.macros), *learner.chip.macros[0].stuck.shape)
    done = CellResults(
        generator.integers(0, 9, shape).astype(np.uint32),
        np.where(generator.random(shape) < 0.1, np.nan, generator.lognormal(-11.4, 0.4, shape)),
        np.where(generator.random(shape) < 0.0002, len(FAILURES) - 1, 0).astype(np.uint8),
        generator.random(shape) < 0.01,
    )
    cells, model = chip_state.cells_of(learner.chip, masks, learner.signs, done), learner.chip.cell_model
    bound = filled(Manifest, full=True)
    return (
        chip_state.conductance_section(cells, model),
        chip_state.map_section(cells),
        chip_state.wear_section(learner.chip, {"form": 1.5, "set": 2.5}),
        chip_state.bench_section("of/bench", cells, done, bound, thresholds(model)),
    )


def _learning() -> Tuple[Any, ...]:
    names = ("epoch", "loss", "train_accuracy", "validation", "kept_fraction", "set_pulses", "reset_pulses")
    drawn = np.random.default_rng(5).random((len(names), 4)).round(3)
    history = {name: (1000 * row).round() if "pulses" in name else row for name, row in zip(names, drawn)}
    history["epoch"] = np.arange(1.0, 5.0)
    return (learning.learning_section(history, 3, "accuracy"), learning.learning_section(history, None, "roc_auc"))


def _pixels() -> Tuple[Any, ...]:
    generator, shape = np.random.default_rng(6), (2, 8, 12)
    labels = (generator.random(shape) < 0.3).astype(np.uint8)
    codes = generator.integers(0, 16, (*shape, 1)).astype(np.uint8)
    asked = PixelExamination(codes, labels, generator.random(shape) < 0.9, ("ground", "vessel"))
    probability = np.clip(0.4 * labels + 0.6 * generator.random(shape), 0, 1).round(3)
    return (answers.segmentation_section(answers.PixelAnswers(asked, probability), ("ground", "vessel")),)


def _results() -> Tuple[Any, ...]:
    """The first section of a run of each command, beside a demo's figures."""
    config = RunConfig("fashion-mnist", "data", tiny_network(), tiny_recipe(), TAOX_40NM)
    sections: List[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "read_beside", lambda folder: Beside(0.25, 0.5))
        for kind in (TrainingResults, TransferResults, Recalibration, Placed):
            scores = {split: replace(filled(Score, full=True), confusion=None) for split in ("test", "validation")}
            found = Outcome(filled(kind, full=True), scores, 3)
            sections += run._results_sections(SimpleNamespace(run=SimpleNamespace(config=config), outcome=found))
    return tuple(sections)


PAGES: Dict[str, Callable[[], Any]] = {
    "comparison": lambda: comparison.comparison_page(filled(Comparison, full=True)),
    "fit": _fit,
    "sweep": _sweep,
}
SECTIONS: Dict[str, Callable[[], Tuple[Any, ...]]] = {
    "results": _results,
    "confusion": lambda: (answers.confusion_section(filled(Score, full=True), ("a", "b"), "test"),),
    "counts": lambda: (cost.counts_section(filled(Score, full=True), "test"),),
    "energy": lambda: (cost.energy_section(filled(EnergyAccount, full=True)),),
    "drift": lambda: (
        cost.drift_section(
            [(age_s, filled(Evaluation, full=True), filled(Evaluation, full=True)) for age_s in (1.0, 1e8)], "pcm"
        ),
    ),
    "chip": _chip,
    "learning": _learning,
    "pixels": _pixels,
}

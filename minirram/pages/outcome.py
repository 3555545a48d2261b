"""What `results.json` says of a run, whichever command made it."""

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple, Union

from ..errors import DataError
from ..files import read_json
from ..inference.examine import Figures, Score
from ..json_codec import built
from ..report.text import count, percent, score
from ..runs.folder import RunFolder
from ..runs.place import Placed
from ..runs.recalibrate import Recalibration
from ..runs.train import TrainingResults, read_results
from ..study.transfer import TransferResults, load_transfer
from ..tasks.datasets import SYNTHETIC

Results = Union[TrainingResults, TransferResults, Recalibration, Placed]
NAMES = {
    "accuracy": "accuracy",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "dice": "Dice coefficient",
}
"""figure -> how a page calls it"""


@dataclass(frozen=True)
class Outcome:
    """How good a run is, and what that rests on."""

    results: Results
    """all that the file says"""
    scores: Dict[str, Score]
    """by split, the one that the run is judged by first"""
    openings: int
    """of the test set so far"""

    @property
    def split(self) -> str:
        """what the run is judged by: "test", "validation", or "data" where trained weights were placed"""
        return next(iter(self.scores))

    @property
    def score(self) -> Score:
        """On that split."""
        return self.scores[self.split]


def outcome_of(run: RunFolder) -> Outcome:
    """The outcome of a run; DataError when it has none, because its training has not ended."""
    path = run.path("results.json")
    if not run.has("results.json"):
        raise DataError(f"{run.folder}: no results.json, the training has not ended; continue it with --resume")
    value: Any = read_json(path)
    keys = value if isinstance(value, dict) else {}
    if "recalibrated" in keys:
        fixed: Recalibration = built(Recalibration, value, where=path)
        score = fixed.recalibrated if fixed.relearned is None else fixed.relearned.score
        return Outcome(fixed, {"validation": score}, run.test_openings())
    if "from_chip_seed" in keys:
        moved = load_transfer(path)
        return Outcome(moved, {"test": moved.test.after, "validation": moved.validation.after}, run.test_openings())
    if "written" in keys:
        written = value["written"]
        if isinstance(written, dict):
            value = dict(value, written={"unformed_lines": [], **written})  # an earlier version named none
        placed: Placed = built(Placed, value, where=path)
        if placed.written is None:
            raise DataError(f"{path}: the graph alone was placed, its weights were not written")
        return Outcome(placed, {"data": placed.written.score}, run.test_openings())
    trained = read_results(path)
    return Outcome(trained, {"test": trained.test, "validation": trained.validation}, run.test_openings())


def value_text(figures: Figures, name: str) -> str:
    """A figure for people: accuracies in percent, areas as they are."""
    value = getattr(figures, name)
    return score(value, name)


def lead(outcome: Outcome, task: str, *, kept: float, weights: int, macros: int) -> str:
    """The result in one sentence."""
    score = outcome.score
    name = NAMES.get(score.primary, score.primary)
    article = "an" if outcome.split == "data" and name == "accuracy" else "a"
    split = "" if outcome.split == "data" else outcome.split + " "
    reached = f"{article} {split}{name} of {value_text(score, score.primary)}"
    on = f"{percent(kept, 1)} of its {weights:,} connections kept on {count(macros, 'macro')}"
    return f"{task} reaches {reached} with {on}."


def basis(outcome: Outcome, *, adc_bits: int, arrangement: str, read_noise: Optional[float], per_pixel: bool) -> str:
    """What the sentence rests on."""
    score = outcome.score
    noun = "image" if per_pixel else "sample"
    what = count(score.samples, noun if outcome.split == "data" else f"{outcome.split} {noun}")
    noise = "" if read_noise is None else f" of {percent(read_noise)}"
    per = "one conversion per pair" if arrangement == "pair" else "one conversion per polarity"
    draws = count(len(score.by_draw), "draw")
    parts = [f"It rests on {what}, {draws} of the read noise{noise} and {adc_bits}-bit ADCs, {per}."]
    if getattr(outcome.results, "data", "").startswith(SYNTHETIC):
        parts.insert(0, "The data are drawn by code; they are not the data set of that name.")
    if score.primary == "accuracy" and not per_pixel:
        low, high = sampling_interval(score.accuracy, score.samples)
        parts.append(f"So many samples bound it to {100 * low:.1f} to {100 * high:.1f} %, at 95 % confidence.")
    if score.ideal is not None:
        parts.append(f"With ideal reads it is {value_text(score.ideal, score.primary)}.")
    if outcome.split == "test":
        times = "once" if outcome.openings == 1 else f"{outcome.openings:,} times"
        parts.append(f"The test set was opened {times}.")
    return " ".join(parts)


def sampling_interval(share: float, samples: int, z: float = 1.96) -> Tuple[float, float]:
    """Interval of a share that was found on so many independent samples (Wilson, JASA 22, 1927)."""
    middle = (share + z * z / (2 * samples)) / (1 + z * z / samples)
    half = z / (1 + z * z / samples) * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def figure_rows(outcome: Outcome) -> Tuple[Tuple[str, ...], Tuple[Tuple[str, ...], ...]]:
    """(head, rows) of all figures: one row each, a column per split with noisy and, where asked for, with ideal
    reads."""
    head: List[str] = ["figure"]
    columns: List[Figures] = []
    for split, one in outcome.scores.items():
        head.append(split)
        columns.append(one)
        if one.ideal is not None:
            head.append(f"{split}, ideal reads")
            columns.append(one.ideal)
    rows = []
    for name, shown in NAMES.items():
        if getattr(outcome.score, name) is None:
            continue
        rows.append((shown, *(value_text(column, name) for column in columns)))
    return tuple(head), tuple(rows)

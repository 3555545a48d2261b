"""What a run answers: confusion by class, or images labelled by pixel with their ROC and PR curves."""

from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from ..inference.examine import Score
from ..report.html import Markup, joined, tag
from ..report.page import Figure, Section, Side, Table
from ..report.png import Colour, data_uri
from ..report.svg import QUIET, SERIES, picture
from ..report.text import figure, percent
from ..tasks.examinations import PixelExamination
from ..tasks.metrics import threshold_counts

MOST_CLASSES = 40
"""of a confusion matrix; of more classes the most frequent mistakes are listed"""
THRESHOLD = 0.5
"""probability from which on a pixel is called positive"""
_CURVE_POINTS = 240


def confusion_section(score: Score, class_names: Sequence[str], split: str) -> Section:
    """The confusion matrix with the figures of each class, and the most frequent mistakes."""
    counts = np.array(score.confusion, np.int64)
    names, unit = list(class_names), "samples" if score.dice is None else "pixels"
    tables, parts = [_by_class(counts, names, split, unit)], []
    if len(names) <= MOST_CLASSES:
        shade = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        rows = [(name, *row) for name, row in zip(names, counts.tolist())]
        caption = f"Confusion on the {split} set: true class by row, answer by column"
        parts.append(Table(caption, ("true class", *names), rows, shade=shade.tolist()))
    mistakes = counts - np.diag(np.diag(counts))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:10]
    worst = [divmod(int(k), len(names)) for k in order if mistakes.flat[k]]
    if worst:
        listed = [(names[t], names[p], int(counts[t, p]), percent(counts[t, p] / counts[t].sum(), 1)) for t, p in worst]
        head = ("true class", "answer", unit, "of the true class")
        tables.append(Table("Most frequent mistakes", head, listed, texts=(1,)))
    draws = "" if len(score.by_draw) == 1 else " They are those of the last draw."
    return Section(
        "Answers by class", (f"Counts of the {int(counts.sum()):,} {split} {unit}.{draws}", *parts, Side(tuple(tables)))
    )


def _by_class(counts: np.ndarray, names: Sequence[str], split: str, unit: str) -> Table:
    hits, true, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    rows = []
    for k, name in enumerate(names):
        recall = hits[k] / true[k] if true[k] else None
        precision = hits[k] / called[k] if called[k] else None
        f1 = 2 * hits[k] / (true[k] + called[k]) if true[k] + called[k] else None
        rows.append((name, int(true[k]), int(hits[k]), percent(recall, 1), percent(precision, 1), figure(f1, 3)))
    head = ("class", unit, "right", "recall", "precision", "F1")
    return Table(f"Figures by class, {split} set", head, rows)


@dataclass(frozen=True, eq=False)
class PixelAnswers:
    """Whole images with the answers of a run."""

    examination: PixelExamination
    """what was asked"""
    probability: np.ndarray
    """float (n, height, width), of the class that is looked for"""


KINDS: Tuple[Tuple[str, Colour], ...] = (
    ("hit", (86, 190, 240, 255)),
    ("miss", (240, 160, 30, 255)),
    ("false alarm", (224, 80, 160, 255)),
)
"""of pixels: colours that differ for every kind of sight, on grey"""
_GREYS = 12


def segmentation_section(answers: PixelAnswers, class_names: Sequence[str]) -> Section:
    """Overlays of hits, misses and false alarms, and the curves over all thresholds."""
    asked, wanted = answers.examination, class_names[1]
    called = answers.probability >= THRESHOLD
    truth: np.ndarray = asked.labels.astype(bool)
    region: np.ndarray = asked.region.astype(bool)
    rows, pictures = [], []
    for k in range(len(asked)):
        hit, miss = truth[k] & called[k] & region[k], truth[k] & ~called[k] & region[k]
        alarm = ~truth[k] & called[k] & region[k]
        counts = [int(np.count_nonzero(part)) for part in (hit, miss, alarm)]
        dice = 2 * counts[0] / max(2 * counts[0] + counts[1] + counts[2], 1)
        rows.append((f"image {k}", *counts, figure(dice, 3)))
        said = f"Validation image {k}: {counts[0]:,} hits, {counts[1]:,} misses, {counts[2]:,} false alarms."
        pictures.append(_overlay(asked.codes[k], region[k], (hit, miss, alarm), said))
    swatch = [
        tag("li", tag("span", cls="swatch", style=f"background:rgb({c[0]} {c[1]} {c[2]})"), name) for name, c in KINDS
    ]
    scores, positive = answers.probability[region], truth[region]
    figures = Side(
        (
            Figure(_roc(scores, positive), "ROC: found share against false alarms, all images pooled."),
            Figure(_pr(scores, positive), "Precision against recall. The line below is the share of such pixels."),
        )
    )
    head = ("image", "hits", "misses", "false alarms", "Dice")
    return Section(
        "Answers by pixel",
        (
            f"{len(asked)} validation images with one draw of the read noise; {wanted!r} is called from probability "
            f"{THRESHOLD:g} on. The test images stay closed.",
            joined(tag("ul", *swatch, cls="legend"), tag("div", *pictures, cls="overlays")),
            Table("Pixels by image", head, rows),
            figures,
            _thresholds(scores, positive),
        ),
    )


def _overlay(codes: np.ndarray, region: np.ndarray, kinds: Sequence[np.ndarray], said: str) -> Markup:
    grey = codes.astype(np.float64).mean(axis=-1)
    low, high = grey[region].min(), grey[region].max()
    levels = np.where(region, grey - low, 0.0) * ((_GREYS - 1) / max(high - low, 1e-9))
    pixels = np.where(region, np.rint(levels).astype(np.int64) + 1, 0)
    for k, chosen in enumerate(kinds):
        pixels[chosen] = 1 + _GREYS + k
    greys = [(v, v, v, 255) for v in np.linspace(24, 190, _GREYS).astype(int).tolist()]
    palette = [(0, 0, 0, 0), *greys, *(colour for _, colour in KINDS)]
    height, width = pixels.shape
    image = tag("img", src=data_uri(pixels, palette), alt=said, width=width, height=height)
    return tag("figure", image, tag("figcaption", said))


def _rates(scores: np.ndarray, truth: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(found share, share of false alarms, precision) at falling thresholds, the ends included."""
    _, hits, alarms = threshold_counts(scores, truth)
    found, false = hits / max(hits[-1], 1), alarms / max(alarms[-1], 1)
    return found, false, hits / (hits + alarms)


def _thinned(x: np.ndarray, y: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """A curve in few points, spread along its length."""
    length = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    at = np.minimum(np.searchsorted(length, np.linspace(0, length[-1], _CURVE_POINTS)), len(x) - 1)
    return x[at], y[at]


def _roc(scores: np.ndarray, truth: np.ndarray) -> Optional[Markup]:
    found, false, _ = _rates(scores, truth)
    x, y = _thinned(np.append(0, false), np.append(0, found))
    area = float(np.sum(np.diff(np.append(0, false)) * (found + np.append(0, found[:-1])) / 2))

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--")
        axes.plot(x, y, color=SERIES[0])
        axes.set(xlabel="share of false alarms", ylabel="found share", xlim=(0, 1), ylim=(0, 1.01))
        axes.text(0.97, 0.06, f"area {area:.4f}", ha="right")

    return picture(draw, "ROC curve", f"The area below the curve is {area:.4f}.")


def _pr(scores: np.ndarray, truth: np.ndarray) -> Optional[Markup]:
    found, _, precision = _rates(scores, truth)
    x, y = _thinned(found, precision)
    area, share = float(np.sum(np.diff(np.append(0, found)) * precision)), float(truth.mean())

    def draw(axes: Any) -> None:
        axes.axhline(share, color=QUIET, linewidth=1, linestyle="--")
        axes.plot(x, y, color=SERIES[0])
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
        axes.text(0.97, 0.06 if share > 0.2 else share + 0.05, f"average precision {area:.4f}", ha="right")

    return picture(draw, "PR curve", f"The average precision is {area:.4f}.")


def _thresholds(scores: np.ndarray, truth: np.ndarray) -> Table:
    rows = []
    for limit in (0.1, 0.3, 0.5, 0.7, 0.9):
        called = scores >= limit
        hits = int(np.count_nonzero(called & truth))
        n_called, n_true = int(np.count_nonzero(called)), int(np.count_nonzero(truth))
        false = (n_called - hits) / max(truth.size - n_true, 1)
        precision = hits / n_called if n_called else None
        rows.append((f"{limit:g}", percent(hits / max(n_true, 1), 1), percent(false, 2), percent(precision, 1)))
    return Table("Pixels at other thresholds", ("threshold", "found", "false alarms", "precision"), rows)

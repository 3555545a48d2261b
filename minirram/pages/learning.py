"""How the masks were learned: curves over the epochs."""

import csv
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..errors import DataError
from ..files import blaming, read_bytes
from ..files.budgets import TEXT
from ..inference.model import Model
from ..report.html import Markup
from ..report.page import Figure, Section, Side, Table
from ..report.svg import SERIES, labels_below, picture, score_ticks, whole_ticks
from ..report.text import figure, percent, score
from ..runs.folder import RunFolder
from .outcome import NAMES

MOST_EPOCHS = 10_000
"""rows of a history that a page shows"""
History = Dict[str, np.ndarray]
"""column -> float64 (epochs,)"""


def history_of(run: RunFolder) -> Optional[History]:
    """What `history.csv` holds; None without one."""
    if not run.has("history.csv"):
        return None
    path = run.path("history.csv")
    lines = read_bytes(path, TEXT, follow=False).decode("utf-8", "replace").splitlines()
    if len(lines) < 2:
        return None
    with blaming(path):
        names, *rows = csv.reader(lines)
    if len(rows) > MOST_EPOCHS or any(len(row) != len(names) for row in rows):
        raise DataError(
            f"{path}: not a history of at most {MOST_EPOCHS} epochs, a row each with as many cells as names"
        )
    try:
        table = np.array([[float(cell or "nan") for cell in row] for row in rows])
    except ValueError as error:
        raise DataError(f"{path}: not a history of epochs ({error})") from None
    missing = [name for name in ("epoch", "loss", "validation") if name not in names]
    if missing:
        raise DataError(f"{path}: not a history of epochs, it has no column {missing[0]}")
    return dict(zip(names, table.T))


def learning_section(history: History, best_epoch: Optional[int], primary: str) -> Section:
    """Loss, scores, kept fraction and pulses over the epochs. primary: the validation figure."""
    primary = NAMES.get(primary, primary)
    epochs = len(history["epoch"])
    best = "" if best_epoch is None else f" The masks are those of epoch {best_epoch}, the best on validation."
    ends = f"The loss falls from {history['loss'][0]:.3f} to {history['loss'][-1]:.3f} in {epochs} epochs.{best}"
    scores = _scores(history, best_epoch, primary)
    figures = Side(
        (
            Figure(_curve(history, "loss", "Training loss", "mean training loss"), "Training loss by epoch."),
            Figure(scores, f"Training accuracy and validation {primary} by epoch. The ring marks the best epoch."),
            Figure(_curve(history, "kept_fraction", "Kept fraction", "kept fraction"), "Kept fraction by epoch."),
            Figure(_pulses(history), "SET and RESET pulses that changed masks asked for."),
        )
    )
    return Section("Learning", (ends, figures, _table(history, primary)))


def _curve(history: History, column: str, title: str, label: str) -> Optional[Markup]:
    if column not in history:
        return None
    values = history[column]

    def draw(axes: Any) -> None:
        axes.plot(history["epoch"], values, color=SERIES[0], marker="o", markersize=3)
        axes.set(xlabel="epoch", ylabel=label)
        whole_ticks(axes.xaxis)
        if column == "kept_fraction":
            middle, half = (values.min() + values.max()) / 2, max(0.01, 0.6 * (values.max() - values.min()))
            axes.set_ylim(middle - half, middle + half)  # a fraction that stays is shown as one that stays
            score_ticks(axes.yaxis)

    return picture(draw, title, f"{label} goes from {values[0]:.4g} to {values[-1]:.4g} over {len(values)} epochs.")


def _scores(history: History, best_epoch: Optional[int], primary: str) -> Optional[Markup]:
    def draw(axes: Any) -> None:
        epochs = history["epoch"]
        if "train_accuracy" in history:
            axes.plot(epochs, history["train_accuracy"], color=SERIES[4], linestyle="--", label="training accuracy")
        axes.plot(
            epochs, history["validation"], color=SERIES[0], marker="o", markersize=3, label=f"validation {primary}"
        )
        if best_epoch is not None and best_epoch in epochs:
            at = history["validation"][list(epochs).index(best_epoch)]
            axes.plot([best_epoch], [at], "o", color=SERIES[1], markersize=10, fillstyle="none", label="best epoch")
        axes.set(xlabel="epoch", ylabel="score")
        whole_ticks(axes.xaxis)
        score_ticks(axes.yaxis, primary)
        labels_below(axes)

    validation = history["validation"]
    best = int(np.argmax(validation))
    highest = score(float(validation[best]), primary)
    said = f"Validation {primary} is {highest} at best, in epoch {history['epoch'][best]:.0f}."
    return picture(draw, "Scores by epoch", said)


def _pulses(history: History) -> Optional[Markup]:
    if "set_pulses" not in history:
        return None

    def draw(axes: Any) -> None:
        axes.bar(history["epoch"] - 0.2, history["set_pulses"], 0.38, color=SERIES[0], label="SET")
        axes.bar(history["epoch"] + 0.2, history["reset_pulses"], 0.38, color=SERIES[1], label="RESET", hatch="")
        axes.set(xlabel="epoch", ylabel="pulses")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        whole_ticks(axes.xaxis)
        labels_below(axes)

    sums = f"{history['set_pulses'].sum():,.0f} SET and {history['reset_pulses'].sum():,.0f} RESET pulses in all."
    return picture(draw, "Pulses by epoch", sums)


def _table(history: History, primary: str) -> Table:
    columns: Dict[str, Tuple[str, Callable[[float], str]]] = {
        "epoch": ("epoch", lambda v: f"{v:.0f}"),
        "loss": ("loss", lambda v: figure(v)),
        "train_accuracy": ("training accuracy", percent),
        "validation": (f"validation {primary}", lambda v: score(v, primary)),
        "kept_fraction": ("kept", lambda v: percent(v, 1)),
        "set_pulses": ("SET pulses", lambda v: f"{v:,.0f}"),
        "reset_pulses": ("RESET pulses", lambda v: f"{v:,.0f}"),
    }
    known = [name for name in columns if name in history]
    rows = [
        [columns[name][1](value) for name, value in zip(known, row)] for row in zip(*(history[name] for name in known))
    ]
    return Table("Epochs", tuple(columns[name][0] for name in known), rows)


def density_section(masks: Dict[str, np.ndarray], model: Model, level: str) -> Section:
    """Kept connections of each matrix."""
    rows: List[Tuple[Any, ...]] = []
    shares: Dict[str, float] = {}
    for name, (fan_in, fan_out) in model.placement.shapes:
        kept, size = int(np.count_nonzero(masks[name])), masks[name].size
        shares[name] = kept / size
        rows.append((name, f"{fan_in:,} \u00d7 {fan_out:,}", size, kept, percent(kept / size, 1)))
    kept, size = sum(row[3] for row in rows), sum(row[2] for row in rows)
    rows.append(("all", None, size, kept, percent(kept / size, 1)))
    unit = "connections" if level == "pair" else "cells"

    def draw(axes: Any) -> None:
        at = np.arange(len(shares))
        axes.barh(at, [100 * share for share in shares.values()], color=SERIES[0], height=0.62)
        axes.set(xlabel=f"kept {unit} (%)", xlim=(0, 100), yticks=at)
        axes.set_yticklabels(list(shares))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)

    said = ", ".join(f"{name} {percent(share, 1)}" for name, share in shares.items())
    drawn = picture(draw, "Density by layer", said, height_px=int(90 + 22 * len(shares)))
    head = ("matrix", "inputs \u00d7 outputs", unit, "kept", "density")
    table = Table("Density by layer", head, rows)
    return Section("Density", (Side((Figure(drawn, f"Kept share of the {unit} of each matrix."), table)),))

"""A comparison as text, as CSV and as a figure."""

import csv
import io
import os
from typing import Any, Dict, List, Optional, Tuple

from ..errors import ConfigError, how_to_install
from ..files import atomic_writer
from ..runs.learning_folder import Path
from ..units import in_columns
from .summary import ArmRow, Comparison, Paper

_SHOWN = {"accuracy": ("accuracy",), "roc_auc": ("roc_auc", "pr_auc"), "dice": ("dice", "accuracy")}
"""figures of the tables, by the primary one"""
_COSTS = (
    "total",
    "per_weight",
    "over_pair",
    "over_best_weights",
    "share_of_every_step",
    "max_per_cell",
    "energy_J",
    "time_s",
)
"""entries of `programs` in the CSV file, after the names that they have there; seconds, joules, counts and ratios"""
_SETTINGS = ("learning_rate", "momentum", "weight_decay")


def write_report(out: Path, summary: Comparison) -> Optional[str]:
    """Write `comparison.csv`, `comparison.txt` and, with matplotlib, `comparison.png`.

    Returns what to install for the figure, or None.
    """
    table, rows = io.StringIO(), [_flat(row) for row in summary.arms]
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_writer(os.path.join(out, "comparison.csv"), "w") as handle:
        handle.write(table.getvalue())
    with atomic_writer(os.path.join(out, "comparison.txt"), "w") as handle:
        handle.write(as_text(summary) + "\n")
    try:
        draw(summary, os.path.join(out, "comparison.png"))
    except ConfigError as error:
        return str(error)
    return None


def _flat(row: ArmRow) -> Dict[str, Any]:
    """One row of the CSV file; figures are means over the seeds."""
    flat: Dict[str, Any] = {"arm": row.arm, "text": row.text, "validation": row.validation}
    for figure in _SHOWN[row.primary]:
        below = None if row.below_pair is None else row.below_pair[figure]
        flat[figure] = row.test[figure]
        flat["spread_" + figure] = row.spread[figure]
        flat["below_pair_" + figure] = None if below is None else below.mean
        flat["standard_error_" + figure] = None if below is None else below.standard_error
    flat.update({"programs_" + key: getattr(row.programs, key, None) for key in _COSTS})
    flat.update({key: getattr(row.settings, key, None) for key in _SETTINGS})
    flat["threshold_S"] = None if row.writing is None else row.writing.threshold_S
    flat.update(at_edge=" ".join(row.at_edge), trials=len(row.tried), training_seconds=row.training_seconds)
    return flat


def as_text(summary: Comparison) -> str:
    """The table for people: one line per arm, then what it is to be read beside."""
    shown = _SHOWN[summary.arms[0].primary]
    heads = ["arm"] + [head for figure in shown for head in (figure, "spread", "below pair")]
    heads += ["programs/weight", "of every step", "of pair", "of best", "most/cell", "J", "s"]
    table = [heads] + [_cells(row, shown) for row in summary.arms]
    seeds = ", ".join(map(str, summary.seeds))
    lines = [f"{summary.task}, {summary.network}, {summary.epochs} epochs, seeds {seeds}", *in_columns(table)]
    if summary.best_weights is not None:
        lines.append(f"best: {summary.best_weights}, the written weights with the highest validation")
    edges = [f"{row.arm} ({', '.join(row.at_edge)})" for row in summary.arms if row.at_edge]
    if edges:
        lines.append("best value at the edge of what was tried: " + ", ".join(edges))
    return "\n".join(lines + _of_the_chip(summary) + _beside_paper(summary.paper))


def _of_the_chip(summary: Comparison) -> List[str]:
    """What all arms share of their chip, where it is more than a seed, as lines."""
    lines = [f"one measured chip: {', '.join(summary.maps)}"] if summary.maps else []
    if summary.lines is not None:
        dead = f"{len(summary.lines.dead_rows)} rows and {len(summary.lines.dead_cols)} columns dead"
        lines.append(f"macros of {summary.lines.rows} x {2 * summary.lines.pairs}, {dead}")
    return lines + ([f"stuck cells of {summary.faults}"] if summary.faults else [])


_FORMATS = {
    "per_weight": ".2f",
    "share_of_every_step": ".3%",
    "over_pair": ".3g",
    "over_best_weights": ".3g",
    "max_per_cell": "d",
    "energy_J": ".1e",
    "time_s": ".2g",
}
"""how the columns of programs are written"""


def _cells(row: ArmRow, shown: Tuple[str, ...]) -> List[str]:
    """One row of the text table."""
    cells = [row.arm]
    for figure in shown:
        below = None if row.below_pair is None else row.below_pair[figure]
        cells += [f"{row.test[figure]:.4f}", _number(row.spread[figure], ".4f")]
        cells.append(
            "" if below is None else f"{below.mean:+.4f}" + _number(below.standard_error, ".4f", before=" +- ")
        )
    return cells + [_number(getattr(row.programs, key, None), spec) for key, spec in _FORMATS.items()]


def _number(value: Optional[float], spec: str, before: str = "") -> str:
    return "" if value is None else f"{before}{value:{spec}}"


def _beside_paper(paper: Optional[Paper]) -> List[str]:
    """What arXiv 2311.07164 reports, as lines."""
    if paper is None:
        return []
    gaps = " and ".join(f"{gap:.3f} in {figure}" for figure, gap in paper.below_at_budget.items())
    lines = ["arXiv 2311.07164 reports of weight optimisation:", f"  {gaps} below pruning at its program count"]
    if "pr_auc" in paper.below_at_budget:
        lines.append("  (taken as differences; whether the 2 % and 9.8 % are relative is not said)")
    for figure, gap in paper.below_with_free_writes.items():
        lines.append(f"  {gap:.3f} in {figure} below pruning with any number of writes")
    fewer = paper.fewer_than_every_step
    if fewer is not None:
        lines.append(f"  pruning takes {1 - fewer:.2%} of its programs at every step, {fewer:.2%} fewer")
    return lines


def draw(summary: Comparison, path: str) -> None:
    """Write the figure of a comparison, a PNG: each arm's figure of merit with its seeds, and beside it what that
    cost in programs per weight. ConfigError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(f"no figure: it needs matplotlib: {how_to_install('report')}") from None
    rows = summary.arms
    figure = Figure(figsize=(10.0, 2.5 + 0.3 * len(rows)), constrained_layout=True)
    by_arm, by_cost = figure.subplots(1, 2)
    for k, row in enumerate(rows):
        scores = list(row.by_seed.values())
        mean = row.test[row.primary]
        by_arm.plot(scores, [k] * len(scores), "o", color="0.7")
        by_arm.plot([mean], [k], "|", color="k", markersize=14)
        programs = getattr(row.programs, "per_weight", None)
        if programs:
            by_cost.semilogx([programs], [mean], "o")
            by_cost.annotate(row.arm, (programs, mean), textcoords="offset points", xytext=(4, 3), fontsize=7)
        else:
            by_cost.axhline(mean, linestyle=":", color="0.5")
            by_cost.annotate(row.arm, (1.0, mean), xycoords=("axes fraction", "data"), ha="right", fontsize=7)
    by_arm.set_yticks(range(len(rows)))
    by_arm.set_yticklabels([row.arm for row in rows])
    by_arm.invert_yaxis()
    by_arm.set_xlabel(f"test {rows[0].primary}, one dot per seed")
    spent = [row.programs.per_weight for row in rows if row.programs is not None and row.programs.per_weight]
    if spent:
        by_cost.set_xlim(min(spent) / 3, 10 * max(spent))
    by_cost.set_xlabel("programs per weight")
    by_cost.set_ylabel(f"test {rows[0].primary}")
    figure.suptitle(f"{summary.task}, {summary.epochs} epochs")
    with atomic_writer(path) as handle:
        figure.savefig(handle, format="png", dpi=150)

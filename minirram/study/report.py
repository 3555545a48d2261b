"""A comparison as text, as CSV and as a figure."""

import csv
import io
import os

from ..errors import ConfigError
from ..files import atomic_writer

_SHOWN = {"accuracy": ("accuracy",), "roc_auc": ("roc_auc", "pr_auc")}
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


def write_report(out, summary):
    """Write `comparison.csv`, `comparison.txt` and, with matplotlib, `comparison.png`; returns a note or None.

    summary: what `compare.compare` returns. The note says what to install for the figure.
    """
    table, rows = io.StringIO(), [_flat(row) for row in summary["arms"]]
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


def _flat(row):
    """One row of the CSV file; figures are means over the seeds."""
    programs, settings, writing = (row.get(key) or {} for key in ("programs", "settings", "writing"))
    flat = {"arm": row["arm"], "text": row["text"], "validation": row["validation"]}
    for figure in _SHOWN[row["primary"]]:
        below = row.get("below_pair", {}).get(figure, {})
        flat[figure] = row["test"][figure]
        flat["spread_" + figure] = row["spread"][figure]
        flat["below_pair_" + figure] = below.get("mean")
        flat["standard_error_" + figure] = below.get("standard_error")
    flat.update({"programs_" + key: programs.get(key) for key in _COSTS})
    flat.update({key: settings.get(key) for key in _SETTINGS}, threshold_S=writing.get("threshold_S"))
    flat.update(at_edge=" ".join(row["at_edge"]), trials=len(row["tried"]), training_seconds=row["training_seconds"])
    return flat


def as_text(summary):
    """The table for people: one line per arm, then what it is to be read beside."""
    shown = _SHOWN[summary["arms"][0]["primary"]]
    heads = ["arm"] + [head for figure in shown for head in (figure, "spread", "below pair")]
    heads += ["programs/weight", "of every step", "of pair", "of best", "most/cell", "J", "s"]
    table = [heads] + [_cells(row, shown) for row in summary["arms"]]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["{task}, {network}, {epochs} epochs, seeds {0}".format(", ".join(map(str, summary["seeds"])), **summary)]
    for first, *others in table:
        cells = [first.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(others, widths[1:])]
        lines.append("  ".join(cells).rstrip())
    if summary["best_weights"] is not None:
        lines.append("best: {}, the written weights with the highest validation".format(summary["best_weights"]))
    edges = ["{} ({})".format(row["arm"], ", ".join(row["at_edge"])) for row in summary["arms"] if row["at_edge"]]
    if edges:
        lines.append("best value at the edge of what was tried: " + ", ".join(edges))
    return "\n".join(lines + _beside_paper(summary["paper"]))


def _cells(row, shown):
    """One row of the text table."""
    cells, programs = [row["arm"]], row.get("programs", {})
    for figure in shown:
        below = row.get("below_pair", {}).get(figure)
        cells += ["{:.4f}".format(row["test"][figure]), _number("{:.4f}", row["spread"][figure])]
        cells.append("" if below is None else _with_error(below))
    formats = ("{:.2f}", "{:.3%}", "{:.3g}", "{:.3g}", "{}", "{:.1e}", "{:.2g}")
    keys = ("per_weight", "share_of_every_step", "over_pair", "over_best_weights", "max_per_cell", "energy_J", "time_s")
    return cells + [_number(text, programs.get(key)) for text, key in zip(formats, keys)]


def _number(text, value):
    return "" if value is None else text.format(value)


def _with_error(difference):
    return "{:+.4f}".format(difference["mean"]) + _number(" +- {:.4f}", difference["standard_error"])


def _beside_paper(paper):
    """What arXiv 2311.07164 reports, as lines."""
    if paper is None:
        return []
    gaps = [f"{gap:.3f} in {figure}" for figure, gap in paper["below_at_budget"].items()]
    lines = ["arXiv 2311.07164 reports of weight optimisation:"]
    lines.append("  {} below pruning at its program count".format(" and ".join(gaps)))
    if "pr_auc" in paper["below_at_budget"]:
        lines.append("  (taken as differences; whether the 2 % and 9.8 % are relative is not said)")
    for figure, gap in paper.get("below_with_free_writes", {}).items():
        lines.append(f"  {gap:.3f} in {figure} below pruning with any number of writes")
    if "fewer_than_every_step" in paper:
        fewer = paper["fewer_than_every_step"]
        lines.append(f"  pruning takes {1 - fewer:.2%} of its programs at every step, {fewer:.2%} fewer")
    return lines


def draw(summary, path):
    """Write the figure of a comparison, a PNG: each arm's figure of merit with its seeds, and beside it what that
    cost in programs per weight. ConfigError without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("no figure: it needs matplotlib, pip install 'minirram[report]'") from None
    rows = summary["arms"]
    figure = Figure(figsize=(10.0, 2.5 + 0.3 * len(rows)), constrained_layout=True)
    FigureCanvasAgg(figure)
    by_arm, by_cost = figure.subplots(1, 2)
    for k, row in enumerate(rows):
        scores = list(row["by_seed"].values())
        mean = row["test"][row["primary"]]
        by_arm.plot(scores, [k] * len(scores), "o", color="0.7")
        by_arm.plot([mean], [k], "|", color="k", markersize=14)
        programs = row.get("programs", {}).get("per_weight")
        if programs:
            by_cost.semilogx([programs], [mean], "o")
            by_cost.annotate(row["arm"], (programs, mean), textcoords="offset points", xytext=(4, 3), fontsize=7)
        else:
            by_cost.axhline(mean, linestyle=":", color="0.5")
            by_cost.annotate(row["arm"], (1.0, mean), xycoords=("axes fraction", "data"), ha="right", fontsize=7)
    by_arm.set_yticks(range(len(rows)))
    by_arm.set_yticklabels([row["arm"] for row in rows])
    by_arm.invert_yaxis()
    by_arm.set_xlabel("test {}, one dot per seed".format(rows[0]["primary"]))
    spent = [row["programs"]["per_weight"] for row in rows if row.get("programs", {}).get("per_weight")]
    if spent:
        by_cost.set_xlim(min(spent) / 3, 10 * max(spent))
    by_cost.set_xlabel("programs per weight")
    by_cost.set_ylabel("test {}".format(rows[0]["primary"]))
    figure.suptitle("{}, {} epochs".format(summary["task"], summary["epochs"]))
    with atomic_writer(path) as handle:
        figure.savefig(handle, format="png", dpi=150)

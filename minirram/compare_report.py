"""A comparison as text, as CSV and as a figure."""

import csv
import io
import os

from .errors import ConfigError
from .files import atomic_writer

_COLUMNS = (
    "arm", "text", "primary", "test", "spread", "validation", "below_pair", "standard_error", "programs",
    "programs_per_weight", "programs_over_pair", "share_of_every_step", "max_per_cell", "energy_J", "time_s",
    "learning_rate", "threshold_S", "momentum", "weight_decay", "training_seconds",
)  # fmt: skip
"""of the CSV file; `test`, `validation` and `below_pair` are in the unit of `primary`, times in seconds"""


def write_report(out, summary):
    """Write `comparison.csv`, `comparison.txt` and, with matplotlib, `comparison.png`; returns a note or None.

    summary: what `compare.compare` returns. The note says what to install for the figure.
    """
    table = io.StringIO()
    writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_flat(row) for row in summary["arms"])
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
    """One row of the CSV file."""
    primary, programs = row["primary"], row.get("programs", {})
    below = row.get("below_pair", {}).get(primary, {})
    flat = {key: row[key] for key in _COLUMNS if key in row and key not in ("test", "programs", "below_pair")}
    flat.update({key: programs.get(key) for key in ("share_of_every_step", "max_per_cell", "energy_J", "time_s")})
    return dict(
        flat,
        test=row["test"][primary],
        below_pair=below.get("mean"),
        standard_error=below.get("standard_error"),
        programs=programs.get("total"),
        programs_per_weight=programs.get("per_weight"),
        programs_over_pair=programs.get("over_pair"),
        threshold_S=(row["writing"] or {}).get("threshold_S"),
        **{key: value for key, value in (row["settings"] or {}).items() if key in _COLUMNS},
    )


def as_text(summary):
    """The table for people: one line per arm."""
    primary = summary["arms"][0]["primary"]
    lines = [
        "{task}, {network}, {epochs} epochs, seeds {0}".format(", ".join(map(str, summary["seeds"])), **summary),
        "{:20s} {:>9s} {:>8s} {:>18s} {:>14s} {:>11s}".format(
            "arm", primary, "spread", "below pair", "programs/weight", "most/cell"
        ),
    ]
    for row in summary["arms"]:
        below, programs = row.get("below_pair", {}).get(primary), row.get("programs")
        lines.append(
            "{:20s} {:>9.4f} {:>8s} {:>18s} {:>14s} {:>12s}".format(
                row["arm"],
                row["test"][primary],
                "" if row["spread"] is None else "{:.4f}".format(row["spread"]),
                "" if below is None else _with_error(below),
                "" if programs is None else "{:.2f}".format(programs["per_weight"]),
                "" if programs is None else str(programs["max_per_cell"]),
            )
        )
    paper = summary["paper"]
    if paper is not None:
        gaps = "{:.3f} below pruning at its program count".format(paper["gap_at_budget"])
        if "gap_with_free_writes" in paper:
            gaps += ", {:.3f} with any number of writes".format(paper["gap_with_free_writes"])
        lines.append("arXiv 2311.07164 reports weight optimisation {} ({})".format(gaps, paper["figure"]))
    return "\n".join(lines)


def _with_error(difference):
    error = difference["standard_error"]
    return "{:+.4f}".format(difference["mean"]) + ("" if error is None else " +- {:.4f}".format(error))


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

"""The page of a comparison: arms side by side, their differences, programs and wear."""

from typing import Any, List, Optional, Tuple

import numpy as np

from ..report.html import Markup
from ..report.page import Facts, Figure, Page, Part, Section, Side, Table
from ..report.svg import QUIET, SERIES, labels_below, picture, score_ticks
from ..report.text import count, percent, points, score, si
from ..study.settings_search import readable
from ..study.summary import ArmRow, Comparison
from .outcome import NAMES


def comparison_page(found: Comparison) -> Page:
    """The page of what `comparison.json` holds."""
    best = max(found.arms, key=lambda row: row.test[row.primary])
    primary = NAMES.get(best.primary, best.primary)
    pair = next((row for row in found.arms if row.arm == "pair"), None)
    lead = f"The highest test {primary}, {_value(best, best.primary)}, is that of {best.arm}: {best.text}."
    if pair is not None and best.arm != "pair":
        lead += f" Masks of pairs reach {_value(pair, pair.primary)}."
    basis = (
        f"{count(len(found.arms), 'arm')} learned {found.task} for {count(found.epochs, 'epoch')} with "
        f"{count(len(found.seeds), 'seed')} each. Figures are means over the seeds on the test set. "
        f"Free settings were chosen on validation with seed {found.seeds[0]}."
    )
    return Page(
        kind="Comparison",
        title=found.task,
        lead=lead,
        basis=basis,
        sections=(_scores(found, primary), _programs(found), _settings(found, primary), _provenance(found)),
        notes=tuple(f"Warning: {line}" for line in found.warnings),
    )


def _value(row: ArmRow, name: str) -> str:
    value, spread = row.test[name], row.spread.get(name)
    return score(value, name) + ("" if spread is None else f" \u00b1 {points(spread, name)}")


def _scores(found: Comparison, primary: str) -> Section:
    names = list(found.arms[0].test)
    head = ("arm", "what it is", *(NAMES.get(name, name) for name in names), "validation")
    rows = [
        (row.arm, row.text, *(_value(row, name) for name in names), score(row.validation, primary))
        for row in found.arms
    ]
    seeds = [str(seed) for seed in found.seeds]
    by_seed = [(row.arm, *(score(row.by_seed[seed], primary) for seed in seeds)) for row in found.arms]
    parts: List[Part] = [
        Figure(_dots(found, primary), f"Test {primary} of each arm: a dot per seed, a bar at their mean."),
        Table("Figures on the test set, mean and standard deviation over the seeds", head, rows, texts=(1,)),
        Table(f"Test {primary} by seed", ("arm", *(f"seed {seed}" for seed in seeds)), by_seed),
    ]
    below = [row for row in found.arms if row.below_pair is not None]
    if below:
        listed = [(row.arm, *(_gap(row, name) for name in names)) for row in below]
        caption = 'Distance below the arm "pair" on the same seeds, with the standard error of the mean'
        parts.append(Table(caption, ("arm", *(NAMES.get(name, name) for name in names)), listed))
    if found.paper is not None:
        rows_ = [(NAMES.get(n, n), points(v, n)) for n, v in found.paper.below_at_budget.items()]
        parts.append(
            Table("Distance that Li et al. report at the programs of pruning", ("figure", "below pruning"), rows_)
        )
    return Section("Scores", tuple(parts))


def _gap(row: ArmRow, name: str) -> Optional[str]:
    gap = None if row.below_pair is None else row.below_pair.get(name)
    if gap is None:
        return None
    return ("+" if gap.mean > 0 else "") + points(gap.mean, name, gap.standard_error)


def _dots(found: Comparison, primary: str) -> Optional[Markup]:
    def draw(axes: Any) -> None:
        for k, row in enumerate(found.arms):
            values = list(row.by_seed.values())
            axes.plot(values, [k] * len(values), "o", color=SERIES[0], markersize=6, alpha=0.75)
            axes.plot([np.mean(values)] * 2, [k - 0.3, k + 0.3], color=SERIES[1], linewidth=2)
        axes.set(xlabel=f"test {primary}", yticks=np.arange(len(found.arms)))
        axes.set_yticklabels([row.arm for row in found.arms])
        axes.invert_yaxis()
        axes.margins(y=0.12)
        score_ticks(axes.xaxis, primary)

    said = ", ".join(f"{row.arm} {_value(row, row.primary)}" for row in found.arms)
    return picture(draw, "Scores by arm", said, height_px=int(80 + 26 * len(found.arms)))


def _programs(found: Comparison) -> Section:
    head = ("arm", "SET and RESET", "per weight", "of every step", "over pair", "energy", "time", "most of a cell")
    rows: List[Tuple[Any, ...]] = []
    for row in found.arms:
        programs = row.programs
        if programs is None:
            rows.append((row.arm, *[None] * 7))
            continue
        over = None if programs.over_pair is None else f"{programs.over_pair:.3g}"
        shares = (f"{programs.per_weight:.3g}", percent(programs.share_of_every_step, 4), over)
        costs = (si(programs.energy_J, "J"), si(programs.time_s, "s"), programs.max_per_cell)
        rows.append((row.arm, f"{programs.total:,.0f}", *shares, *costs))
    wear = [row for row in found.arms if row.wear is not None]
    figures = Side(
        (Figure(_program_dots(found), "SET and RESET pulses of learning, logarithmic."), Figure(_wear(wear), _WEAR))
    )
    counted = ("arm", "unformed pairs", "stuck cells", "saturated", "clipped")
    counts = [
        (row.arm, row.chip and row.chip.unformed_pairs, row.chip and row.chip.stuck_cells, row.saturated, row.clipped)
        for row in found.arms
    ]
    said = f"Writing every weight at every step would take {found.every_weight_every_step:,} writes."
    tables = (
        Table("Programs, mean over the seeds", head, rows),
        Table("What was counted, sum over the seeds", counted, counts),
    )
    return Section("Programs and wear", (said, figures, *tables))


_WEAR = "Share of the cells with at least so many writes, first seed."


def _program_dots(found: Comparison) -> Optional[Markup]:
    rows = [row for row in found.arms if row.programs is not None and row.programs.total > 0]
    if not rows:
        return None

    def draw(axes: Any) -> None:
        at = np.arange(len(rows))
        axes.plot([row.programs.total for row in rows if row.programs], at, "o", color=SERIES[0], markersize=8)
        axes.axvline(found.every_weight_every_step, color=QUIET, linestyle="--", linewidth=1)
        axes.set(xscale="log", xlabel="pulses; dashed: every weight at every step", yticks=at)
        axes.set_yticklabels([row.arm for row in rows])
        axes.invert_yaxis()
        axes.margins(y=0.15)

    said = ", ".join(f"{row.arm} {row.programs.total:,.0f}" for row in rows if row.programs)
    return picture(draw, "Programs by arm", said)


def _wear(rows: List[ArmRow]) -> Optional[Markup]:
    if not rows:
        return None
    styles = ("-", "--", ":", "-.")

    def draw(axes: Any) -> None:
        for k, row in enumerate(rows):
            if row.wear is None:
                continue
            cells = np.array(row.wear.cells, float)
            above = np.cumsum(cells[::-1])[::-1] / cells.sum()
            starts = np.maximum(row.wear.from_writes, 0.7)
            colour = SERIES[k % len(SERIES)]
            axes.plot(starts, above, color=colour, linestyle=styles[k % 4], drawstyle="steps-post", label=row.arm)
        axes.set(xscale="log", xlabel="writes of a cell, at least", ylabel="share of cells", ylim=(0, 1.02))
        score_ticks(axes.yaxis)
        labels_below(axes)

    said = ", ".join(f"{row.arm} at most {row.wear.max:,}" for row in rows if row.wear is not None)
    return picture(draw, "Wear by arm", said, height_px=264 + 14 * (len(rows) // 3))


def _settings(found: Comparison, primary: str) -> Section:
    rows = []
    for row in found.arms:
        if row.settings is None:
            continue
        one = row.settings
        values = (f"{one.learning_rate:g}", f"{one.threshold:g}", f"{one.momentum:g}", f"{one.weight_decay:g}")
        rows.append((row.arm, *values, len(row.tried), ", ".join(row.at_edge) or "none"))
    if not rows:
        return Section("Free settings", ("Masks have no free settings; no other arm was run.",))
    head = ("arm", "rate", "threshold", "momentum", "weight decay", "tried", "at the edge of the search")
    tried = [
        (f"{row.arm}, {readable(name)}", None if value is None else score(value, primary))
        for row in found.arms
        for name, value in row.tried.items()
    ]
    return Section(
        "Free settings",
        (
            Table("Settings as they were chosen on validation", head, rows, texts=(6,)),
            Table(
                "Validation of each choice that was tried; a dash: it diverged", ("choice", "figure"), tried, most=60
            ),
        ),
    )


def _provenance(found: Comparison) -> Section:
    items: List[Tuple[str, Any]] = [
        ("task", found.task),
        ("network", found.network),
        ("data", found.data),
        ("seeds", ", ".join(map(str, found.seeds))),
        ("steps of each training", found.steps),
        ("epochs of trainings that choose settings", found.tuning_epochs),
        ("maps of the chip", ", ".join(found.maps) or "none, each seed draws its chip"),
        ("stuck cells planted", found.faults or "none"),
    ]
    items += [(f"map {k}", reading.line) for k, reading in enumerate(found.readings)]
    items += [(f"training time, {row.arm}", f"{row.training_seconds:,.0f} s") for row in found.arms]
    return Section("Provenance", (Facts(tuple(items)),))

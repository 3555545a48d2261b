"""The page of a sweep: what each parameter does, maps of the strongest pairs, the Pareto front, yield, the table."""

import os
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from ..files import read_json
from ..json_codec import bare, built
from ..report.html import Markup
from ..report.page import Facts, Figure, Page, Part, Section, Side, Table
from ..report.svg import QUIET, SERIES, picture, score_ticks, si_ticks
from ..report.text import count, percent, points, score, si
from ..sweep.analysis import MainEffect, Map, varied
from ..sweep.findings import FINDINGS, Findings, findings, rows_in, study_in
from ..sweep.points import FIGURES
from ..sweep.study import Study
from ..sweep.table import ERROR, KEY
from .outcome import NAMES

MOST_DOTS = 5000
"""of the Pareto figure; of more points every second or third and on is drawn"""
MOST_ROWS = 100
"""of the table on the page"""


def sweep_page(folder: str) -> Page:
    """The page of the study in a folder, with what `findings.json` says, or the table where there is none."""
    path = os.path.join(folder, FINDINGS)
    found = built(Findings, read_json(path), where=path) if os.path.isfile(path) else findings(folder)
    study, (parameters, rows) = study_in(folder), rows_in(folder)
    named = _figure_name(found, rows)
    sections = [_effects(found, named)]
    if found.maps:
        sections.append(Section("Pairs of parameters", (Side(tuple(_map_table(one, named) for one in found.maps)),)))
    sections += [_front(found, rows, parameters, named)] if found.front else []
    sections += [_yield(found, named)] if found.yields else []
    sections += [_points(rows, parameters, named), _provenance(study, rows)]
    return Page(
        kind="Sweep",
        title=os.path.basename(os.path.abspath(folder)),
        lead=_lead(found, rows, named),
        basis=_basis(found, study, rows),
        sections=tuple(sections),
        notes=(f"{count(found.failed, 'point')} failed; the table says why.",) if found.failed else (),
    )


def _figure_name(found: Findings, rows: Sequence[Dict[str, Any]]) -> str:
    """How the page calls the figure: `value` is the one that the task is judged by."""
    primary = next((row["primary"] for row in rows if row.get("primary")), None)
    return NAMES.get(str(primary), str(primary or "value")) if found.figure == "value" else found.figure


def _lead(found: Findings, rows: Sequence[Dict[str, Any]], named: str) -> str:
    if found.best is None:
        return "No point has a figure yet."
    row = next((row for row in rows if str(row[KEY]) == found.best[KEY]), found.best)
    names = [name for name in found.best if name not in (KEY, found.figure)]
    at = ", ".join(f"{name} {_cell(row.get(name))}" for name in names)
    highest = score(float(found.best[found.figure]), named)
    if found.equals > 1:
        first = f", the first of them with {at}" if at else ""
        return f"The highest {named}, {highest}, is reached by {found.equals:,} of {found.points:,} points{first}."
    return f"The highest {named}, {highest}, is reached with {at or 'the one setting'}."


def _basis(found: Findings, study: Study, rows: Sequence[Dict[str, Any]]) -> str:
    samples = {row["samples"] for row in rows if row.get("samples")}
    rests = f"It rests on {count(found.points, 'point')}"
    if study.run:
        rests += f" of {count(len(study.run), 'trained run')}"
    rests += f", {min(samples):,} samples each." if len(samples) == 1 else "."
    kind = "Each point is an evaluation." if study.run else f"Each point trains {study.task}, preset {study.preset}."
    return f"{rests} {kind}"


def _effects(found: Findings, named: str) -> Section:
    rows = [
        (one.parameter, len(one.levels), points(one.difference, named), percent(one.variance_share, 1))
        for one in found.effects
    ]
    head = ("parameter", "levels", "largest less smallest mean", "of the variance")
    figures = tuple(
        Figure(_levels(one, named), f"Mean {named} by {one.parameter}, all else averaged; bars: standard error.")
        for one in found.effects[:6]
    )
    levels = [
        (f"{one.parameter} {level.value}", level.points, score(level.mean, named), _error(level.standard_error, named))
        for one in found.effects
        for level in one.levels
    ]
    parts: List[Part] = [Table("Main effects, the strongest first", head, rows), Side(figures)]
    parts.append(Table(f"Mean {named} by level", ("level", "points", "mean", "standard error"), levels))
    return Section("What each parameter does", tuple(parts))


def _error(value: Optional[float], named: str) -> Optional[str]:
    return None if value is None else points(value, named)


def _levels(effect: MainEffect, named: str) -> Optional[Markup]:
    means = [level.mean for level in effect.levels]
    errors = [level.standard_error or 0.0 for level in effect.levels]

    def draw(axes: Any) -> None:
        at = np.arange(len(means))
        axes.errorbar(at, means, yerr=errors, color=SERIES[0], marker="o", markersize=5, capsize=4, linewidth=1.4)
        axes.set(xlabel=effect.parameter, ylabel=named, xticks=at)
        labels = [level.value for level in effect.levels]
        turned = sum(map(len, labels)) > 40
        axes.set_xticklabels(labels, rotation=30 if turned else 0, ha="right" if turned else "center")
        axes.margins(x=0.08)
        score_ticks(axes.yaxis, named)

    said = ", ".join(f"{level.value}: {score(level.mean, named)}" for level in effect.levels)
    return picture(draw, f"Effect of {effect.parameter}", said)


def _map_table(found: Map, named: str) -> Table:
    """A map of means as a table with a tint."""
    known = [mean for row in found.means for mean in row if mean is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    width = (high - low) or 1.0
    shade = [[0.0 if mean is None else (mean - low) / width for mean in row] for row in found.means]
    rows = [(value, *(score(mean, named) for mean in row)) for value, row in zip(found.down_values, found.means)]
    caption = f"Mean {named}: {found.down} down, {found.across} across"
    return Table(caption, (found.down, *found.across_values), rows, shade=shade)


def _front(found: Findings, rows: Sequence[Dict[str, Any]], parameters: Sequence[str], named: str) -> Section:
    known = [row for row in rows if row.get("energy_J") and row.get(found.figure) is not None]
    known = known[:: -(-len(known) // MOST_DOTS)]

    def draw(axes: Any) -> None:
        axes.plot(
            [row["energy_J"] for row in known], [row[found.figure] for row in known], "o", color=QUIET, markersize=4
        )
        energy, value = [one.energy_J for one in found.front], [one.value for one in found.front]
        axes.plot(energy, value, color=SERIES[1], marker="o", markersize=6, drawstyle="steps-post", linewidth=1.4)
        axes.set(xlabel="energy of one inference", ylabel=named, xscale="log")
        si_ticks(axes.xaxis, "J")
        score_ticks(axes.yaxis, named)

    by_key = {str(row[KEY]): row for row in rows}
    changing = varied(rows, parameters)
    listed = [
        (
            one.point,
            si(one.energy_J, "J"),
            score(one.value, named),
            *(by_key.get(one.point, {}).get(n) for n in changing),
        )
        for one in found.front
    ]
    drawn = picture(draw, "Pareto front", f"{len(found.front)} points that no other beats.")
    head = ("point", "energy of one inference", named, *changing)
    table = Table("Points that no other beats in both", head, [[_cell(v) for v in row] for row in listed])
    return Section("Figure and energy", (Figure(drawn, "All points, and in colour those that no other beats."), table))


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _yield(found: Findings, named: str) -> Section:
    rows = [
        (
            ", ".join(f"{name} {_cell(value)}" for name, value in one.setting.items()) or "all chips",
            one.chips,
            one.good,
            percent(one.share, 1),
            f"{percent(one.low, 1)} to {percent(one.high, 1)}",
            f"{percent(one.exact_low, 1)} to {percent(one.exact_high, 1)}",
        )
        for one in found.yields
    ]
    first = found.yields[0]
    level = percent(first.confidence, 0)
    head = ("setting", "chips", "good", "yield", f"Wilson interval, {level}", f"Clopper-Pearson, {level}")
    said = f"A chip is good when its {named} is at least {score(first.threshold, named)}."
    return Section("Yield", (said, Table("Yield by setting", head, rows)))


def _points(rows: Sequence[Dict[str, Any]], parameters: Sequence[str], named: str) -> Section:
    known = [name for name in FIGURES if any(row.get(name) is not None for row in rows)]
    twice = [name for name in NAMES if NAMES[name] == named]  # `value` is that figure
    known = [name for name in known if name not in ("primary", *twice)]
    said = "All points are in sweep.csv, with their time, host and version."
    good = [row for row in rows if not row.get(ERROR)]
    parts: List[Part] = [said, *_rows("Points with figures", (KEY, *parameters, *known), good, named)]
    failed = [row for row in rows if row.get(ERROR)]
    if failed:
        parts += _rows("Points that failed", (KEY, ERROR, *parameters), failed, named)
    return Section("Points", tuple(parts))


def _rows(caption: str, names: Sequence[str], rows: Sequence[Dict[str, Any]], named: str) -> List[Part]:
    """What differs between points as a table, behind a line of what does not."""
    alike = [
        name for name in names if name != KEY and len(rows) > 1 and len({repr(row.get(name)) for row in rows}) == 1
    ]
    same = [f"{_heading(name, named)} {_shown(name, rows[0].get(name), named)}" for name in alike]
    names = [name for name in names if name not in alike]
    listed = [[_shown(name, row.get(name), named) for name in names] for row in rows[:MOST_ROWS]]
    some = f", the first {MOST_ROWS} of {len(rows):,}" if len(rows) > MOST_ROWS else ""
    texts = tuple(k for k, name in enumerate(names) if name in ("primary", ERROR, "run"))
    table = Table(caption + some, tuple(_heading(name, named) for name in names), listed, texts=texts)
    return [f"All of them: {', '.join(same)}.", table] if same else [table]


def _heading(name: str, named: str) -> str:
    """How the page calls a column; parameters have the name that --vary takes."""
    if name not in FIGURES:
        return name
    own = {"value": named, "ideal": "with ideal reads", "energy_J": "energy", "latency_s": "time", **NAMES}
    return own.get(name, name.replace("_", " "))


def _shown(name: str, value: Any, named: str) -> Any:
    """A value of a column, as the rest of the page shows it."""
    if value is None:
        return None
    if name in ("value", "ideal", "test", *NAMES):
        return score(float(value), name if name in NAMES else named)
    if name in ("standard_error", "sampling_error"):
        return points(float(value), named)
    if name in ("energy_J", "latency_s"):
        return si(float(value), name[-1])
    return percent(float(value)) if name == "kept_fraction" else _cell(value)


def _provenance(study: Study, rows: Sequence[Dict[str, Any]]) -> Section:
    of_trainings = ("task", "data", "preset") if study.run else ()  # points that evaluate runs have those of the runs
    stated = {name: value for name, value in bare(study).items() if name not in of_trainings}
    items = [(name, _stated(value)) for name, value in stated.items() if value not in (None, [], {}, "")]
    for name in ("version", "commit", "host"):
        found = sorted({str(row[name]) for row in rows if row.get(name)})
        items += [(name, ", ".join(found))] if found else []
    seconds = [float(row["seconds"]) for row in rows if row.get("seconds")]
    items += [("time of all points", f"{sum(seconds):,.0f} s")] if seconds else []
    return Section("Provenance", (Facts(tuple(items)),))


def _stated(value: Any) -> Any:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_stated(one)}" for name, one in value.items())
    return ", ".join(str(_stated(one)) for one in value) if isinstance(value, list) else value

"""The findings of a study from its folder: as a value, as JSON, as text."""

import math
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ..errors import DataError
from ..files import Path, blaming, read_json, write_json
from ..json_codec import Result, built
from ..units import in_columns
from .analysis import CHIP, FrontPoint, MainEffect, Map, Yield, main_effects, pareto_front, two_way, varied, yields
from .points import ABOUT, FIGURES, NUMBERS
from .study import Study
from .table import KEY, TABLE, read_rows, told_when_full, typed

FINDINGS = "findings.json"
MAPS = 3
"""maps of two parameters: the pairs of those with most effect"""


@dataclass(frozen=True)
class Findings(Result):
    """What a study found."""

    figure: str
    """the column that is looked at"""
    points: int
    """rows with that figure"""
    failed: int
    """rows without"""
    best: Optional[Dict[str, str]]
    """the row with the largest figure: its key, parameters and figure; None: there is none"""
    effects: Tuple[MainEffect, ...]
    """of each parameter, the strongest first"""
    maps: Tuple[Map, ...]
    """of the strongest pairs"""
    front: Tuple[FrontPoint, ...]
    """Pareto front of the figure over the energy; none: energy was not accounted for"""
    yields: Tuple[Yield, ...]
    """share of chips at or above a threshold; none: no threshold was asked for"""
    equals: int = 1
    """rows that reach the largest figure; `best` is the first of them"""


def study_in(folder: Path) -> Study:
    """The study in a folder, its parameters in the order of its table: a JSON object keeps none."""
    path = os.path.join(os.fspath(folder), "study.json")
    with blaming(path):
        known = read_json(path)
        return built(Study, known["study"], where=path).ordered(known["base"]["names"])


def rows_in(folder: Path) -> Tuple[Tuple[str, ...], List[Dict[str, Any]]]:
    """(parameters, rows with typed values) of the table in a folder."""
    columns, rows = read_rows(folder)
    cells = {name: typed([row[name] for row in rows], name) for name in columns}
    for name in set(NUMBERS) & set(columns):
        for number, value in enumerate(cells[name], 2):
            if isinstance(value, str):  # the column holds a text: is it this one?
                value = typed([value], name)[0]
            if isinstance(value, str) or (value is not None and not math.isfinite(value)):
                path = os.path.join(os.fspath(folder), TABLE)
                raise DataError(f"{path}, line {number}: {name} is {rows[number - 2][name]!r}, which is no number")
    known = {KEY, *FIGURES, *ABOUT}
    return tuple(name for name in columns if name not in known), [
        {name: cells[name][number] for name in columns} for number in range(len(rows))
    ]


def findings(folder: Path, *, figure: str = "value", threshold: Optional[float] = None) -> Findings:
    """What the table in a folder says about `figure`. threshold: of yield."""
    parameters, rows = rows_in(folder)
    effects = main_effects(rows, parameters, figure=figure)
    good = [row for row in rows if row.get(figure) is not None]
    strong = [effect.parameter for effect in effects if effect.parameter != CHIP]
    pairs = [(one, other) for k, other in enumerate(strong) for one in strong[:k]][:MAPS]
    best = max(good, key=lambda row: row[figure], default=None)
    shown = (KEY, *varied(good, parameters), figure)
    return Findings(
        figure=figure,
        points=len(good),
        failed=len(rows) - len(good),
        best=None if best is None else {name: str(best[name]) for name in shown},
        effects=effects,
        maps=tuple(two_way(rows, one, other, figure=figure) for one, other in pairs),
        front=pareto_front(rows, figure=figure),
        yields=() if threshold is None else yields(rows, parameters, threshold=threshold, figure=figure),
        equals=1 if best is None else sum(row[figure] == best[figure] for row in good),
    )


def write_findings(folder: Path, found: Findings) -> str:
    """Write `findings.json`; returns its path."""
    path = os.path.join(os.fspath(folder), FINDINGS)
    with told_when_full(path):
        write_json(path, found.to_json())
    return path


def lines_of(found: Findings) -> List[str]:
    """The findings as text."""
    lines = []
    for effect in found.effects:
        share = "" if effect.variance_share is None else f", {effect.variance_share:.0%} of the variance"
        lines.append(f"{effect.parameter}: differs by {effect.difference:.4g}{share}")
        for level in effect.levels:
            error = "" if level.standard_error is None else f" +- {level.standard_error:.4f}"
            lines.append(f"  {level.value:>12s}  {level.mean:.4f}{error}  ({level.points})")
    for one in found.maps:
        lines += _map_lines(one)
    if found.front:
        lines.append(f"{found.figure} over energy: no point beats these")
        lines += [f"  {point.energy_J:.3g} J  {point.value:.4f}  {point.point}" for point in found.front]
    for one_yield in found.yields:
        setting = " ".join(f"{name}={value}" for name, value in one_yield.setting.items())
        lines.append(
            f"yield {one_yield.share:.1%} ({one_yield.low:.1%} to {one_yield.high:.1%}), {one_yield.good} of "
            f"{one_yield.chips} chips at {one_yield.threshold:g} or more  {setting}".rstrip()
        )
    return lines


def _map_lines(one: Map) -> List[str]:
    table = [["", *one.across_values]]
    for value, means in zip(one.down_values, one.means):
        table.append([value, *("-" if mean is None else f"{mean:.4f}" for mean in means)])
    return [f"{one.down} down, {one.across} across", *in_columns(table, indent="  ")]

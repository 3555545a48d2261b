"""The chip of a run: conductances beside the model, maps of the cells, pulses and wear, the last bench."""

import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..chip.cell_results import FAILURES, CellResults
from ..chip.chip import Chip
from ..chip.wear import wear_histogram, writes_per_cell
from ..device.interface import Cell
from ..device.thresholds import Thresholds
from ..errors import ShapeError
from ..programming.manifest import Manifest
from ..report.cell_map import STATES, cell_maps
from ..report.html import Markup
from ..report.page import Facts, Figure, Part, Section, Side, Table
from ..report.svg import INK, SERIES, labels_below, picture
from ..report.text import count, percent, si


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a chip by physical numbers, bool or float (macros, rows, cols)."""

    states: np.ndarray
    """uint8, places in `cell_map.STATES`"""
    now_S: np.ndarray
    """present conductance"""
    formed_S: np.ndarray
    """conductance after FORM alone"""

    def of(self, *names: str) -> np.ndarray:
        """Which cells are in one of these states."""
        return np.isin(self.states, [STATES.index(name) for name in names])


def cells_of(
    chip: Chip, masks: Dict[str, np.ndarray], signs: Dict[str, np.ndarray], done: Optional[CellResults]
) -> Cells:
    """The state of every cell. done: what programming did to each; ShapeError when it is of another chip."""
    wanted, formed = chip.wanted_on(masks, signs), chip.formed()
    stuck = np.stack([macro.stuck for macro in chip.macros])
    number = {name: k for k, name in enumerate(STATES)}
    states: np.ndarray = np.where(wanted, number["kept"], number["pruned"])
    if chip.level == "pair":
        states = np.where(chip.partners(signs), number["partner, off"], states)
    states = np.where(formed, states, number["not formed"])
    states = np.where(stuck, number["stuck"], states)
    states = chip.physical(np.where(chip.used, states, 0).astype(np.uint8))
    if done is not None:
        if done.failure.shape != states.shape:
            raise ShapeError(f"results of {done.failure.shape} cells, the chip of the run has {states.shape}")
        states = np.where((done.failure > 0) & (states > 0), number["failed"], states)
    return Cells(states.astype(np.uint8), chip.physical(chip.conductance_S()), chip.physical(chip.formed_S()))


def conductance_section(cells: Cells, model: Cell) -> Section:
    """Conductances as formed and as programmed, beside the model."""
    in_use = cells.of("kept", "pruned", "partner, off", "failed")
    groups = {
        "as formed": (cells.formed_S[in_use], model.lrs_spread()),
        "kept, now": (cells.now_S[cells.of("kept")], model.lrs_spread()),
        "masked off, now": (cells.now_S[cells.of("pruned", "partner, off")], model.hrs_spread()),
    }
    rows = [_spread_row(name, *group) for name, group in groups.items() if group[0].size]
    head = ("cells", "number", "5 %", "median", "95 %", "spread of ln G", "median of the model", "spread of the model")
    formed = _histogram(
        "Conductance as formed",
        [("as formed", groups["as formed"][0], model.lrs_cdf, SERIES[0])],
    )
    programmed = _histogram(
        "Conductance as programmed",
        [
            ("kept", groups["kept, now"][0], model.lrs_cdf, SERIES[0]),
            ("masked off", groups["masked off, now"][0], model.hrs_cdf, SERIES[1]),
        ],
    )
    figures = Side(
        (
            Figure(formed, f"Cells in use after forming. The line is the model {model.name}."),
            Figure(programmed, "The same cells with the masks. Lines are the on and the off state of the model."),
        )
    )
    return Section("Conductances", (figures, Table("Conductances of the cells in use", head, rows)))


def _spread_row(name: str, values_S: np.ndarray, expected: Tuple[float, float]) -> Tuple[Any, ...]:
    low, middle, high = np.percentile(values_S, [5, 50, 95])
    positive = values_S[values_S > 0]
    spread = f"{np.log(positive).std():.3f}" if positive.size else None
    quantities = (si(float(value), "S") for value in (low, middle, high))
    return (name, int(values_S.size), *quantities, spread, si(expected[0], "S"), f"{expected[1]:.3f}")


def _histogram(title: str, groups: List[Tuple[str, np.ndarray, Any, str]]) -> Optional[Markup]:
    """Cells by conductance on a logarithmic axis. groups: (name, values in siemens, model's distribution, colour)."""
    groups = [(name, values[values > 0], cdf, colour) for name, values, cdf, colour in groups]
    groups = [group for group in groups if group[1].size]
    if not groups:
        return None
    low, high = min(group[1].min() for group in groups), max(group[1].max() for group in groups)
    edges_S = np.geomspace(low / 1.05, high * 1.05, 81)
    middle_uS = 1e6 * np.sqrt(edges_S[1:] * edges_S[:-1])

    def draw(axes: Any) -> None:
        for name, values, cdf, colour in groups:
            found, _ = np.histogram(values, edges_S)
            axes.fill_between(middle_uS, found, step="mid", color=colour, alpha=0.35, linewidth=0, label=name)
            expected = values.size * np.diff(cdf(edges_S))
            axes.plot(
                middle_uS,
                expected,
                color=colour,
                linewidth=1.4,
                label=f"model, {'off' if colour != SERIES[0] else 'on'}",
            )
        axes.set(xscale="log", xlabel="conductance (\u00b5S)", ylabel="cells", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        labels_below(axes, 4 if len(groups) > 1 else 2)

    said = "; ".join(
        f"{values.size:,} cells {name}, median {si(float(np.median(values)), 'S')}" for name, values, _, _ in groups
    )
    return picture(draw, title, said)


_LISTED = 40  # cells that are listed by their place; the maps show all


def map_section(cells: Cells) -> Section:
    """Every cell of every macro."""
    names, maps = [], []
    for index, states in enumerate(cells.states):
        in_use = int(np.count_nonzero(states))
        maps.append(_up_to_last(states))
        rows, cols = maps[-1].shape
        cut = "" if maps[-1].size == states.size else f"; the first {rows} rows and {cols} columns"
        of = "all" if in_use == states.size else f"{in_use:,} of {states.size:,}"
        names.append(f"Macro {index}: {of} cells in use{cut}")
    rows = []
    for k, name in enumerate(STATES):
        found = [int(np.count_nonzero(states == k)) for states in cells.states]
        if sum(found):
            rows.append((name, sum(found), percent(sum(found) / cells.states.size)))
    parts: List[Part] = [
        "One pixel is one cell, without a colour where it is not in use. Row 0 and column 0 are at the top left, by "
        "physical numbers as in the program file.",
        cell_maps(maps, names),
    ]
    tables = [Table("Cells by state", ("state", "cells", "share"), rows)]
    listed = np.argwhere(cells.of("not formed", "stuck", "failed"))
    if listed.size:
        listing = [(f"macro {m}", r, c, STATES[cells.states[m, r, c]]) for m, r, c in listed[:_LISTED].tolist()]
        some = f", the first {_LISTED} of {len(listed):,}" if len(listed) > _LISTED else ""
        caption = f"Cells that did not form, are stuck or failed{some}"
        tables.append(Table(caption, ("macro", "row", "column", "state"), listing, texts=(3,)))
    return Section("Macro map", (*parts, Side(tuple(tables))))


def _up_to_last(states: np.ndarray, step: int = 32) -> np.ndarray:
    """A map (rows, cols) without the lines behind the last one in use, in steps of so many lines."""
    rows, cols = np.nonzero(states.any(axis=1))[0], np.nonzero(states.any(axis=0))[0]
    if not rows.size:
        return states[:step, :step]
    return states[: (rows[-1] // step + 1) * step, : (cols[-1] // step + 1) * step]


def wear_section(chip: Chip, times_s: Dict[str, float]) -> Section:
    """Pulses by kind and how they are spread over the cells. times_s: seconds of the pulses by kind, where known."""
    model = chip.cell_model
    energy_J = {
        "form": model.form_energy_J,
        **dict.fromkeys(("set", "probe_set"), model.set_energy_J),
        **dict.fromkeys(("reset", "partner_reset", "probe_reset"), model.reset_energy_J),
    }
    names = {"form": "FORM", "partner_reset": "RESET of partners", "set": "SET", "reset": "RESET"}
    names.update({"probe_reset": "RESET to find stuck cells", "probe_set": "SET to find stuck cells"})
    rows = [
        (names.get(kind, kind), int(n), si(n * energy_J[kind], "J"), si(times_s.get(kind), "s"))
        for kind, n in chip.pulses.items()
        if n
    ]
    writes = writes_per_cell(chip)
    wear = wear_histogram(writes, model.endurance_cycles)
    labels = [_class_name(start, after) for start, after in zip(wear.from_writes, (*wear.from_writes[1:], None))]

    def draw(axes: Any) -> None:
        axes.bar(np.arange(len(labels)), wear.cells, color=SERIES[0], width=0.7)
        axes.set(
            xlabel="writes of a cell", ylabel="cells", xticks=np.arange(len(labels)), yscale="log", ylim=(0.7, None)
        )
        axes.set_xticklabels(labels)
        axes.grid(axis="x", visible=False)

    shares = [(label, n, percent(n / writes.size)) for label, n in zip(labels, wear.cells)]
    said = ", ".join(f"{n:,} cells with {label}" for label, n in zip(labels, wear.cells))
    left = "no limit is known" if wear.cycles_left is None else f"{wear.cycles_left:,.0f} cycles"
    facts = Facts(
        (
            ("writes of a cell, mean", f"{wear.mean:.2f}"),
            ("not exceeded by 99 % of the cells", f"{wear.percentile_99:.0f}"),
            ("most worn cell", count(wear.max, "write")),
            ("left to the most worn cell", left),
        )
    )
    return Section(
        "Pulses and wear",
        (
            Side((Table("Pulses of learning", ("kind", "pulses", "energy", "time, one after another"), rows), facts)),
            Side(
                (
                    Figure(
                        picture(draw, "Wear", said), "SET, RESET and tuning writes of the cells in use, logarithmic."
                    ),
                    Table("Cells by writes", ("writes", "cells", "share"), shares),
                )
            ),
        ),
    )


def _class_name(start: int, after: Optional[int]) -> str:
    last = 2 * start - 1 if after is None else after - 1
    return str(start) if last <= start else f"{start}\u2013{last}"


def bench_section(
    folder: str, cells: Cells, done: CellResults, bound: Optional[Manifest], limits: Thresholds
) -> Section:
    """What the last programming through a bench left: pulses, read-back, failed cells, what binds them."""
    parts: List[Part] = []
    read_S, pulses = done.last_read_S, done.pulses
    failed = done.failed()
    kinds = {why: sum(1 for cell in failed if cell[3] == why) for why in FAILURES[1:]}
    facts: List[Tuple[str, Any]] = [
        ("pulses given", int(pulses.sum())),
        ("most pulses of one cell", int(pulses.max(initial=0))),
        ("pulsed when a stop came", count(int(done.interrupted.sum()), "cell")),
        ("cells in use without a value", int(np.isnan(read_S[cells.states > 0]).sum())),
        ("failed", ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in kinds.items() if n) or "none"),
    ]
    if bound is None:
        parts.append("No manifest binds these cells to a program: the programming has not ended.")
    else:
        facts += [
            ("bench", bound.bench),
            ("cells checked", bound.checked),
            ("cells that are not as the program says", bound.bit_errors),
            ("chip", bound.chip_id),
            ("read-back", bound.readback_id),
            ("SHA-256 of the program", Markup(f"<code>{bound.program.sha256}</code>")),
            ("SHA-256 of the read-back", Markup(f"<code>{bound.readback.sha256}</code>")),
            ("SHA-256 of the cells", Markup(f"<code>{bound.cells.sha256}</code>")),
        ]
    parts.append(Facts(tuple(facts)))
    parts.append(
        Side(
            (
                Figure(_read_back(cells, read_S, limits), _READ_BACK),
                Figure(_pulses_per_cell(pulses[cells.states > 0]), _PER_CELL),
            )
        )
    )
    numbers, counts = np.unique(pulses[cells.states > 0], return_counts=True)
    rows = [(f"{n}", int(k)) for n, k in zip(numbers.tolist(), counts.tolist())]
    tables = [Table("Cells by pulses of the bench", ("pulses", "cells"), rows, most=30)]
    listing = [(f"macro {m}", r, c, why.replace("_", " "), si(float(read_S[m, r, c]), "S")) for m, r, c, why in failed]
    if listing:
        head = ("macro", "row", "column", "failure", "last read")
        tables.append(Table("Failed cells", head, listing, texts=(3,), most=100))
    parts.append(Side(tuple(tables)))
    return Section("On the bench", (f"From the files in {os.path.basename(folder)}.", *parts))


_READ_BACK = "Conductances of the read-back. The dashed line is the least of a cell that is on."
_PER_CELL = "Pulses that the bench gave to each cell in use."


def _read_back(cells: Cells, read_S: np.ndarray, limits: Thresholds) -> Optional[Markup]:
    groups = [
        ("kept", read_S[cells.of("kept")], SERIES[0]),
        ("masked off", read_S[cells.of("pruned", "partner, off")], SERIES[1]),
    ]
    groups = [(name, values[np.isfinite(values) & (values > 0)], colour) for name, values, colour in groups]
    groups = [group for group in groups if group[1].size]
    if not groups:
        return None
    edges_S = np.geomspace(min(g[1].min() for g in groups) / 1.05, max(g[1].max() for g in groups) * 1.05, 81)

    def draw(axes: Any) -> None:
        for name, values, colour in groups:
            found, _ = np.histogram(values, edges_S)
            middle_uS = 1e6 * np.sqrt(edges_S[1:] * edges_S[:-1])
            axes.fill_between(middle_uS, found, step="mid", color=colour, alpha=0.5, linewidth=0, label=name)
        axes.axvline(1e6 * limits.on_min_S, color=INK, linestyle="--", linewidth=1.2, label="least when on")
        axes.set(xscale="log", xlabel="conductance (\u00b5S)", ylabel="cells", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        labels_below(axes)

    said = "; ".join(f"{v.size:,} cells {name}, median {si(float(np.median(v)), 'S')}" for name, v, _ in groups)
    return picture(draw, "Read-back", said)


def _pulses_per_cell(pulses: np.ndarray) -> Optional[Markup]:
    top = int(pulses.max(initial=0))
    counts = np.bincount(pulses.reshape(-1).astype(np.intp)) if top <= 1000 else np.histogram(pulses, 40)[0]
    edges = np.arange(len(counts)) if top <= 1000 else np.linspace(0, top, len(counts))

    def draw(axes: Any) -> None:
        axes.bar(edges, counts, width=0.8 * (edges[1] - edges[0]) if len(edges) > 1 else 0.8, color=SERIES[0])
        axes.set(xlabel="pulses of a cell", ylabel="cells", yscale="log", ylim=(0.7, None))

    return picture(
        draw, "Pulses of the bench", f"{int(pulses.sum()):,} pulses, at most {top} to one cell.", height_px=264
    )

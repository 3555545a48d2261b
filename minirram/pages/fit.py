"""The page of a fit: states and their distributions, read noise, forming, pulses, the verdict."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..device.fit_verdict import NOT_USABLE
from ..report.html import Markup
from ..report.page import Facts, Figure, Page, Part, Section, Side, Table
from ..report.svg import INK, SERIES, labels_below, picture
from ..report.text import count, percent, si
from ..runs.fit_file import FitReport
from ..units import in_ranges

_COLOURS = {"pristine": SERIES[4], "off": SERIES[1], "on": SERIES[0], "short": SERIES[3]}


def fit_page(found: FitReport) -> Page:
    """The page of what a fit left."""
    return Page(
        kind="Fit",
        title=found.model.name,
        lead=_lead(found),
        basis=_basis(found),
        sections=(_verdict(found), _states(found), *_more(found), _provenance(found)),
        key=_key(found),
    )


def _lead(found: FitReport) -> str:
    """The verdict, and what matters most of it: why not, or the on cells."""
    on = found.on
    if found.reasons:
        why = "; ".join(found.reasons)
    elif on is not None:
        why = f"on cells conduct {si(on.median_S, 'S', 4)}, spread {on.sigma_ln:.4f} of ln G"
    else:
        return f"The fit is {found.verdict}."
    return f"The fit is {found.verdict}: {why}."


def _basis(found: FitReport) -> str:
    maps = "" if not found.files else f" of {count(len(found.files), 'map')}"
    parts = [f"It rests on {count(found.cells, 'cell')}{maps}, {found.formed:,} of them formed."]
    on = found.on
    if on is not None:
        parts.append(f"On cells lie {on.ks:.4f} from their log-normal (limit {on.ks_limit:.4f}).")
    return " ".join(parts)


def _key(found: FitReport) -> Tuple[Tuple[str, Any], ...]:
    states = [(f"{state.name}, median", si(state.median_S, "S")) for state in found.states]
    noise = [] if found.reads is None else [("read noise", percent(found.reads.noise))]
    return (*states, *noise, ("formed", percent(found.formed / max(found.cells, 1), 1)))


def _verdict(found: FitReport) -> Section:
    parts: List[Part] = [f"The fit is {found.verdict}."]
    if found.verdict == NOT_USABLE:
        parts.append("minirram fit --force writes the model all the same.")
    for title, lines in (("Because", found.reasons), ("Without", found.exclusions), ("Notes", found.remarks)):
        if lines:
            parts.append(
                Table(title, ("number", "what"), [(str(k), line) for k, line in enumerate(lines, 1)], texts=(1,))
            )
    items: List[Tuple[str, Any]] = [
        ("cells in the maps", found.cells),
        ("formed", found.formed),
        ("without a value", found.not_read),
        ("shorted", found.shorted),
        ("in no state", found.outliers),
        ("rows unlike the others", _by_map(found.bad_rows)),
        ("columns unlike the others", _by_map(found.bad_cols)),
        ("formed from", "all that conduct" if found.formed_min_S == 0 else si(found.formed_min_S, "S")),
        ("grid", f"{si(found.model.grid_S, 'S')}, holds up to {si(found.grid_max_S, 'S')}"),
    ]
    return Section("Verdict", (*parts, Facts(tuple(items))))


def _by_map(lines: Sequence[Tuple[int, int]]) -> str:
    """(map, number) of lines, in ranges."""
    by_map: Dict[int, List[int]] = {}
    for number, line in lines:
        by_map.setdefault(number, []).append(line)
    return "; ".join(f"{in_ranges(sorted(some))} of map {number}" for number, some in by_map.items()) or "none"


def _states(found: FitReport) -> Section:
    rows = [
        (
            state.name,
            state.cells,
            percent(state.share, 1),
            si(state.median_S, "S", 4),
            f"{state.sigma_ln:.4f}",
            f"{state.ks:.4f}",
            f"{state.ks_limit:.4f}",
            "yes" if state.ks <= state.ks_limit else "no",
        )
        for state in found.states
    ]
    head = ("state", "cells", "share", "median", "spread of ln G", "KS distance", "its limit", "log-normal at 5 %")
    drawn = Figure(_histogram(found), "Cells of all maps by conductance, and the fitted states as lines.")
    return Section("States", (drawn, Table("States of the cells", head, rows)))


def _histogram(found: FitReport) -> Optional[Markup]:
    if found.histogram is None:
        return None
    edges_uS = 1e6 * np.array(found.histogram.edges_S)
    counts = np.array(found.histogram.cells)
    middle_uS, width = np.sqrt(edges_uS[1:] * edges_uS[:-1]), float(np.log(edges_uS[1] / edges_uS[0]))

    def draw(axes: Any) -> None:
        axes.fill_between(middle_uS, counts, step="mid", color=INK, alpha=0.2, linewidth=0, label="cells")
        styles = dict(zip(_COLOURS, (":", "--", "-", "-.")))
        at = np.geomspace(edges_uS[0], edges_uS[-1], 800)
        for state in found.states:
            z = (np.log(at) - np.log(1e6 * state.median_S)) / state.sigma_ln
            high = state.cells * width / (np.sqrt(2 * np.pi) * state.sigma_ln)
            curve = high * np.exp(-0.5 * z * z)
            axes.plot(at, curve, color=_COLOURS[state.name], linestyle=styles[state.name], label=state.name)
        if found.formed_min_S:
            axes.axvline(1e6 * found.formed_min_S, color=INK, linestyle="--", linewidth=1, label="formed from here")
        axes.set(xscale="log", xlabel="conductance (\u00b5S)", ylabel="cells", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        labels_below(axes, 3)

    said = "; ".join(f"{state.name}: {state.cells:,} cells, median {si(state.median_S, 'S')}" for state in found.states)
    return picture(draw, "Conductances of the maps", said)


def _more(found: FitReport) -> List[Section]:
    """Reads, forming and pulses, where they were fitted."""
    sections = []
    if found.reads is not None:
        reads = found.reads
        trend = [(str(k), f"{one:.4f}") for k, one in enumerate(reads.trend)]
        said = f"Read noise {percent(reads.noise)} from {count(reads.reads, 'read')} of {count(reads.cells, 'cell')}."
        sections.append(Section("Reads", (said, Table("Common trend that was taken out", ("read", "factor"), trend))))
    if found.forming is not None:
        one = found.forming
        facts = Facts(
            (
                ("mean", f"{one.mean_V:.4f} V"),
                ("standard deviation", f"{one.std_V:.4f} V"),
                ("voltages", one.cells),
                ("KS distance", f"{one.ks:.4f}, limit {one.ks_limit:.4f}"),
            )
        )
        sections.append(Section("Forming", (facts,)))
    if found.pulses:
        rows = [
            (
                branch.direction,
                si(branch.start_S, "S"),
                si(branch.end_S, "S"),
                branch.pulses,
                f"{branch.constant_pulses:.3g}",
                si(branch.deviation_S, "S"),
                percent(branch.explained, 1),
            )
            for branch in found.pulses
        ]
        head = ("direction", "from", "to", "pulses", "constant, pulses", "deviation", "explained")
        sections.append(Section("Pulse response", (Side((Table("Branches", head, rows),)),)))
    return sections


def _provenance(found: FitReport) -> Section:
    sources = dict(found.model.sources)
    plain = [(name, value) for name, value in vars(found.model).items() if name not in ("name", "sources")]
    rows = [
        (name, f"{value:.6g}" if isinstance(value, float) else value, sources.get(name, "\u2013"))
        for name, value in plain
    ]
    read = tuple((f"map {k}", one.line) for k, one in enumerate(found.files))
    table = Table("Numbers of the model and where they come from", ("field", "value", "source"), rows, texts=(2,))
    return Section("Provenance", (*((Facts(read),) if read else ()), table))

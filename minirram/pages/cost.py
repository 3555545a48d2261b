"""What a run costs: saturated and clipped values, energy by layer and event, the program, accuracy over time."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..inference.examine import Score
from ..programming.results import ProgramSummary
from ..report.html import Markup
from ..report.page import Facts, Figure, Part, Section, Side, Table
from ..report.svg import SERIES, labels_below, picture, score_ticks, si_ticks
from ..report.text import count, percent, ratio, score, si, size
from ..runs.energy import EnergyAccount
from ..runs.evaluate import Evaluation

EVENTS = ("array", "lines", "drive", "adc", "digital", "buffer", "links")
"""of an inference: each has a field EVENT_J"""
NAMES = {
    "array": "cells",
    "lines": "lines",
    "drive": "drivers",
    "adc": "ADCs",
    "digital": "digital",
    "buffer": "buffer",
    "links": "interconnect",
}
BAUD = 115_200


def counts_section(score: Score, split: str) -> Section:
    """Saturated conversions by matrix, clipped activations by quantiser."""
    rows: List[Tuple[Any, ...]] = []
    for name, tiles in score.saturated.items():
        of = score.conversions.get(name, 0)
        rows.append((name, int(sum(tiles)), int(of), percent(sum(tiles) / of if of else None, 4), len(tiles)))
    saturated = sum(row[1] for row in rows)
    conversions = sum(row[2] for row in rows)
    said = (
        f"Of {conversions:,} conversions {saturated:,} saturated ({percent(saturated / conversions, 4)}), "
        if conversions
        else "No conversion was counted, "
    )
    clipped = sum(score.clipped.values())
    tables: List[Table] = []
    if rows:
        head = ("matrix", "saturated", "conversions", "share", "tiles")
        tables.append(Table(f"Conversions on the {split} set", head, rows))
    if score.clipped:
        each = [(name, n, f"{n / score.samples:.2f}") for name, n in score.clipped.items()]
        columns = ("quantiser", "clipped", "of one sample or image")
        tables.append(Table(f"Activations beyond their range on the {split} set", columns, each))
    return Section("Saturation and clipping", (f"{said}and {clipped:,} activations were clipped.", Side(tuple(tables))))


def _layers(found: EnergyAccount) -> Dict[str, List[Any]]:
    """Parts of a layer by its name: its matrix and its arithmetic share a row."""
    names = list(found.by_matrix) + [name for name in found.digital_layers if name not in found.by_matrix]
    return {name: [part[name] for part in (found.by_matrix, found.digital_layers) if name in part] for name in names}


def energy_section(found: EnergyAccount) -> Section:
    """Joules by layer and event with their range, the counts of events, digital hardware beside it."""
    total, bracket = found.total, found.total.range["total_J"]
    layers = _layers(found)
    rows = []
    for name, parts in layers.items():
        joules = [sum(getattr(part, event + "_J") for part in parts) for event in EVENTS]
        low, high = (sum(getattr(part.range["total_J"], end) for part in parts) for end in ("low", "high"))
        rows.append((name, *(_joules(value) for value in joules), si(sum(joules), "J"), _range(low, high, "J")))
    whole = [getattr(total, event + "_J") for event in EVENTS]
    rows.append(("all", *(_joules(v) for v in whole), si(total.total_J, "J"), _range(bracket.low, bracket.high, "J")))
    head = ("layer", *(NAMES[event] for event in EVENTS), "total", "low to high")
    spread = _range(bracket.low, bracket.high, "J")
    said = (
        f"One inference takes {si(total.total_J, 'J')} ({spread}) at {found.adc_bits} ADC bits. That was counted on "
        f"{found.samples:,} validation inputs. Costs are those of {found.costs.name}: {found.costs.about}."
    )
    latency = total.range["latency_s"]
    area = found.area_um2.range["total_um2"]
    facts = Facts(
        (
            ("time of one inference", f"{si(total.latency_s, 's')} ({_range(latency.low, latency.high, 's')})"),
            ("area of the chip", f"{area.typical / 1e6:.3g} mm\u00b2 ({area.low / 1e6:.3g} to {area.high / 1e6:.3g})"),
            ("multiply-accumulates", found.macs),
            ("energy of one of them", si(total.total_J / found.macs, "J")),
            ("read of a row", f"{si(found.read_voltage_V, 'V')} for {si(found.read_time_s, 's')}"),
            ("set bits among those of input codes", percent(found.activity, 1)),
        )
    )
    matrices = {name: parts for name, parts in layers.items() if name in found.by_matrix}
    by_layer = {
        name: tuple(sum(getattr(part.range["total_J"], end) for part in parts) for end in ("low", "typical", "high"))
        for name, parts in layers.items()
    }
    by_event = {NAMES[event]: tuple(total.range[event + "_J"].array()) for event in EVENTS}
    shown: List[Part] = [
        said,
        Side(
            (
                Figure(_spans("Energy by layer", by_layer), "By layer: typical, and with all costs low or high."),
                Figure(_spans("Energy by event", by_event), "By event, of all layers: typical, low and high."),
            )
        ),
        Table("Energy of one inference by layer and event", head, rows),
        _events(found, "Events in the crossbars in one inference, mean", _ON_CHIP, matrices),
        _events(found, "Events of the digital side in one inference, mean", _DIGITAL, layers),
        facts,
        _hardware(found),
        _learning(found),
    ]
    return Section("Energy", tuple(shown))


def _joules(value: float) -> str:
    return si(value, "J") if value else "0"


def _range(low: float, high: float, unit: str) -> str:
    return f"{si(low, unit)} to {si(high, unit)}"


def _spans(title: str, rows: Dict[str, Tuple[float, float, float]]) -> Optional[Markup]:
    """Joules as dots with their range on a logarithmic axis. rows: name -> (low, typical, high)."""
    rows = {name: span for name, span in rows.items() if span[1] > 0}
    if not rows:
        return None
    low, typical, high = (np.array([span[k] for span in rows.values()]) for k in range(3))

    def draw(axes: Any) -> None:
        at = np.arange(len(rows))
        axes.hlines(at, np.maximum(low, typical / 1e4), high, color=SERIES[0], linewidth=5, alpha=0.35)
        axes.plot(typical, at, "o", color=SERIES[0], markersize=6)
        axes.set(xscale="log", xlabel="energy of one inference", yticks=at)
        axes.set_yticklabels(list(rows))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(y=0.6 / len(rows))
        si_ticks(axes.xaxis, "J")

    said = ", ".join(f"{name} {si(span[1], 'J')}, {_range(span[0], span[2], 'J')}" for name, span in rows.items())
    return picture(draw, title, said, height_px=int(64 + 20 * max(len(rows), 6)))


_ON_CHIP = {
    "vectors": "input vectors",
    "rows_driven": "rows driven",
    "cell_reads": "cells read",
    "conversions": "conversions",
    "shift_adds": "shift-and-adds",
    "partial_adds": "partial sums",
}
_DIGITAL = {
    "bits_read": "bits read",
    "bits_written": "bits written",
    "multiplies": "multiplications",
    "adds": "additions",
    "compares": "comparisons",
}


def _events(found: EnergyAccount, title: str, columns: Dict[str, str], layers: Dict[str, List[Any]]) -> Table:
    rows = [
        (name, *(f"{sum(getattr(part, column) for part in parts):,.0f}" for column in columns))
        for name, parts in {**layers, "all": [found.total]}.items()
    ]
    return Table(title, ("layer", *columns.values()), rows)


def _learning(found: EnergyAccount) -> str:
    """The energy of learning in words."""
    spent = found.training
    host = {name.replace("_", " "): si(one.typical, "J") for name, one in spent.host.items()}
    beside = ", ".join(f"{joules} on {name}" for name, joules in host.items())
    as_many = f", as much as {count(round(spent.total_J / found.total_J), 'inference')}" if found.total_J else ""
    return (
        f"Training took {si(spent.total_J, 'J')} on the chip{as_many}: all pulses and "
        f"{count(spent.read_outs, 'read-out')} of the weights. The host's arithmetic comes on top: {beside}."
    )


def _hardware(found: EnergyAccount) -> Table:
    rows = []
    for name, one in found.digital_hardware.items():
        low, typical, high = (1 / (1 - saved) for saved in one.saved_fraction.array())
        times = (ratio(typical), f"{ratio(low)} to {ratio(high)}")
        rows.append((name.replace("_", " "), si(one.typical, "J"), _range(one.low, one.high, "J"), *times))
    head = ("hardware", "typical", "low to high", "times the chip's", "low to high")
    return Table("The same inference on digital hardware", head, rows)


def program_section(shown: ProgramSummary, n_bytes: int, targets_bytes: int, not_formed: int) -> Section:
    """Size of the program file and the time of its pulses."""
    widths = {recipe.kind: recipe for recipe in shown.recipes}
    rows, seconds = [], 0.0
    for kind, cells in shown.pulses.items():
        if not cells:
            continue
        recipe = widths[kind]
        one_s = 1e-9 * (recipe.width_ns + recipe.settle_ns)
        seconds += cells * one_s
        volts = recipe.row_mV or recipe.col_mV
        row = (
            kind,
            cells,
            f"{volts / 1000:.3g} V",
            si(1e-9 * recipe.width_ns, "s"),
            si(cells * one_s, "s"),
            recipe.max_pulses,
        )
        rows.append(row)
    head = ("kind", "cells", "first pulse", "width", "one pulse each", "most pulses of a cell")
    facts = Facts(
        (
            ("program file", size(n_bytes)),
            ("conductance targets beside it", size(targets_bytes)),
            ("pulses, one cell after another", f"{si(seconds, 's')}; a bench that pulses many cells at once is faster"),
            (f"transfer at {BAUD:,} baud", si(10 * n_bytes / BAUD, "s")),
            ("cells that must be on", f"{shown.cells_on:,} of {shown.cells:,}"),
            ("cells to keep that never formed", not_formed),
            ("chip", shown.chip_id),
            ("state that it leaves", shown.new_state),
        )
    )
    return Section("Program", (facts, Table("Pulses of the program", head, rows)))


def drift_section(points: Sequence[Tuple[float, Evaluation, Optional[Evaluation]]], name: str) -> Section:
    """Score over time since programming: (age in seconds, as it is, with compensation or None)."""
    ages = [age for age, _, _ in points]
    plain = [one.value for _, one, _ in points]
    gained = [None if other is None else other.value for _, _, other in points]

    def draw(axes: Any) -> None:
        axes.plot(ages, plain, color=SERIES[1], marker="o", markersize=4, label="as it is")
        if None not in gained:
            axes.plot(ages, gained, color=SERIES[0], marker="s", markersize=4, linestyle="--", label=_COMPENSATED)
        axes.set(xscale="log", xlabel="time since programming", ylabel=f"validation {name}")
        axes.set(xticks=ages)
        axes.set_xticklabels([age_text(age, short=True) for age in ages])
        axes.minorticks_off()
        score_ticks(axes.yaxis, name)
        labels_below(axes)

    said = f"From {score(plain[0], name)} to {score(plain[-1], name)}."
    rows = [(age_text(age), score(one, name), score(two, name)) for age, one, two in zip(ages, plain, gained)]
    head = ("time since programming", "as it is", _COMPENSATED)
    drawn = picture(draw, "Drift", said)
    first = points[0][1]
    rests = f"Validation {name} on {first.samples:,} inputs, one draw of the read noise at each age."
    figure = Figure(drawn, f"Validation {name} over the time since programming.")
    return Section("Drift", (rests, figure, Table(f"Validation {name} by age", head, rows)))


_COMPENSATED = "with one gain per matrix"


def age_text(seconds: float, *, short: bool = False) -> str:
    """`30 days`; short: `30 d`."""
    lengths = {"year": 31_557_600.0, "day": 86_400.0, "hour": 3600.0, "minute": 60.0, "second": 1.0}
    unit = next((name for name, length in lengths.items() if seconds >= length), "second")
    number = seconds / lengths[unit]
    if short:
        return f"{number:.3g} {'min' if unit == 'minute' else unit[0]}"
    return f"{number:.3g} {unit}{'s' if number != 1 else ''}"

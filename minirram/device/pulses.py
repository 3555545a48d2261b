"""Pulse recipes in SI units: what a chip programmer applies to form, set, reset and read a cell."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional

from ..errors import ConfigError
from .interface import Cell

KINDS = ("FORM", "SET", "RESET", "READ")
_LINES = ("row", "col", "select")


@dataclass(frozen=True)
class PulseRecipe:
    """One kind of pulse. Voltages against ground; the cell sees row_V - col_V."""

    kind: str
    """FORM, SET, RESET or READ"""
    row_V: float
    """selected row line"""
    col_V: float
    """selected column line"""
    select_V: float
    """gate of the selected cells' transistors"""
    width_s: float
    """duration of one pulse"""
    compliance_A: float = 0.0
    """current limit; 0: set by the select line alone"""
    max_pulses: int = 1
    """at most so many per cell; a READ averages so many"""
    verified: bool = False
    """read after every pulse and stop when the cell is past its threshold"""
    source: str = "assumed"
    """where the numbers come from"""
    row_step_V: float = 0.0
    """change of the row line from pulse to pulse, towards `row_to_V`"""
    row_to_V: Optional[float] = None
    """where its ramp ends; None: at row_V"""
    col_step_V: float = 0.0
    """change of the column line from pulse to pulse"""
    col_to_V: Optional[float] = None
    """where its ramp ends; None: at col_V"""
    select_step_V: float = 0.0
    """change of the select line from pulse to pulse"""
    select_to_V: Optional[float] = None
    """where its ramp ends; None: at select_V"""
    settle_s: float = 0.0
    """wait after a pulse before its lines are used"""
    floating: int = 0
    """unselected lines that float: 1 rows + 2 columns + 4 selects; the others lie at 0 V"""
    read_first: bool = False
    """read before the first pulse; a cell that is past its threshold gets none"""
    good_reads: int = 1
    """reads past the threshold in a row that end the pulses of a cell"""
    guard_S: float = 0.0
    """a verified cell must be past its threshold by so much"""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"pulse kind {self.kind!r}; known are {', '.join(KINDS)}")
        if self.verified and self.kind == "READ":
            raise ConfigError("a READ is not verified by another READ")
        if min(self.max_pulses, self.good_reads) < 1:
            raise ConfigError(f"{self.kind}: {self.max_pulses} pulses, {self.good_reads} good reads; at least 1 each")
        if min(self.row_step_V, self.col_step_V, self.select_step_V, self.guard_S) < 0:
            raise ConfigError(f"{self.kind}: steps and the guard band are 0 or above; a ramp falls where it ends lower")

    def pulse(self, number: int) -> "PulseRecipe":
        """The recipe of one pulse, counted from 0: the ramps as far as they have come."""
        flat: Dict[str, Any] = {
            f"{line}_{what}": value for line in _LINES for what, value in (("step_V", 0.0), ("to_V", None))
        }
        return replace(self, max_pulses=1, **{**flat, **self._lines_at(number)})

    def behind(self, given: int) -> "PulseRecipe":
        """The recipe of the pulses that are left after `given`, one at least: its ramps go on where they stood."""
        given = min(given, self.max_pulses - 1)
        lines: Dict[str, Any] = self._lines_at(given)
        for line in _LINES:
            if lines.get(f"{line}_V") == getattr(self, f"{line}_to_V"):  # arrived
                lines.update({f"{line}_step_V": 0.0, f"{line}_to_V": None})
        return replace(self, max_pulses=self.max_pulses - given, **lines)

    def _lines_at(self, number: int) -> Dict[str, float]:
        """The voltages of the lines that ramp, at a pulse counted from 0."""
        lines = {}
        for line in _LINES:
            start, step, to = (getattr(self, f"{line}_{what}") for what in ("V", "step_V", "to_V"))
            if step and to is not None:
                way = min(number * step, abs(to - start))
                lines[f"{line}_V"] = start + way if to >= start else start - way
        return lines


def pulse_recipes(
    cell_model: Cell, form_voltage_V: Optional[float] = None, *, max_pulses: int = 10
) -> Dict[str, PulseRecipe]:
    """The recipes of a technology, dict kind -> PulseRecipe; no FORM where form_time_s is 0.

    form_voltage_V: default the voltage that forms 99.9 % of the cells, rounded up to 0.1 V. max_pulses: of a verified
    SET or RESET. Gate voltages (3.3 V, so that the transistor does not limit) and pulse counts are assumed; the other
    numbers carry the sources of the cell model. RESET reverses the polarity: the column is driven, the row lies at
    ground.
    """
    formless = cell_model.form_time_s == 0
    if form_voltage_V is None and not formless:
        form_voltage_V = -(-round(cell_model.forming_voltage_V(0.999) * 1e3) // 100) / 10
    known = dict(cell_model.sources)
    gate_V = 3.3

    def recipe(
        kind: str, name: str, row_V: float, col_V: float, width_s: float, pulses: int, verified: bool
    ) -> PulseRecipe:
        voltage, width = (
            known.get(name + "_voltage_V", "formed share of 99.9 %"),
            known.get(name + "_time_s", "assumed"),
        )
        source = f"voltage: {voltage}; width: {width}; gate and count: assumed"
        return PulseRecipe(kind, row_V, col_V, gate_V, width_s, 0.0, pulses, verified, source)

    read_V, set_V, reset_V = cell_model.read_voltage_V, cell_model.set_voltage_V, cell_model.reset_voltage_V
    recipes = {
        "READ": recipe("READ", "read", read_V, 0.0, cell_model.read_time_s, 1, False),
        "SET": recipe("SET", "set", set_V, 0.0, cell_model.set_time_s, max_pulses, True),
        "RESET": recipe("RESET", "reset", 0.0, reset_V, cell_model.reset_time_s, max_pulses, True),
    }
    if form_voltage_V is not None and not formless:
        recipes["FORM"] = recipe("FORM", "form", form_voltage_V, 0.0, cell_model.form_time_s, 1, False)
    return recipes

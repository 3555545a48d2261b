"""Units of measured values: how people write them, and what they are in SI."""

import re
from typing import Dict, NamedTuple, Optional, Tuple

from ..errors import ConfigError


class Unit(NamedTuple):
    """A unit of one quantity."""

    name: str
    quantity: str
    """"conductance", "resistance", "voltage" or "current\""""
    scale: float
    """SI units per unit"""


UNITS: Dict[str, Unit] = {
    name: Unit(name, quantity, scale)
    for quantity, scales in {
        "conductance": {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9},
        "resistance": {"ohm": 1.0, "kOhm": 1e3, "MOhm": 1e6},
        "voltage": {"V": 1.0, "mV": 1e-3},
        "current": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12},
    }.items()
    for name, scale in scales.items()
}
"""by the name that `--unit` takes"""

OF_A_CELL = "S, mS, uS, nS, ohm, kOhm, MOhm, or a pair of volt and ampere such as V,uA"

_OHMS = {"": "ohm", "k": "kOhm", "K": "kOhm", "M": "MOhm"}
_WORDS = {
    **{"siemens": "S", "millisiemens": "mS", "microsiemens": "uS", "nanosiemens": "nS"},
    **{"kiloohm": "kOhm", "kilohm": "kOhm", "megaohm": "MOhm", "megohm": "MOhm"},
    **{"volt": "V", "volts": "V", "ampere": "A", "amperes": "A", "amps": "A", "microamps": "uA"},
}
_UNREAD = {
    name: Unit(name, quantity, scale)
    for quantity, scales in {
        "conductance": {"pS": 1e-12, "fS": 1e-15},
        "resistance": {"mOhm": 1e-3, "GOhm": 1e9},
        "voltage": {"uV": 1e-6, "kV": 1e3},
        "current": {"fA": 1e-15},
    }.items()
    for name, scale in scales.items()
}
"""units that a header may state and that `--unit` does not take: they contradict each that it takes"""


def known(text: str) -> Optional[Unit]:
    """The unit that a text writes, also as in kΩ or µS; None for anything else. Case counts: mOhm is none."""
    return UNITS.get(_name(text))


def _name(text: str) -> str:
    """What a table of units calls it; a text that is no unit stays."""
    text = re.sub("[\u00b5\u03bc]", "u", text.strip())
    ohms = re.fullmatch("([kKMmG]?)(?:[oO]hms?|OHMS?|\u03a9|\u2126)", text)
    return _OHMS.get(ohms.group(1), ohms.group(1) + "Ohm") if ohms else text


def _written(text: str) -> Optional[Unit]:
    name = _name(text.strip().rstrip(".,;:"))
    name = _WORDS.get(name.lower(), name)
    return UNITS.get(name) or _UNREAD.get(name)


def of_cells(text: Optional[str], path: str) -> Tuple[Unit, ...]:
    """What `--unit` names: () for None, one unit of a conductance or a resistance, or a voltage and a current in the
    order of their columns. ConfigError for anything else.
    """
    if text is None:
        return ()
    found = [known(part) for part in text.split(",")]
    quantities = [unit.quantity for unit in found if unit is not None]
    if quantities not in (["conductance"], ["resistance"], ["voltage", "current"], ["current", "voltage"]):
        raise ConfigError(f"unit {text!r} of {path}: choose one of {OF_A_CELL}")
    return tuple(unit for unit in found if unit is not None)


_BRACKETED = re.compile(r"[\[(]([^\[\]()]+)[\])]")
_AT_THE_END = re.compile(r"(?:/\s*|_|\bin\s+|\bunits?\s*[:=;,\t ]\s*)(\S+)$", re.IGNORECASE)
_LAST_WORD = re.compile(r"[^\s0-9][\s:,;=]+(\S{2,})$")
"""a longer word alone: "wafer A" is no current, "at 200 mV" states no unit of the values"""


def stated(text: str) -> Optional[Unit]:
    """The unit that a name of a column states, one that `--unit` does not take among them; None without.

    As in "G (uS)", "R [kOhm] of cells", "I/uA", "R / kOhm", "G_S", "unit: nS", "conductance, uS", "microsiemens".
    """
    text = text.strip().strip('"').strip()
    matches = (_AT_THE_END.search(text), _LAST_WORD.search(text))
    words = [*_BRACKETED.findall(text), *(match.group(1) for match in matches if match), text]
    found = [unit for unit in map(_written, words) if unit is not None]
    return next((unit for unit in found if unit.quantity in ("conductance", "resistance")), found[0] if found else None)

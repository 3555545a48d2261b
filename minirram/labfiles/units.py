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


def known(text: str) -> Optional[Unit]:
    """The unit that a text writes, also as in kΩ or µS; None for anything else. Case counts: mOhm is none."""
    text = re.sub("[\u00b5\u03bc]", "u", text.strip())
    ohms = re.fullmatch("([kKM]?)(?:[oO]hms?|OHMS?|\u03a9|\u2126)", text)
    return UNITS.get(_OHMS[ohms.group(1)] if ohms else text)


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


_STATED = re.compile(
    r"(?:[\[(]\s*([^\])]+?)\s*[\])]|(?:[/_]|\bin\s+|\bunits?\s*[:=;,\t ]\s*)(\S+?))\s*$", re.IGNORECASE
)


def stated(text: str) -> Optional[Unit]:
    """The unit that a name of a column states: "G (uS)", "R [kOhm]", "I/uA", "G_S", "unit: nS", "uS"; None without."""
    text = text.strip().strip('"')
    match = _STATED.search(text)
    return known(text) or (known(match.group(1) or match.group(2)) if match else None)

"""Numbers as a page shows them."""

import math
from typing import Optional

from ..units import si_format


def si(value: Optional[float], unit: str, digits: int = 3) -> str:
    """A quantity with its prefix, the micro sign for u; a dash for None."""
    if value is None:
        return "\u2013"
    return si_format(value, unit, digits=digits).replace(f" u{unit}", f" \u00b5{unit}")


def percent(share: Optional[float], digits: int = 2) -> str:
    """A share in percent; a dash for None."""
    if share is None or math.isnan(share):
        return "\u2013"
    if share == 0:
        return "0 %"
    least = 10.0 ** -(digits + 2)
    return f"< {100 * least:.{digits}f} %" if 0 < share < least / 2 else f"{100 * share:.{digits}f} %"


SHARES = ("accuracy", "sensitivity", "specificity")
"""figures that are shares, shown in percent; areas and the Dice coefficient are not"""


def score(value: Optional[float], name: str) -> str:
    """The figure `name`: shares in percent, all else in four digits; a dash for None."""
    return percent(value) if name in SHARES else figure(value)


def points(size: float, name: str, error: Optional[float] = None) -> str:
    """A spread or a distance of figures `name`, with its error: of shares in points."""
    scale, digits, unit = (100, 2, " points") if name in SHARES else (1, 4, "")
    numbers = [size] if error is None else [size, error]
    return " \u00b1 ".join(f"{scale * one:.{digits}f}" for one in numbers).replace("-", "\u2212") + unit


def figure(value: Optional[float], digits: int = 4) -> str:
    """A number without a unit; a dash for None."""
    return "\u2013" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def ratio(value: float) -> str:
    """A ratio in three digits, or to the whole number above a hundred."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`3 samples`, `1 sample`"""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(n_bytes: int) -> str:
    """Bytes for people."""
    return f"{n_bytes:,} bytes" if n_bytes < 10_000 else f"{n_bytes / 1000:,.0f} kB"

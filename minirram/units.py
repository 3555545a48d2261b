"""Physical constants (SI) and the formatting of quantities for people. Inside the package everything is SI."""

import math

BOLTZMANN_J_K = 1.380649e-23  # exact, SI 2019
ELECTRON_CHARGE_C = 1.602176634e-19  # exact, SI 2019
ZERO_CELSIUS_K = 273.15
ROOM_TEMPERATURE_K = 300.0

_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def si_format(value: float, unit: str, *, digits: int = 4) -> str:
    """Text of `value` (SI, float) with an SI prefix: `si_format(12.34e-6, "S")` is `'12.34 uS'`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    exponent = 3 * math.floor(math.log10(abs(value)) / 3 + 1e-12)
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    return f"{value / 10.0**exponent:.{digits}g} {_PREFIXES[exponent]}{unit}"

"""Kits that check an implementation against the laws of minirram.

`check`: any crossbar multiplier, a simulator, RTL, a chip. `check_cell`: any kind of cell. `check_driver`: any driver
of a bench.
"""

from .cases import Converters
from .cells import check_cell
from .drivers import check_driver
from .estimates import Estimate, estimate
from .kit import FALSE_ALARM, Report, Result, Simulator, Spec, check, simulator_factory

__all__ = [
    "FALSE_ALARM",
    "Converters",
    "Estimate",
    "Report",
    "Result",
    "Simulator",
    "Spec",
    "check",
    "check_cell",
    "check_driver",
    "estimate",
    "simulator_factory",
]

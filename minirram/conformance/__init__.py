"""Kits that check an implementation against the laws of minirram.

`check`: any crossbar multiplier, a simulator, RTL, a chip behind a driver. `check_cell`: any kind of cell.
"""

from .cells import check_cell
from .kit import FALSE_ALARM, Report, Result, Simulator, Spec, check, simulator_factory

__all__ = ["FALSE_ALARM", "Report", "Result", "Simulator", "Spec", "check", "check_cell", "simulator_factory"]

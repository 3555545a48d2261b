"""A kit that checks any crossbar multiplier against the laws of minirram: a simulator, RTL, a chip behind a driver."""

from .kit import FALSE_ALARM, Report, Result, Simulator, Spec, check, simulator_factory

__all__ = ["FALSE_ALARM", "Report", "Result", "Simulator", "Spec", "check", "simulator_factory"]

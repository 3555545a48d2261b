"""Drivers by name: the simulated chip, the serial line, the skeletons; any class as `module:Class`."""

import importlib
import os
import sys
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

from ..crossbar.macro import Macro
from ..errors import BenchError, ConfigError, MinirramError, did_you_mean, how_to_install
from .protocol import Driver

SIMULATED = "simulated"
CLASSES: Dict[str, Tuple[str, str]] = {
    "serial": ("serial_driver", "SerialDriver"),
    "pulse-unit": ("pulse_unit", "PulseUnitBench"),
    "array-tester": ("array_tester", "ArrayTester"),
}
"""name -> (module of this room, class); all are called with the port"""
NAMES = (SIMULATED, *CLASSES)

_METHODS = ("form", "set", "reset", "read", "safe_idle", "close")


def open_driver(name: str, port: Optional[str], *, simulated: Optional[Callable[[], Sequence[Macro]]]) -> Driver:
    """The driver `name`, one of NAMES or "module:Class", called with `port`.

    simulated: makes the macros of the simulated chip; its port is the file that keeps its state. ConfigError for a name
    that is not known, a module or class that is not there, and a class that lacks a method of `protocol.Driver`.
    """
    if name == SIMULATED:
        from .simulated import SimulatedDriver

        if simulated is None:
            raise ConfigError("no chip to simulate: name a run")
        return SimulatedDriver(simulated(), keep=port)
    if name in CLASSES:
        module, own = CLASSES[name]
        made: Any = getattr(importlib.import_module("." + module, __package__), own)
    else:
        made = _own_class(name)
    try:
        driver = made(port)
    except MinirramError:
        raise
    except Exception as error:  # of the driver's own code, whatever it raises
        raise BenchError(f"driver {name}: {type(error).__name__}: {error}") from error
    missing = [
        method
        for method in ("capabilities", *_METHODS)
        if not hasattr(type(driver), method) and not hasattr(driver, method)
    ]
    if missing:
        raise ConfigError(f"driver {name}: {type(driver).__name__} lacks {', '.join(missing)}")
    return driver


def _own_class(name: str) -> Any:
    """The class that "module:Class" names; the current folder is looked into last."""
    module, _, own = name.partition(":")
    if not own:
        raise ConfigError(
            f"no driver {name!r}{did_you_mean(name, NAMES)}; known are {', '.join(NAMES)}, or module:Class"
        )
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # an installed program has its own folder there instead
    try:
        return getattr(importlib.import_module(module), own)
    except ImportError as error:
        raise ConfigError(f"driver {name}: {error}") from None
    except AttributeError:
        raise ConfigError(f"driver {name}: module {module} has no {own}") from None


def needs(extra: str, package: str) -> BenchError:
    """The error of a driver whose package is not installed."""
    return BenchError(f"this driver needs {package}: {how_to_install(extra)}")

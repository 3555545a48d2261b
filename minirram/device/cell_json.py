"""Cells as JSON and back: by the name of their class and their parameters."""

from dataclasses import is_dataclass
from typing import Any, Dict

from ..errors import ConfigError, DataError
from ..json_codec import built, plain
from .cell import CellModel
from .interface import KINDS, Cell


def cell_to_json(model: Cell) -> Dict[str, Any]:
    """A JSON-ready dict of a cell: its parameters, its class as `type`; the `module` of a class outside the package."""
    if not is_dataclass(model):
        raise ConfigError(f"{type(model).__name__} is no dataclass: what its parameters are cannot be saved")
    module = type(model).__module__
    own = module != CellModel.__module__
    return dict(plain(model), **({"module": module} if own else {}))


def cell_from_json(value: Any) -> Cell:
    """The cell that `cell_to_json` described; `type` may be left out for a `CellModel`.

    DataError when its class was never defined in this process, or for parameters that it refuses.
    """
    if not isinstance(value, dict):
        raise DataError(f"a cell is described by a dict of its parameters, not by {value!r}")
    kind = value.get("type", CellModel.__name__)
    if kind not in KINDS:
        module = value.get("module")
        where = f" (import {module})" if module else ""
        raise DataError(f"cells of the class {kind!r} are not known: import the module that defines it first{where}")
    return built(KINDS[kind], {name: item for name, item in value.items() if name != "module"})

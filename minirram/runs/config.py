"""The configuration of a run, and how it is written as JSON and read back."""

import math
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

from .. import __version__
from ..chip.dead_lines import ChipLines
from ..crossbar.converters import Adc
from ..crossbar.wires import Wires
from ..device.cell_json import cell_from_json, cell_to_json
from ..device.interface import Cell
from ..errors import ConfigError, DataError
from ..json_codec import built, plain
from ..learn.recipe import Recipe
from ..nn.layers.base import Layer, layer_from_json
from ..nn.network import Network, requantised
from ..tasks.datasets import Layout
from ..tasks.registry import task
from . import format1
from .environment import environment

BESIDE = ("format", "version", "environments")
"""fields of `config.json` that are no part of the configuration"""
IN_THE_FOLDER = "."
"""the data source of a run that carries its data: `data.npz` in the run folder"""

FORMAT = 2
"""version of the run folder that is written"""
FORMATS = (1, FORMAT)
"""versions that are read"""


@dataclass(frozen=True)
class RunConfig:
    """Everything that was decided before the training started."""

    task: str
    """name of the task"""
    data: str
    """folder of the data set, "synthetic", or "." for the run folder itself"""
    network: Network
    """the layers"""
    recipe: Recipe
    """how masks are learned"""
    cell_model: Cell
    """the technology of the chip"""
    adc_bits: int = 8
    """resolution of the ADCs in bits; the paper's board has 14, which cost a hundred times the energy"""
    adc_arrangement: str = "pair"
    """'pair': one conversion for a pair of cells; 'polarity': one for each column of cells"""
    maps: Tuple[str, ...] = ()
    """measured maps that the chip started from, "NAME CRC-32"; none: it was drawn"""
    wires: Optional[Wires] = None
    """lines of the macros, whose IR drop counts in training and in use; None: no IR drop"""
    lines: Optional[ChipLines] = None
    """dead lines of the macros; None: all are alive"""
    faults: str = ""
    """file of stuck cells that were planted, "NAME CRC-32"; "": none"""
    data_crc: int = 0
    """CRC-32 of the training data; 0 before they were read"""
    layout: Optional[Layout] = None
    """what its data look like and how they become codes; None: as the registered task says"""

    @property
    def forming_voltage_V(self) -> float:
        """Voltage of the forming pulse."""
        return self.cell_model.forming_voltage_V(self.recipe.formed_share)

    @property
    def data_layout(self) -> Layout:
        """What the data look like and how they become codes."""
        return task(self.task).layout if self.layout is None else self.layout

    def __post_init__(self) -> None:
        for name, kind in (
            ("task", str),
            ("data", str),
            ("network", Network),
            ("recipe", Recipe),
            ("cell_model", Cell),
            ("adc_bits", int),
            ("maps", tuple),
            ("lines", (ChipLines, type(None))),
            ("faults", str),
            ("data_crc", int),
            ("layout", (Layout, type(None))),
        ):
            if not isinstance(getattr(self, name), kind):
                kinds = kind if isinstance(kind, tuple) else (kind,)
                wanted = " or ".join(known.__name__ for known in kinds)
                raise ConfigError(f"{name} is {getattr(self, name)!r}, not a {wanted}")
        Adc(self.adc_bits, 1.0, self.adc_arrangement)
        if self.wires is None and (self.recipe.wire_gradient != "straight" or self.recipe.wire_steps is not None):
            raise ConfigError("wire_gradient and wire_steps say how to learn behind wires: give wire_ohm, too")

    def with_bits(self, adc_bits: Optional[int], input_bits: Optional[int]) -> "RunConfig":
        """The same with ADCs of that resolution, and with input codes of so many bits; None: its own."""
        network = self.network if input_bits is None else requantised(self.network, input_bits)
        return replace(self, adc_bits=self.adc_bits if adc_bits is None else adc_bits, network=network)

    def to_json(self) -> Dict[str, Any]:
        """A JSON-ready dict; `config_from_json` reads it."""
        return dict(plain(self), cell_model=cell_to_json(self.cell_model), layout=plain(self.data_layout))


def document(config: Any) -> Dict[str, Any]:
    """What `config.json` holds of a configuration: its `to_json`, the format, and what wrote it."""
    return dict(config.to_json(), format=FORMAT, version=__version__, environments=[environment().to_json()])


def checked_format(value: Dict[str, Any]) -> int:
    """The format of the run folder whose `config.json` is `value`; DataError for one that is not read."""
    found = value.get("format")
    if found not in FORMATS:
        raise DataError(f"run folder format {found!r}; this version reads {' and '.join(map(str, FORMATS))}")
    return found


def config_from_json(value: Any) -> RunConfig:
    """The RunConfig that `RunConfig.to_json` or `document` gave; DataError when it is not one, and where."""
    if not isinstance(value, dict):
        raise DataError("not the configuration of a run")
    if "format" in value and checked_format(value) == 1:
        value = format1.named_config(value)
    own = {name: item for name, item in value.items() if name not in BESIDE}
    return built(RunConfig, own, readers={Layer: layer_from_json, Cell: cell_from_json})


def check_same(folder: str, mine: Any, *, other: Any) -> None:
    """ConfigError, naming what differs, unless two configurations decide the same; `mine` is what `folder` holds.

    The data may lie in another folder, it is their checksum that must agree; and where the numbers of a technology come
    from, and the data, is text. Numbers may differ by rounding.
    """
    had, wanted = _flat(mine.to_json()), _flat(other.to_json())
    for key in sorted({*had, *wanted}):
        one, two = had.get(key), wanted.get(key)
        rounded = isinstance(one, float) and isinstance(two, float) and math.isclose(one, two)
        free = key.split(".")[-1] == "data" or key.endswith(("cell_model.sources", "layout.script"))
        if one != two and not rounded and not free:
            fewer = ", or more epochs, with which it goes on" if key == "recipe.epochs" else ""
            raise ConfigError(f"{folder} is a run with {key} = {one!r}, not {two!r}; choose another folder{fewer}")


def _flat(value: Dict[str, Any], prefix: str = "") -> Dict[str, Any]:
    """Nested dicts as one dict of dotted keys."""
    entries: Dict[str, Any] = {}
    for key, item in value.items():
        entries.update(_flat(item, prefix + key + ".") if isinstance(item, dict) else {prefix + key: item})
    return entries

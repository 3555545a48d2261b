"""The configuration of a run, and how it is written as JSON and read back."""

import math
from dataclasses import dataclass, fields
from typing import Any, Dict, Optional, Tuple

from ..chip.dead_lines import ChipLines
from ..crossbar.converters import Adc
from ..crossbar.wires import Wires
from ..device.cell import CellModel
from ..errors import ConfigError, DataError
from ..json_codec import built, plain
from ..learn.recipe import Recipe
from ..nn.layers.base import Layer, layer_from_json
from ..nn.network import Network
from ..tasks.datasets import Layout
from ..tasks.registry import task

IN_THE_FOLDER = "."
"""the data source of a run that carries its data: `data.npz` in the run folder"""

FORMAT = 1
"""version of the run folder; readers refuse others"""


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
    cell_model: CellModel
    """the technology of the chip"""
    adc_bits: int = 14
    """resolution of the ADCs (the paper's board)"""
    adc_arrangement: str = "pair"
    """'pair' or 'polarity'"""
    maps: Tuple[str, ...] = ()
    """measured maps that the chip started from, "NAME CRC-32"; none: it was drawn"""
    wires: Optional[Wires] = None
    """lines of the macros, felt in training and in use; None: no IR drop"""
    lines: Optional[ChipLines] = None
    """dead lines of the macros; None: all are alive"""
    faults: str = ""
    """file of stuck cells that were planted, "NAME CRC-32"; "": none"""
    data_crc: int = 0
    """CRC-32 of the training data; 0 before they were read"""
    layout: Optional[Layout] = None
    """what its data look like and how they become codes; None: as the registered task says"""

    @property
    def forming_voltage_V(self):
        """Voltage of the forming pulse."""
        return self.cell_model.forming_voltage_V(self.recipe.formed_share)

    @property
    def data_layout(self) -> Layout:
        """What the data look like and how they become codes."""
        return task(self.task).layout if self.layout is None else self.layout

    def __post_init__(self):
        for name, kind in (
            ("task", str),
            ("data", str),
            ("network", Network),
            ("recipe", Recipe),
            ("cell_model", CellModel),
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

    def to_json(self):
        """A JSON-ready dict; `config_from_json` reads it."""
        value = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        return dict(value, layout=plain(self.data_layout), format=FORMAT)


def config_from_json(value):
    """The RunConfig that `RunConfig.to_json` wrote; DataError when it is not one."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = value.get("format") if isinstance(value, dict) else None
        raise DataError(f"run folder format {found!r}; this version reads format {FORMAT}")
    own = {name: item for name, item in value.items() if name != "format"}
    return built(RunConfig, own, readers={Layer: layer_from_json})


def check_same(folder, mine, other, prefix=""):
    """ConfigError, naming what differs, unless two JSON-ready dicts decide the same; `mine` is what `folder` holds.

    prefix: of the keys of a `RunConfig` in them. The data may lie in another folder, it is their checksum that must
    agree; and where the numbers of a technology and the data come from is text. Numbers may differ by rounding.
    """
    mine, other = _flat(mine), _flat(other)
    for key in sorted({*mine, *other} - {prefix + name for name in ("data", "cell_model.sources", "layout.script")}):
        had, wanted = mine.get(key), other.get(key)
        rounded = isinstance(had, float) and isinstance(wanted, float) and math.isclose(had, wanted)
        if had != wanted and not rounded:
            message = "{} is a run with {} = {!r}, not {!r}; choose another folder"
            raise ConfigError(message.format(folder, key, had, wanted))


def _flat(value, prefix=""):
    """Nested dicts as one dict of dotted keys."""
    entries: Dict[str, Any] = {}
    for key, item in value.items():
        entries.update(_flat(item, prefix + key + ".") if isinstance(item, dict) else {prefix + key: item})
    return entries

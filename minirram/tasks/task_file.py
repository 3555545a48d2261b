"""A task as a JSON file: layers, codes, classes, recipes. What it leaves out is taken from the data."""

import json
import os
from dataclasses import dataclass, field, fields, replace
from typing import Any, Dict, List, Optional, Tuple

from ..errors import ConfigError, ShapeError
from ..files import atomic_writer, read_json
from ..files.budgets import TEXT
from ..files.reading import read_bytes
from ..json_codec import bare, built
from ..learn.recipe import Recipe
from ..nn.layers.base import Layer, layer_from_json
from ..nn.network import Network
from .codes import CodeRule, answer_shape
from .data_files import DataRules
from .datasets import Layout
from .labelled_data import LabelledData
from .registry import BUILT_IN, TASKS
from .task import Drawing, Task

READERS = {Layer: layer_from_json}


@dataclass(frozen=True)
class NetworkPart:
    """The layers of a task file, and the codes that enter them."""

    name: str = ""
    """what the network is called; "": as the task"""
    input_shape: Optional[Tuple[int, int, int]] = None
    """height, width, channels of one sample; features are (1, 1, features), a window (1, steps, channels)"""
    input_bits: int = 4
    """bits of the input codes, 1 to 8"""
    input_zero: Optional[int] = None
    """input code that stands for 0.0; None: 0, or the middle one of signed inputs"""
    signed: bool = False
    """whether values lie around 0, so that 0.0 becomes the middle code; else the smallest value becomes code 0"""
    layers: Optional[Tuple[Layer, ...]] = None
    """in the order of evaluation; None: the network comes from another file"""

    def __post_init__(self) -> None:
        if not 1 <= self.input_bits <= 8:
            raise ConfigError(f"input_bits is {self.input_bits}; it must be 1 to 8")
        if not 0 <= self.zero < 2**self.input_bits:
            raise ConfigError(f"input_zero is {self.zero}, no code of {self.input_bits} bits")
        if self.signed and self.input_zero == 0:
            raise ConfigError("input_zero is 0, which is unsigned; leave it or signed out")

    @property
    def zero(self) -> int:
        """Input code that stands for 0.0."""
        if self.input_zero is not None:
            return self.input_zero
        return 2 ** (self.input_bits - 1) if self.signed else 0


@dataclass(frozen=True)
class LayoutPart:
    """What the data look like. None: as the data are."""

    data_set: str = ""
    """name of the data set, whose prepared file in a folder is NAME.npz; "": as the task"""
    input_shape: Optional[Tuple[Optional[int], ...]] = None
    """shape of one input in the data; an entry None: any length"""
    input_dtype: Optional[str] = None
    """"uint8" or "float32\""""
    class_names: Optional[Tuple[str, ...]] = None
    """names of the classes 0, 1, ..."""
    codes: Optional[CodeRule] = None
    """range of values that becomes the codes; None: that of the training data, per channel, values beyond are cut"""
    per_pixel: bool = False
    """whether each pixel has a label instead of each input; of two classes the second is looked for, of more all"""
    mirrored: bool = False
    """whether an input and its mirror image are of one class, so that training swaps left and right at random"""
    script: str = ""
    """the data script that makes the prepared file; "": there is none"""

    @property
    def open_fields(self) -> Tuple[str, ...]:
        """What only data can say."""
        return tuple(
            name for name in ("input_shape", "input_dtype", "class_names", "codes") if getattr(self, name) is None
        )


@dataclass(frozen=True)
class TaskFile:
    """A task as data: what a JSON file says of it."""

    name: str
    """what the task is called"""
    network: NetworkPart = NetworkPart()
    """the layers, and the codes that enter them"""
    layout: LayoutPart = LayoutPart()
    """what the data look like and how they become codes"""
    recipes: Dict[str, Recipe] = field(default_factory=lambda: {"full": Recipe()})
    """how masks are learned, by name: "full", and by custom "quick" for a few minutes"""
    data: DataRules = DataRules()
    """how a file of data is read and split"""
    drawn: str = ""
    """built-in task whose drawn data it learns from where the data are "synthetic"; "": none"""

    def __post_init__(self) -> None:
        if not self.name or not self.recipes:
            raise ConfigError("a task needs a name and at least one recipe")
        if self.drawn and self.drawn not in [known.name for known in BUILT_IN]:
            known = ", ".join(known.name for known in BUILT_IN)
            raise ConfigError(f"drawn is {self.drawn!r}; choose one of {known}")

    def own_network(self) -> Network:
        """The network of its own layers; ConfigError where it has none."""
        part = self.network
        if part.layers is None or part.input_shape is None:
            lacking = "layers" if part.layers is None else "input_shape"
            raise ConfigError(f"network.{lacking} is missing, and no network was given apart")
        return Network(part.name or self.name, part.input_shape, part.input_bits, part.layers, input_zero=part.zero)

    def complete(self, data: Optional[LabelledData] = None, *, network: Optional[Network] = None) -> Task:
        """The task with what `data` say of its layout. network: instead of its own layers.

        ConfigError where something is left open and there are no data; ShapeError where the parts do not fit.
        """
        network = self.own_network() if network is None else network
        layout = self._layout(network, data)
        if answer_shape(network)[-1] != len(layout.class_names):
            raise ShapeError(
                f"network {network.name} gives {answer_shape(network)[-1]} classes, "
                f"there are {len(layout.class_names)}: {', '.join(layout.class_names)}"
            )
        return Task(self.name, network, layout, self.recipes, self._drawing())

    def _layout(self, network: Network, data: Optional[LabelledData]) -> Layout:
        given = {entry.name: getattr(self.layout, entry.name) for entry in fields(LayoutPart)}
        given["data_set"] = self.layout.data_set or self.name
        if not self.layout.open_fields:
            return Layout(**given)
        if data is None:
            raise ConfigError(f"layout.{self.layout.open_fields[0]} is left to the data; name a file of data, --data")
        if self.layout.per_pixel != (data.training.region is not None):
            labelled = "a label each" if self.layout.per_pixel else "labels of pixels"
            raise ConfigError(f"layout.per_pixel is {self.layout.per_pixel}, and the samples have {labelled}")
        stated = {name: value for name, value in given.items() if value is not None}
        return replace(data.layout(network, given["data_set"]), **stated)

    def _drawing(self) -> Optional[Drawing]:
        return TASKS[self.drawn].drawn if self.drawn else None


def read_task_file(path: str) -> TaskFile:
    """The task in a JSON file; DataError says what is wrong at which place of it."""
    return built(TaskFile, read_json(path), where="", readers=READERS)


def task_document(task: Task) -> Dict[str, Any]:
    """The JSON of a task's file; its drawn data by the name of the built-in task that draws them."""
    network = task.network
    owners = [known.name for known in BUILT_IN if task.drawn is not None and known.drawn == task.drawn]
    document = {
        "name": task.name,
        "network": {
            "name": network.name,
            "input_shape": list(network.input_shape),
            "input_bits": network.input_bits,
            "input_zero": network.input_zero,
            "layers": _layers(network),
        },
        "layout": bare(task.layout),
        "recipes": bare(task.recipes),
    }
    if owners:
        document["drawn"] = task.name if task.name in owners else owners[0]
    return document


def _layers(network: Network) -> List[Dict[str, Any]]:
    return [dict({"type": type(layer).__name__}, **bare(layer)) for layer in network.layers]


def with_network(document: Dict[str, Any], network: Network) -> Dict[str, Any]:
    """The JSON of a task's file with the name and the layers of another network for the same codes."""
    return dict(document, network=dict(document["network"], name=network.name, layers=_layers(network)))


def document_text(value: Any, indent: int = 0) -> str:
    """JSON text with what fits a line on one line, for people to edit."""
    flat = json.dumps(value, allow_nan=False)
    if len(flat) + indent <= 110 and (indent or not isinstance(value, dict)):
        return flat
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(value, dict):
        entries = [f"{json.dumps(name)}: {document_text(item, indent + 2)}" for name, item in value.items()]
        return "{\n" + ",\n".join(inner + entry for entry in entries) + f"\n{outer}}}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + document_text(item, indent + 2) for item in value) + f"\n{outer}]"
    return flat


def write_task_file(path: str, document: Dict[str, Any]) -> None:
    """Write the JSON of a task's file, whole or not at all; ConfigError where another file lies there."""
    text = document_text(document) + "\n"
    if os.path.isfile(path) and read_bytes(path, TEXT) != text.encode():
        raise ConfigError(f"{path} is there, and may have been edited: name another file, or remove it")
    with atomic_writer(path, "w") as handle:
        handle.write(text)

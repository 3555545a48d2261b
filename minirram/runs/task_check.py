"""Whether a task's file and its data fit: what is wrong, where, and what would be right."""

import re
from dataclasses import dataclass, fields
from typing import Any, List, Optional, Tuple

from ..chip.placement import place
from ..errors import MinirramError, ShapeError
from ..files import read_json
from ..json_codec import Result
from ..nn.layers.base import Layer, Shape, layer_from_json
from ..nn.network import Network, matrices, matrix_codes, walk, weights_by_layer
from ..tasks.data_report import DataReport, data_report
from ..tasks.task import Task
from ..tasks.task_file import TaskFile, read_task_file
from ..tasks.training_data import training_data
from .own_data import Given, given


@dataclass(frozen=True)
class Problem(Result):
    """One thing that is wrong with a task."""

    where: str
    """place in the JSON, such as network.layers[3]; "data": in the data"""
    layer: Optional[str]
    """name of the layer; None: it is none"""
    what: str
    """what is wrong, and what would be right"""


@dataclass(frozen=True)
class LayerShape(Result):
    """One layer of a network that fits."""

    name: str
    """of the layer"""
    kind: str
    """its class"""
    output: Tuple[int, ...]
    """shape of its output for one sample"""
    weights: int
    """of its matrices"""


@dataclass(frozen=True)
class TaskCheck(Result):
    """What `minirram task` says of a task."""

    name: Optional[str]
    """of the task; None: the file does not say it"""
    problems: Tuple[Problem, ...]
    """what is wrong; none: the task can be trained"""
    layers: Tuple[LayerShape, ...]
    """of the network, as far as they fit"""
    weights: Optional[int]
    """of the network; None: it does not fit"""
    macros: Optional[int]
    """macros of 512 x 512 cells that it fills; None: likewise"""
    data: Optional[DataReport]
    """what the data are; None: none were given, or they do not fit"""
    file: Optional[str]
    """path of the file that was written; None: none"""


def check_file(path: str, data: Optional[str] = None, *, network: Optional[Network] = None) -> TaskCheck:
    """Check the task in a JSON file, with data where they are given. network: instead of the layers in the file."""
    value = read_json(path)
    problems = _layer_problems(value) if network is None else []
    name = value.get("name") if isinstance(value, dict) and isinstance(value.get("name"), str) else None
    if problems:
        return _found(name, problems)
    try:
        stated = read_task_file(path)
    except MinirramError as error:
        return _found(name, [_problem("", error)])
    if network is None:
        steps, problems = _network_problems(stated)
        if problems:
            return _found(name, problems, layers=steps)
        network = stated.own_network()
    if data is not None:
        return check_given(stated, data, network=network)
    if not stated.layout.open_fields:
        try:
            stated.complete(network=network)
        except MinirramError as error:
            problems = [_problem("layout", error)]
    return _found(name, problems, network=network)


def check_given(stated: Any, data: str, *, network: Network) -> TaskCheck:
    """Check a task of the network `network` with its data: a `TaskFile`, a `Task` or its name."""
    name = stated if isinstance(stated, str) else stated.name
    try:
        found = given(stated, data, network=network if isinstance(stated, TaskFile) else None)
        report, problems = _data_problems(found)
    except MinirramError as error:
        report, problems = None, [_problem("data", error)]
    return _found(name, problems, network=network, report=report)


def summary_of(task: Task, *, report: Optional[DataReport] = None) -> TaskCheck:
    """What is said of a task that fits."""
    return _found(task.name, [], network=task.network, report=report)


def _found(
    name: Optional[str],
    problems: List[Problem],
    *,
    network: Optional[Network] = None,
    layers: Tuple[LayerShape, ...] = (),
    report: Optional[DataReport] = None,
) -> TaskCheck:
    if network is None:
        return TaskCheck(name, tuple(problems), layers, None, None, report, None)
    layers = tuple(_layer_shape(step.layer, step.output) for step in walk(network))
    weights, macros = sum(weights_by_layer(network).values()), place(matrices(network)).n_macros
    return TaskCheck(name, tuple(problems), layers, weights, macros, report, None)


def _layer_shape(layer: Layer, output: Shape) -> LayerShape:
    weights = sum(rows * cols for _, (rows, cols) in layer.matrices())
    return LayerShape(layer.name, type(layer).__name__, tuple(output), weights)


def _layer_problems(value: Any) -> List[Problem]:
    """What is wrong with each layer by itself."""
    part = value.get("network") if isinstance(value, dict) else None
    entries = part.get("layers") if isinstance(part, dict) else None
    problems = []
    for k, entry in enumerate(entries if isinstance(entries, list) else ()):
        try:
            layer_from_json(entry)
        except MinirramError as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            problems.append(Problem(f"network.layers[{k}]", name if isinstance(name, str) else None, str(error)))
    return problems


def _network_problems(stated: TaskFile) -> Tuple[Tuple[LayerShape, ...], List[Problem]]:
    """(layers that fit, what is wrong with their order and shapes)."""
    try:
        network = stated.own_network()
        steps = tuple(_layer_shape(step.layer, step.output) for step in walk(network))
    except MinirramError as error:
        return _fitting(stated, error)
    problems = []
    try:
        matrix_codes(network)
    except ShapeError as error:
        problems.append(_problem("network", error, stated))
    return steps, problems


def _fitting(stated: TaskFile, error: MinirramError) -> Tuple[Tuple[LayerShape, ...], List[Problem]]:
    """(layers before the first that does not fit, that one with what would be right)."""
    problem = _problem("network", error, stated)
    layers = stated.network.layers or ()
    at = [layer.name for layer in layers].index(problem.layer) if problem.layer is not None else 0
    steps: Tuple[LayerShape, ...] = ()
    shape: Optional[Shape] = stated.network.input_shape
    if at and stated.network.input_shape is not None:
        network = Network("before", stated.network.input_shape, 8, layers[:at])
        steps = tuple(_layer_shape(step.layer, step.output) for step in walk(network))
        shape = steps[-1].output
    remedy = "" if problem.layer is None or shape is None else _remedy(layers[at], shape)
    return steps, [Problem(problem.where, problem.layer, problem.what + remedy)]


def _remedy(layer: Layer, shape: Shape) -> str:
    """What would let a layer take inputs of a shape, where one of its numbers decides."""
    names = [entry.name for entry in fields(layer)]
    if "in_features" in names and len(shape) == 3:
        return "; put a Flatten or a GlobalAverage before it"
    for name in ("in_features", "in_channels", "channels"):
        if name in names and getattr(layer, name) != shape[-1]:
            return f"; {name} would have to be {shape[-1]}"
    return ""


def _problem(where: str, error: MinirramError, stated: Optional[TaskFile] = None) -> Problem:
    """A Problem of an error; its place is what the message begins with, or that of the layer it names."""
    text = str(error)
    layer = re.search(r"\blayer (\S+): ", text)
    names = [known.name for known in (stated.network.layers or ())] if stated is not None else []
    if layer is not None and layer.group(1) in names:
        return Problem(f"network.layers[{names.index(layer.group(1))}]", layer.group(1), text)
    named = layer.group(1) if layer is not None and stated is None else None
    place = re.match(r"[a-z_]+(\.\w+|\[\d+\])*(?=[: ])", text)
    return Problem(where or (place.group() if place else ""), named, text)


def _data_problems(found: Given) -> Tuple[Optional[DataReport], List[Problem]]:
    """(report of the data, recipes that do not go with them)."""
    task = found.task
    if found.arrays is None:
        from ..tasks.registry import load_training

        data = load_training(task.name, task.layout, source=found.source, network=task.network)
        report = None
    else:
        arrays = found.arrays
        report = data_report(arrays, task.layout, network=task.network)
        data = training_data(task.layout, arrays.training, validation=arrays.validation, network=task.network)
    problems: List[Problem] = []
    for name, recipe in task.recipes.items():
        try:
            data.steps_per_epoch(recipe)
        except MinirramError as error:
            problems.append(Problem(f"recipes.{name}", None, str(error)))
    return report, problems

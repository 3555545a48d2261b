"""A network from an ONNX file, with its trained weights where they are asked for."""

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ..errors import ConfigError, DataError, MinirramError, MissingFileError
from ..nn.layers.base import Codes, Shape
from ..nn.layers.bias import Bias
from ..nn.layers.checks import check_bits
from ..nn.layers.convolution import Conv2d
from ..nn.layers.join import Flatten
from ..nn.layers.linear import Linear
from ..nn.layers.norm import BATCH_NORM_EPSILON, BatchNorm
from ..nn.layers.windows import Pad
from ..nn.network import Network, initial_state
from .builder import INPUT, Builder, Value
from .constants import folded
from .graph import MOST_NUMBERS, MOST_VALUES, Graph, Node, read_graph
from .operands import theirs
from .operators import OPERATORS, VIEWS

Arrays = Dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Imported:
    """What an ONNX file says."""

    network: Network
    """the graph"""
    weights: Optional[Arrays]
    """per matrix float32 (fan_in, fan_out); None: they were not asked for"""
    state: Arrays
    """digital state: biases and batch norms as trained, ranges 0; without weights that before training"""
    input_shape: Shape
    """shape of a sample in the file, channels first"""
    operators: Dict[str, int]
    """how many nodes of each operator were read"""
    notes: Tuple[str, ...]
    """what was left out"""

    @property
    def trained_weights(self) -> Arrays:
        """`weights`; ConfigError when they were not asked for."""
        if self.weights is None:
            raise ConfigError("the graph alone was read; ask for weights, too")
        return self.weights


def network_from_onnx(
    path: Any,
    *,
    weights: bool = False,
    bits: int = 4,
    input_bits: int = 8,
    input_zero: int = 0,
    size: Optional[Tuple[int, int]] = None,
    output: Optional[str] = None,
    fold_batch_norms: bool = False,
) -> Imported:
    """The network in an ONNX file. DataError names what is damaged, or the operator that has no layer, with its node.

    weights: whether the trained weights are wanted, too. bits: of the codes that enter a matrix; input_bits,
    input_zero: of the input's codes. size: (height, width) of the input, instead of the file's. output: name of the
    output tensor; None: there is one. fold_batch_norms: a batch norm behind a matrix becomes part of it and a bias.
    ConfigError for bits and codes that there are not.
    """
    check_bits("input", input_bits)
    if not 0 <= input_zero < 2**input_bits:
        raise ConfigError(f"input_zero {input_zero} is no {input_bits}-bit code")
    try:
        graph = read_graph(path, weights=weights, output=output)
        return _imported(graph, weights, bits, Codes(input_bits, input_zero), size, fold_batch_norms)
    except MissingFileError:
        raise
    except DataError as error:
        raise DataError(f"{os.fspath(path)}: {error}") from None


def _imported(
    graph: Graph, weights: bool, bits: int, codes: Codes, size: Optional[Tuple[int, int]], fold: bool
) -> Imported:
    _check_operators(graph)
    shape, rank = _input_shape(graph, size)
    build = Builder(bits=bits, input_shape=shape, input_codes=codes, weighted=weights)
    first = Value(INPUT, shape, rank, uses=graph.uses.get(graph.input, 0))
    file_shape = theirs(first) if rank > 2 else (shape[2],)
    if rank == 2:
        first = build.emit(Flatten("input_row"), first, uses=first.uses)
    elif first.uses > 1:  # branches return to a layer by its name: this one gives the input as it is
        first = build.emit(Pad("input_again", (0, 0, 0, 0)), first, uses=first.uses)
    _run(graph, build, first)
    if not build.layers:
        raise DataError("a graph without a layer")
    try:
        network = Network(_plain(graph.name), shape, codes.bits, tuple(build.layers), codes.zero_point)
    except MinirramError as error:
        raise DataError(str(error)) from None
    counts = {kind: sum(node.kind == kind for node in graph.nodes) for kind in {node.kind for node in graph.nodes}}
    state = initial_state(network)
    if weights:
        state.update({name: np.asarray(array, np.float32) for name, array in build.state.items()})
        if fold:
            network, build.weights, state = _folded(network, build.weights, state)
    return Imported(
        network, build.weights if weights else None, state, file_shape, dict(sorted(counts.items())), tuple(build.notes)
    )


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)[:60] or "onnx"


def _check_operators(graph: Graph) -> None:
    """DataError that names every operator without a layer, with its first node."""
    missing: Dict[str, Node] = {}
    known: Dict[str, bool] = {name: True for name in graph.constants}
    for node in graph.nodes:
        constant = all(known.get(name, False) for name in node.inputs if name)
        known.update({name: constant or node.kind == "Shape" for name in node.outputs})
        if node.kind not in OPERATORS and not constant and node.kind != "Shape":
            missing.setdefault(node.kind, node)
    if missing:
        first = "; ".join(str(node) for node in list(missing.values())[:8])
        raise DataError(f"no layer for {len(missing)} operator(s): {first}")


def _input_shape(graph: Graph, size: Optional[Tuple[int, int]]) -> Tuple[Tuple[int, int, int], int]:
    """((height, width, channels), axes of the input in the file)"""
    rank, stated = len(graph.input_shape), list(graph.input_shape)
    if rank not in (2, 3, 4):
        raise DataError(
            f"input {graph.input!r} has {rank} axes; (n, features), (n, channels, steps) or images are read"
        )
    if size is not None and rank == 4:
        stated[2:] = size
    if size is not None and rank == 3:
        stated[2] = size[1]
    sample = stated[1:]
    if None in sample:
        raise DataError(f"input {graph.input!r} does not state its size: {stated}; give it, --size HEIGHTxWIDTH")
    if np.prod([float(length or 0) for length in sample]) > MOST_VALUES:
        raise DataError(f"input {graph.input!r} of shape {stated}; at most {MOST_VALUES} numbers")
    channels, *sides = (int(length or 0) for length in sample)
    height, width = ([1, 1] + sides)[-2:]
    return (height, width, channels), rank


def _run(graph: Graph, build: Builder, first: Value) -> None:
    """Make the layers of every node in turn; the last layer gives the output."""
    uses, known, numbers = graph.uses, {graph.input: first}, 0
    found: Dict[str, Any] = {**graph.constants, **known}
    for node in graph.nodes:
        build.node = node
        operands = [found[name] if name else None for name in node.inputs]
        output = node.outputs[0] if node.outputs else ""
        if node.kind == "Shape" and operands and isinstance(operands[0], Value):
            found[output] = np.array((1,) + theirs(operands[0]), np.int64)
        elif not any(isinstance(operand, Value) for operand in operands):
            found[output] = folded(node, operands)
            numbers += 0 if node.kind in ("ConstantOfShape", "Constant") else found[output].size
            if numbers > 2 * MOST_NUMBERS:
                build.fail(f"more than {2 * MOST_NUMBERS} numbers are worked out from constants")
        else:
            if node.kind not in VIEWS and any(isinstance(one, Value) and one.shares for one in operands):
                build.fail("follows a softmax; one at the end is supported")
            build.uses = uses.get(output, 0)
            try:
                found[output] = OPERATORS[node.kind](build, operands)
            except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
                build.fail(f"its attributes or inputs cannot be used ({error})")  # an attribute of another type, say
    last = found[graph.output]
    if not isinstance(last, Value):
        raise DataError("its output does not depend on its input")
    if last.order is not None:
        raise DataError("its output is a flattened image; end with the image, or with a matrix")
    if len(last.shape) == 3 and last.shape[:2] == (1, 1):
        build.uses = 1
        last = build.emit(Flatten(build.name("logits")), last)
    build.go_to(last.layer)


def _folded(network: Network, weights: Arrays, state: Arrays) -> Tuple[Network, Arrays, Arrays]:
    """Each batch norm right behind a matrix as part of it: its gain in the columns, what remains a bias."""
    layers, weights, state = list(network.layers), dict(weights), dict(state)
    for index, (layer, norm) in enumerate(zip(layers, layers[1:]), 1):
        alone = layer.name not in network.sources and isinstance(layer, (Conv2d, Linear))
        if not (alone and isinstance(norm, BatchNorm)):
            continue
        own: Arrays = {
            part: state.pop(f"{norm.name}.{part}").astype(np.float64) for part in ("mean", "var", "gamma", "beta")
        }
        gain: np.ndarray = own["gamma"] / np.sqrt(own["var"] + BATCH_NORM_EPSILON)
        names = [name for name, _ in layer.matrices()]
        for name, part in zip(names, np.split(gain, len(names))):
            weights[name] = weights[name] * part
        layers[index] = Bias(norm.name, norm.channels)
        state[norm.name + ".offset"] = (own["beta"] - own["mean"] * gain).astype(np.float32)
    network = replace(network, layers=tuple(layers))
    return network, weights, {name: state[name] for name in initial_state(network)}

"""The laws of networks on random networks, and that a planted fault of each kind is found."""

import time
from collections import Counter
from dataclasses import replace
from typing import Any, Callable, ContextManager, Dict, List
from typing import Counter as CounterOf
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from minirram.errors import MinirramError
from minirram.inference import digital_json
from minirram.nn.engine import engine, nodes, simple_nodes
from minirram.nn.engine.chunk import Chunk, Workspace
from minirram.nn.layers import bias, convolution, join, recurrent, resample, windows
from minirram.nn.layers.base import FREE, Codes, Layer
from minirram.nn.layers.recurrent import Rnn
from minirram.runs import config

from ..support import network_laws as laws
from ..support.random_networks import networks

SEEDS = st.integers(0, 2**16)
UNHURRIED: Dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}


@settings(max_examples=15, **UNHURRIED)
@given(networks(), SEEDS)
def test_laws_hold_for_random_networks(network: Any, seed: int) -> None:
    case = laws.make_case(network, seed)
    for law in laws.LAWS:
        assert law(case) in (True, False)  # a fault raises; False: this case makes no claim


@pytest.mark.slow
def test_laws_hold_for_a_thousand_networks() -> None:
    """Within 6 minutes of one core; all kinds of layers and of joins are among them, and nearly every claim counts."""
    seen: CounterOf[str] = Counter()
    claims: CounterOf[str] = Counter()

    @settings(max_examples=1000, phases=[Phase.generate], database=None, **UNHURRIED)
    @given(networks(), SEEDS)
    def all_laws(network: Any, seed: int) -> None:
        case = laws.make_case(network, seed)
        seen.update(["networks"] + features(network))
        for law in laws.LAWS:
            claims[law.__name__] += law(case)

    started = time.process_time()
    all_laws()
    assert time.process_time() - started < 360
    assert seen["networks"] == 1000
    assert claims.pop(laws.integers_give_the_values.__name__) > 300, claims  # not of every kind of layer
    assert min(claims.values()) > 950, claims
    kinds = {kind.__name__ for kind in Layer.__subclasses__() if kind.__module__.startswith("minirram.")}
    assert not kinds - set(seen)
    rare = {what: seen[what] for what in FEATURES if seen[what] < 20}
    assert not rare, rare


FEATURES = {
    "one layer joined twice": lambda network: len(set(network.sources)) < len(network.sources),
    "a join of joins": lambda network: any(
        network.layer(name).others for layer in network.layers for name in layer.others
    ),
    "odd sides": lambda network: network.input_shape[0] % 2 and network.input_shape[1] % 2,
    "images that are not square": lambda network: network.input_shape[0] != network.input_shape[1],
    "signed inputs": lambda network: network.input_zero > 0,
    "kernels that are not square": lambda network: _any(network, "kernel", lambda kernel: kernel[0] != kernel[1]),
    "strides": lambda network: _any(network, "stride", lambda stride: max(stride) > 1),
    "padding": lambda network: _any(network, "padding", lambda padding: max(padding) > 0),
    "groups": lambda network: _any(network, "groups", lambda groups: groups > 1),
    "scale and shift": lambda network: _any(network, "affine", bool),
    "codes of 1 bit": lambda network: _any(network, "bits", lambda bits: bits == 1),
    "codes of 8 bits": lambda network: _any(network, "bits", lambda bits: bits == 8),
    "a label per pixel": lambda network: len(laws.networks.output_shapes(network)[network.layers[-1].name]) == 3,
    "a label per sample": lambda network: len(laws.networks.output_shapes(network)[network.layers[-1].name]) == 1,
}


def _any(network: Any, field: str, holds: Callable[[Any], bool]) -> bool:
    return any(holds(getattr(layer, field)) for layer in network.layers if hasattr(layer, field))


def features(network: Any) -> List[str]:
    """Kinds of layers and further features of a network."""
    return [type(layer).__name__ for layer in network.layers] + [name for name, of in FEATURES.items() if of(network)]


# --- the check of the checker -----------------------------------------------------------------------------------------


def found(law: Callable[[Any], bool], kind: str) -> bool:
    """Whether some random network with a layer of that kind breaks the law."""

    @settings(
        max_examples=300,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        **UNHURRIED,
    )
    @given(networks(kind), SEEDS)
    def search(network: Any, seed: int) -> None:
        if any(type(layer).__name__ == kind for layer in network.layers):
            law(laws.make_case(network, seed))

    try:
        search()
    except (AssertionError, MinirramError):
        return True
    return False


def put(target: Any, name: str, make: Callable[[Any], Any]) -> ContextManager[Any]:
    """target.name = make(target.name) for a while."""
    return mock.patch.object(target, name, make(getattr(target, name)))


def _last_join_wins(right: Any) -> Any:
    def skip_back(self: Chunk, source: str, dother: np.ndarray) -> None:
        self._skipped.pop(source, None)
        right(self, source, dother)

    return skip_back


def _hidden_with_zero_point(right: Any) -> Any:
    def on_codes(self: Rnn, inputs: Any, inference: Any) -> Any:
        def product(name: str, codes: np.ndarray, *, zero_point: int = 0) -> np.ndarray:
            return inference.product(name, codes, zero_point=inputs[0].zero_point)

        return right(self, inputs, replace(inference, product=product))

    return on_codes


def _even(right: Any) -> Any:
    return lambda network, size: (size[0] + size[0] % 2, size[1] + size[1] % 2)


def _edited(edit: Callable[[Dict[str, Any]], None]) -> Callable[[Any], Any]:
    """`describe` with an error in each entry of digital.json."""

    def make(right: Any) -> Any:
        def describe(*arguments: Any, **options: Any) -> Any:
            description = right(*arguments, **options)
            for entry in description["matrices"] + description["layers"]:
                edit(entry)
            return description

        return describe

    return make


def _without(name: str) -> Callable[[Any], Any]:
    """`plain` of a run without a field of the layers."""

    def make(right: Any) -> Any:
        def plain(value: Any) -> Any:
            entries = right(value)
            for layer in entries["network"]["layers"] if "network" in entries else ():
                layer.pop(name, None)
            return entries

        return plain

    return make


def _forget_columns(entry: Dict[str, Any]) -> None:
    if "column_sums_lsb" in entry:
        entry["column_sums_lsb"] = [0.0] * len(entry["column_sums_lsb"])


def _wider_step(entry: Dict[str, Any]) -> None:
    if "step" in entry:
        entry["step"] *= 1.1


PLANTED = {
    "the last of two joins wins": ("Concat", laws.gradient_follows_differences, Chunk, "skip_back", _last_join_wins),
    "a batch norm writes over what the RNN reads": (
        "Rnn",
        laws.gradient_follows_differences,
        simple_nodes.RnnNode,
        "needs_y",
        lambda right: False,
    ),
    "a gradient is written where the one before lies": (
        "Conv2d",
        laws.gradient_follows_differences,
        Workspace,
        "gradient",
        lambda right: lambda self, shape: self.array("gradient", shape),
    ),
    "interpolation back takes every second pixel": (
        "Upsample",
        laws.gradient_follows_differences,
        simple_nodes,
        "upsample_backward",
        lambda right: lambda dy, out: np.copyto(out, 4 * dy[:, ::2, ::2]),
    ),
    "clipped hidden activations pass their gradient": (
        "Rnn",
        laws.gradient_follows_differences,
        recurrent,
        "in_range",
        lambda right: lambda x, step, *, bits: x == x,
    ),
    "a weight's gradient is off by 0.1 %": (
        "Linear",
        laws.gradient_follows_differences,
        nodes.Node,
        "add_product",
        lambda right: lambda self, name, left, **options: right(self, name, 1.001 * left, **options),
    ),
    "the mean of a window sends back too much": (
        "AveragePool",
        laws.gradient_follows_differences,
        resample,
        "average_pool_backward",
        lambda right: lambda dy, shape, *, side: 2 * right(dy, shape, side=side),
    ),
    "a sum sends nothing to the earlier layer": (
        "Add",
        laws.gradient_follows_differences,
        join.Add,
        "backward",
        lambda right: lambda self, dy, kept: ((dy, 0 * dy), {}),
    ),
    "a branch that is taken up sends nothing back": (
        "Recall",
        laws.gradient_follows_differences,
        join.Recall,
        "backward",
        lambda right: lambda self, dy, kept: ((np.zeros_like(kept), 0 * dy), {}),
    ),
    "a bias gets the mean of its gradient": (
        "Bias",
        laws.gradient_follows_differences,
        bias.Bias,
        "backward",
        lambda right: lambda self, dy, kept: ((dy,), {self.name + ".offset": dy.reshape(-1, self.channels).mean(0)}),
    ),
    "the border of a window counts as pixels": (
        "AveragePool2d",
        laws.engine_is_the_plain_forward,
        windows.AveragePool2d,
        "_counts",
        lambda right: lambda self, shape: np.full(right(self, shape).shape, float(np.prod(self.kernel))),
    ),
    "a border carries code 0": (
        "Pad",
        laws.inference_is_the_plain_forward,
        windows,
        "bordered",
        lambda right: lambda x, border, *, fill=0: right(x, border),
    ),
    "images of odd sides are padded": ("Upsample", laws.engine_is_the_plain_forward, engine, "fitting_size", _even),
    "interpolation repeats pixels": (
        "Upsample",
        laws.engine_is_the_plain_forward,
        simple_nodes,
        "upsample_forward",
        lambda right: lambda x, out: np.copyto(out, x.repeat(2, axis=1).repeat(2, axis=2)),
    ),
    "the hidden matrix gets the input's zero point": (
        "Rnn",
        laws.inference_is_the_plain_forward,
        Rnn,
        "on_codes",
        _hidden_with_zero_point,
    ),
    "padding carries code 0": (
        "Conv2d",
        laws.inference_is_the_plain_forward,
        convolution,
        "im2col",
        lambda right: lambda x, kernel, *, fill=0, **options: right(x, kernel, **options),
    ),
    "a sum costs nothing": (
        "Add",
        laws.operations_are_counted,
        join.Add,
        "operations",
        lambda right: lambda self, inputs, output: FREE,
    ),
    "no zero point is taken back": (
        "Conv2d",
        laws.operations_are_counted,
        laws.operations,
        "matrix_codes",
        lambda right: lambda network: {name: Codes(codes.bits) for name, codes in right(network).items()},
    ),
    "products of one row of the image alone are counted": (
        "Conv2d",
        laws.operations_are_counted,
        convolution.Conv2d,
        "positions",
        lambda right: lambda self, output: output[1],
    ),
    "padding is not written": ("Conv2d", laws.json_gives_the_network_back, config, "plain", _without("padding")),
    "column sums are missing": (
        "Conv2d",
        laws.digital_json_is_enough,
        digital_json,
        "describe",
        _edited(_forget_columns),
    ),
    "a step is wrong": ("Quantize", laws.digital_json_is_enough, digital_json, "describe", _edited(_wider_step)),
    "predict raises on odd images": ("Upsample", laws.trains_and_predicts, engine, "fitting_size", _even),
}


LONG_SEARCHES = ("a batch norm writes over what the RNN reads", "the hidden matrix gets the input's zero point")


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=pytest.mark.slow) if name in LONG_SEARCHES else name for name in PLANTED]
)
def test_a_planted_fault_is_found(fault: str) -> None:
    kind, law, target, name, make = PLANTED[fault]
    with put(target, name, make):
        assert found(law, kind)

"""A network from an ONNX file on a chip: near its float network, biases and all, as far as writes and noise allow."""

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")

from minirram.accounting.shapes import of_network  # noqa: E402
from minirram.chip.dead_lines import ChipLines  # noqa: E402
from minirram.crossbar.conditions import Conditions  # noqa: E402
from minirram.crossbar.wires import Wires  # noqa: E402
from minirram.device.presets import technology  # noqa: E402
from minirram.errors import ConfigError, DataError, ShapeError  # noqa: E402
from minirram.inference.calibration import calibrate_ranges  # noqa: E402
from minirram.nn.forward import plain_forward  # noqa: E402
from minirram.onnx_import import network_from_onnx  # noqa: E402
from minirram.onnx_import.input_range import scaled_input  # noqa: E402
from minirram.runs import place as runs_place  # noqa: E402
from minirram.runs.place import Placing, place_network  # noqa: E402

from ..support.digital_reader import Controller  # noqa: E402
from ..support.onnx_models import model_of, node, numbers, save, small_network  # noqa: E402

QUIET = technology("taox-40nm").changed(read_noise=0.0)
SMALL = ChipLines((), (), "skip", 100, 24)
X = numbers((40, 3, 8, 8), 3)


@pytest.fixture
def files(tmp_path: Any) -> Any:
    """(ONNX file, its inputs without labels)"""
    np.savez(tmp_path / "x.npz", inputs=X)
    return save(small_network(), tmp_path / "m.onnx"), str(tmp_path / "x.npz")


def test_the_graph_alone_is_placed(files: Any) -> None:
    placed = place_network(files[0], Placing(QUIET))
    assert placed.written is None and placed.weights == 732 and placed.biases == 11 and placed.macros == 1
    digital = of_network(network_from_onnx(files[0], bits=8).network).digital
    biases = [layer for layer in network_from_onnx(files[0]).network.layers if type(layer).__name__ == "Bias"]
    assert [digital[layer.name].adds for layer in biases] == [6 * 64, 5]
    assert placed.total_J.low < placed.total_J.typical < placed.total_J.high


def test_without_noise_the_chip_answers_as_the_float_network(files: Any) -> None:
    placed = place_network(files[0], Placing(QUIET, tuning_error=0.0, adc_bits=16), data=files[1])
    written = placed.written
    assert written.judged_by == "float network" and written.calibration_samples == 20 and written.score.samples == 20
    assert written.weight_error < 1e-2 and written.logit_error < 0.04 and written.agreement >= 0.9
    assert written.agreement == written.score.accuracy == written.score.ideal.accuracy


def test_folding_batch_norms_and_more_bits_change_little(files: Any) -> None:
    kept, folded = (
        place_network(
            files[0], Placing(QUIET, tuning_error=0.0, adc_bits=16, fold_batch_norms=fold), data=files[1]
        ).written.logit_error
        for fold in (False, True)
    )
    coarse = place_network(files[0], Placing(QUIET, bits=3, tuning_error=0.0), data=files[1]).written.logit_error
    assert max(kept, folded) < 0.04 < coarse


@pytest.mark.slow
def test_fewer_writes_leave_weights_farther_from_their_targets(files: Any) -> None:
    errors = []
    for writes in (0, 200, 500, None):
        written = place_network(files[0], Placing(QUIET, writes=writes), data=files[1]).written
        assert writes is None or sum(written.writes.values()) <= writes == written.writes_allowed
        errors.append(written.weight_error)
        assert (written.off_target > 5) == (writes is not None)
    assert errors[0] > errors[1] > errors[2] > 10 * errors[3] > 0


@pytest.mark.parametrize(
    ("placing", "conditions"),
    [
        ({"cell_model": technology("taox-40nm").changed(read_noise=0.2)}, {}),
        ({"adc_bits": 4}, {}),
        ({"lines": SMALL}, {"wires": Wires(20.0, 20.0)}),
        ({}, {"adc_gain": 0.3}),
        ({}, {"adc_offset_lsb": 300.0}),
        ({"cell_model": technology("pcm").changed(read_noise=0.0)}, {"age_s": 1e8}),
        ({"tuning_error": 0.3}, {}),
    ],
    ids=["read noise", "ADC bits", "wires", "gain", "offset", "age", "tuning"],
)
def test_what_is_not_ideal_takes_the_answers_away(files: Any, placing: Any, conditions: Any) -> None:
    plain = dict({"cell_model": QUIET}, **{k: v for k, v in placing.items() if conditions})
    ideal = place_network(files[0], Placing(**plain), data=files[1]).written
    worse = place_network(
        files[0], Placing(**dict({"cell_model": QUIET}, **placing)), data=files[1], conditions=Conditions(**conditions)
    ).written
    assert worse.logit_error > 1.5 * ideal.logit_error


def test_labels_judge_and_channels_may_come_last(tmp_path: Any, files: Any) -> None:
    labels = np.arange(40) % 5
    np.savez(tmp_path / "first.npz", inputs=X, labels=labels)
    np.savez(tmp_path / "last.npz", inputs=X.transpose(0, 2, 3, 1), labels=labels)
    one, other = (
        place_network(files[0], Placing(QUIET), data=str(tmp_path / name)).written for name in ("first.npz", "last.npz")
    )
    assert one.judged_by == "labels" and one.score.accuracy == other.score.accuracy and one.writes == other.writes
    imported = network_from_onnx(files[0], weights=True)
    logits = plain_forward(imported.network, imported.weights, state=imported.state, x=X[20:].transpose(0, 2, 3, 1))
    assert one.float_accuracy == np.mean(logits.argmax(axis=1) == labels[20:])


def test_digital_json_and_the_conductances_are_enough(tmp_path: Any, files: Any, monkeypatch: Any) -> None:
    """A reader that knows the two files alone gives the logits of the ideal reads, biases among them."""
    seen = []

    class Listening(runs_place.Answers):
        def figures(self, predict: Any) -> Any:
            def listening(codes: np.ndarray) -> np.ndarray:
                seen.append((codes, predict(codes)))
                return seen[-1][1]

            return super().figures(listening)

    monkeypatch.setattr(runs_place, "Answers", Listening)
    lines = ChipLines(((0, 3),), ((0, 5),), "skip", 80, 40)
    placed = place_network(files[0], Placing(QUIET, lines=lines), data=files[1], out=tmp_path / "out")
    digital, conductance, _ = placed.written.files
    with open(digital) as handle:
        description = json.load(handle)
    assert sum("offset" in layer for layer in description["layers"]) == 3  # two biases, a batch norm
    controller = Controller(description, np.load(conductance))
    codes, logits = seen[-1]
    assert np.abs(controller.answer(codes) - logits).max() < 0.02 * np.abs(logits).max()


def test_inputs_of_another_range(tmp_path: Any) -> None:
    """Whatever the range, the network for codes gives what the network for values gives."""
    nodes = [
        node("Sub", "x h", "s"),
        node("Clip", "s lo hi", "k"),
        node("MaxPool", "k", "p", kernel_shape=[2, 2]),
        node("LRN", "p", "l", size=3, alpha=0.5),
        node("Mul", "l f", "m"),
        node("Conv", "m w b"),
    ]
    constants = {"h": numbers((1, 3, 1, 1), 1), "lo": np.float32(-2), "hi": np.float32(3), "f": numbers((3, 1, 1), 2)}
    model = model_of(nodes, dict(constants, w=numbers((4, 3, 3, 3)), b=numbers((4,))))
    imported = network_from_onnx(save(model, tmp_path / "m.onnx"), weights=True)
    scaled = scaled_input(imported, 7.5, zero=31)
    x = 4 * numbers((2, 8, 8, 3))
    expected, found = (
        plain_forward(one.network, one.weights, state=one.state, x=values)
        for one, values in ((imported, x), (scaled, x / np.float32(7.5)))
    )
    assert scaled.network.input_zero == 31
    assert np.abs(expected - found).max() < 1e-5 * np.abs(expected).max()
    joined = model_of([node("Conv", "x w", "c"), node("Add", "c x")], {"w": numbers((3, 3, 1, 1))})
    mixed = network_from_onnx(save(joined, tmp_path / "j.onnx"), weights=True)
    with pytest.raises(DataError, match="joins the input itself"):
        scaled_input(mixed, 2.0, zero=1)


def test_ranges_cover_what_the_calibration_inputs_make(tmp_path: Any, files: Any) -> None:
    imported = network_from_onnx(files[0], weights=True, bits=8)
    codes = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3)).astype(np.uint8)
    state = calibrate_ranges(imported.network, imported.state, weights=imported.weights, codes=codes)
    x = codes.astype(np.float32) / 255
    rounded, exact = (
        plain_forward(imported.network, imported.weights, state=one, x=x) for one in (state, imported.state)
    )
    assert 0 < np.abs(rounded - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"x": X}, DataError, "lacks the array 'inputs'"),
        ({"inputs": X[:, :2]}, ShapeError, r"takes \(3, 8, 8\), or \(8, 8, 3\)"),
        ({"inputs": np.full_like(X, np.nan)}, DataError, "NaN"),
        ({"inputs": 0 * X}, DataError, "all 0"),
        ({"inputs": X, "labels": np.full(40, 5)}, DataError, "labels 5 to 5 of 5 classes"),
        ({"inputs": X, "labels": np.zeros((40, 2), int)}, ShapeError, "expected integers"),
    ],
)
def test_data_that_do_not_fit(tmp_path: Any, files: Any, arrays: Any, error: Any, message: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(error, match=message):
        place_network(files[0], Placing(QUIET), data=str(tmp_path / "bad.npz"))


def test_a_depthwise_channel_without_a_signal_takes_its_neighbours_range(tmp_path: Any, files: Any) -> None:
    """Each group is a matrix of its own: no current flows in that of a channel that ReLU keeps at 0."""
    nodes = [
        node("Conv", "x w b", "c"),
        node("Relu", "c", "r"),
        node("Conv", "r v", "d", group=4),
        node("GlobalAveragePool", "d"),
    ]
    constants = {"w": numbers((4, 3, 3, 3)), "b": np.float32([-1e4, 0, 0, 0]), "v": numbers((4, 1, 3, 3))}
    path = save(model_of(nodes, constants), tmp_path / "dead.onnx")
    written = place_network(path, Placing(QUIET, tuning_error=0.0), data=files[1]).written
    assert written.logit_error < 0.04
    constants["b"] = np.float32([-1e4] * 4)
    path = save(model_of(nodes, constants), tmp_path / "all.onnx")
    with pytest.raises(ConfigError, match="no current flows in layer conv_d"):
        place_network(path, Placing(QUIET), data=files[1])


def test_networks_that_cannot_be_placed(tmp_path: Any, files: Any) -> None:
    path = save(model_of([node("Relu", "x")], {}), tmp_path / "r.onnx")
    with pytest.raises(DataError, match="without a matrix"):
        place_network(path, Placing(QUIET))
    one = [node("GlobalAveragePool", "x", "g"), node("Conv", "g w")]
    path = save(model_of(one, {"w": numbers((1, 3, 1, 1))}), tmp_path / "one.onnx")
    with pytest.raises(ConfigError, match="two classes or more"):
        place_network(path, Placing(QUIET), data=files[1])

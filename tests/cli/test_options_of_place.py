"""Every option of `place`, and `train --network`, changed, and its effect as predicted."""

import importlib
import json

import numpy as np
import pytest

from ..support.lab_files import POLICIES, kinds_refused
from ..support.options import call, figures, pools_made, shows

X = np.random.default_rng(3).standard_normal((24, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def onnx_models():
    """The module that makes models; without the package onnx the tests are skipped, this module can be imported."""
    pytest.importorskip("onnx", reason="needs the package onnx: pip install '.[onnx]'")
    return importlib.import_module("..support.onnx_models", __package__)


@pytest.fixture(scope="module")
def made(onnx_models, tmp_path_factory):
    """(ONNX file, data, folder)"""
    folder = tmp_path_factory.mktemp("place")
    lines = {"rows": 100, "pairs": 24, "dead_rows": [], "dead_cols": []}
    (folder / "lines.json").write_text(json.dumps(lines))
    np.savez(folder / "x.npz", inputs=X)
    return onnx_models.save(onnx_models.small_network(), folder / "m.onnx"), str(folder / "x.npz"), folder


def placed(made, *options):
    """What `place --weights` prints."""
    return figures("place", made[0], "--weights", "--data", made[1], "--threads", "1", *options)


def written(made, *options):
    """That of the written weights."""
    return placed(made, *options)["written"]


@shows("place", "NETWORK", "--weights", "--data")
def test_the_graph_alone_or_its_weights_and_their_answers(made, tmp_path):
    alone = figures("place", made[0])
    assert alone["written"] is None and alone["weights"] == 732 and alone["operators"]["Conv"] == 3
    assert placed(made)["written"]["score"]["samples"] == 12
    np.savez(tmp_path / "y.npz", inputs=X[:4], labels=np.arange(4))
    other = figures("place", made[0], "--weights", "--data", str(tmp_path / "y.npz"))["written"]
    assert other["score"]["samples"] == 2 and other["judged_by"] == "labels"
    refused = call("place", made[0], "--weights")
    assert refused.code == 2 and "--weights needs --data" in refused.err
    for idle in (("--data", made[1]), ("--writes", "3"), ("--age", "3"), ("--draws", "2")):
        refused = call("place", made[0], *idle)
        assert refused.code == 2 and "belongs to written weights" in refused.err
    missing = call("place", str(tmp_path / "no.onnx"))
    assert missing.code == 2 and "no.onnx" in missing.err
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07")
    assert call("place", str(tmp_path / "bad.onnx")).code == 3


@shows("place", "--writes", "--tuning-error")
def test_writes_are_spent_and_land_near_their_targets(made):
    few, all_of_them, coarse = (
        written(made, *options) for options in (("--writes", "90"), (), ("--tuning-error", "0.1"))
    )
    assert sum(few["writes"].values()) <= 90 < sum(all_of_them["writes"].values())
    assert few["weight_error"] > 10 * all_of_them["weight_error"] < coarse["weight_error"]


@pytest.mark.slow
@shows("place", "--epochs", "--learning-rate")
def test_the_chip_learns_on_after_the_writing(made, tmp_path):
    """No write at all leaves a poor network; its digital side learns around what was not written."""
    more = np.random.default_rng(8).standard_normal((400, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "l.npz", inputs=more[:100], train_inputs=more[100:])
    few = ("place", made[0], "--weights", "--data", str(tmp_path / "l.npz"), "--writes", "0", "--threads", "1")
    written_alone, learned, slow = (
        figures(*few, *options)["written"]
        for options in ((), ("--epochs", "9", "--learning-rate", "0.05"), ("--epochs", "9", "--learning-rate", "1e-9"))
    )
    assert learned["epochs"] == 9 and learned["writes"] == written_alone["writes"] == slow["writes"]
    assert learned["agreement"] > max(written_alone["agreement"], slow["agreement"]) + 0.05


@pytest.mark.slow
@shows("place", "--map", "--unit", "--faults", "--rows", "--cols")
def test_the_chip_is_a_measured_one_with_stuck_cells(made, tmp_path):
    map_S = np.random.default_rng(0).uniform(5e-6, 2e-5, (100, 48))
    np.save(tmp_path / "map.npy", map_S)
    measured = placed(made, "--map", str(tmp_path / "map.npy"), "--unit", "S")
    assert measured["macros"] == 1 and measured["utilisation"] == 732 / 2400
    assert measured["written"]["writes"] != written(made, "--rows", "100", "--cols", "48")["writes"]
    assert placed(made, "--rows", "100", "--cols", "48")["utilisation"] == 732 / 2400
    (tmp_path / "faults.txt").write_text("".join(f"0 {row} {col} stuck_on\n" for row in range(20) for col in (0, 4)))
    stuck = written(made, "--faults", str(tmp_path / "faults.txt"))
    assert stuck["stuck_cells"] == 40 and stuck["off_target"] > written(made)["off_target"]


@shows("place", *POLICIES)
def test_the_policies_arrive_where_maps_are_read(made, tmp_path):
    refused = kinds_refused("place", made[0], "--weights", "--data", made[1], folder=str(tmp_path), out=False)
    assert refused == ["missing", "open", "short", "offset"]


@pytest.mark.slow
@shows("place", "--bits", "--input-bits", "--adc-bits", "--adc-arrangement")
def test_codes_and_converters_have_the_bits_asked_for(made):
    fine = placed(made, "--read-noise", "0")
    for options in (("--bits", "3"), ("--input-bits", "2"), ("--adc-bits", "5")):
        coarse = placed(made, "--read-noise", "0", *options)
        assert coarse["written"]["logit_error"] > 1.5 * fine["written"]["logit_error"], options
        assert coarse["total_J"]["typical"] < fine["total_J"]["typical"]
        assert coarse["written"]["adc_bits"] == (5 if options[0] == "--adc-bits" else fine["written"]["adc_bits"])
    conversions = [
        sum(written(made, "--adc-arrangement", how)["score"]["conversions"].values()) for how in ("pair", "polarity")
    ]
    assert conversions[1] == 2 * conversions[0]


@shows("place", "--size", "--output", "--fold")
def test_the_graph_is_read_as_asked_for(made, onnx_models, tmp_path):
    node, numbers, save, model_of = (getattr(onnx_models, name) for name in ("node", "numbers", "save", "model_of"))
    nodes = [node("Conv", "x w", "z"), node("Relu", "z", "y")]
    path = save(
        model_of(nodes, {"w": numbers((4, 3, 3, 3))}, (1, 3, "h", "w"), outputs=("y", "z")), tmp_path / "two.onnx"
    )
    small, large = (figures("place", path, "--output", "z", "--size", size) for size in ("5x5", "5x7"))
    assert small["macs"] * 15 == large["macs"] * 9 and small["layers"] == 1
    assert call("place", path, "--size", "5x5").code == 3 and call("place", path, "--size", "5").code == 2
    kept, folded = (figures("place", made[0], *fold) for fold in ((), ("--fold",)))
    assert folded["biases"] == kept["biases"]  # of the graph alone nothing is folded
    assert placed(made, "--fold")["biases"] == kept["biases"] + 6


@pytest.mark.slow
@shows("place", "--technology", "--dead-lines", "--chip-seed", "--seed", "--read-noise", "--draws")
def test_the_chip_and_its_noise_are_those_asked_for(made):
    plain = written(made, "--read-noise", "0.3", "--draws", "2")
    assert len(plain["score"]["by_draw"]) == 2 and plain["read_noise"] == 0.3
    assert written(made, "--read-noise", "0")["logit_error"] < plain["logit_error"]
    other = written(made, "--read-noise", "0.3", "--draws", "2", "--seed", "5")
    assert other["writes"] == plain["writes"] and other["logit_error"] != plain["logit_error"]
    assert written(made, "--chip-seed", "5")["writes"] != plain["writes"]
    assert written(made, "--technology", "hfox-1t1r")["writes"] != plain["writes"]
    assert placed(made, "--dead-lines", str(made[2] / "lines.json"))["utilisation"] > 5 * placed(made)["utilisation"]


@pytest.mark.slow
@shows("place", "--out")
def test_what_a_controller_needs_is_written(made, tmp_path):
    files = written(made, "--out", str(tmp_path / "new"))["files"]
    assert [name.split("/")[-1] for name in files] == ["digital.json", "conductance.npy", "data.npz"]
    assert np.load(files[1]).shape == (1, 512, 512)


@pytest.mark.slow
@shows("place", "--wire-ohm", "--wire-model", "--adc-offset", "--adc-gain", "--held-noise", "--age", "--celsius")
def test_conditions_of_use_act(made):
    lines = ("--dead-lines", str(made[2] / "lines.json"), "--read-noise", "0")
    ideal = written(made, *lines)["logit_error"]
    for options in (("--wire-ohm", "20"), ("--adc-offset", "900"), ("--adc-gain", "0.4")):
        assert written(made, *lines, *options)["logit_error"] > 1.3 * ideal, options
    models = [
        written(made, *lines, "--wire-ohm", "20", "--wire-model", how)["logit_error"] for how in ("solve", "reduced")
    ]
    assert models[0] != models[1]
    free, held = (written(made, "--read-noise", "0.2", *options)["logit_error"] for options in ((), ("--held-noise",)))
    assert free != held
    young, old, hot = (
        written(made, "--technology", "hfox-1t1r", "--read-noise", "0", *options)["logit_error"]
        for options in ((), ("--age", "3e5"), ("--age", "3e5", "--celsius", "150"))
    )
    assert young < old < hot
    lawless = ("--technology", "pcm", "--age", "10", "--celsius", "60")
    refused = call("place", made[0], "--weights", "--data", made[1], *lawless)
    assert refused.code == 2 and "no temperature law" in refused.err


@shows("place", "--threads")
def test_threads_share_the_products_of_a_placed_network(made, monkeypatch):
    monkeypatch.setattr("minirram.nn.engine.engine.WORTH_TWO", 0)
    with pools_made() as pools:
        three = figures("place", made[0], "--weights", "--data", made[1], "--threads", "3")["written"]
    one = written(made)
    assert pools[("crossbar", 2)] > 0 and pools[("nn", 1)] == 1 and three["logit_error"] == one["logit_error"]


@shows("train", "--network")
def test_masks_are_learned_for_the_graph_of_a_file(runs, onnx_models, tmp_path):
    node, numbers, save, model_of = (getattr(onnx_models, name) for name in ("node", "numbers", "save", "model_of"))
    nodes = [
        node("Conv", "x w b", "c", strides=[3, 3]),
        node("Relu", "c", "r"),
        node("Flatten", "r", "f"),
        node("Gemm", "f v d", "g", transB=1),
        node("Softmax", "g", "y", axis=1),
    ]
    constants = {"w": numbers((4, 1, 4, 4)), "b": numbers((4,)), "v": numbers((10, 64)), "d": numbers((10,))}
    path = save(model_of(nodes, constants, (1, 1, 14, 14)), tmp_path / "m.onnx")
    answer = call(*runs.arguments(str(tmp_path / "run"), "--network", path), "--json")
    assert answer.code == 0 and "Softmax" in answer.err
    assert json.loads(answer.out)["weights"] == 64 + 640
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert [layer["type"] for layer in config["network"]["layers"]][:3] == ["Conv2d", "Bias", "Relu"]
    for command in ("evaluate", "energy", "export"):
        assert call(command, str(tmp_path / "run")).code == 0
    trained = np.load(tmp_path / "run" / "model.npz")
    assert trained["state/" + config["network"]["layers"][1]["name"] + ".offset"].any()
    for preset in ((), ("--preset", "quick")):  # a run goes on with its own network alone
        refused = call(*runs.arguments(runs.trained(*preset), "--network", path, "--resume", *preset))
        assert refused.code == 2 and "network" in refused.err
    wrong = save(model_of(nodes, constants, (1, 1, 20, 20)), tmp_path / "w.onnx")
    three = [node("Conv", "x w", "c"), node("GlobalAveragePool", "c")]
    colours = save(model_of(three, {"w": numbers((10, 3, 3, 3))}, (1, 3, 14, 14)), tmp_path / "colours.onnx")
    refused = call(*runs.arguments(str(tmp_path / "other"), "--network", colours))
    assert refused.code == 3 and "the task has (14, 14, 1)" in refused.err
    assert call(*runs.arguments(str(tmp_path / "same"), "--network", wrong)).code == 0  # the task's size is taken

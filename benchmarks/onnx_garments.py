"""A trained network as an ONNX file, for docs/onnx.md: `python benchmarks/onnx_garments.py --out FOLDER [--epochs 6]`.

A CNN for the built-in garments (14 x 14 pixels, ten classes) is trained with free float weights and written as
garments.onnx, as PyTorch would export it: Conv, BatchNormalization, Relu, MaxPool, Flatten, Gemm, channels first.
garments.npz holds drawn garments that it has not seen, and their labels. Needs the package onnx.
"""

import argparse
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from minirram import nn  # noqa: E402
from minirram.learn.free_weights import FloatLearner  # noqa: E402
from minirram.learn.recipe import Recipe  # noqa: E402
from minirram.tasks.codes import pooled  # noqa: E402
from minirram.tasks.fashion_mnist import TASK  # noqa: E402
from minirram.tasks.training_data import training_data  # noqa: E402

SAMPLES = 664
"""garments to be placed with: 64 for ranges, 600 to be answered"""
LESSONS = 3000
"""garments to learn from on the chip"""


def network():
    """21,472 weights. Its codes have 8 bits: as good as none."""
    block = [[nn.BatchNorm(f"norm{k}", c, affine=True), nn.Relu(f"relu{k}")] for k, c in enumerate((16, 32, 64), 1)]
    layers = [nn.Conv2d("conv1", 1, 16), *block[0], nn.Quantize("codes1", 8), nn.Conv2d("conv2", 16, 32), *block[1]]
    layers += [nn.MaxPool("pool", 2), nn.Quantize("codes2", 8), nn.Conv2d("conv3", 32, 64), *block[2]]
    layers += [nn.GlobalAverage("mean"), nn.Quantize("codes3", 8), nn.Linear("classes", 64, 10), nn.Bias("bias", 10)]
    return nn.Network("garments", (14, 14, 1), 8, tuple(layers))


def learn(epochs):
    """The FloatLearner with its best weights."""
    training, validation = TASK.draw_training()
    net = network()
    data = training_data(TASK.layout, training, validation=validation, network=net)
    learner = FloatLearner(net, Recipe(epochs=epochs, batch_size=60, learning_rate=0.05))
    for _ in range(epochs):
        row = learner.epoch(data)
        print(f"epoch {row['epoch']}: validation {row['validation']:.2%}", flush=True)
    learner.adopt(learner.best)
    return learner


def to_onnx(learner, path):
    """Write the learner's network as PyTorch would. Pixels 0..255 are divided by 255, which is left to the user."""
    nodes, tensors, last = [], [], "images"

    def add(kind, output, *arrays, **attributes):
        names = [f"{output}.{k}" for k in range(len(arrays))]
        tensors.extend(numpy_helper.from_array(np.ascontiguousarray(a), n) for a, n in zip(arrays, names))
        nodes.append(helper.make_node(kind, [last, *names], [output], name=output, **attributes))
        return output

    for layer in learner.network.layers:
        state = {k.rsplit(".", 1)[1]: v for k, v in learner.state.items() if k.startswith(layer.name + ".")}
        if isinstance(layer, nn.Conv2d):
            kernels = learner.weights[layer.name].reshape(*layer.kernel, layer.in_channels, layer.out_channels)
            last = add("Conv", layer.name, kernels.transpose(3, 2, 0, 1))
        elif isinstance(layer, nn.BatchNorm):
            last = add("BatchNormalization", layer.name, *(state[k] for k in ("gamma", "beta", "mean", "var")))
        elif isinstance(layer, nn.Relu):
            last = add("Relu", layer.name)
        elif isinstance(layer, nn.MaxPool):
            last = add("MaxPool", layer.name, kernel_shape=[2, 2], strides=[2, 2])
        elif isinstance(layer, nn.GlobalAverage):
            last = add("GlobalAveragePool", layer.name)
            last = add("Flatten", "flat")
        elif isinstance(layer, nn.Linear):
            bias = learner.state["bias.offset"]
            last = add("Gemm", layer.name, learner.weights[layer.name].T, bias, transB=1)
    nodes.append(helper.make_node("Softmax", [last], ["shares"], name="softmax", axis=1))
    graph = helper.make_graph(
        nodes,
        "garments",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 14, 14])],
        [helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["n", 10])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    with open(path, "wb") as handle:
        handle.write(model.SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    import machine

    machine.tell()
    os.makedirs(options.out, exist_ok=True)
    to_onnx(learn(options.epochs), os.path.join(options.out, "garments.onnx"))
    test = TASK.draw_test()
    images = pooled(test.inputs[:SAMPLES, :, :, None], 2).transpose(0, 3, 1, 2).astype(np.float32) / 255
    training, _ = TASK.draw_training()
    more = pooled(training.inputs[:LESSONS, :, :, None], 2).transpose(0, 3, 1, 2).astype(np.float32) / 255
    np.savez(
        os.path.join(options.out, "garments.npz"),
        inputs=images,
        labels=test.labels[:SAMPLES],
        train_inputs=more,
        train_labels=training.labels[:LESSONS],
    )


if __name__ == "__main__":
    main()

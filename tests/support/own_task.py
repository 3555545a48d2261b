"""Small tasks of a user's own, as files: a table of features, windows, images, images labelled by pixel."""

import csv
import json
from typing import Any, Dict, List, Tuple

import numpy as np

RECIPE = {"epochs": 3, "batch_size": 20, "hysteresis": 0.001, "hysteresis_end": 0.001}


def blobs(n: int, features: int, classes: int, seed: int = 0) -> Tuple[np.ndarray, np.ndarray]:
    """Features (n, features) around one centre per class, and the classes (n,), as many of each as of the others."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(n) % classes)
    return generator.normal(0, 1, (classes, features))[labels] * 1.5 + generator.normal(0, 1, (n, features)), labels


def save_table(path: str, inputs: np.ndarray, labels: Any, *, header: bool = True, delimiter: str = ",") -> None:
    """A table with the labels in its last column."""
    with open(path, "w", newline="") as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        if header:
            writer.writerow([f"f{k}" for k in range(inputs.shape[1])] + ["class"])
        writer.writerows([*(f"{value:.5g}" for value in row), label] for row, label in zip(inputs, labels))


def task_json(path: str, shape: Tuple[int, int, int], layers: List[Dict[str, Any]], **more: Any) -> None:
    """A task's file."""
    network = dict({"input_shape": list(shape), "input_bits": 4, "layers": layers}, **more.pop("network", {}))
    value = dict({"name": "mine", "network": network, "recipes": {"full": RECIPE}}, **more)
    with open(path, "w") as handle:
        json.dump(value, handle)


def full_layers(features: int, classes: int) -> List[Dict[str, Any]]:
    """Two full layers."""
    return [
        {"type": "Flatten", "name": "flat"},
        {"type": "Linear", "name": "fc1", "in_features": features, "out_features": 12},
        {"type": "BatchNorm", "name": "bn", "channels": 12, "affine": True},
        {"type": "Relu", "name": "relu"},
        {"type": "Quantize", "name": "act", "bits": 4},
        {"type": "Linear", "name": "fc2", "in_features": 12, "out_features": classes},
    ]


def windows(folder: str) -> None:
    """mine.json and mine.npz: signed windows of 37 steps and 4 channels, three classes, parts by the key `split`."""
    generator = np.random.default_rng(1)
    labels = np.arange(240) % 3
    time = np.arange(37)[None, :, None]
    pitch = np.array([2, 5, 9])[labels][:, None, None]
    phase = generator.uniform(0, 6, (240, 1, 4))
    inputs = np.sin(2 * np.pi * pitch * time / 37 + phase) + generator.normal(0, 0.3, (240, 37, 4))
    split = np.repeat(["train", "validation", "test"], [160, 40, 40])
    np.savez(folder + "/mine.npz", inputs=inputs, labels=labels, split=split, class_names=["low", "mid", "high"])
    layers = [
        {"type": "Conv2d", "name": "c1", "in_channels": 4, "out_channels": 8, "kernel": [1, 5], "stride": [1, 2]},
        {"type": "BatchNorm", "name": "b1", "channels": 8, "affine": True},
        {"type": "Relu", "name": "r1"},
        {"type": "GlobalAverage", "name": "mean"},
        {"type": "Quantize", "name": "a1", "bits": 4},
        {"type": "Linear", "name": "fc", "in_features": 8, "out_features": 3},
    ]
    task_json(folder + "/mine.json", (1, 37, 4), layers, network={"signed": True})


def residual_images(folder: str, n: int = 360) -> None:
    """mine.json and mine.npz: 11 x 13 pixels in 3 channels, four classes by colour and place, a residual network."""
    generator = np.random.default_rng(2)
    labels = np.arange(n) % 4
    images = generator.integers(0, 90, (n, 11, 13, 3))
    for image, label in zip(images, labels):
        row, col = generator.integers(1, 6), generator.integers(1, 7)
        image[row : row + 4, col : col + 5, label // 2] += 140 if label % 2 else 60
        image[row + 1, col : col + 5, 2] += 80 * (label % 2)
    np.savez(folder + "/mine.npz", inputs=images.astype(np.uint8), labels=np.array(["a", "b", "c", "d"])[labels])

    def conv(name: str, fan_in: int, fan_out: int, **more: Any) -> List[Dict[str, Any]]:
        convolution = dict(type="Conv2d", name=name, in_channels=fan_in, out_channels=fan_out, **more)
        return [convolution, {"type": "BatchNorm", "name": name + "_norm", "channels": fan_out, "affine": True}]

    layers = [
        *conv("stem", 3, 12, kernel=[3, 3], padding=[1, 1]),
        {"type": "Relu", "name": "stem_relu"},
        {"type": "Quantize", "name": "stem_codes", "bits": 4},
        *conv("branch", 12, 12, kernel=[3, 3], padding=[1, 1]),
        {"type": "Add", "name": "sum", "other": "stem_relu"},
        {"type": "Relu", "name": "sum_relu"},
        {"type": "MaxPool", "name": "pool", "size": 2},
        {"type": "Quantize", "name": "pool_codes", "bits": 4},
        *conv("last", 12, 16, kernel=[3, 3]),
        {"type": "Relu", "name": "last_relu"},
        {"type": "GlobalAverage", "name": "mean"},
        {"type": "Quantize", "name": "mean_codes", "bits": 4},
        {"type": "Linear", "name": "classes", "in_features": 16, "out_features": 4},
    ]
    task_json(folder + "/mine.json", (11, 13, 3), layers, recipes={"full": dict(RECIPE, epochs=12)})


def pixels(folder: str) -> None:
    """mine.json and mine.npz: 40 x 51 pixels in 2 channels, bright spots to be found, labels per pixel."""
    generator = np.random.default_rng(3)
    labels = (generator.random((8, 40, 51)) < 0.2).astype(np.uint8)
    images = generator.integers(0, 100, (8, 40, 51, 2)) + 100 * labels[..., None]
    np.savez(folder + "/mine.npz", inputs=images.astype(np.uint8), labels=labels)
    layers = [
        {"type": "Conv2d", "name": "c1", "in_channels": 2, "out_channels": 6, "padding": [1, 1]},
        {"type": "BatchNorm", "name": "b1", "channels": 6, "affine": True},
        {"type": "Relu", "name": "r1"},
        {"type": "Quantize", "name": "a1", "bits": 4},
        {"type": "Conv2d", "name": "out", "in_channels": 6, "out_channels": 2, "kernel": [1, 1]},
    ]
    recipe = dict(RECIPE, epochs=4, samples_per_epoch=160, batch_size=8)
    task_json(folder + "/mine.json", (24, 24, 2), layers, layout={"per_pixel": True}, recipes={"full": recipe})


def pixel_classes(folder: str) -> None:
    """mine.json and mine.npz: 40 x 51 pixels in 2 channels, three classes of pixels by their brightness."""
    generator = np.random.default_rng(4)
    labels = generator.choice(3, (8, 40, 51), p=(0.7, 0.2, 0.1))
    images = generator.integers(0, 50, (8, 40, 51, 2)) + 90 * np.stack([labels > 0, labels > 1], axis=-1)
    pixels(folder)
    np.savez(folder + "/mine.npz", inputs=images.astype(np.uint8), labels=labels)
    with open(folder + "/mine.json") as handle:
        document = json.load(handle)
    document["network"]["layers"][-1]["out_channels"] = 3
    document["recipes"]["full"].update(epochs=6, learning_rate=1.0)
    with open(folder + "/mine.json", "w") as handle:
        json.dump(document, handle)


def features(folder: str) -> None:
    """mine.json and mine.csv: 7 features, three classes."""
    inputs, labels = blobs(150, 7, 3)
    save_table(folder + "/mine.csv", inputs, np.array(["x", "y", "z"])[labels])
    task_json(folder + "/mine.json", (1, 1, 7), full_layers(7, 3), network={"signed": True})

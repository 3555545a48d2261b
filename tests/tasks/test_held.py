"""Data that a process holds: what it encodes of them is kept, the latest ones only."""

from dataclasses import replace

import numpy as np

from minirram.tasks import fashion_mnist
from minirram.tasks.datasets import dataset
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.held import KEPT, Held


def test_the_latest_encodings_are_kept():
    layout, drawn = fashion_mnist.LAYOUT, np.zeros((10, 28, 28), np.uint8)
    part = dataset(layout, {"inputs": drawn, "labels": np.arange(10, dtype=np.uint8)}, origin="drawn for a test")
    held, network = Held({"train": part, "validation": part, "test": part}), fashion_mnist_cnn()
    networks = [replace(network, name=f"number {number}") for number in range(KEPT + 1)]
    first, *latest = [held.training(layout, one) for one in networks]
    assert all(held.training(layout, one) is was for one, was in zip(networks[1:], latest))
    assert held.test(layout, network) is held.test(layout, network)
    assert held.training(layout, networks[-1]) is latest[-1]  # a test part takes the place of the oldest
    assert held.training(layout, networks[0]) is not first

"""What the built-in data look like, in rounded numbers: another picture would change every figure of the demo."""

import sys

import numpy as np

from minirram import rng
from minirram.tasks import drawn_digits, drawn_garments, drawn_vessels, retina

GARMENTS = [
    [44.1, 5.7, 4.8],
    [36.6, 6.3, 4.5],
    [51.6, 5.1, 6.1],
    [43.6, 6.3, 4.5],
    [63.8, 5.9, 6.0],
    [22.5, 4.6, 7.1],
    [44.2, 5.2, 5.7],
    [29.3, 4.0, 6.8],
    [42.1, 5.4, 5.6],
    [46.5, 5.0, 6.7],
]
DIGITS = [
    [82, 0.32],
    [60, 0.32],
    [43, 0.4],
    [55, 0.33],
    [65, 0.39],
    [71, 0.39],
    [85, 0.59],
    [77, 0.44],
    [67, 0.4],
    [77, 0.33],
]
VESSELS = [0.25, 0.13, 0.69]


def test_each_kind_of_garment_has_its_brightness_and_its_height_and_width():
    images, labels = drawn_garments.garments(rng.stream(0, "garments"), 400)
    place, shown = np.arange(28.0), []
    for label in range(10):
        mean = images[labels == label].mean(0, dtype=np.float64)
        share = [mean.sum(axis) / mean.sum() for axis in (1, 0)]
        spread = [np.sqrt(part @ (place - part @ place) ** 2) for part in share]
        shown.append([round(float(value), 1) for value in (mean.mean(), *spread)])
    assert shown == GARMENTS


def test_each_spoken_digit_has_its_length_and_loudness():
    signals, labels = drawn_digits.spoken_digits(rng.stream(0, "digits"), 100)
    shown = []
    for digit in range(10):
        spoken = [signal for signal, label in zip(signals, labels) if label == digit]
        crossings = np.mean([np.count_nonzero(np.diff(np.sign(signal))) / len(signal) for signal in spoken])
        shown.append([int(np.mean([len(signal) for signal in spoken]) / 50), round(float(crossings), 2)])
    assert shown == DIGITS


def test_vessels_cover_their_share():
    images, vessels, regions = drawn_vessels.vessel_images(rng.stream(0, "vessels"), 3)
    found = [images.mean() / 255, (vessels > 0).mean(), (regions > 0).mean()]
    assert [round(float(value), 2) for value in found] == VESSELS


def test_the_contrast_of_drawn_images_needs_no_scipy(monkeypatch):
    for name in ("scipy", "scipy.ndimage"):
        monkeypatch.setitem(sys.modules, name, None)
    assert retina.draw(rng.stream(0, "vessels"), 1)["inputs"].any()

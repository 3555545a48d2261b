"""Whole images on macros: noise of their own, the same answers with any threads, ideal reads where asked for."""

import time
from collections import namedtuple
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.wires import Wires
from minirram.device.presets import TAOX_40NM
from minirram.inference.calibration import calibrated
from minirram.inference.examine import examine, image_answers
from minirram.inference.model import Model
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.network import Network, initial_state, matrices
from minirram.rng import stream
from minirram.tasks.examinations import PixelExamination

NETWORK = Network(
    "pixels",
    (16, 16, 1),
    4,
    (
        Conv2d("first", 1, 6, (3, 3), (1, 1), (1, 1)),
        Relu("relu"),
        Quantize("codes", 4),
        Conv2d("last", 6, 2, (1, 1)),
    ),
)
Config = namedtuple("Config", ["network", "recipe", "wires"])
CONFIG = Config(NETWORK, namedtuple("Seeded", ["seed"])(3), None)


@pytest.fixture(scope="module")
def run():
    """(chip, model, three images)"""
    lines = ChipLines(rows=32, pairs=16)
    chip = Chip.sample(TAOX_40NM.changed(read_noise=0.2), matrices(NETWORK), level="pair", seed=4, lines=lines)
    chip.form(TAOX_40NM.forming_voltage_V(0.9999))
    generator = stream(5, "whole images")
    signs = {name: generator.random(shape) < 0.5 for name, shape in matrices(NETWORK)}
    chip.reset_partners(signs)
    state = dict(initial_state(NETWORK), **{"codes.range": np.float32(2)})
    model = Model(chip.placement, signs, {name: 2e-5 for name in signs}, adcs={}, state=state)
    codes = generator.integers(0, 16, (3, 37, 21, 1)).astype(np.uint8)
    model = calibrated(NETWORK, model, chip=chip, codes=codes[:, :16, :16], adc_bits=8, arrangement="pair")
    return chip, model, PixelExamination(codes, codes[..., 0] > 7, codes[..., 0] < 15)


def examined(run, examination=None, **options):
    chip, model, asked = run
    asked = asked if examination is None else examination
    options = dict({"split": "validation", "threads": 1}, **options)
    return examine(CONFIG, chip, model=model, examination=asked, **options)


def answers(run, examination, threads=1):
    chip, model, _ = run
    return image_answers(CONFIG, chip, model=model, examination=examination, split="validation", threads=threads)


def test_threads_over_images_change_no_answer_and_no_count(run):
    one, two = (replace(examined(run, threads=n, draws=2), samples_per_second=0.0) for n in (1, 2))
    assert one == two and one.by_draw[0] != one.by_draw[1]
    per_pixel = {"first": 6, "last": 2}
    assert one.conversions == {name: 3 * 37 * 21 * n * 4 for name, n in per_pixel.items()}


def test_an_image_is_answered_alike_alone_and_among_others(run):
    _, _, asked = run
    whole = answers(run, asked, threads=2)
    assert np.array_equal(answers(run, asked.first(1)), whole[:1])
    same = replace(asked, codes=np.repeat(asked.codes[:1], 3, axis=0))
    apart = answers(run, same)
    assert np.array_equal(apart[0], whole[0]) and not np.array_equal(apart[1], apart[0])  # noise of its own


def test_ideal_reads_are_those_without_noise(run):
    chip, model, asked = run
    assert examined(run).ideal is None
    first, second = (examined(run, ideal=True, split=split).ideal for split in ("validation", "test"))
    assert first is not None and first == second and first.roc_auc != examined(run).roc_auc


def test_an_image_that_fails_stops_the_others(run):
    _, _, asked = run

    class Failing(PixelExamination):
        def answer(self, index, predict, *, fits=None):
            if index == 0:
                raise MemoryError("the first image")
            return super().answer(index, predict, fits=fits)

    with pytest.raises(MemoryError):
        examined(run, Failing(asked.codes, asked.labels, asked.region), threads=2)


def test_the_images_of_a_run_are_answered_on_its_own_wires(run):
    chip, model, asked = run
    wired = CONFIG._replace(wires=Wires(200.0, 200.0))
    options = dict(model=model, examination=asked, split="validation", threads=1)
    found = image_answers(wired, chip, **options)
    assert asked.scores(found)["roc_auc"] == examine(wired, chip, **options).roc_auc
    assert not np.array_equal(found, answers(run, asked))


def test_images_that_are_under_way_end_when_another_fails(run):
    """The second image asks again and again: only a stop ends it before its time."""
    _, _, asked = run
    begun, ended = Event(), []

    class Failing(PixelExamination):
        def answer(self, index, predict, *, fits=None):
            if index == 0:
                begun.wait(5)
                raise MemoryError("the first image")
            begun.set()
            until = time.monotonic() + 5
            while time.monotonic() < until:
                try:
                    predict(self.codes[:1, :16, :16])
                except RuntimeError as error:
                    ended.append(str(error))
                    raise
            return super().answer(index, predict, fits=fits)

    with pytest.raises(MemoryError):
        examined(run, Failing(asked.codes[:2], asked.labels[:2], asked.region[:2]), threads=2)
    assert ended == ["another image was not answered"]

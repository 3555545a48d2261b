"""Arrays of one's own: a stratified split that a seed decides, classes by number or name, checks with clear errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.errors import ConfigError, DataError, ShapeError
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.network import Network
from minirram.tasks.labelled_data import LabelledData

PARTS = ("training", "validation", "test")


def numbered_inputs(n):
    """Inputs (n, 2) float32 that hold their number."""
    return np.stack([np.arange(n), -np.arange(n)], axis=1).astype(np.float32)


@given(st.lists(st.integers(3, 60), min_size=2, max_size=5), st.integers(0, 2**31), st.data())
def test_a_split_takes_every_sample_once_and_of_each_class_its_share(counts, seed, data):
    validation = data.draw(st.floats(0.05, 0.3))
    test = data.draw(st.floats(0.05, 0.3))
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    split = LabelledData.split(numbered_inputs(len(labels)), labels, validation=validation, test=test, seed=seed)
    parts = [getattr(split, name) for name in PARTS]
    found = np.concatenate([part.inputs[:, 0] for part in parts]).astype(int)
    np.testing.assert_array_equal(np.sort(found), np.arange(len(labels)))
    for part in parts:
        np.testing.assert_array_equal(part.labels, labels[part.inputs[:, 0].astype(int)])
        assert (np.diff(part.inputs[:, 0]) > 0).all()  # the order of the caller is kept
    for share, part in ((validation, split.validation), (test, split.test)):
        for number, count in enumerate(counts):
            assert (part.labels == number).sum() == max(round(share * count), 1)


def test_the_seed_decides_the_split():
    labels = np.arange(60) % 3
    first, again, other = (LabelledData.split(numbered_inputs(60), labels, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.test.inputs, again.test.inputs)
    assert not np.array_equal(first.test.inputs, other.test.inputs)


def test_texts_are_classes_in_alphabetical_order():
    split = LabelledData.split(numbered_inputs(30), np.array(["walk", "sit", "run"] * 10))
    assert split.training.class_names == ("run", "sit", "walk")
    assert set(split.training.labels[split.training.inputs[:, 0] % 3 == 0]) == {2}
    named = LabelledData.split(numbered_inputs(30), np.arange(30) % 2, class_names=("no", "yes"))
    assert named.test.class_names == ("no", "yes")
    assert LabelledData.split(numbered_inputs(30), np.arange(30) % 2 == 0).test.class_names == ("0", "1")


@pytest.mark.parametrize("dtype, kept", [("uint8", "uint8"), ("int16", "float32"), ("float64", "float32")])
def test_bytes_stay_and_other_numbers_become_float32(dtype, kept):
    split = LabelledData.split(np.arange(120).reshape(30, 2, 2).astype(dtype), np.arange(30) % 2)
    assert split.training.inputs.dtype == kept and split.training.inputs.shape[1:] == (2, 2)


INPUTS, LABELS = numbered_inputs(30), np.arange(30) % 3
HOLED = INPUTS.copy()
HOLED[[4, 9], 1] = np.nan


@pytest.mark.parametrize(
    "inputs, labels, options, error, message",
    [
        (HOLED, LABELS, {}, DataError, "the inputs: 2 hold NaN or infinity, the first is number 4"),
        (INPUTS.astype(float) * 1e38, LABELS, {}, DataError, "is beyond float32"),
        (INPUTS, LABELS + 1, {}, DataError, "class '0' .*; classes are numbered from 0"),
        (INPUTS, np.array(["a", "b\nc", "d"])[LABELS], {}, DataError, "holds a line break"),
        (INPUTS[:, 0], LABELS, {}, ShapeError, r"shape \(30,\); samples are \(n, ...\)"),
        (np.zeros((30, 2, 2, 2, 2)), LABELS, {}, ShapeError, "one to three axes"),
        (INPUTS.astype(complex), LABELS, {}, DataError, "the inputs are complex128"),
        (INPUTS, LABELS[:29], {}, ShapeError, "30 inputs and 29 labels"),
        (INPUTS, LABELS[:, None], {}, ShapeError, r"the labels have the shape \(30, 1\)"),
        (INPUTS, LABELS * 0, {}, DataError, "all samples are of class '0'"),
        (INPUTS, LABELS * 2, {}, DataError, r"no sample is of class '1' \(number 1\)"),
        (INPUTS, LABELS - 1, {}, DataError, "the labels begin at -1"),
        (INPUTS, LABELS / 2, {}, DataError, "the labels are float64; they must be integers or texts"),
        (INPUTS, LABELS, dict(class_names=("a", "b")), DataError, "label 2, but only 2 class names"),
        (INPUTS, LABELS.astype(str), dict(class_names=("a", "b", "c")), ConfigError, "name their classes themselves"),
        (INPUTS, np.repeat([0, 1], [28, 2]), {}, DataError, "class '1' has 2 samples; the three parts need at least 3"),
        (INPUTS, LABELS, dict(test=0.9), ConfigError, "shares lie above 0 and leave something to learn from"),
        (INPUTS, LABELS, dict(validation=0.0), ConfigError, "a validation share of 0"),
    ],
)
def test_what_cannot_be_split_says_why(inputs, labels, options, error, message):
    with pytest.raises(error, match=message):
        LabelledData.split(inputs, labels, **options)


def test_parts_that_are_split_already_keep_their_places():
    pairs = [(INPUTS[k::3] + 0.5, np.array(["b", "a"] * 5)) for k in range(3)]
    data = LabelledData.of_parts(*pairs[:2], test=pairs[2])
    for name, (inputs, labels) in zip(PARTS, pairs):
        part = getattr(data, name)
        np.testing.assert_array_equal(part.inputs, inputs)
        assert part.class_names == ("a", "b") and part.labels.tolist() == [int(text == "b") for text in labels]
    named = [(inputs, (labels == "b").astype(int)) for inputs, labels in pairs]
    assert LabelledData.of_parts(*named[:2], test=named[2], class_names=("x", "y")).training.class_names == ("x", "y")
    with pytest.raises(ShapeError, match="the three parts are float32 .2,., float32 .2,., float32 .1,.; they must be"):
        LabelledData.of_parts(*pairs[:2], test=(INPUTS[:10, :1], pairs[2][1]))
    with pytest.raises(ShapeError, match="9 test inputs and 10 labels"):
        LabelledData.of_parts(*pairs[:2], test=(INPUTS[:9], pairs[2][1]))


def network_of(shape, classes=3):
    return Network("n", shape, 4, (Flatten("f"), Linear("fc", int(np.prod(shape)), classes)))


@pytest.mark.parametrize(
    "sample, shape",
    [((5,), (1, 1, 5)), ((9,), (1, 9, 1)), ((9, 2), (1, 9, 2)), ((4, 5), (4, 5, 1)), ((4, 5, 3), (4, 5, 3))],
)
def test_the_layout_of_every_kind_of_sample(sample, shape):
    inputs = np.random.default_rng(0).random((30,) + sample)
    layout = LabelledData.split(inputs, LABELS).layout(network_of(shape))
    assert (layout.input_shape, layout.input_dtype, layout.per_pixel) == (sample, "float32", False)
    assert len(layout.codes.low) == shape[-1] and layout.codes.clips


def test_a_layout_that_the_network_does_not_take_is_refused():
    split = LabelledData.split(np.random.default_rng(0).random((30, 4, 5)), LABELS)
    with pytest.raises(ShapeError, match="which takes"):
        split.layout(network_of((5, 4, 1)))
    five = LabelledData.split(np.random.default_rng(0).random((30, 4, 5, 5)), LABELS)
    with pytest.raises(ShapeError, match="images of 4 x 5 x 5: 5 channels; choose 1 to 4"):
        five.layout(network_of((4, 5, 5)))

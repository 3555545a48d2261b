"""Shape lists against the counts that others publish for the same networks."""

import pytest

from minirram.accounting import shapes
from minirram.errors import ConfigError
from minirram.nn.network import conversions, input_bits, macs
from minirram.nn.operations import FLOAT_BITS, DigitalEvents, digital_events
from minirram.tasks import spoken_digits


def listed(name, classes, size=224):
    return shapes.of_products(name, shapes.NETWORKS[name](classes, size), size=size)


def test_resnet50_has_the_published_counts():
    """23,454,912 convolution weights and 2,048,000 of the classifier; 4.09 G MACs (torchvision's table)."""
    found = listed("resnet50", 1000)
    weights = {name: rows * cols for name, (rows, cols) in found.matrices}
    assert len(weights) == 54 and weights.pop("fc") == 2048 * 1000
    assert sum(weights.values()) == 23_454_912
    assert found.macs == pytest.approx(4.089e9, rel=1e-3)


def test_vgg16_has_the_published_counts():
    """14,710,464 convolution weights, 123,633,664 of the classifier; 15.47 G MACs (torchvision's table)."""
    found = listed("vgg16", 1000)
    assert len(found.matrices) == 16
    assert found.weights == 14_710_464 + 123_633_664
    assert found.macs == 15_470_264_320


def test_a_bottleneck_narrows_and_widens_again():
    """He et al., table 1: 1 x 1, 3 x 3, 1 x 1; the shortcut of a stage's first block is as wide as its output."""
    shape = dict(listed("resnet50", 100).matrices)
    assert [shape["conv4_1" + part] for part in "abcs"] == [(512, 256), (2304, 256), (256, 1024), (512, 1024)]
    assert [shape["conv4_2" + part] for part in "abc"] == [(1024, 256), (2304, 256), (256, 1024)]
    assert "conv4_2s" not in shape and shape["fc"] == (2048, 100)
    stem = shapes.NETWORKS["resnet50"](100, 224)[0]  # and a 3 x 3 maximum, 64 channels of 56 x 56
    assert (stem.compares, stem.written) == (8 * 64 * 56 * 56, 64 * 56 * 56)


def test_positions_follow_the_strides():
    found = listed("resnet50", 100)
    assert found.positions["conv1"] == 112 * 112 and found.positions["conv2_1a"] == 56 * 56
    assert found.positions["conv3_1a"] == 56 * 56 and found.positions["conv3_1b"] == 28 * 28
    assert found.positions["conv5_3c"] == 49 and found.positions["fc"] == 1
    small = listed("resnet50", 10, 32)
    assert small.positions["conv5_1b"] == 1 and small.weights == found.weights - 2048 * 90


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_sizes_that_do_not_halve(name):
    with pytest.raises(ConfigError, match="100 is no multiple of 32"):
        shapes.NETWORKS[name](10, 100)


def test_arithmetic_behind_a_pool_and_a_residual_branch():
    vgg = listed("vgg16", 100)
    n, pooled = 64 * 224**2, 64 * 112**2
    assert vgg.digital["conv1_1"] == DigitalEvents(3 * n, n, 3 * n, 8 * n)
    assert vgg.digital["conv1_2"] == DigitalEvents(2 * n + pooled, n, n + 3 * pooled + 2 * pooled, 8 * pooled)
    resnet = listed("resnet50", 100)
    n = 256 * 56**2
    assert resnet.digital["conv2_1c"].adds == 2 * n
    held = resnet.digital["conv2_1c"]  # the branch waits in the buffer
    assert held.bits_kept == held.bits_taken == held.bits_freed == FLOAT_BITS * n
    assert vgg.digital["conv1_1"].bits_kept == 0
    assert resnet.digital["input"].bits_written == 3 * 224**2 * 8


def test_a_network_is_described_by_its_own_counts():
    network = spoken_digits.spoken_digit_crnn()
    found = shapes.of_network(network)
    assert found.macs == macs(network) and found.weights == 68480
    assert found.bits == input_bits(network) and found.digital == digital_events(network)
    outputs = sum(conversions(network).values())
    written = sum(entry.bits_written for entry in found.digital.values())
    assert found.activations == outputs + written / 3 and outputs == 15178

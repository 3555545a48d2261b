"""The drawn eyes: field of view, share of vessels, connected trees, and vessels that can be seen."""

import numpy as np
import pytest

from minirram import rng
from minirram.tasks import drawn_vessels, fundus, metrics


@pytest.fixture(scope="module")
def eyes():
    return drawn_vessels.vessel_images(rng.stream(1, "eyes"), 6)


def test_arrays_and_shares(eyes):
    grey, vessels, region = eyes
    side = drawn_vessels.SIDE
    assert grey.shape == vessels.shape == region.shape == (6, side, side)
    assert grey.dtype == vessels.dtype == np.uint8 and region.dtype == np.bool_
    assert not grey[~region].any() and not vessels[~region].any()
    assert set(np.unique(vessels)) == {0, 1}
    assert 0.6 < region.mean() < 0.75
    shares = vessels.sum((1, 2)) / region.sum((1, 2))
    assert (shares > 0.05).all() and (shares < 0.35).all()


def test_eyes_differ_and_repeat_with_their_stream(eyes):
    grey, vessels, _ = eyes
    assert len({image.tobytes() for image in vessels}) == 6
    again = drawn_vessels.vessel_images(rng.stream(1, "eyes"), 6)
    np.testing.assert_array_equal(grey, again[0])


def test_vessels_of_one_pixel_and_more_hang_together(eyes):
    """Nearly all vessel pixels are reached from the largest tree, step by step to the eight neighbours."""
    for image in eyes[1]:
        reached = np.zeros(image.shape, bool)
        rows, cols = np.nonzero(image)
        thick = np.argmax([image[r - 2 : r + 3, c - 2 : c + 3].sum() for r, c in zip(rows, cols)])
        reached[rows[thick], cols[thick]] = True
        while True:
            spread = np.pad(reached, 1)
            grown = np.zeros_like(reached)
            for dr in range(3):
                for dc in range(3):
                    grown |= spread[dr : dr + image.shape[0], dc : dc + image.shape[1]]
            grown &= image.astype(bool)
            if (grown == reached).all():
                break
            reached = grown
        assert reached.sum() > 0.8 * image.sum()


def test_vessels_are_darker_but_one_pixel_alone_does_not_tell(eyes):
    grey, vessels, region = eyes
    flat = np.stack([fundus.normalise_contrast(g, r, smooth=fundus.box_smooth) for g, r in zip(grey, region)])
    area = metrics.roc_auc(255 - flat[region].astype(np.int64), vessels[region])
    assert 0.75 < area < 0.95


def test_a_disc_covers_its_area():
    for half_width in (1.0, 2.0, 3.3):
        cover = drawn_vessels._coverage(np.array([[0.3, -0.2, half_width]]))
        assert cover.sum() == pytest.approx(np.pi * half_width**2, rel=0.15)
        assert cover.max() == 1.0

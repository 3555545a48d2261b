"""Contrast, crops and tiles of eye images: against slow loops, and the laws they must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram import rng
from minirram.errors import ConfigError, DataError, ShapeError
from minirram.tasks import fundus


def disc(height, width):
    row, col = np.mgrid[:height, :width]
    return (row - height / 2) ** 2 + (col - width / 2) ** 2 < (0.45 * min(height, width)) ** 2


def shaded(seed=0, height=70, width=90):
    row, col = np.mgrid[:height, :width]
    texture = rng.stream(seed, "texture").standard_normal((height, width))
    return 90 + 0.6 * row - 0.3 * col + 8 * texture


def test_contrast_is_centred_scaled_and_blind_to_light_and_gain():
    region = disc(70, 90)
    flat = fundus.normalise_contrast(shaded(), region, smooth=fundus.box_smooth)
    assert flat.dtype == np.uint8 and (flat[~region] == fundus.MIDDLE_GREY).all()
    inside = flat[region].astype(np.float64)
    assert abs(inside.mean() - 128) < 0.5 and abs(inside.std() - 40) < 1
    brighter = fundus.normalise_contrast(3 * shaded() + 50, region, smooth=fundus.box_smooth)
    assert np.abs(brighter.astype(int) - flat).max() <= 1
    shade = np.corrcoef(flat[region], np.mgrid[:70, :90][0][region])[0, 1]
    assert abs(shade) < 0.25 < 0.7 < np.corrcoef(shaded()[region], np.mgrid[:70, :90][0][region])[0, 1]


def test_what_lies_outside_the_region_does_not_matter():
    region = disc(70, 90)
    other = np.where(region, shaded(), 255)
    first, second = (fundus.normalise_contrast(image, region, smooth=fundus.box_smooth) for image in (shaded(), other))
    np.testing.assert_array_equal(first, second)


def test_box_smooth_is_about_the_gaussian_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    image = np.zeros((101, 101))
    image[50, 50] = 1
    ours, theirs = fundus.box_smooth(image, 8.5), ndimage.gaussian_filter(image, 72**0.5)  # 72 = 8 * 9
    assert ours.sum() == pytest.approx(1)
    assert np.abs(ours - theirs).max() < 0.15 * theirs.max()  # a triple box is 6 % flatter along each axis
    region = disc(70, 90)
    flat = fundus.normalise_contrast(shaded(), region, smooth=fundus.box_smooth)
    assert np.abs(flat.astype(int) - fundus.normalise_contrast(shaded(), region, smooth=None)).mean() < 2


def test_running_mean_agrees_with_a_loop():
    image = rng.stream(1, "image").random((5, 9))
    padded = np.pad(image, [(0, 0), (2, 2)])
    loop = np.stack([padded[:, k : k + 5].mean(1) for k in range(9)], axis=1)
    np.testing.assert_allclose(fundus._running_mean(image, 2, 1), loop, rtol=1e-12)
    np.testing.assert_allclose(fundus._running_mean(image.T, 2, 0), loop.T, rtol=1e-12)


@pytest.mark.parametrize(
    "grey, region, error, message",
    [
        (np.ones((4, 5)), np.ones((4, 4), bool), ShapeError, "one shape"),
        (np.ones((4, 5)), np.zeros((4, 5), bool), DataError, "field of view is empty"),
        (np.ones((9, 9)), np.ones((9, 9), bool), DataError, "flat inside"),
    ],
)
def test_images_without_contrast_are_refused(grey, region, error, message):
    identity = {"smooth": lambda image, radius_px: image}
    with pytest.raises(error, match=message):
        fundus.normalise_contrast(grey, region, **identity)


def numbered(n=3, height=20, width=26):
    """Images in which every pixel has a value of its own, so that a crop tells where it comes from."""
    inputs = np.arange(n * height * width, dtype=np.int32).reshape(n, height, width)
    region = np.repeat(disc(height, width)[None], n, axis=0)
    return inputs, (inputs % 2).astype(np.uint8), region


@given(st.integers(1, 20), st.integers(0, 2**31))
@settings(max_examples=30)
def test_crops_are_pieces_of_the_images_with_their_labels(size, seed):
    inputs, labels, region = numbered()
    crops = fundus.Crops(inputs, labels, region=region, size=size)
    x, y, r = crops.draw(rng.stream(seed, "crops"), 12)
    assert x.shape == y.shape == r.shape == (12, size, size)
    np.testing.assert_array_equal(y, labels.ravel()[x])
    np.testing.assert_array_equal(r, region.ravel()[x])
    for crop in x:
        first = crop.min()
        image, row, col = np.unravel_index(first, inputs.shape)
        piece = inputs[image, row : row + size, col : col + size]
        np.testing.assert_array_equal(np.sort(crop, axis=None), piece.ravel())
        assert region[image, row + size // 2, col + size // 2]
        ways = [np.rot90(p, k) for p in (piece, piece[:, ::-1]) for k in range(4)]
        assert any((crop == way).all() for way in ways)


def test_crops_reach_every_place_and_all_eight_orientations():
    inputs, labels, region = numbered(1, 8, 8)
    x, _, _ = fundus.Crops(inputs, labels, region=np.ones_like(region), size=7).draw(rng.stream(0, "crops"), 2000)
    assert len(np.unique(x.reshape(len(x), -1), axis=0)) == 4 * 8
    again = fundus.Crops(inputs, labels, region=np.ones_like(region), size=7).draw(rng.stream(0, "crops"), 2000)[0]
    np.testing.assert_array_equal(x, again)


def test_turned_agrees_with_a_loop():
    crops = rng.stream(2, "crops").random((16, 5, 5))
    which = np.arange(16) % 8
    for crop, way, out in zip(crops, which, fundus.turned(crops, which)):
        expected = np.rot90(np.fliplr(crop) if way >= 4 else crop, way % 4)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("size, message", [(0, "crops of 0"), (21, "the images are 20 x 26")])
def test_crops_that_do_not_fit_are_refused(size, message):
    with pytest.raises(ConfigError, match=message):
        inputs, labels, region = numbered()
        fundus.Crops(inputs, labels, region=region, size=size)


def test_crops_need_a_region():
    inputs, labels, region = numbered()
    with pytest.raises(ConfigError, match="no crop of 5 pixels"):
        fundus.Crops(inputs, labels, region=np.zeros_like(region), size=5)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.data())
def test_tiles_of_a_pixelwise_answer_give_the_whole_image(height, width, size, data):
    step = data.draw(st.integers(1, size))
    image = rng.stream(height, width, "image").random((height, width)).astype(np.float32)
    sizes = []

    def predict(tiles):
        sizes.append(len(tiles))
        assert tiles.shape[1:] == (size, size)
        return 1 - tiles

    whole = fundus.predict_by_tiles(predict, image, size=size, step=step, batch=5)
    np.testing.assert_allclose(whole, 1 - image, rtol=0, atol=1e-5)
    assert max(sizes) <= 5


def test_tiles_of_several_classes_are_blended_as_each_class_alone():
    image = rng.stream(3, "classes").random((9, 14, 2)).astype(np.float32)

    def classes(tiles):
        return np.stack([tiles[..., 0], tiles[..., 1], tiles.sum(axis=-1)], axis=-1)

    whole = fundus.predict_by_tiles(classes, image, size=6, step=4)
    assert whole.shape == (9, 14, 3)
    for k in range(3):
        alone = fundus.predict_by_tiles(lambda tiles, k=k: classes(tiles)[..., k], image, size=6, step=4)
        np.testing.assert_array_equal(whole[..., k], alone)


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_tiles_cover_everything_and_stay_inside(length, size, data):
    step = data.draw(st.integers(1, size))
    starts = fundus.tile_starts(length, size, step=step)
    covered = {place for start in starts for place in range(start, start + size)}
    assert set(range(length)) <= covered
    assert starts[0] == 0 and (np.diff(starts) <= step).all() and (np.diff(starts) > 0).all()
    assert starts[-1] + size == max(length, size)


@given(st.integers(1, 3000), st.integers(100, 600), st.integers(1, 32))
def test_even_windows_cover_everything_with_little_overlap(length, largest, overlap):
    size, starts = fundus.even_windows(length, largest=largest, overlap=overlap)
    assert size <= largest and starts[0] == 0 and starts[-1] + size == length
    assert len(starts) == 1 or (starts[:-1] + size - starts[1:] >= overlap).all()
    assert size * len(starts) <= length + (len(starts) - 1) * overlap + len(starts) - 1


@given(st.integers(1, 70), st.integers(1, 70), st.integers(6, 40), st.integers(1, 8))
def test_windows_of_a_pixelwise_answer_give_the_whole_image(height, width, largest, multiple):
    image = rng.stream(height, width, "image").random((height, width)).astype(np.float32)
    sizes = set()

    def predict(windows):
        sizes.add(windows.shape)
        return 1 - windows

    whole = fundus.predict_by_windows(
        predict, image, fits=lambda size: tuple(-(-n // multiple) * multiple for n in size), largest=largest, overlap=5
    )
    np.testing.assert_allclose(whole, 1 - image, rtol=0, atol=1e-5)
    ((count, *size),) = sizes
    assert count == 1 and all(n % multiple == 0 and n < largest + multiple for n in size)


def test_tiles_count_most_in_their_middle():
    """Two tiles that disagree: near its own middle each wins, half way they balance."""
    calls = iter([0.0, 1.0])

    def predict(tiles):
        return np.stack([np.full(tile.shape, next(calls), np.float32) for tile in tiles])

    blended = fundus.predict_by_tiles(predict, np.zeros((8, 12), np.float32), size=8, step=4)
    assert (blended[:, :4] == 0).all() and (blended[:, 8:] == 1).all()
    assert (np.diff(blended[0, 3:9]) > 0).all()
    np.testing.assert_allclose(blended[:, 5] + blended[:, 6], 1, rtol=1e-6)


@pytest.mark.parametrize("step", [0, 9])
def test_steps_that_leave_gaps_are_refused(step):
    with pytest.raises(ConfigError, match=r"the step must be 1\.\.8"):
        fundus.predict_by_tiles(lambda tiles: tiles, np.zeros((9, 9)), size=8, step=step)

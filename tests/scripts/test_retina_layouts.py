"""Sets of fundus images as their sites give them, on drawn copies of the true layout and names."""

import gzip
import shutil

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError

from ..support import small_sets
from .test_data_scripts import script_module
from .test_data_scripts_retina import prepare

imageio = pytest.importorskip("imageio.v3")
pytest.importorskip("scipy.ndimage")


@pytest.fixture(scope="module")
def eyes():
    """Six drawn eyes: (colours uint8 (160, 154, 3), vessels, region uint8 0/255), dark outside the region."""
    return small_sets.drawn_eyes(6)


def written(path, pixels, packed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    if packed:
        plain = path.with_suffix("")
        imageio.imwrite(plain, pixels, plugin="pillow")
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    else:
        imageio.imwrite(path, pixels, plugin="pillow")


@pytest.fixture
def hrf(eyes, tmp_path):
    """HRF as published, twice as large as the drawn eyes."""
    small_sets.write_published_hrf(tmp_path / "all", eyes)
    return tmp_path / "all"


@pytest.mark.slow
def test_hrf_as_published_is_shrunk_by_means(hrf, eyes, tmp_path, monkeypatch, capsys):
    parts = prepare(monkeypatch, hrf, tmp_path / "out", "--shrink", "2")
    assert [len(part) for part in parts] == [3, 1, 2] and capsys.readouterr().err == ""
    origin = parts[0].origin
    assert (
        origin
        == "HRF as published, FAU Erlangen, CC BY 4.0; held out by number: 05 validation, 06 to 15 test, shrunk by 2"
    )
    kept = np.concatenate([part.labels for part in parts]), np.concatenate([part.region for part in parts])
    script = script_module("retina", monkeypatch)
    for k, (_, vessels, region) in enumerate(eyes):
        for found, drawn in zip(kept, (vessels, region)):
            doubled = np.pad(np.kron(drawn, np.ones((2, 2), np.uint8)), [(1, 1), (0, 0)])
            np.testing.assert_array_equal(found[k], script.block_means(doubled == 255, 2) >= 0.5)


def test_blocks_leave_out_what_does_not_fill_one(monkeypatch):
    """As the reduced HRF set was made: 2336 = 6 x 389 + 2 rows, without the first and the last one."""
    script = script_module("retina", monkeypatch)
    image = np.arange(20 * 7 * 3, dtype=np.float64).reshape(20, 7, 3)
    found = script.block_means(image, 6)
    assert found.shape == (3, 1, 3)
    for row in range(3):
        np.testing.assert_allclose(found[row, 0], image[1 + 6 * row : 7 + 6 * row, :6].mean(axis=(0, 1)), rtol=1e-12)


@pytest.mark.parametrize("packed", [False, True])
def test_stare_has_its_field_of_view_from_the_image(eyes, tmp_path, monkeypatch, capsys, packed):
    end = ".ppm.gz" if packed else ".ppm"
    for number, (colours, vessels, _) in zip((1, 2, 3, 44, 77, 324), eyes):
        written(tmp_path / "stare-images" / f"im{number:04d}{end}", colours, packed)
        written(tmp_path / "labels-ah" / f"im{number:04d}.ah{end}", vessels, packed)
    written(tmp_path / "stare-images" / f"im0399{end}", eyes[0][0], packed)
    parts = prepare(monkeypatch, tmp_path, tmp_path / "out")
    assert [len(part) for part in parts] == [1, 2, 3] and "the set names no patients" in parts[0].origin
    told = capsys.readouterr().err
    assert "1 images without vessels marked by hand are left out" in told and "has no fields of view" in told
    drawn = np.stack([region for *_, region in eyes]) == 255
    assert np.mean(np.concatenate([part.region for part in parts]) == drawn) > 0.98


def test_both_eyes_of_a_child_are_in_one_part(eyes, tmp_path, monkeypatch):
    names = ("Image_01L", "Image_01R", "Image_09L", "Image_09R", "Image_11L", "Image_14R")
    for name, (colours, vessels, _) in zip(names, eyes):
        imageio.imwrite(tmp_path / f"{name}.jpg", colours, plugin="pillow", quality=95)
        written(tmp_path / f"{name}_1stHO.png", vessels)
        written(tmp_path / f"{name}_2ndHO.png", 255 - vessels)
    parts = prepare(monkeypatch, tmp_path, tmp_path / "out")
    assert [len(part) for part in parts] == [2, 2, 2] and "held out by child" in parts[0].origin
    found = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(found * np.uint8(255), np.stack([vessels for _, vessels, _ in eyes]))


@pytest.mark.parametrize(
    "old, new, message",
    [
        (
            "mask/02_h_mask.tif",
            "mask/02_h_fov.tif",
            r"02_h_mask\.tif: there is no such file, the field of view of 02_h\.jpg; "
            r"looked for 02_h_mask\.tif, 02_h_mask\.tiff, 02_h_mask\.png in mask: there are 01_dr_mask\.tif",
        ),
        (
            "manual1",
            "manual",
            r"the vessels of 01_dr\.JPG; looked for 01_dr\.tif, .* in manual1: there is no such folder",
        ),
    ],
)
def test_other_names_are_told_what_was_looked_for(hrf, tmp_path, monkeypatch, old, new, message):
    shutil.move(str(hrf / old), str(hrf / new))
    with pytest.raises(DataError, match=message):
        prepare(monkeypatch, hrf, tmp_path / "out")


def test_stare_without_labels_says_where_it_looked(eyes, tmp_path, monkeypatch):
    written(tmp_path / "im0001.ppm.gz", eyes[0][0], packed=True)
    with pytest.raises(
        DataError, match=r"no vessels marked by hand .STARE.; looked for im0001\.ah\.ppm\.gz, im0001\.ah\.ppm"
    ):
        prepare(monkeypatch, tmp_path, tmp_path / "out")


@pytest.mark.parametrize("n, error", [("0", ConfigError), ("9", DataError)])
def test_shrinking_has_bounds(hrf, tmp_path, monkeypatch, n, error):
    with pytest.raises(error, match="--shrink|less than 48 after --shrink"):
        prepare(monkeypatch, hrf, tmp_path / "out", "--shrink", n)


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08\0 not really", b""])
def test_a_damaged_gzip_is_named(eyes, tmp_path, monkeypatch, data):
    (tmp_path / "im0001.ppm.gz").write_bytes(data)
    written(tmp_path / "im0001.ah.ppm.gz", eyes[0][1], packed=True)
    script = script_module("retina", monkeypatch)
    with pytest.raises(DataError, match=r"im0001\.ppm\.gz: (damaged gzip|cannot be read as an image)"):
        script.read_eye(script.Source(str(tmp_path)), ("im0001.ppm.gz", "im0001.ah.ppm.gz", None))

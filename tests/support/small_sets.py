"""Small sets in the layouts of the real ones, drawn by code: what `data_scripts/` read, and what they make of it."""

import contextlib
import shutil
import zipfile

import numpy as np
import pytest

from minirram import rng
from minirram.tasks import datasets, drawn_digits, drawn_vessels, fashion_mnist, retina, spoken_digits


def clips(numbers, seed=1):
    """{(digit, number): waveform}: each digit in recordings of these numbers."""
    generator = rng.stream(seed, "recordings")
    return {(digit, number): drawn_digits._speak(generator, digit) for digit in range(10) for number in numbers}


def write_recordings(folder, waves):
    """WAV files of one speaker, named as in the Free Spoken Digit Dataset."""
    soundfile = pytest.importorskip("soundfile")
    folder.mkdir(parents=True, exist_ok=True)
    for (digit, number), wave in waves.items():
        soundfile.write(str(folder / f"{digit}_ada_{number}.wav"), wave, drawn_digits.RATE_Hz, subtype="PCM_16")


REDUCED = {"01_h": "train", "02_h": "train", "05_h": "train", "06_h": "test"}


def middle(images, side):
    """The side x side pixels in the middle of each image, (n, height, width)."""
    first = (drawn_vessels.SIDE - side) // 2
    return images[:, first : first + side, first : first + side]


def write_reduced_hrf(folder, side=drawn_vessels.SIDE):
    """Four eyes as the reduced HRF set has them, vessels in green alone: two train, one validates, one is the test."""
    imageio = pytest.importorskip("imageio.v3")
    drawn = drawn_vessels.vessel_images(rng.stream(2, "hrf"), len(REDUCED))
    grey, vessels, region = (middle(images, side) for images in drawn)
    shaded = np.linspace(40, 200, grey[0].size).reshape(grey[0].shape).astype(np.uint8)
    for name, image, vessel, seen in zip(REDUCED, grey, vessels, region):
        colours = np.stack([shaded, image, shaded], axis=2)
        for kind, pixels in (("images", colours), ("vessels", vessel * np.uint8(255)), ("fov", seen * np.uint8(255))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            imageio.imwrite(folder / kind / f"{name}.png", pixels)
    rows = ["id\tsplit", *(f"{name}\t{split}" for name, split in REDUCED.items())]
    (folder / "MANIFEST.tsv").write_text("\n".join(rows) + "\n")


def drawn_eyes(n):
    """[(colours uint8 (160, 154, 3), vessels, region uint8 0/255)], dark outside the region."""
    grey, vessels, region = drawn_vessels.vessel_images(rng.stream(3, "layouts"), n)
    found = []
    for image, vessel, seen in zip(grey, vessels, region):
        colours = np.stack([image, image, image // 2], axis=2) * seen[:, :, None].astype(np.uint8)
        found.append(tuple(part[:, 3:157] for part in (colours, vessel * np.uint8(255), seen * np.uint8(255))))
    return found


PUBLISHED = ("01_dr.JPG", "02_h.jpg", "03_g.jpg", "05_h.jpg", "06_g.jpg", "15_dr.JPG")


def write_published_hrf(folder, eyes):
    """HRF as published, twice as large as the drawn eyes, one row more at both ends; .JPG and .jpg, masks of colour."""
    imageio = pytest.importorskip("imageio.v3")
    for kind in ("images", "manual1", "mask"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, parts in zip(PUBLISHED, eyes):
        colours, vessels, region = map(_doubled, parts)
        stem = name.split(".")[0]
        imageio.imwrite(folder / "images" / name, colours, plugin="pillow", extension=".jpg", quality=95)
        imageio.imwrite(folder / "manual1" / f"{stem}.tif", vessels, plugin="pillow")
        imageio.imwrite(folder / "mask" / f"{stem}_mask.tif", np.stack([region] * 3, axis=2), plugin="pillow")


def _doubled(pixels):
    """Pixels twice as large, a row of zeros at both ends."""
    others = (1,) * (pixels.ndim - 2)
    return np.pad(np.kron(pixels, np.ones((2, 2, *others), np.uint8)), [(1, 1)] + [(0, 0)] * (pixels.ndim - 1))


def zipped(folder, path, root=""):
    """A zip of a folder's files, below `root`."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, root + file.relative_to(folder).as_posix())


SIZES = ((fashion_mnist.TASK, 240, 40), (spoken_digits.TASK, 60, 20), (retina.TASK, 2, 1))
"""task, samples for training, and for validation and test each"""
SIDE, ARCHIVED = 64, 128
"""of a fundus image as made, and in an archive, where the region is smaller than the image"""


def write_sets(folder):
    """fashion-mnist.npz, spoken-digits.npz and retina.npz."""
    for task, training, others in SIZES:
        sizes = dict(zip(datasets.PARTS, (training, others, others)))
        parts = {part: task.drawn.draw(rng.stream(0, part), n) for part, n in sizes.items()}
        if task is retina.TASK:
            parts = {part: {name: middle(array, SIDE) for name, array in of.items()} for part, of in parts.items()}
        datasets.save(str(folder), task.layout, parts=parts, origin="drawn for a test")


def write_archives(folder):
    """The files that data scripts take, by the names that pages give them; those whose packages are here."""
    with contextlib.suppress(pytest.skip.Exception):
        write_recordings(folder / "recordings", clips((0, 1, 5, 6, *range(10, 18))))
        zipped(folder / "recordings", folder / "fsdd.zip", "recordings/")
    with contextlib.suppress(pytest.skip.Exception):
        write_reduced_hrf(folder / "hrf", ARCHIVED)
        zipped(folder / "hrf", folder / "hrf26-584x389.zip", "hrf26-584x389/")
        write_published_hrf(folder / "all", drawn_eyes(len(PUBLISHED)))
        zipped(folder / "all", folder / "all.zip")
    for name in ("recordings", "hrf", "all"):
        shutil.rmtree(str(folder / name), ignore_errors=True)
    cells_uS = np.random.default_rng(1).lognormal(np.log(12.0), 0.15, (50, 50))
    cells_uS[::2, ::2] = 0.1  # cells that did not form
    np.savetxt(str(folder / "random_conductance_50x50.csv"), cells_uS, "%.4f", ",")

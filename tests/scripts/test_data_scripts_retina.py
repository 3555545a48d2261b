"""The script that prepares retina images: DRIVE's layout on a drawn copy, HRF's zip, and each way of being wrong."""

import re
import shutil
import zipfile

import numpy as np
import pytest

from minirram import rng
from minirram.device.presets import technology
from minirram.errors import DataError
from minirram.inference.examine import examine
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.recipe import Recipe
from minirram.runs.config import RunConfig
from minirram.runs.made_chip import make_chip
from minirram.runs.train import finish
from minirram.tasks import datasets, drawn_vessels, fundus, metrics, registry, retina

from ..scripts.test_data_scripts import script_module
from ..support import small_sets
from ..support.places import data_folder

imageio = pytest.importorskip("imageio.v3")
pytest.importorskip("scipy.ndimage")

HEIGHT, WIDTH = 160, 154  # not square: a transposed image would show


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """A drawn copy of DRIVE in its official layout: 20 + 20 eyes, TIFF with LZW compression, GIF masks."""
    root = tmp_path_factory.mktemp("drive") / "DRIVE"
    grey, vessels, region = drawn_vessels.vessel_images(rng.stream(1, "drive"), 40)
    eyes = [stack[:, :, 3 : 3 + WIDTH] for stack in (grey, vessels, region)]
    folders = [("training", n) for n in range(21, 41)] + [("test", n) for n in range(1, 21)]
    for (folder, number), image, vessel, seen in zip(folders, *eyes):
        colour = np.stack([image, image, image // 2], axis=2)
        for kind, name, pixels, options in (
            ("images", f"{number:02d}_{folder}.tif", colour, {"compression": "tiff_lzw"}),
            ("1st_manual", f"{number:02d}_manual1.gif", vessel * np.uint8(255), {}),
            ("mask", f"{number:02d}_{folder}_mask.gif", seen * np.uint8(255), {}),
        ):
            (root / folder / kind).mkdir(parents=True, exist_ok=True)
            imageio.imwrite(root / folder / kind / name, pixels, plugin="pillow", **options)
    return root


def prepare(monkeypatch, source, out, *options):
    script_module("retina", monkeypatch).main(["--out", str(out), "--source", str(source)] + list(options))
    return datasets.load_training(retina.TASK.layout, out) + (datasets.load_test(retina.TASK.layout, out),)


@pytest.mark.slow
def test_drive_in_its_official_layout_becomes_one_npz(drive, tmp_path, monkeypatch, capsys):
    train, validation, test = prepare(monkeypatch, drive, tmp_path)
    assert (len(train), len(validation), len(test)) == (17, 3, 20)
    assert test.inputs.shape == (20, HEIGHT, WIDTH) and "DRIVE" in test.origin
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 120 and all(line.startswith("warning: ") and "SHA-256" in line for line in warnings)
    grey, vessels, region = (
        stack[:, :, 3 : 3 + WIDTH] for stack in drawn_vessels.vessel_images(rng.stream(1, "drive"), 40)
    )
    np.testing.assert_array_equal(np.concatenate([train.labels, validation.labels, test.labels]), vessels)
    np.testing.assert_array_equal(np.concatenate([train.region, validation.region, test.region]), region)
    np.testing.assert_array_equal(train.inputs[0], fundus.normalise_contrast(grey[0], region[0], smooth=None))


@pytest.mark.slow
def test_a_network_learns_from_the_copy_and_is_examined_on_macros(drive, tmp_path, monkeypatch):
    """From DRIVE's folder to figures of its test images; the twin with a rate of 0 only gathers its statistics."""
    prepare(monkeypatch, drive, tmp_path)
    network = retina.retina_unet(width=4)
    data = registry.load_training("retina", retina.TASK.layout, source=str(tmp_path), network=network)
    test = registry.load_test("retina", retina.TASK.layout, source=str(tmp_path), network=network).first(2)
    figures = {}
    for rate in (0.1, 0.0):
        recipe = Recipe(epochs=2, batch_size=8, samples_per_epoch=120, learning_rate=rate)
        config = RunConfig("retina", str(tmp_path), network, recipe, technology("taox-40nm"))
        learner = MaskLearner(network, make_chip(config), recipe=recipe)
        for _ in range(recipe.epochs):
            learner.epoch(data)
        model = finish(learner, learner.best, data=data, config=config)
        figures[rate] = examine(config, learner.chip, model=model, examination=test, split="test", threads=1)
    learned, untrained = figures[0.1], figures[0.0]
    assert learned.roc_auc > 0.75 and learned.roc_auc > untrained.roc_auc + 0.1
    assert learned.pr_auc > untrained.pr_auc + 0.1
    assert learned.samples == 2 and learned.primary == "roc_auc" and 0 <= learned.dice <= 1


@pytest.mark.slow
def test_strict_refuses_a_copy_that_is_not_the_official_one(drive, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"images.21_training\.tif: SHA-256 [0-9a-f]{64}, the official file has"):
        prepare(monkeypatch, drive, tmp_path, "--strict")


def test_the_list_of_official_hashes_is_complete(monkeypatch):
    script = script_module("retina", monkeypatch)
    lines = script.os.path.dirname(script.__file__) + "/drive_sha256sums.txt"
    with open(lines, encoding="ascii") as handle:
        rows = [line.split() for line in handle]
    assert len(rows) == 120 and all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256, _ in rows)
    names = {name for _, name in rows}
    source = type("Listed", (), {"names": sorted(names), "holds": lambda self, name: name in names})()
    eyes = script.drive_files(source, "")
    assert sorted(name for part in eyes.values() for files in part for name in files) == sorted(names)
    official = data_folder("DRIVE-SHA256SUMS").read_text().replace("  DRIVE/", "  ").split()
    assert official == [word for row in rows for word in row]


def test_drive_without_test_labels_holds_out_the_last_training_images(monkeypatch):
    """As the site serves it today; one label that is left makes it the older layout, whose gaps are errors."""
    script = script_module("retina", monkeypatch)
    lines = script.os.path.dirname(script.__file__) + "/drive_sha256sums.txt"
    with open(lines, encoding="ascii") as handle:
        names = sorted("DRIVE/" + line.split()[1] for line in handle if "test/1st_manual" not in line)

    def source_of(names):
        return type("L", (), {"names": names, "holds": lambda self, name: name in names, "where": lambda self, n: n})()

    eyes = script.drive_files(source_of(names), "DRIVE/")
    numbers = {part: [int(files[0].split("/")[-1][:2]) for files in of_part] for part, of_part in eyes.items()}
    expected = {"train": range(21, 33), "validation": range(33, 36), "test": range(36, 41)}
    assert numbers == {part: list(of_part) for part, of_part in expected.items()}
    assert all("/training/" in name for of_part in eyes.values() for files in of_part for name in files)
    with pytest.raises(DataError, match=r"02_manual1\.gif: there is no such file"):
        script.drive_files(source_of(names + ["DRIVE/test/1st_manual/01_manual1.gif"]), "DRIVE/")


@pytest.mark.slow
def test_a_copy_without_test_labels_is_read_and_says_so(copy, tmp_path, monkeypatch, capsys):
    shutil.rmtree(copy / "test" / "1st_manual")
    train, validation, test = prepare(monkeypatch, copy, tmp_path / "out")
    assert (len(train), len(validation), len(test)) == (12, 3, 5) and "without test labels" in test.origin
    assert "1st_manual: there is none; images 36-40 of training are the test part" in capsys.readouterr().err


@pytest.fixture
def copy(drive, tmp_path):
    return shutil.copytree(drive, tmp_path / "DRIVE")


def delete(name):
    return lambda root: (root / name).unlink()


def truncate(name):
    def change(root):
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 2])

    return change


def overwrite(name, data):
    return lambda root: (root / name).write_bytes(data)


def swap(name, other):
    """`name` gets the contents of `other`."""
    return lambda root: shutil.copy(root / other, root / name)


def grey_mask(root):
    levels = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)
    imageio.imwrite(root / "test/mask/02_test_mask.gif", levels, plugin="pillow")


def small_mask(root):
    imageio.imwrite(root / "test/mask/02_test_mask.gif", np.full((9, 9), 255, np.uint8), plugin="pillow")


def grey_image(root):
    imageio.imwrite(root / "test/images/02_test.tif", np.zeros((HEIGHT, WIDTH), np.uint8), plugin="pillow")


def deep_image(root):
    imageio.imwrite(root / "test/images/02_test.tif", np.zeros((HEIGHT, WIDTH), np.uint16), plugin="pillow")


def black_image(root):
    imageio.imwrite(root / "test/images/02_test.tif", np.zeros((HEIGHT, WIDTH, 3), np.uint8), plugin="pillow")


VESSELS, MASK, IMAGE = "test/1st_manual/02_manual1.gif", "test/mask/02_test_mask.gif", "test/images/02_test.tif"


@pytest.mark.parametrize(
    "spoil, message",
    [
        (delete(IMAGE), r"02_test\.tif: there is no such file"),
        (delete(VESSELS), r"02_manual1\.gif: there is no such file"),
        (truncate(IMAGE), r"02_test\.tif: cannot be read as an image"),
        (overwrite(IMAGE, b"II*\0 not really"), r"02_test\.tif: cannot be read as an image"),
        (overwrite(MASK, b""), r"02_test_mask\.gif: cannot be read as an image"),
        (swap(VESSELS, MASK), r"02_manual1\.gif: marks 100\.0% of the field of view.*another kind of file"),
        (swap(MASK, VESSELS), r"02_test_mask\.gif: marks .*% of the image.*another kind of file"),
        (swap(IMAGE, "test/images/03_test.tif"), r"03_test\.tif: the same image as .*02_test\.tif"),
        (swap(IMAGE, VESSELS), r"02_test\.tif: shape .*a colour image is"),
        (grey_mask, r"02_test_mask\.gif: a mask holds 0 and 255 only, this one \d+ values"),
        (small_mask, r"02_test_mask\.gif: shape \(9, 9\), the image has \(160, 154\)"),
        (grey_image, r"02_test\.tif: shape \(160, 154\), a colour image is"),
        (deep_image, r"02_test\.tif: the pixels are uint16"),
        (black_image, r"02_test\.tif: the image is flat"),
    ],
)
def test_each_fault_names_its_file(copy, tmp_path, monkeypatch, spoil, message):
    spoil(copy)
    with pytest.raises(DataError, match=message):
        prepare(monkeypatch, copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_folder_says_what_is_looked_for(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(
        DataError, match=r"looked for MANIFEST\.tsv .*training/images/21_training\.tif .*Image_01L\.jpg.*im0001"
    ):
        prepare(monkeypatch, tmp_path, tmp_path / "out")


@pytest.mark.slow
def test_hrf_keeps_its_split_and_validates_by_patient(tmp_path, monkeypatch):
    train, validation, test = prepare(monkeypatch, data_folder("hrf", "hrf26-584x389.zip"), tmp_path, "--strict")
    assert (len(train), len(validation), len(test)) == (12, 3, 11)
    for part in (train, validation, test):
        assert part.inputs.shape[1:] == (389, 584) and "CC BY 4.0" in part.origin
        assert abs(part.region.mean() - 0.8448) < 0.001
        inside = part.inputs[part.region].astype(np.float64)
        assert abs(inside.mean() - 128) < 1 and 35 < inside.std() < 41
    rows = [row.split("\t") for row in hrf_rows()]
    column = rows[0].index("vessel_frac_in_fov_down")
    listed = [float(row[column]) for row in rows[1:] if row[1] == "test"]
    found = [labels[region].mean() for labels, region in zip(test.labels, test.region)]
    np.testing.assert_allclose(found, listed, rtol=0, atol=1e-6)
    darkness = 255 - validation.inputs[validation.region].astype(np.int64)
    assert metrics.roc_auc(darkness, validation.labels[validation.region]) > 0.85


def hrf_rows():
    with zipfile.ZipFile(data_folder("hrf", "hrf26-584x389.zip")) as archive:
        return archive.read("hrf26-584x389/MANIFEST.tsv").decode().splitlines()


def test_hrf_patients_never_cross_from_training_to_validation(monkeypatch):
    script = script_module("retina", monkeypatch)
    source = script.Source(str(data_folder("hrf", "hrf26-584x389.zip")))
    _, root, files, _ = script.find_set(source)
    patients = {part: {names[0].split("/")[-1][:2] for names in eyes} for part, eyes in files(source, root).items()}
    assert patients["validation"] == {"05"} and not patients["train"] & patients["validation"]
    split = dict(row.split("\t")[:2] for row in hrf_rows()[1:])
    found = {names[0].split("/")[-1][:-4] for names in files(source, root)["test"]}
    assert found == {name for name, part in split.items() if part == "test"}


@pytest.fixture
def hrf(tmp_path):
    """The first two HRF eyes of each part as a folder."""
    rows = hrf_rows()
    kept = [row for row in rows[1:] if re.match(r"(01|05|06)_[gh]\b", row)]
    folder = tmp_path / "hrf"
    with zipfile.ZipFile(data_folder("hrf", "hrf26-584x389.zip")) as archive:
        for kind in ("images", "vessels", "fov"):
            (folder / kind).mkdir(parents=True)
            for row in kept:
                name = kind + "/" + row.split("\t")[0] + ".png"
                (folder / name).write_bytes(archive.read("hrf26-584x389/" + name))
    (folder / "MANIFEST.tsv").write_text("\n".join([rows[0]] + kept) + "\n")
    return folder


@pytest.mark.slow
def test_an_unpacked_part_of_hrf_works_and_strays_are_named(hrf, tmp_path, monkeypatch, capsys):
    parts = prepare(monkeypatch, hrf, tmp_path / "out", "--strict")
    assert [len(part) for part in parts] == [2, 2, 2]
    pixels = imageio.imread(hrf / "images" / "01_h.png").copy()
    pixels[0, 0] ^= 1
    imageio.imwrite(hrf / "images" / "01_h.png", pixels)
    assert capsys.readouterr().err == ""
    prepare(monkeypatch, hrf, tmp_path / "again")
    warned = capsys.readouterr().err
    assert warned.count("\n") == 1 and re.search(r"warning: .*01_h\.png: SHA-256 of the pixels begins with", warned)
    with pytest.raises(DataError, match=r"01_h\.png: SHA-256"):
        prepare(monkeypatch, hrf, tmp_path / "strict", "--strict")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: text.replace("01_h\ttrain", "01_h\tboth"), r"MANIFEST\.tsv, line \d: needs an id, and the"),
        (lambda text: text + text.splitlines()[-1] + "\n", r"MANIFEST\.tsv: 06_h is listed twice"),
        (lambda text: text.replace("01_h", "77_h"), r"77_h\.png: there is no such file, MANIFEST\.tsv lists it"),
        (lambda text: "\n".join(text.splitlines()[:-2]) + "\n", "no images for the test part"),
        (lambda text: "\0" * 10, r"no images for the train part|needs an id"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(hrf, tmp_path, monkeypatch, change, message):
    path = hrf / "MANIFEST.tsv"
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        prepare(monkeypatch, hrf, tmp_path / "out")


# -- which contrast normalisation --------------------------------------------------------------------------------------


@pytest.fixture
def drawn_hrf(tmp_path):
    """A drawn copy of HRF as a folder: two eyes to train, one to validate, one to test, with vessels in green alone."""
    small_sets.write_reduced_hrf(tmp_path / "hrf")
    return tmp_path / "hrf"


@pytest.mark.slow
def test_normalisations_are_compared_on_training_images_alone(drawn_hrf, monkeypatch, capsys):
    for kind in ("images", "vessels", "fov"):
        (drawn_hrf / kind / "06_h.png").write_bytes(b"nobody may look")
    script = script_module("retina_contrast", monkeypatch)
    script.main(["--source", str(drawn_hrf)])
    title, header, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("HRF") and title.endswith(": 3 images for training and validation")
    assert header.split() == ["channel", "radius", "ROC-AUC", "PR-AUC"]
    found = {(name, int(radius)): (float(roc), float(pr)) for name, radius, _, roc, pr in map(str.split, rows)}
    assert list(found) == [(name, radius) for name in ("green", "mean") for radius in (4, 6, 8, 12, 16, 24)]
    for radius in (4, 6, 8, 12, 16, 24):
        assert 1 > found["green", radius][0] > found["mean", radius][0] > 0.5


def test_the_area_of_a_normalisation_is_that_of_the_images_as_stored(drawn_hrf, tmp_path, monkeypatch):
    train, validation, _ = prepare(monkeypatch, drawn_hrf, tmp_path / "out")
    stored = [
        np.concatenate([part[data.region] for data, part in zip((train, validation), parts)])
        for parts in ((255 - train.inputs, 255 - validation.inputs), (train.labels, validation.labels))
    ]
    script = script_module("retina_contrast", monkeypatch)
    source = script.Source(str(drawn_hrf))
    _, root, files, _ = script.find_set(source)
    eyes = [script.read_eye(source, names) for part in ("train", "validation") for names in files(source, root)[part]]
    areas = script.vessel_areas(eyes, script.CHANNELS["green"], fundus.SMOOTHING_PX)
    assert areas == (metrics.roc_auc(*stored), metrics.pr_auc(*stored))

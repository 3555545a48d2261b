"""The script that makes an .npz of a folder per class: images, recordings, the user's parts, and what is refused."""

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError
from minirram.tasks.data_files import read_data

from .test_data_scripts import script_module


def made(monkeypatch, folder, *options):
    """What `read_data` finds in the file that the script makes of a folder."""
    out = folder.parent / "mine.npz"
    script_module("own_data", monkeypatch).main(["--source", str(folder), "--out", str(out), *options])
    return read_data(str(out))


def save_images(folder, sizes=((5, 7, 3),), names=("cat", "dog"), per_class=8, parts=("",)):
    imageio = pytest.importorskip("imageio.v2")
    generator = np.random.default_rng(0)
    for part in parts:
        for name in names:
            (folder / part / name).mkdir(parents=True)
            for k in range(per_class):
                image = generator.integers(0, 256, sizes[k % len(sizes)], dtype=np.uint8)
                imageio.imwrite(str(folder / part / name / f"{k}.png"), image)


def test_a_folder_per_class_of_images_keeps_pixels_and_channels(tmp_path, monkeypatch):
    imageio = pytest.importorskip("imageio.v2")
    save_images(tmp_path / "pictures")
    data = made(monkeypatch, tmp_path / "pictures")
    assert data.training.class_names == ("cat", "dog") and data.training.inputs.shape == (12, 5, 7, 3)
    assert [np.bincount(part.labels.astype(np.intp)).tolist() for part in (data.validation, data.test)] == [
        [1, 1],
        [1, 1],
    ]
    own = imageio.imread(str(tmp_path / "pictures" / "dog" / "3.png"))
    everywhere = np.concatenate([part.inputs for part in (data.training, data.validation, data.test)])
    assert everywhere.dtype == np.uint8 and (everywhere == own).all(axis=(1, 2, 3)).sum() == 1


def test_the_parts_of_the_user_stay(tmp_path, monkeypatch):
    save_images(tmp_path / "pictures", sizes=((4, 4),), parts=("train", "validation", "test"), per_class=2)
    data = made(monkeypatch, tmp_path / "pictures")
    assert [len(part) for part in (data.training, data.validation, data.test)] == [4, 4, 4]
    assert data.reading.split == "by 'split'"


def test_recordings_become_windows_and_those_of_one_file_stay_together(tmp_path, monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    for k, name in enumerate(("low", "high")):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for take in range(6):
            wave = np.full(250, (1 + take + 6 * k) / 20)
            soundfile.write(str(tmp_path / "sounds" / name / f"{take}.wav"), wave, 8000)
    data = made(monkeypatch, tmp_path / "sounds", "--samples", "100")
    found = [
        {round(float(window[0]), 2) for window in part.inputs} for part in (data.training, data.validation, data.test)
    ]
    assert data.training.inputs.shape == (16, 100) and [len(values) for values in found] == [8, 2, 2]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    with pytest.raises(DataError, match="250 samples at 8 kHz; a window has 300"):
        made(monkeypatch, tmp_path / "sounds", "--samples", "300")
    with pytest.raises(ConfigError, match="recordings need --samples"):
        made(monkeypatch, tmp_path / "sounds")


def test_what_is_laid_out_otherwise_is_refused_by_name(tmp_path, monkeypatch):
    save_images(tmp_path / "pictures", sizes=((4, 4), (4, 5)))
    with pytest.raises(DataError, match=r"1.png: uint8 \(4, 5\); the first file has uint8 \(4, 4\)"):
        made(monkeypatch, tmp_path / "pictures")
    (tmp_path / "deep" / "a" / "b" / "c").mkdir(parents=True)
    save_images(tmp_path / "deep" / "a" / "b" / "c")
    save_images(tmp_path / "deep" / "a", names=("other",))
    with pytest.raises(DataError, match="must lie in the folder of its class"):
        made(monkeypatch, tmp_path / "deep")
    with pytest.raises(ConfigError, match="the files are images"):
        made(monkeypatch, tmp_path / "pictures", "--samples", "5")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="holds no PNG and no WAV"):
        made(monkeypatch, tmp_path / "nothing")

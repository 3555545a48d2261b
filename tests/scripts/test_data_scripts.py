"""The script that prepares Fashion-MNIST: the official files, and each way in which they can be wrong."""

import errno
import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from minirram.tasks import datasets
from minirram.tasks.fashion_mnist import LAYOUT

from ..support.places import ROOT, data_folder

SCRIPTS = ROOT / "data_scripts"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"


def script_module(name, monkeypatch):
    """A data script as a module (its folder on the path, as when it is run)."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("data_scripts_" + name, SCRIPTS / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_script(name, *arguments):
    command = [sys.executable, str(SCRIPTS / (name + ".py"))] + [str(argument) for argument in arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def copy_of_the_files(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(data_folder("fashion-mnist"), source)
    for path in source.iterdir():
        path.chmod(0o644)
    source.chmod(0o755)
    return source


@pytest.mark.slow
def test_official_files_become_one_npz_with_the_known_statistics(tmp_path):
    result = run_script("fashion_mnist", "--out", tmp_path / "out", "--source", data_folder("fashion-mnist"))
    assert result.returncode == 0, result.stderr
    statistics = json.loads(data_folder("STATS.json").read_text())["fashion_mnist"]
    train, validation = datasets.load_training(LAYOUT, tmp_path / "out")
    test = datasets.load_test(LAYOUT, tmp_path / "out")
    assert (len(train), len(validation), len(test)) == (55000, 5000, 10000)
    whole = np.concatenate([train.inputs, validation.inputs]), np.concatenate([train.labels, validation.labels])
    for (images, labels), known in ((whole, statistics["train"]), ((test.inputs, test.labels), statistics["t10k"])):
        assert len(images) == known["n"] and labels[:10].tolist() == known["first10"]
        assert np.bincount(labels.astype(np.intp)).tolist() == [known["per_class"]] * 10
        assert int(images.sum(dtype=np.int64)) == known["pixel_sum"]


def test_other_gzip_headers_are_fine_only_the_contents_count(tmp_path, monkeypatch):
    script = script_module("fashion_mnist", monkeypatch)
    source = copy_of_the_files(tmp_path)
    contents = gzip.decompress((source / TRAIN_LABELS).read_bytes())
    with open(source / TRAIN_LABELS, "wb") as raw, gzip.GzipFile("other", "wb", 1, raw, mtime=12345) as packed:
        packed.write(contents)
    labels = script.open_file(TRAIN_LABELS, str(source))
    assert labels.shape == (60000,) and labels[:3].tolist() == [9, 0, 0]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def lengthen(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"0", 1))


def change_one_label(path):
    contents = bytearray(gzip.decompress(path.read_bytes()))
    contents[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(contents), 1))


def damage(path):
    data = bytearray(path.read_bytes())
    data[2000:2040] = bytes(40)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "spoil, message",
    [
        (os.unlink, "there is no such file"),
        (truncate, "truncated"),
        (lengthen, "holds more bytes, the official file 60008"),
        (change_one_label, "SHA-256 of the contents is"),
        (damage, "damaged gzip file"),
        (lambda path: path.write_bytes(b"<html>moved</html>"), "not a gzip file"),
        (lambda path: path.write_bytes(b""), "not a gzip file"),
    ],
    ids=["missing", "truncated", "too long", "wrong hash", "damaged", "not gzip", "empty"],
)
def test_each_damage_is_one_clear_line(tmp_path, spoil, message, monkeypatch, capsys):
    """The first file is left alone in the source, so only the spoilt one needs to be unpacked."""
    script = script_module("fashion_mnist", monkeypatch)
    source = copy_of_the_files(tmp_path)
    spoil(source / TRAIN_LABELS)
    monkeypatch.setattr(script, "FILES", {TRAIN_LABELS: script.FILES[TRAIN_LABELS]})
    monkeypatch.setattr(sys, "argv", ["fashion_mnist.py", "--out", str(tmp_path / "out"), "--source", str(source)])
    with pytest.raises(SystemExit) as left:
        script.run(script.main)
    printed = capsys.readouterr()
    assert left.value.code == 3 and printed.out == ""
    assert printed.err.count("\n") == 1 and TRAIN_LABELS in printed.err and message in printed.err
    assert not (tmp_path / "out").exists()


def test_a_missing_source_fails_as_a_command(tmp_path):
    result = run_script("fashion_mnist", "--out", tmp_path / "out", "--source", tmp_path / "nowhere")
    assert result.returncode == 3 and result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert "there is no such file" in result.stderr


def test_a_full_disk_leaves_no_file_behind(tmp_path, monkeypatch, capsys):
    script = script_module("fashion_mnist", monkeypatch)
    arrays = {name: np.zeros((24,) + shape[1:], np.uint8) for name, (shape, _) in script.FILES.items()}
    monkeypatch.setattr(script, "open_file", lambda name, source: arrays[name])

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(sys, "argv", ["fashion_mnist.py", "--out", str(tmp_path), "--source", "."])
    with pytest.raises(SystemExit) as left:
        script.run(script.main)
    assert left.value.code == 3
    assert "No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class Response:
    """What urlopen returns: as many bytes as are asked for, up to `size`."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def read(self, limit):
        return bytes(min(limit, self.size))


def test_a_download_has_a_timeout_and_a_size_limit(monkeypatch):
    script = script_module("fashion_mnist", monkeypatch)
    asked = []

    def answer(size):
        def urlopen(url, timeout):
            asked.append((url, timeout))
            return Response(size)

        return urlopen

    monkeypatch.setattr(script.urllib.request, "urlopen", answer(10))
    assert len(script.download(TRAIN_LABELS)) == 10
    assert asked[0] == (script.SITE + TRAIN_LABELS, script.TIMEOUT_s)
    monkeypatch.setattr(script.urllib.request, "urlopen", answer(script.MAX_DOWNLOAD_BYTES + 1))
    with pytest.raises(script.DataError, match="more than 40000000 bytes"):
        script.download(TRAIN_LABELS)


def test_a_site_that_cannot_be_reached_points_to_source(monkeypatch):
    script = script_module("fashion_mnist", monkeypatch)

    def urlopen(url, timeout):
        raise script.urllib.error.URLError("no route to host")

    monkeypatch.setattr(script.urllib.request, "urlopen", urlopen)
    with pytest.raises(script.DataError, match="cannot be downloaded .no route to host.; use --source"):
        script.download(TRAIN_LABELS)

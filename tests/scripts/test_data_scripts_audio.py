"""The script that prepares spoken digits: the real set, other recordings, and each way in which they can be wrong."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from minirram.tasks import datasets, speech_features
from minirram.tasks.spoken_digits import TASK

from ..scripts.test_data_scripts import script_module
from ..support import small_sets
from ..support.places import ROOT, data_folder

soundfile = pytest.importorskip("soundfile")

NUMBERS = (0, 4, 5, 9, 10, 23)


@pytest.fixture(scope="module")
def clips():
    """{(digit, number): waveform}, digit k in each of six recordings of one speaker."""
    return small_sets.clips(NUMBERS)


@pytest.fixture(scope="module")
def original(clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    small_sets.write_recordings(folder, clips)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "recordings")


def prepare(monkeypatch, source, out):
    script_module("spoken_digits", monkeypatch).main(["--out", str(out), "--source", str(source)])
    return datasets.load_training(TASK.layout, out) + (datasets.load_test(TASK.layout, out),)


@pytest.mark.slow
def test_the_real_set_keeps_its_own_split(tmp_path, monkeypatch):
    train, validation, test = prepare(monkeypatch, data_folder("fsdd.zip"), tmp_path)
    assert (len(train), len(validation), len(test)) == (2400, 300, 300)
    for part, each in ((train, 240), (validation, 30), (test, 30)):
        assert np.bincount(part.labels.astype(np.intp)).tolist() == [each] * 10
        codes = np.rint(7 * part.inputs)
        assert part.inputs.dtype == np.float32 and set(np.unique(codes)) == set(range(8))
    assert "CC BY-SA 4.0" in train.origin


@pytest.mark.slow
def test_the_real_clips_have_the_known_lengths(monkeypatch):
    known = json.loads(data_folder("STATS.json").read_text())["fsdd"]
    script = script_module("spoken_digits", monkeypatch)
    source = script.Source(str(data_folder("fsdd.zip")))
    recordings = script.find_recordings(source)
    lengths = {key: len(script.read_wave(source.read(name), name)) for key, name in recordings.items()}
    assert len(lengths) == known["files"] and sum(lengths.values()) == known["samples"]
    test = [n for key, n in lengths.items() if script.part_of(key[2]) == "test"]
    assert len(test) == known["test_files"] and sum(test) / known["rate"] == pytest.approx(known["test_seconds"])
    assert sorted({speaker for _, speaker, _ in lengths}) == known["speakers"]


def test_numbers_choose_the_part_and_names_the_label(folder, clips, tmp_path, monkeypatch):
    train, validation, test = prepare(monkeypatch, folder, tmp_path / "out")
    for part, numbers in ((test, (0, 4)), (validation, (5, 9)), (train, (10, 23))):
        expected = [(digit, number) for digit in range(10) for number in numbers]
        assert part.labels.tolist() == [digit for digit, _ in expected]
        for key, found in zip(expected, part.inputs):
            np.testing.assert_allclose(found, speech_features.speech_features(clips[key]), rtol=0, atol=0.02)


def test_a_zip_and_its_folder_give_the_same(folder, tmp_path, monkeypatch):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, "set-1.0/recordings/" + file.name)
        archive.writestr("__MACOSX/set-1.0/recordings/._0_ada_0.wav", b"finder")
    first = prepare(monkeypatch, folder, tmp_path / "a")
    second = prepare(monkeypatch, path, tmp_path / "b")
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.labels, other.labels)


@pytest.mark.slow
def test_other_rates_and_two_channels_hardly_change_the_features(folder, monkeypatch, tmp_path):
    signal = pytest.importorskip("scipy.signal")
    script = script_module("spoken_digits", monkeypatch)
    wave, _ = soundfile.read(str(folder / "3_ada_10.wav"))
    faster = signal.resample_poly(wave, 441, 80)
    stereo = tmp_path / "stereo.wav"
    soundfile.write(str(stereo), 0.4 * np.stack([faster, faster], axis=1), 44100, subtype="PCM_24")
    back = script.read_wave(stereo.read_bytes(), "stereo.wav")
    assert abs(len(back) - len(wave)) <= 1
    difference = speech_features.speech_features(back) - speech_features.speech_features(wave)
    assert np.abs(difference).mean() < 0.02


def replace(name, data):
    def change(folder):
        (folder / name).write_bytes(data)

    return change


@pytest.mark.parametrize(
    "whole, size", [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0, 0), (36, 0), (0, 0xFFFFFFFF)]
)
@pytest.mark.parametrize("rest", [b"", b"\x01"])
def test_a_recording_written_into_a_pipe_is_read_to_its_end(folder, monkeypatch, whole, size, rest):
    """Its sizes are unknown to the writer; half a sample at the end is none."""
    script = script_module("spoken_digits", monkeypatch)
    data = (folder / "7_ada_5.wav").read_bytes()
    assert data[36:40] == b"data"
    piped = b"RIFF" + whole.to_bytes(4, "little") + data[8:40] + size.to_bytes(4, "little") + data[44:] + rest
    assert np.array_equal(script.read_wave(piped, "here"), script.read_wave(data, "here"))


def test_case_22(monkeypatch):
    case = ROOT / "tests" / "labfiles" / "cases" / "22_stream_3_speaker_10.wav"
    data = case.read_bytes()
    wave = script_module("spoken_digits", monkeypatch).read_wave(data, "here")
    assert np.array_equal(wave * 2**15, np.frombuffer(data[44:], "<i2")) and len(wave) == 3200


def truncate(folder):
    path = folder / "7_ada_5.wav"
    path.write_bytes(path.read_bytes()[:-100])


def silence(folder):
    soundfile.write(str(folder / "7_ada_5.wav"), np.zeros(3000), 8000)


def empty(folder):
    soundfile.write(str(folder / "7_ada_5.wav"), np.zeros(0), 8000)


def copy_into_subfolder(folder):
    (folder / "more").mkdir()
    shutil.copy(folder / "7_ada_5.wav", folder / "more")


def drop_validation_sevens(folder):
    (folder / "7_ada_5.wav").unlink()
    (folder / "7_ada_9.wav").unlink()


def new_speaker(folder):
    shutil.copy(folder / "7_ada_5.wav", folder / "7_bob_5.wav")


def no_recordings(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "spoil, message",
    [
        (truncate, r"7_ada_5\.wav: truncated, 100 bytes are missing"),
        (silence, r"7_ada_5\.wav: the clip is silent"),
        (empty, r"7_ada_5\.wav: .*at least one sample"),
        (replace("7_ada_5.wav", b"ID3 this is an mp3"), r"7_ada_5\.wav: not a WAV file"),
        (replace("7_ada_5.wav", b"RIFF\x04\0\0\0WAVE"), r"7_ada_5\.wav: cannot be read as sound"),
        (replace("seven.wav", b""), r"seven\.wav: a recording is called DIGIT_SPEAKER_NUMBER\.wav"),
        (replace("12_ada_5.wav", b""), r"12_ada_5\.wav: a recording is called"),
        (copy_into_subfolder, r"more.7_ada_5\.wav: the same recording as"),
        (drop_validation_sevens, r"no validation recording 7_ada_NUMBER\.wav with NUMBER from 5 on"),
        (new_speaker, r"no train recording 0_bob_NUMBER\.wav with NUMBER from 10 on"),
        (no_recordings, "holds no WAV files"),
    ],
)
def test_each_fault_names_its_file(folder, tmp_path, monkeypatch, spoil, message):
    spoil(folder)
    with pytest.raises(datasets.DataError, match=message):
        prepare(monkeypatch, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sources_that_are_none(tmp_path, monkeypatch):
    with pytest.raises(datasets.DataError, match="nowhere: there is no such folder or file"):
        prepare(monkeypatch, tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "set.zip").write_bytes(b"PK broken")
    with pytest.raises(datasets.DataError, match="set.zip: neither a folder nor a readable zip"):
        prepare(monkeypatch, tmp_path / "set.zip", tmp_path / "out")


def test_damage_inside_a_zip_names_the_member(folder, tmp_path, monkeypatch):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
        offset = archive.getinfo("0_ada_10.wav").header_offset
    data = bytearray(path.read_bytes())
    data[offset + 200 : offset + 260] = bytes(60)
    path.write_bytes(bytes(data))
    with pytest.raises(datasets.DataError, match=r"0_ada_10\.wav: damaged in its zip"):
        prepare(monkeypatch, path, tmp_path / "out")


def test_a_missing_package_names_the_extra(folder, tmp_path, monkeypatch):
    script = script_module("spoken_digits", monkeypatch)
    monkeypatch.setitem(script.optional.__globals__["sys"].modules, "soundfile", None)
    with pytest.raises(Exception, match="needs the package soundfile: pip install '..data.'") as raised:
        script.main(["--out", str(tmp_path / "out"), "--source", str(folder)])
    assert type(raised.value).__name__ == "ConfigError"

"""Make spoken-digits.npz: python data_scripts/spoken_digits.py --out DIR --source FOLDER_OR_ZIP.

The source is the Free Spoken Digit Dataset (https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0):
its zip, or a folder of WAV files DIGIT_SPEAKER_NUMBER.wav. The data set's own split: recordings 0-4 of each speaker
and digit are the test set. Of the rest, recordings 5-9 are for validation. Every speaker and digit is in all three
parts.
"""

import argparse
import io
import math
import re

import numpy as np
from _common import DataError, Source, optional, run

from minirram.tasks import datasets, speech_features
from minirram.tasks.spoken_digits import TASK

FILE_NAME = re.compile(r"(?:.*/)?([0-9])_([^_/]+)_([0-9]+)\.wav")
FIRST_NUMBER = {"train": 10, "validation": 5, "test": 0}


def part_of(number):
    """The part of the split that a recording's number belongs to."""
    return next(part for part in ("train", "validation", "test") if number >= FIRST_NUMBER[part])


def find_recordings(source):
    """{(digit, speaker, number): path} of all WAV files; DataError for a name that does not follow the pattern."""
    recordings = {}
    for name in source.names:
        if not name.lower().endswith(".wav"):
            continue
        match = FILE_NAME.fullmatch(name)
        if not match:
            raise DataError(f"{source.where(name)}: a recording is called DIGIT_SPEAKER_NUMBER.wav")
        key = (int(match[1]), match[2], int(match[3]))
        if key in recordings:
            raise DataError(f"{source.where(name)}: the same recording as {source.where(recordings[key])}")
        recordings[key] = name
    return recordings


def check_complete(recordings, path):
    """DataError naming what is missing unless every speaker has every digit in all three parts."""
    if not recordings:
        raise DataError(f"{path}: holds no WAV files")
    present = {(speaker, digit, part_of(number)) for digit, speaker, number in recordings}
    for speaker in sorted({speaker for _, speaker, _ in recordings}):
        for digit in range(10):
            for part in datasets.PARTS:
                if (speaker, digit, part) not in present:
                    message = "{}: no {} recording {}_{}_NUMBER.wav with NUMBER from {} on"
                    raise DataError(message.format(path, part, digit, speaker, FIRST_NUMBER[part]))


STREAMED = 0x7FFFF000
"""sizes from here on stand for "not known", as of a recording that was written into a pipe"""


def size_at(data, offset):
    """The size that four bytes of a WAV file state."""
    return int.from_bytes(data[offset : offset + 4], "little")


def with_sizes(data):
    """The bytes of a WAV file whose samples go to its end, with the sizes that its writer did not know.

    A writer into a pipe states sizes from STREAMED on, or an empty `data` that ends where the samples begin.
    """
    offset, frame = 12, 1
    while offset + 8 <= len(data):
        name, size = data[offset : offset + 4], size_at(data, offset + 4)
        if name == b"fmt ":
            frame = max(1, int.from_bytes(data[offset + 20 : offset + 22], "little"))
        if name == b"data":
            start, whole = offset + 8, size_at(data, 4)
            empty = size == 0 and (whole == 0 or whole + 8 == start)
            if size < STREAMED and not empty:
                break
            length = (len(data) - start) // frame * frame
            end = start + length
            return (
                data[:4]
                + (end - 8).to_bytes(4, "little")
                + data[8 : start - 4]
                + length.to_bytes(4, "little")
                + (data[start:end])
            )
        offset += 8 + size + size % 2
    return data


def read_wave(data, where):
    """One clip as float64 (samples,) at `features.RATE_Hz`; several channels are averaged, other rates resampled."""
    soundfile = optional("soundfile")
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise DataError(f"{where}: not a WAV file (begins with {data[:4]!r})")
    data = with_sizes(data)
    missing = size_at(data, 4) + 8 - len(data)
    if missing > 0:
        raise DataError(f"{where}: truncated, {missing} bytes are missing")
    try:
        waveform, rate_Hz = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    except (RuntimeError, ValueError, TypeError) as error:
        raise DataError(f"{where}: cannot be read as sound ({error})") from None
    waveform = waveform.mean(axis=1)
    if rate_Hz != speech_features.RATE_Hz and waveform.size:
        common = math.gcd(int(rate_Hz), speech_features.RATE_Hz)
        resample = optional("scipy.signal").resample_poly
        waveform = resample(waveform, speech_features.RATE_Hz // common, int(rate_Hz) // common)
    return waveform


def recording_features(source, name):
    """The features of one recording; every error names its file."""
    waveform = read_wave(source.read(name), source.where(name))
    try:
        return speech_features.speech_features(waveform)
    except DataError as error:
        raise DataError(f"{source.where(name)}: {error}") from None


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for spoken-digits.npz")
    parser.add_argument("--source", required=True, metavar="PATH", help="the set's zip, or a folder of WAV files")
    options = parser.parse_args(arguments)
    source = Source(options.source)
    recordings = find_recordings(source)
    check_complete(recordings, options.source)
    parts = {}
    for part in datasets.PARTS:
        keys = sorted(key for key in recordings if part_of(key[2]) == part)
        inputs = np.stack([recording_features(source, recordings[key]) for key in keys])
        parts[part] = {"inputs": inputs, "labels": np.array([digit for digit, _, _ in keys], np.uint8)}
    origin = f"Free Spoken Digit Dataset, CC BY-SA 4.0, {len(recordings)} recordings"
    path = datasets.save(options.out, TASK.layout, parts=parts, origin=origin)
    sizes = ", ".join(f"{len(parts[part]['labels'])} {part}" for part in parts)
    print(f"{path}: {sizes}")


if __name__ == "__main__":
    run(main)

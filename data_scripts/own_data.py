"""Make an .npz of a folder per class: python data_scripts/own_data.py --source FOLDER --out mine.npz.

FOLDER (or a zip of it) holds one folder per class with PNG images or WAV recordings, or the folders train, validation
and test with such folders in them. `minirram task --data mine.npz --out mine.json` drafts a task for the file.

Images of one size keep their pixels and channels. Recordings are cut into windows of --samples samples; all windows of
a recording are in one part. With --features each recording becomes 23 speech features in 20 frames instead.
"""

import argparse
import io
import os

import numpy as np
from _common import ConfigError, DataError, Source, check_picture, optional, run
from spoken_digits import read_wave

from minirram import files
from minirram.tasks import datasets, labelled_data, speech_features

SHARES = {"validation": 0.15, "test": 0.15}
ENDINGS = (".png", ".wav")
PNG = b"\x89PNG\r\n\x1a\n"
"""first bytes of every PNG file"""


def find_files(source):
    """[(part or "", class, path)] of all images or recordings; DataError for a folder that is laid out otherwise."""
    names = [name for name in source.names if name.lower().endswith(ENDINGS)]
    if not names:
        raise DataError(f"{source.path}: holds no PNG and no WAV files")
    kinds = {os.path.splitext(name)[1].lower() for name in names}
    if len(kinds) > 1:
        raise DataError(f"{source.path}: holds {' and '.join(sorted(kinds))} files; choose one kind")
    shared = os.path.commonpath([os.path.dirname(name) for name in names])
    if len({os.path.dirname(name) for name in names}) == 1:
        raise DataError(f"{source.path}: all files lie in one folder; each of two classes or more needs its own")
    found = []
    for name in names:
        parts = name[len(shared) :].strip("/").split("/")[:-1]
        part = parts.pop(0) if len(parts) == 2 and parts[0] in datasets.PARTS else ""
        if len(parts) != 1:
            raise DataError(f"{source.where(name)}: must lie in the folder of its class, CLASS/NAME or PART/CLASS/NAME")
        found.append((part, parts[0], name))
    if len({bool(part) for part, _, _ in found}) > 1:
        raise DataError(f"{source.path}: some files lie in train, validation or test, others do not")
    return found


def read_image(source, name):
    """One image: uint8 (height, width) or (height, width, channels), or float32 where it has 16 bits."""
    data = source.read(name)
    if not data.startswith(PNG):
        raise DataError(f"{source.where(name)}: no PNG; it begins with {data[:8]!r}")
    check_picture(data, source.where(name), "PNG")
    try:
        image = np.asarray(optional("imageio.v2").imread(io.BytesIO(data), format="png"))
    except (ValueError, OSError, SyntaxError, IndexError) as error:
        raise DataError(f"{source.where(name)}: cannot be read as PNG ({error})") from None
    return image if image.dtype == np.uint8 else image.astype(np.float32)


def read_recording(source, name, samples):
    """Windows float32 (n, samples) of one recording, at 8 kHz, or with None its features (1, 23, 20)."""
    waveform = read_wave(source.read(name), source.where(name))
    if samples is None:
        try:
            return speech_features.speech_features(waveform)[np.newaxis]
        except DataError as error:
            raise DataError(f"{source.where(name)}: {error}") from None
    count = len(waveform) // samples
    if not count:
        raise DataError(f"{source.where(name)}: {len(waveform)} samples at 8 kHz; a window has {samples}")
    return waveform[: count * samples].reshape(count, samples).astype(np.float32)


def read_all(source, found, options):
    """(inputs (n, ...), number of the file of each (n,))."""
    images = found[0][2].lower().endswith(".png")
    if images and (options.samples is not None or options.features):
        raise ConfigError("--samples and --features are of recordings; the files are images")
    if not images and (options.samples is not None) == options.features:
        raise ConfigError("recordings need --samples N, the length of a window, or --features")
    pieces = []
    for _, _, name in found:
        piece = read_image(source, name)[np.newaxis] if images else read_recording(source, name, options.samples)
        if pieces and (piece.shape[1:], piece.dtype) != (pieces[0].shape[1:], pieces[0].dtype):
            first, own = (f"{p.dtype} {p.shape[1:]}" for p in (pieces[0], piece))
            raise DataError(f"{source.where(name)}: {own}; the first file has {first}, all must be alike")
        pieces.append(piece)
    return np.concatenate(pieces), np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])


def split_files(found, classes, seed):
    """The part of each file: of its folder, or by class in equal shares."""
    if found[0][0]:
        return np.array([part for part, _, _ in found])
    numbers = np.array([classes.index(name) for _, name, _ in found])
    chosen = labelled_data.stratified(numbers, tuple(classes), shares=SHARES, seed=seed)
    parts = np.empty(len(found), "U10")
    for part, members in chosen.items():
        parts[members] = part
    return parts


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, metavar="PATH", help="folder (or zip) with a folder per class")
    parser.add_argument("--out", required=True, metavar="FILE.npz", help="file to write")
    parser.add_argument("--samples", type=int, metavar="N", help="length of a window of a recording, at 8 kHz")
    parser.add_argument("--features", action="store_true", help="speech features of each recording")
    parser.add_argument("--seed", type=int, default=0, help="of the split, where the source has none (%(default)s)")
    options = parser.parse_args(arguments)
    if options.samples is not None and options.samples < 1:
        raise ConfigError(f"windows of {options.samples} samples; at least 1")
    source = Source(options.source)
    found = find_files(source)
    classes = sorted({name for _, name, _ in found})
    inputs, of_file = read_all(source, found, options)
    labels = np.array([classes.index(name) for _, name, _ in found], np.int64)[of_file]
    split = split_files(found, classes, options.seed)[of_file]
    origin = f"{len(found)} files of {os.path.basename(os.path.abspath(options.source))}"
    arrays = dict(inputs=inputs, labels=labels, split=split, class_names=np.array(classes), origin=np.array(origin))
    files.write_npz(options.out, arrays)
    counts = ", ".join(f"{np.count_nonzero(split == part)} {part}" for part in datasets.PARTS)
    print(f"{options.out}: {len(classes)} classes, {inputs.dtype} {inputs.shape[1:]}, {counts}")


if __name__ == "__main__":
    run(main)

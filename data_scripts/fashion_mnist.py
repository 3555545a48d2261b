"""Make fashion-mnist.npz from the four official files: python data_scripts/fashion_mnist.py --out DIR [--source DIR].

Without --source the files are downloaded from Zalando's site (https://github.com/zalandoresearch/fashion-mnist, MIT
licence, about 31 MB). With --source they are taken from a folder; Debian's package dataset-fashion-mnist will do:
its gzip headers differ, its contents do not. The SHA-256 of the decompressed contents is checked.
"""

import argparse
import gzip
import hashlib
import io
import os
import urllib.error
import urllib.request
import zlib

import numpy as np
from _common import DataError, run

from minirram import files
from minirram.files import budgets
from minirram.tasks import datasets
from minirram.tasks.fashion_mnist import LAYOUT

SITE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
TIMEOUT_s = 60
MAX_DOWNLOAD_BYTES = 40_000_000  # the largest official file has 26,421,880

# name: (shape, SHA-256 of the decompressed contents)
FILES = {
    "train-images-idx3-ubyte.gz": (
        (60000, 28, 28),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train-labels-idx1-ubyte.gz": (
        (60000,),
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "t10k-images-idx3-ubyte.gz": (
        (10000, 28, 28),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        (10000,),
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
IDX_UBYTE = 0x0800  # the IDX magic number: type 8 = unsigned byte, then the number of dimensions


def download(name):
    """Bytes of one file of the official site; DataError when it cannot be had or is larger than it can be."""
    url = SITE + name
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_s) as response:
            data = response.read(MAX_DOWNLOAD_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        message = "{}: cannot be downloaded ({}); use --source with a local folder"
        raise DataError(message.format(url, reason)) from None
    if len(data) > MAX_DOWNLOAD_BYTES:
        raise DataError(f"{url}: more than {MAX_DOWNLOAD_BYTES} bytes, the official file is smaller")
    return data


def read_local(folder, name):
    """Bytes of one file of a local folder; DataError when it is missing."""
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        raise DataError(f"{path}: there is no such file; --source must hold {', '.join(FILES)}")
    return files.read_bytes(path, budgets.IMAGE)


def decompress(packed, where, size):
    """Contents of a gzip file that must hold exactly `size` bytes; DataError naming the file otherwise."""
    if packed[:2] != b"\x1f\x8b":
        raise DataError(f"{where}: not a gzip file (begins with {packed[:4]!r})")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            contents = stream.read(size + 1)
    except EOFError:
        raise DataError(f"{where}: truncated, the gzip stream ends early") from None
    except (OSError, zlib.error) as error:
        raise DataError(f"{where}: damaged gzip file ({error})") from None
    if len(contents) != size:
        found = "more" if len(contents) > size else str(len(contents))
        raise DataError(f"{where}: holds {found} bytes, the official file {size}")
    return contents


def parse_idx(contents, shape):
    """The array behind an IDX header: big-endian magic number and lengths, then bytes. The size is checked before."""
    header = np.frombuffer(contents, ">u4", 1 + len(shape))
    expected = (IDX_UBYTE + len(shape),) + shape
    if tuple(header) != expected:
        raise DataError(f"the IDX header reads {tuple(header)}, it must be {expected}")
    return np.frombuffer(contents, np.uint8, offset=header.nbytes).reshape(shape)


def open_file(name, source):
    """One official file as an array, from a local folder or (source None) from the site."""
    where = name if source is None else os.path.join(source, name)
    shape, sha256 = FILES[name]
    packed = download(name) if source is None else read_local(source, name)
    size = 4 * (1 + len(shape)) + int(np.prod(shape))
    contents = decompress(packed, where, size)
    found = hashlib.sha256(contents).hexdigest()
    if found != sha256:
        raise DataError(f"{where}: SHA-256 of the contents is {found}, the official file has {sha256}")
    return parse_idx(contents, shape)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for fashion-mnist.npz")
    parser.add_argument("--source", metavar="DIR", help="folder with the four files (default: download them)")
    options = parser.parse_args(arguments)
    arrays = [open_file(name, options.source) for name in FILES]
    train_images, train_labels, test_images, test_labels = arrays
    training, validation = datasets.hold_back({"inputs": train_images, "labels": train_labels})
    test = {"inputs": test_images, "labels": test_labels}
    parts = {"train": training, "validation": validation, "test": test}
    path = datasets.save(options.out, LAYOUT, parts=parts, origin="Fashion-MNIST, Zalando SE, MIT licence")
    sizes = ", ".join(f"{len(parts[part]['labels'])} {part}" for part in datasets.PARTS)
    print(f"{path}: {sizes}")


if __name__ == "__main__":
    run(main)

"""Make retina.npz: python data_scripts/retina.py --out DIR --source FOLDER_OR_ZIP [--strict] [--shrink N].

The source is a data set of fundus images with vessels marked by hand; which one is seen from its files:

DRIVE in its official layout (training/ and test/, each with images, 1st_manual and mask). Its terms forbid passing
it on, so everyone gets it from its site. Files whose SHA-256 differs from drive_sha256sums.txt are named in a
warning; with --strict that is an error. Images 38-40 are for validation. The site has served no test/1st_manual since
2019: without that folder images 36-40 of training/ are the test part and 33-35 validation, and a warning says so.

HRF, the reduced PNG set (images, vessels, fov and MANIFEST.tsv, whose split is kept and whose checksums of the
pixels are checked alike). Patients numbered 05 are for validation: one healthy, one with glaucoma, one with diabetic
retinopathy. It was made from 26 of the 45 published images, as its LICENCE-NOTICE.txt tells: means of 6 x 6 pixels
without the first and the last row, masks where at least half of the 36 are marked. --shrink 6 does the same.

HRF as its authors publish it: images, manual1 and mask, JPEG and TIFF of 3504 x 2336 pixels. Numbers 01 to 04 train,
05 is for validation, 06 to 15 for the test, of each of the three groups.

STARE (im0001.ppm.gz and im0001.ah.ppm.gz in any folders) and CHASE_DB1 (Image_01L.jpg, Image_01L_1stHO.png), with the
vessels of the first observer. They have no fields of view: where the mean of the colours is above 25, gaps filled.

Each patient is in one part alone, as far as a set names patients: CHASE_DB1 does, HRF has numbers; DRIVE and STARE hold
out images. What is held out stands with the data, and on the page of a report. The green channel is stored with its
contrast normalised. --shrink N takes means of N x N pixels, borders that do not fill one cut on both sides.
"""

import argparse
import csv
import gzip
import hashlib
import io
import os
import zlib

import numpy as np
from _common import MAX_FILE_BYTES, ConfigError, DataError, Source, check_picture, optional, run, warn
from retina_layouts import PUBLISHED, needed, unchecked

from minirram.files import budgets, read_bytes
from minirram.tasks import datasets, fundus
from minirram.tasks.retina import TASK

DRIVE_VALIDATION = ("38", "39", "40")
DRIVE_HELD_OUT = {"validation": ("33", "34", "35"), "test": ("36", "37", "38", "39", "40")}
HRF_VALIDATION_PATIENT = "05"
REGION_SHARE = (0.4, 0.98)  # of the image; both data sets have 0.69 to 0.85
VESSEL_SHARE = (0.01, 0.4)  # of the region; both data sets have 0.06 to 0.17
DARK = 25  # mean of the colours outside of a field of view, as in the reduced HRF set
USUAL_WIDTH_PX = 584  # contrast is smoothed over so many times more pixels as an image is wider
SMALLEST_PX = 48  # of a shrunk image: a crop of the network


def read_image(source, name):
    """Pixels of an image file, uint8; DataError naming the file when it cannot be decoded."""
    imageio = optional("imageio.v3")
    data, ending = contents(source, name)
    check_picture(data, source.where(name), "an image")
    try:
        # Pillow reads LZW-compressed TIFF; imageio's own TIFF reader would need one more package.
        pixels = imageio.imread(data, extension=ending, plugin="pillow")
    except Exception as error:  # a decoder may raise anything on damaged data
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{source.where(name)}: cannot be read as an image ({reason})") from None
    if pixels.dtype != np.uint8:
        raise DataError(f"{source.where(name)}: the pixels are {pixels.dtype}, they must be uint8")
    return pixels


def contents(source, name):
    """(bytes, ending) of a file; those inside of a .gz. DataError for a damaged one, or one that is too large."""
    data, (stem, ending) = source.read(name), os.path.splitext(name)
    if ending != ".gz":
        return data, ending
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            data = packed.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source.where(name)}: damaged gzip ({error})") from None
    if len(data) > MAX_FILE_BYTES:
        raise DataError(f"{source.where(name)}: unpacks to more than any file of this set")
    return data, os.path.splitext(stem)[1]


def read_colour(source, name):
    """A colour image, uint8 (height, width, 3)."""
    pixels = read_image(source, name)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DataError(f"{source.where(name)}: shape {pixels.shape}, a colour image is (height, width, 3)")
    return pixels


def read_mask(source, name, shape):
    """A black and white image as bool of the given shape."""
    pixels = read_image(source, name)
    if pixels.ndim > 2 and pixels.shape[0] == 1:  # the one frame of a GIF
        pixels = pixels[0]
    if pixels.ndim == 3 and pixels.shape[2] == 3 and (pixels == pixels[:, :, :1]).all():  # a palette of greys
        pixels = pixels[:, :, 0]
    if pixels.shape != shape:
        raise DataError(f"{source.where(name)}: shape {pixels.shape}, the image has {shape}")
    values = np.unique(pixels)
    if not np.isin(values, (0, 255)).all():
        message = "{}: a mask holds 0 and 255 only, this one {} values from {} to {}"
        raise DataError(message.format(source.where(name), len(values), values[0], values[-1]))
    return pixels == 255


def check_share(part, whole, limits, source, name, what):
    """DataError (a mislabelled file?) unless `part` takes a plausible share of `whole`."""
    share = np.count_nonzero(part & whole) / np.count_nonzero(whole)
    if not limits[0] <= share <= limits[1]:
        message = "{}: marks {:.1%} of the {}, expected {:.0%} to {:.0%}: is it another kind of file?"
        raise DataError(message.format(source.where(name), share, what, *limits))


def read_eye(source, names, shrink=1):
    """One eye from its (image, vessels, region) files: (colours uint8 (height, width, 3), vessels, region bool).

    A region of None is derived from the image. shrink: pixels along an edge that become one.
    """
    colours = read_colour(source, names[0])
    shape = colours.shape[:2]
    vessels = read_mask(source, names[1], shape)
    region = derived_region(colours) if names[2] is None else read_mask(source, names[2], shape)
    check_share(region, np.ones(shape, bool), REGION_SHARE, source, names[2] or names[0], "image")
    check_share(vessels, region, VESSEL_SHARE, source, names[1], "field of view")
    if shrink == 1:
        return colours, vessels, region
    if min(shape) // shrink < SMALLEST_PX:
        message = "{}: {} x {} pixels leave less than {} after --shrink {}"
        raise DataError(message.format(source.where(names[0]), *shape, SMALLEST_PX, shrink))
    small = np.rint(block_means(colours, shrink)).astype(np.uint8)
    return (small, *(block_means(mask, shrink) >= 0.5 for mask in (vessels, region)))


def block_means(image, n):
    """Means of n x n pixels, float64; of rows and columns that do not fill a block, the first half is cut less one."""
    for axis in (0, 1):
        length = image.shape[axis]
        first = length % n // 2
        image = np.take(image, range(first, first + length // n * n), axis=axis)
    height, width = (length // n for length in image.shape[:2])
    return image.reshape(height, n, width, n, *image.shape[2:]).mean(axis=(1, 3))


def derived_region(colours):
    """bool (height, width): where the mean of the colours is above DARK, gaps filled along rows and then columns."""
    seen = colours.mean(axis=2) > DARK
    for axis in (1, 0):
        seen = np.maximum.accumulate(seen, axis) & np.flip(np.maximum.accumulate(np.flip(seen, axis), axis), axis)
    return seen


def read_flat_eye(source, names, shrink=1):
    """The same as it is stored: (flat image uint8, vessels uint8, region bool)."""
    colours, vessels, region = read_eye(source, names, shrink)
    radius_px = fundus.SMOOTHING_PX * max(1, round(region.shape[1] / USUAL_WIDTH_PX))
    try:
        flat = fundus.normalise_contrast(colours[:, :, 1], region, smooth=None, radius_px=radius_px)
    except DataError as error:
        raise DataError(f"{source.where(names[0])}: {error}") from None
    return flat, vessels.astype(np.uint8), region


def drive_files(source, root):
    """DRIVE's eyes: {part: [(image, vessels, region) paths]}; DataError naming the first file that is missing."""
    eyes = {part: [] for part in datasets.PARTS}
    held_out, folders = {"validation": DRIVE_VALIDATION}, (("training", range(21, 41)), ("test", range(1, 21)))
    if not drive_has_test_labels(source, root):
        held_out, folders = DRIVE_HELD_OUT, folders[:1]
    for folder, numbers in folders:
        for number in (f"{number:02d}" for number in numbers):
            held = (part for part, held_numbers in held_out.items() if number in held_numbers)
            part = "test" if folder == "test" else next(held, "train")
            patterns = ("{0}/images/{1}_{0}.tif", "{0}/1st_manual/{1}_manual1.gif", "{0}/mask/{1}_{0}_mask.gif")
            names = tuple(root + pattern.format(folder, number) for pattern in patterns)
            for name, kind in zip(names, ("image", "vessels", "field of view")):
                needed(source, names[0], kind, [name])
            eyes[part].append(names)
    return eyes


def drive_has_test_labels(source, root):
    """Whether this copy of DRIVE has test/1st_manual, as older ones do."""
    return any(name.startswith(root + "test/1st_manual/") for name in source.names)


def check_drive(source, root, eyes):
    """Lines about the files whose SHA-256 is not that of the official ones."""
    listed = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drive_sha256sums.txt")
    lines = read_bytes(listed, budgets.TEXT).decode("ascii").splitlines()
    known = {name: sha256 for sha256, name in (line.split() for line in lines)}
    for names in sum(eyes.values(), []):
        for name in names:
            found = hashlib.sha256(source.read(name)).hexdigest()
            expected = known[name[len(root) :]]
            if found != expected:
                yield f"{source.where(name)}: SHA-256 {found}, the official file has {expected}"


def read_manifest(source, root):
    """Rows of HRF's MANIFEST.tsv as dicts; DataError when it lacks a column, or an id appears twice."""
    name = root + "MANIFEST.tsv"
    try:
        text = source.read(name).decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{source.where(name)}: not a text file") from None
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    for number, row in enumerate(rows, 2):
        if not row.get("id") or row.get("split") not in ("train", "test"):
            message = "{}, line {}: needs an id, and the split 'train' or 'test'"
            raise DataError(message.format(source.where(name), number))
    ids = [row["id"] for row in rows]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise DataError(f"{source.where(name)}: {twice[0]} is listed twice")
    return rows


def hrf_files(source, root):
    """HRF's eyes: {part: [(image, vessels, region) paths]}, the patients of one number together."""
    eyes = {part: [] for part in datasets.PARTS}
    for row in read_manifest(source, root):
        patient = row["id"].split("_")[0]
        part = "validation" if row["split"] == "train" and patient == HRF_VALIDATION_PATIENT else row["split"]
        names = tuple(f"{root}{folder}/{row['id']}.png" for folder in ("images", "vessels", "fov"))
        for name in names:
            if not source.holds(name):
                raise DataError(f"{source.where(name)}: there is no such file, MANIFEST.tsv lists it")
        eyes[part].append(names)
    return eyes


def check_hrf(source, root, _eyes):
    """Lines about the files whose pixels are not those of MANIFEST.tsv."""
    for row in read_manifest(source, root):
        for folder in ("images", "vessels", "fov"):
            name = f"{root}{folder}/{row['id']}.png"
            column = "px_sha256_16_" + {"images": "image"}.get(folder, folder)
            found = hashlib.sha256(read_image(source, name).tobytes()).hexdigest()[:16]
            if found != row.get(column):
                message = "{}: SHA-256 of the pixels begins with {}, MANIFEST.tsv has {}"
                yield message.format(source.where(name), found, row.get(column))


def find_set(source):
    """(name, root folder inside the source, function for its files, function for its checksums)."""
    kinds = (
        ("MANIFEST.tsv", ("HRF, FAU Erlangen, CC BY 4.0, reduced", hrf_files, check_hrf)),
        ("training/images/21_training.tif", ("DRIVE, as supplied by the user", drive_files, check_drive)),
    )
    for landmark, (origin, files, check) in kinds:
        roots = [name[: -len(landmark)] for name in source.names if ("/" + name).endswith("/" + landmark)]
        if roots:
            return origin, min(roots, key=len), files, check
    for pattern, _, origin, files in PUBLISHED:
        found = [match.groups()[0] for match in map(pattern.match, source.names) if match]
        if found:
            return origin, min((root or "" for root in found), key=len), files, unchecked
    known = (f"{kinds[0][0]} (HRF, reduced)", f"{kinds[1][0]} (DRIVE)", *(words for _, words, _, _ in PUBLISHED))
    raise DataError(f"{source.path}: holds no set that is known; looked for {', '.join(known)}")


def read_part(source, eyes, part, shrink=1):
    """The arrays of one part; DataError when an eye differs in size or appears twice."""
    if not eyes:
        raise DataError(f"{source.path}: no images for the {part} part")
    columns = list(zip(*(read_flat_eye(source, names, shrink) for names in eyes)))
    for names, flat in zip(eyes, columns[0]):
        if flat.shape != columns[0][0].shape:
            message = "{}: {} pixels, {} has {}"
            first = source.where(eyes[0][0])
            raise DataError(message.format(source.where(names[0]), flat.shape, first, columns[0][0].shape))
    return dict(zip(("inputs", "labels", "region"), (np.stack(column) for column in columns)))


def check_distinct(source, eyes):
    """DataError when two images have the same contents: a copy under another name would leak between the parts."""
    seen = {}
    for names in sum(eyes.values(), []):
        digest = hashlib.sha256(source.read(names[0])).hexdigest()
        if digest in seen:
            raise DataError(f"{source.where(names[0])}: the same image as {source.where(seen[digest])}")
        seen[digest] = names[0]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for retina.npz")
    parser.add_argument("--source", required=True, metavar="PATH", help="folder or zip of a data set")
    parser.add_argument("--strict", action="store_true", help="a file that is not the official one is an error")
    parser.add_argument("--shrink", type=int, default=1, metavar="N", help="means of N x N pixels; HRF as published: 6")
    options = parser.parse_args(arguments)
    if options.shrink < 1:
        raise ConfigError(f"--shrink is {options.shrink}; it must be at least 1")
    source = Source(options.source)
    origin, root, files, check = find_set(source)
    eyes = files(source, root)
    check_distinct(source, eyes)
    for difference in check(source, root, eyes):
        if options.strict:
            raise DataError(difference)
        warn(difference)
    if files is drive_files and not drive_has_test_labels(source, root):
        origin += ", without test labels: images 36-40 are the test part, 33-35 validation; the set names no patients"
        warn(f"{source.where(root + 'test/1st_manual')}: there is none; images 36-40 of training are the test part")
    if any(names[2] is None for names in sum(eyes.values(), [])):
        warn(f"{source.path}: has no fields of view; taken where the mean of the colours is above {DARK}")
    if options.shrink > 1:
        origin += f", shrunk by {options.shrink}"
    parts = {part: read_part(source, eyes[part], part, options.shrink) for part in datasets.PARTS}
    path = datasets.save(options.out, TASK.layout, parts=parts, origin=origin)
    sizes = ", ".join(f"{len(parts[part]['labels'])} {part}" for part in parts)
    print(f"{path}: {sizes}")


if __name__ == "__main__":
    run(main)

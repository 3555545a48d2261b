"""Layouts of sets of fundus images as their sites give them: HRF as published, STARE and CHASE_DB1.

Each function takes a `Source` and gives {part: [(image, vessels, region) paths]}; region is None where a set has no
fields of view. What is in no part is said in a warning. DataError lists what was looked for.
"""

import os
import re

from _common import DataError, warn

from minirram.tasks import datasets

HRF_IMAGE = re.compile(r"(.*/)?images/((\d\d)_(?:h|dr|g))\.(?:jpe?g|tiff?|png)$", re.IGNORECASE)
HRF_ENDINGS = (".tif", ".tiff", ".png")
HRF_VALIDATION, HRF_FIRST_TEST = 5, 6
STARE_IMAGE = re.compile(r"(?:.*/)?(im\d{4})\.ppm(?:\.gz)?$")
STARE_ENDINGS = (".ah.ppm.gz", ".ah.ppm")
STARE_VALIDATION = 2
CHASE_IMAGE = re.compile(r"(.*/)?(Image_(\d\d)[LR])\.jpg$", re.IGNORECASE)
CHASE_ENDINGS = ("_1stHO.png",)
CHASE_FIRST_VALIDATION, CHASE_FIRST_TEST = 9, 11


def images_of(source, pattern):
    """Matches of a pattern among the names of a source."""
    return [found for found in map(pattern.match, source.names) if found]


def needed(source, image, kind, wanted):
    """The one of the paths `wanted` that is there, in any case of letters; DataError lists them and what lies there."""
    there = {name.lower(): name for name in source.names}
    for name in wanted:
        if name.lower() in there:
            return there[name.lower()]
    folder = os.path.dirname(wanted[0])
    beside = [os.path.basename(name) for name in source.names if os.path.dirname(name) == folder][:3]
    lies = f"there are {', '.join(beside)} ..." if beside else "there is no such folder, or it is empty"
    raise DataError(
        f"{source.where(wanted[0])}: there is no such file, the {kind} of {os.path.basename(image)}; looked for "
        f"{', '.join(os.path.basename(name) for name in wanted)} in {folder or '.'}: {lies}"
    )


def hrf_published_files(source, root):
    """HRF's 45 eyes as its authors publish them: images, manual1, mask. Those of one number are in one part."""
    eyes = {part: [] for part in datasets.PARTS}
    for found in images_of(source, HRF_IMAGE):
        if (found.group(1) or "") != root:
            continue
        number, stem = int(found.group(3)), found.group(2)
        part = "validation" if number == HRF_VALIDATION else "test" if number >= HRF_FIRST_TEST else "train"
        vessels = [f"{root}manual1/{stem}{end}" for end in HRF_ENDINGS]
        region = [f"{root}mask/{stem}_mask{end}" for end in HRF_ENDINGS]
        name = found.group()
        eyes[part].append(
            (name, needed(source, name, "vessels", vessels), needed(source, name, "field of view", region))
        )
    return eyes


def stare_files(source, _root):
    """STARE's eyes with the vessels of the first observer; the first half is for training, its last two validation."""
    there = {os.path.basename(name): name for name in source.names}
    pairs, without = [], []
    for found in sorted(images_of(source, STARE_IMAGE), key=lambda found: found.group(1)):
        ends = [end for end in STARE_ENDINGS if found.group(1) + end in there]
        if ends:
            pairs.append((found.group(), there[found.group(1) + ends[0]], None))
        else:
            without.append(found.group(1))
    if not pairs:
        looked = ", ".join(without[0] + end for end in STARE_ENDINGS)
        raise DataError(f"{source.path}: no vessels marked by hand (STARE); looked for {looked} in any folder")
    if without:
        warn(f"{source.path}: {len(without)} images without vessels marked by hand are left out")
    half = len(pairs) // 2
    first = max(half - STARE_VALIDATION, 0)
    return {"train": pairs[:first], "validation": pairs[first:half], "test": pairs[half:]}


def chase_files(source, root):
    """CHASE_DB1's eyes with the vessels of the first observer. Both eyes of a child are in one part."""
    eyes = {part: [] for part in datasets.PARTS}
    for found in images_of(source, CHASE_IMAGE):
        if (found.group(1) or "") != root:
            continue
        child, name = int(found.group(3)), found.group()
        part = "test" if child >= CHASE_FIRST_TEST else "validation" if child >= CHASE_FIRST_VALIDATION else "train"
        wanted = [f"{root}{found.group(2)}{end}" for end in CHASE_ENDINGS]
        eyes[part].append((name, needed(source, name, "vessels", wanted), None))
    return eyes


def unchecked(_source, _root, _eyes):
    """No line: no checksums of these files are known here."""
    return ()


PUBLISHED = (
    (
        HRF_IMAGE,
        "images/01_h.jpg with manual1 and mask (HRF as published)",
        "HRF as published, FAU Erlangen, CC BY 4.0; held out by number: 05 validation, 06 to 15 test",
        hrf_published_files,
    ),
    (
        CHASE_IMAGE,
        "Image_01L.jpg (CHASE_DB1)",
        "CHASE_DB1, as supplied by the user; held out by child: 09 and 10 validation, 11 to 14 test",
        chase_files,
    ),
    (
        STARE_IMAGE,
        "im0001.ppm.gz (STARE)",
        "STARE, as supplied by the user; the second half by number is the test part, the two before it validation; the "
        "set names no patients",
        stare_files,
    ),
)
"""(pattern of an image, what is looked for in words, origin, function for the files) of each layout"""

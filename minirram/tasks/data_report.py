"""What should be known of data before a network learns from them: counts, imbalance, doubles, values cut."""

from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np

from ..json_codec import Result
from ..nn.network import Network
from .codes import as_images
from .datasets import PARTS, Dataset, Layout
from .labelled_data import LabelledData

IMBALANCE = 2.0
"""from this ratio of the largest class to the smallest on, the text says it"""
_PAIRS = (("train", "validation"), ("train", "test"), ("validation", "test"))


@dataclass(frozen=True)
class DataReport(Result):
    """What the data of a run are, as they were read, split and coded."""

    file: Optional[str]
    """name of the file; None: arrays of the caller, or drawn"""
    taken: Optional[str]
    """how its contents were understood; None: no file"""
    split: Optional[str]
    """how the samples were parted; None: they came in parts"""
    samples: Dict[str, int]
    """samples of each part"""
    classes: Dict[str, Tuple[int, int, int]]
    """samples, or pixels that count, of each class in the train, validation and test part"""
    imbalance: Optional[float]
    """largest class of the training part over the smallest; None: a class is not there"""
    absent: Dict[str, Tuple[str, ...]]
    """classes without a sample in a part, by part"""
    single_class: Tuple[str, ...]
    """parts of one class alone"""
    missing: int
    """samples with a value missing"""
    missing_policy: Optional[str]
    """what was done with them; None: no file"""
    dropped: int
    """samples left out for that"""
    constant: Tuple[str, ...]
    """features, or channels, that never change in the training part"""
    duplicates: Dict[str, int]
    """samples of the second part that are in the first, too, for "train-validation" and the other pairs of parts"""
    cut: Dict[str, int]
    """values beyond the range of the codes, which are cut, of each part"""


def data_report(data: LabelledData, layout: Layout, *, network: Network) -> DataReport:
    """The report of data that enter `network` as `layout` says."""
    parts = dict(zip(PARTS, (data.training, data.validation, data.test)))
    names = data.training.class_names
    counts = {part: _counts(held, len(names)) for part, held in parts.items()}
    images = {part: as_images(held.inputs, network, pool=layout.codes.pool) for part, held in parts.items()}
    least, reading = counts["train"].min(), data.reading
    return DataReport(
        file=None if reading is None else reading.file,
        taken=None if reading is None else reading.taken,
        split=None if reading is None else reading.split,
        samples={part: len(held) for part, held in parts.items()},
        classes={name: (*(int(counts[part][k]) for part in PARTS),) for k, name in enumerate(names)},  # type: ignore
        imbalance=float(counts["train"].max() / least) if least else None,
        absent={
            part: tuple(name for name, count in zip(names, found) if not count)
            for part, found in counts.items()
            if not found.all()
        },
        single_class=tuple(part for part, found in counts.items() if np.count_nonzero(found) == 1),
        missing=0 if reading is None else reading.missing,
        missing_policy=None if reading is None else reading.policy,
        dropped=0 if reading is None else reading.dropped,
        constant=_constant(images["train"], () if reading is None else reading.features),
        duplicates=_duplicates(parts),
        cut={part: _cut(found, layout) for part, found in images.items()},
    )


def _counts(data: Dataset, classes: int) -> np.ndarray:
    """Samples, or pixels that count, of each class."""
    labels = data.labels if data.region is None else data.labels[data.region]
    return np.bincount(labels.ravel().astype(np.intp), minlength=classes)


def _constant(images: np.ndarray, names: Tuple[str, ...]) -> Tuple[str, ...]:
    """Channels (features, where each is one) that have one value throughout."""
    low, high = images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2))
    labels = names if len(names) == len(low) else tuple(f"channel {k}" for k in range(len(low)))
    return tuple(labels[k] for k in np.flatnonzero(low == high))


def _duplicates(parts: Dict[str, Dataset]) -> Dict[str, int]:
    """Samples of the second part of each pair whose inputs are in the first, bit for bit."""
    inputs: Dict[str, List[bytes]] = {
        part: [sample.tobytes() for sample in data.inputs] for part, data in parts.items()
    }
    found = {}
    for first, second in _PAIRS:
        known = set(inputs[first])
        found[f"{first}-{second}"] = sum(sample in known for sample in inputs[second])
    return found


def _cut(images: np.ndarray, layout: Layout) -> int:
    """Values beyond the range of the codes."""
    layout.codes.check_channels(images.shape[-1])
    dtype = np.result_type(images.dtype, np.float32)  # a bound of bytes may be below 0, or a fraction
    low, high = (np.array(bound, dtype) for bound in (layout.codes.low, layout.codes.high))
    return int(np.count_nonzero(images < low) + np.count_nonzero(images > high))


def report_lines(report: DataReport) -> Iterator[str]:
    """The report as text: what was read and split, then a line for each thing that is not as it should be."""
    if report.file is not None:
        yield f"data                    {report.file}: {report.taken}"
    counts = ", ".join(f"{report.samples[part]} {part}" for part in PARTS)
    yield f"samples                 {counts}" + ("" if report.split is None else f" ({report.split})")
    if report.missing:
        done = {"drop": "left out", "mean": "filled with the mean of the training part"}[
            report.missing_policy or "drop"
        ]
        yield f"values missing          in {report.missing} samples, {done}"
    if report.imbalance is not None and report.imbalance >= IMBALANCE:
        sizes = {name: counts[0] for name, counts in report.classes.items()}
        least, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        yield f"imbalance               {report.imbalance:.1f}: {sizes[most]} of {most!r}, {sizes[least]} of {least!r}"
    for part in report.single_class:
        yield f"single class            the {part} part has one class alone"
    for part, names in report.absent.items():
        yield f"classes absent          from the {part} part: {_few(names)}"
    if report.constant:
        yield f"constant features       {len(report.constant)}: {_few(report.constant)}"
    for pair, count in report.duplicates.items():
        if count:
            first, second = pair.split("-")
            yield f"duplicates              {count} samples of the {second} part are in the {first} part, too"
    cut = {part: report.cut[part] for part in PARTS if report.cut[part]}
    if cut:
        counts = ", ".join(f"{count} {part}" for part, count in cut.items())
        yield f"values cut              {counts}: beyond the range of the codes"


def _few(names: Tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")

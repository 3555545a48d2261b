"""Arrays of one's own as the data of a training: inputs with one label each, in three parts."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from ..nn.network import Network
from ..rng import stream
from .codes import as_images, fitted_rule
from .datasets import PARTS, Dataset, Layout


@dataclass(frozen=True)
class Reading:
    """What a file of data was read as, and what was done to it."""

    file: str
    """name of the file"""
    taken: str
    """how its contents were understood"""
    split: str
    """how the samples were parted"""
    missing: int
    """samples with a value missing"""
    policy: str
    """what was done with them"""
    dropped: int
    """samples that were left out for that"""
    features: Tuple[str, ...]
    """names of the features; none: they have no names"""


@dataclass(frozen=True, eq=False)
class LabelledData:
    """Training, validation and test part of inputs with one label each; made by `split` or `of_parts`.

    Inputs (n, ...) are feature vectors (n, features), windows (n, steps) or (n, steps, channels), or images
    (n, height, width) or (n, height, width, channels), up to 4 channels. uint8 stays, other numbers become float32.
    """

    training: Dataset
    """what is learned from"""
    validation: Dataset
    """what chooses the best epoch"""
    test: Dataset
    """what is looked at once, at the end"""
    reading: Optional[Reading] = None
    """how they were read from a file; None: they are arrays of the caller"""

    @classmethod
    def split(
        cls,
        inputs: np.ndarray,
        labels: np.ndarray,
        *,
        validation: float = 0.15,
        test: float = 0.15,
        seed: int = 0,
        class_names: Optional[Sequence[str]] = None,
        origin: str = "arrays of the caller",
    ) -> "LabelledData":
        """Split (n, ...) inputs and their (n,) labels at random, each class in the same shares.

        validation, test: their shares of the samples of each class, at least one sample. seed: of the split. labels:
        integers 0..classes - 1, or texts, which become classes in alphabetical order. class_names: of integer labels;
        default "0", "1", ... origin: one line on what the data are. DataError for NaN, one class alone, a class of
        fewer than 3 samples or labels that leave a class out; ShapeError for shapes that do not fit.
        """
        for name, share in (("validation", validation), ("test", test)):
            if not 0 < share < 1 or not validation + test < 1:
                raise ConfigError(f"a {name} share of {share:g}; shares lie above 0 and leave something to learn from")
        numbers, names = numbered(labels, class_names)
        values = checked_inputs(inputs, "the inputs")
        if len(values) != len(numbers):
            raise ShapeError(f"{len(values)} inputs and {len(numbers)} labels; there must be one label per input")
        chosen = stratified(numbers, names, shares={"validation": validation, "test": test}, seed=seed)
        training, held_back, last = (Dataset(values[chosen[k]], numbers[chosen[k]], names, origin) for k in PARTS)
        return cls(training, held_back, last)

    @classmethod
    def of_parts(
        cls,
        training: Tuple[np.ndarray, np.ndarray],
        validation: Tuple[np.ndarray, np.ndarray],
        *,
        test: Tuple[np.ndarray, np.ndarray],
        class_names: Optional[Sequence[str]] = None,
        origin: str = "arrays of the caller",
    ) -> "LabelledData":
        """Three parts that are split already, each (inputs, labels) as in `split`; its errors."""
        pairs = dict(zip(PARTS, (training, validation, test)))
        lengths = [len(np.asarray(labels)) for _, labels in pairs.values()]
        numbers, names = numbered(np.concatenate([np.asarray(labels) for _, labels in pairs.values()]), class_names)
        parts = []
        for part, own in zip(PARTS, np.split(numbers, np.cumsum(lengths)[:-1])):
            values = checked_inputs(pairs[part][0], f"the {part} inputs")
            if len(values) != len(own):
                raise ShapeError(f"{len(values)} {part} inputs and {len(own)} labels; one label per input")
            parts.append(Dataset(values, own, names, origin))
        if len({(part.inputs.shape[1:], part.inputs.dtype) for part in parts}) > 1:
            found = ", ".join(f"{part.inputs.dtype} {part.inputs.shape[1:]}" for part in parts)
            raise ShapeError(f"the inputs of the three parts are {found}; they must be alike")
        return cls(parts[0], parts[1], parts[2])

    def layout(self, network: Network, data_set: str = "data") -> Layout:
        """How these data lie and become codes for `network`: by the range of the training inputs, per channel."""
        if network.input_shape[2] > 4 and min(network.input_shape[:2]) > 1:
            size = " x ".join(map(str, network.input_shape))
            first = "; height, width, channels is the order" if network.input_shape[0] <= 4 else ""
            raise ShapeError(f"images of {size}: {network.input_shape[2]} channels; choose 1 to 4{first}")
        inputs = self.training.inputs
        as_images(inputs, network)
        return Layout(
            data_set,
            tuple(inputs.shape[1:]),
            inputs.dtype.name,
            self.training.class_names,
            fitted_rule(inputs, network),
            per_pixel=self.training.region is not None,
        )

    def arrays(self) -> Dict[str, Dict[str, np.ndarray]]:
        """part -> {"inputs", "labels" and, where pixels are labelled, "region"}, as `datasets.save` takes it."""
        found = {}
        for part, data in zip(PARTS, (self.training, self.validation, self.test)):
            found[part] = {"inputs": data.inputs, "labels": data.labels}
            if data.region is not None:
                found[part]["region"] = data.region
        return found


def numbered(labels: np.ndarray, class_names: Optional[Sequence[str]] = None) -> Tuple[np.ndarray, Tuple[str, ...]]:
    """(labels as int64 (n,), names of the classes). DataError unless every class occurs and there are two or more."""
    found = np.asarray(labels)
    if found.ndim != 1 or not found.size:
        raise ShapeError(f"the labels have the shape {found.shape}; they must be (n,), one per input")
    if found.dtype.kind in "US":
        if class_names is not None:
            raise ConfigError("labels that are texts name their classes themselves; leave class_names out")
        texts, numbers = np.unique(found.astype(str), return_inverse=True)
        broken = [text for text in texts.tolist() if len(text.splitlines()) > 1 or "\t" in text]
        if broken:
            raise DataError(f"the label {broken[0]!r} holds a line break or a tab; a class name is one line")
        names: Tuple[str, ...] = tuple(texts.tolist())
    elif found.dtype.kind in "iub":
        numbers = found.astype(np.int64)
        if numbers.min() < 0:
            raise DataError(f"the labels begin at {numbers.min()}; classes are numbered from 0")
        count = int(numbers.max()) + 1 if class_names is None else len(class_names)
        if count > len(numbers) and class_names is None:  # before as many names are made
            raise DataError(f"label {count - 1} of {len(numbers)} samples; classes are 0, 1, ... without a gap")
        names = tuple(str(k) for k in range(count)) if class_names is None else tuple(class_names)
    else:
        raise DataError(f"the labels are {found.dtype}; they must be integers or texts")
    if numbers.max() >= len(names):
        raise DataError(f"label {numbers.max()}, but only {len(names)} class names")
    if len(np.unique(numbers)) < 2:
        raise DataError(f"all samples are of class {names[int(numbers[0])]!r}; there must be two classes at least")
    absent = sorted(set(range(len(names))) - set(numbers.tolist()))
    if absent:
        first = "; classes are numbered from 0" if absent == [0] and class_names is None else ""
        raise DataError(f"no sample is of class {names[absent[0]]!r} (number {absent[0]}){first}")
    return numbers.astype(np.int64).reshape(-1), names


def checked_inputs(inputs: np.ndarray, what: str) -> np.ndarray:
    """Inputs (n, ...) as uint8 or float32; DataError for NaN or infinity, ShapeError for what is no set of samples."""
    values = np.asarray(inputs)
    if values.dtype.kind not in "iufb":
        raise DataError(f"{what} are {values.dtype}; they must be numbers")
    if not 2 <= values.ndim <= 4 or not values.size:
        raise ShapeError(f"{what} have the shape {values.shape}; samples are (n, ...) with one to three axes each")
    if values.dtype != np.uint8:
        given = values
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        beyond = np.isfinite(given) & ~np.isfinite(values)
        if beyond.any():
            raise DataError(f"{what}: {given[beyond].flat[0]:g} is beyond float32; scale them")
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        raise DataError(f"{what}: {int((~finite).sum())} hold NaN or infinity, the first is number {finite.argmin()}")
    return values


def stratified(
    numbers: np.ndarray, names: Tuple[str, ...], *, shares: Dict[str, float], seed: int
) -> Dict[str, np.ndarray]:
    """part -> sorted indices: of each class its share, at least one sample; the rest is for training.

    numbers (n,): classes 0, 1, ... named `names`. DataError for a class with too few samples.
    """
    chosen: Dict[str, List[np.ndarray]] = {part: [] for part in (*shares, "train")}
    for number, name in enumerate(names):
        members = stream(seed, "split", number).permutation(np.flatnonzero(numbers == number))
        if not len(members):  # a class that another part has alone
            continue
        taken = 0
        for part, share in shares.items():
            count = max(int(round(share * len(members))), 1)
            chosen[part].append(members[taken : taken + count])
            taken += count
        if taken >= len(members):
            parts = "three" if len(shares) == 2 else "two"
            raise DataError(f"class {name!r} has {len(members)} samples; the {parts} parts need at least {taken + 1}")
        chosen["train"].append(members[taken:])
    return {part: np.sort(np.concatenate(indices)) for part, indices in chosen.items()}

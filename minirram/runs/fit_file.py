"""What `minirram fit` finds, and the file that holds it for `minirram report`."""

import os
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

from ..device.fit import Fit
from ..files import Path, read_json, write_json
from ..json_codec import Result, built
from ..labfiles.maps import Reading

END = ".fit.json"
"""of the file that lies beside MODEL.json"""
BINS = 80
"""of the histogram"""


@dataclass(frozen=True)
class Histogram(Result):
    """Cells by conductance, in classes of equal width in ln G."""

    edges_S: Tuple[float, ...]
    """borders of the classes, siemens"""
    cells: Tuple[int, ...]
    """cells in each class"""


@dataclass(frozen=True)
class FitReport(Fit):
    """A technology fitted to measured maps, how well it fits, and whether it may be used."""

    files: Tuple[Reading, ...]
    """what was taken from each map"""
    not_formed: int
    """cells with a value that were not formed"""
    forced: bool
    """--force was given: what is not usable is written all the same"""
    model_file: Optional[str]
    """file that the model was written to; None: none was asked for, or the fit is not usable"""
    picture_file: Optional[str]
    """file that the picture was written to; None: none was asked for"""
    report_file: Optional[str]
    """file that holds all this, for minirram report; None: no file was asked for"""
    histogram: Optional[Histogram]
    """conducting cells of all maps by conductance; None: none conducts"""


def histogram_of(maps_S: Sequence[np.ndarray]) -> Optional[Histogram]:
    """The histogram of cells that conduct, of maps in siemens; NaN and inf are left out."""
    values_S = np.concatenate([np.ravel(map_S) for map_S in maps_S])
    values_S = values_S[np.isfinite(values_S) & (values_S > 0)]
    if not values_S.size:
        return None
    low, high = float(values_S.min()), float(values_S.max())
    edges_S = np.geomspace(low / 1.001, high * 1.001, BINS + 1)
    cells, _ = np.histogram(values_S, edges_S)
    return Histogram(tuple(edges_S.tolist()), tuple(cells.tolist()))


def file_beside(model_file: Path) -> str:
    """The file of what was found, beside the one of the model: mine.fit.json beside mine.json."""
    path = os.fspath(model_file)
    return (path[: -len(".json")] if path.endswith(".json") else path) + END


def save_fit(path: Path, found: FitReport) -> None:
    """Write what was found."""
    write_json(path, found.to_json())


def load_fit(path: Path) -> FitReport:
    """What `save_fit` wrote, or `minirram fit --json` printed; DataError when it is something else."""
    return built(FitReport, read_json(path), where=os.fspath(path))

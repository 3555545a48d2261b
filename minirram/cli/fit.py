"""minirram fit: fit a technology to measured maps."""

import argparse
from dataclasses import dataclass
from typing import Optional

from ..device.cell import CellModel
from ..device.fit import fit_maps
from ..device.presets import load_cell_model, save_cell_model
from ..errors import ConfigError
from ..json_codec import Result
from ..labfiles.maps import read_forming_voltages, read_map
from ..units import si_format
from .counts import count_lines


@dataclass(frozen=True)
class FitReport(Result):
    """A technology fitted to measured maps, and how well it fits."""

    model: CellModel
    """the base technology with the fitted numbers and their sources"""
    cells: int
    """cells in the maps"""
    formed: int
    """cells that conduct"""
    ks_lognormal: float
    """Kolmogorov-Smirnov distance of the formed cells to the fitted log-normal"""
    ks_normal: float
    """the same to a normal distribution of their mean and standard deviation"""
    ks_limit: float
    """distance that a true log-normal exceeds once in twenty fits (Lilliefors 1967, large n)"""
    ks_forming: Optional[float]
    """distance of the forming voltages to the fitted normal; None: no voltages were given"""


RESULT = FitReport


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram fit` takes."""
    parser.add_argument("maps", nargs="+", metavar="MAP", help="measured conductances (.csv, .npy), 0 = not formed")
    parser.add_argument("--unit", required=True, help="of the maps: S, mS, uS or nS")
    parser.add_argument("--forming", metavar="FILE", help="measured forming voltages in volt (.csv, .npy)")
    parser.add_argument(
        "--repeated", action="store_true", help="the maps are reads of one array: fit the read noise too"
    )
    parser.add_argument("--base", default="taox-40nm", help="technology for what the maps do not tell (%(default)s)")
    parser.add_argument("--out", metavar="MODEL.json", help="write the fitted model, for train --technology MODEL.json")


def run(options: argparse.Namespace) -> FitReport:
    """Fit, and write the model."""
    if options.repeated and len(options.maps) < 2:
        raise ConfigError("--repeated compares reads of one array: give at least two maps")
    maps_S = [read_map(path, options.unit).conductances_S for path in options.maps]
    forming_V = None if options.forming is None else read_forming_voltages(options.forming).values
    base = load_cell_model(options.base)
    if not isinstance(base, CellModel):
        raise ConfigError(f"{options.base} is a {type(base).__name__}; a fit gives the numbers of a CellModel")
    found = fit_maps(maps_S, base, forming_V=forming_V, repeated=options.repeated)
    if options.out is not None:
        save_cell_model(options.out, found.model)
    return FitReport(**found._asdict())


def text(shown: FitReport) -> str:
    """The two laws, then how well they fit."""
    model = shown.model
    lines = [
        f"on conductance  median {si_format(model.lrs_median_S, 'S')}, sigma of ln {model.lrs_sigma_ln:.4f}",
        f"forming voltage {model.forming_mean_V:.4f} +- {model.forming_std_V:.4f} V",
    ]
    names = ("cells", "formed", "ks_lognormal", "ks_normal", "ks_limit", "ks_forming")
    lines += [f"{name:15s} {getattr(shown, name):.6g}" for name in names if getattr(shown, name) is not None]
    return "\n".join([*lines, *count_lines({"cells not formed": shown.cells - shown.formed})])

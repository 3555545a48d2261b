"""minirram fit: fit a technology to measured maps."""

import argparse
from dataclasses import asdict
from typing import Any

from ..device.fit import fit_maps
from ..device.measured_maps import read_conductance_map, read_table
from ..device.presets import load_cell_model, save_cell_model
from ..errors import ConfigError
from ..units import si_format

_LARGEST_MAP = (2**16, 2**16)  # a fit takes the cells of any array


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


def run(options: argparse.Namespace) -> Any:
    """Fit, and write the model."""
    if options.repeated and len(options.maps) < 2:
        raise ConfigError("--repeated compares reads of one array: give at least two maps")
    maps_S = [read_conductance_map(path, options.unit, *_LARGEST_MAP, even=False) for path in options.maps]
    forming_V = None if options.forming is None else read_table(options.forming)
    found = fit_maps(maps_S, load_cell_model(options.base), forming_V, repeated=options.repeated)
    if options.out is not None:
        save_cell_model(options.out, found.model)
    model = {key: value for key, value in asdict(found.model).items() if key != "sources"}
    return dict(found._asdict(), model=model)


def text(shown: Any) -> str:
    """The two laws, then how well they fit."""
    model = shown["model"]
    median, sigma_ln = si_format(model["lrs_median_S"], "S"), model["lrs_sigma_ln"]
    lines = [
        f"on conductance  median {median}, sigma of ln {sigma_ln:.4f}",
        f"forming voltage {model['forming_mean_V']:.4f} +- {model['forming_std_V']:.4f} V",
    ]
    lines += [f"{key:15s} {value:.6g}" for key, value in shown.items() if isinstance(value, (int, float))]
    return "\n".join(lines)

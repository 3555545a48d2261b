"""minirram chip: write the conductances of a run's chip."""

import argparse
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from ..json_codec import Result
from ..runs.export import chip_map
from .arguments import run_option
from .counts import count_lines


@dataclass(frozen=True)
class ChipMap(Result):
    """What `minirram chip` wrote."""

    file: str
    """path of the .npy file: float64 siemens (macros, rows, cols)"""
    shape: Tuple[int, ...]
    """macros, rows, columns"""
    state: str
    """"formed" (after FORM alone) or "programmed" (with the masks)"""
    unformed: int
    """cells of the map that hold 0 S, those on lines out of use among them"""


RESULT = ChipMap
EXAMPLES = (
    ("minirram chip runs/mine --out map.npy", "conductances after forming"),
    ("minirram chip runs/mine --out on.npy --state programmed", "with the masks programmed"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram chip` takes."""
    run_option(parser)
    parser.add_argument("--out", required=True, help=".npy file to write: float siemens (macros, rows, cols)")
    parser.add_argument(
        "--state",
        choices=("formed", "programmed"),
        default="formed",
        help="after forming alone, or with the masks programmed",
    )


def run(options: argparse.Namespace) -> ChipMap:
    """Write the map."""
    map_S = chip_map(options.run, options.out, state=options.state)
    return ChipMap(options.out, map_S.shape, options.state, int(np.count_nonzero(map_S == 0)))


def text(written: ChipMap) -> str:
    """One line, and one for cells that conduct nothing."""
    line = f"{written.file}: {' x '.join(map(str, written.shape))} (macros, rows, columns), {written.state}"
    return "\n".join([line, *count_lines("chip", written)])

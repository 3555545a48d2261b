"""A program for lab scripts: tables, arrays and pictures of what each cell should become and which pulses it gets."""

import csv
import os
from typing import Any, Dict, List, Union

import numpy as np

from ..errors import ConfigError, how_to_install
from ..files import atomic_writer, write_json
from ..json_codec import bare
from ..xbp.records import Program, pack_bits
from . import readback

Path = Union[str, "os.PathLike[str]"]
FORMATS = ("csv", "npy", "json", "png")
_MOST_BYTES = 1 << 31  # of all maps of a chip together
_OUTSIDE, _OFF, _ON = 0, 96, 255  # grey levels of a picture


def chip_maps(program: Program) -> Dict[str, np.ndarray]:
    """Maps over all cells of the chip, dict name -> (macros, rows, cols).

    "mask": int8, 1 on, 0 off, -1 where no tile has a mask. "target_S": float64 siemens, NaN where a cell is not kept or
    has no target. "pass0-FORM", "pass1-RESET", ...: bool, the cells pulsed in that pass of their tile. ConfigError
    when the maps would not fit the memory of a small machine: a file may state any size of chip.
    """
    shape = (program.macros, program.rows, program.cols)
    kinds = {recipe.id: recipe.kind_name for recipe in program.recipes}
    names = {
        f"pass{number}-{kinds[recipe]}" for tile in program.tiles for number, (recipe, _) in enumerate(tile.passes)
    }
    needed = program.macros * program.rows * program.cols * (9 + len(names))
    if needed > _MOST_BYTES:
        raise ConfigError(
            f"maps of a chip of {' x '.join(map(str, shape))} cells take {needed} bytes, at most {_MOST_BYTES} are "
            "written: dump as csv or json"
        )
    maps = {"mask": np.full(shape, -1, np.int8), "target_S": np.full(shape, np.nan)}
    for tile in program.tiles:
        region = (tile.macro, tile.rows, tile.cols)
        if tile.mask is not None:
            maps["mask"][region] = tile.mask
        if tile.codes is not None:
            maps["target_S"][region] = np.where(tile.mask, tile.target_nS * 1e-9, np.nan)
        for number, (recipe, cells) in enumerate(tile.passes):
            name = f"pass{number}-{kinds[recipe]}"
            maps.setdefault(name, np.zeros(shape, bool))[region] = cells
    return maps


def dump(program: Program, out: Path, *, form: str) -> List[str]:
    """Write a program to `out` in one of FORMATS; returns the paths of the files.

    csv, json: the file `out`. npy, png: files in the folder `out`, one per map (npy) or macro (png, through imageio).
    """
    if form == "csv":
        return [_write_csv(program, out)]
    if form == "json":
        write_json(out, json_dump(program))
        return [os.fspath(out)]
    if form == "npy":
        os.makedirs(out, exist_ok=True)
        return [_write_npy(os.path.join(out, name + ".npy"), map_) for name, map_ in chip_maps(program).items()]
    if form == "png":
        return _write_pictures(program, out)
    raise ConfigError(f"dump format {form!r}: choose one of {', '.join(FORMATS)}")


def json_dump(program: Program) -> Dict[str, Any]:
    """`readback.describe` with the maps: of each tile "mask" and "passes" as hexadecimal rows, "codes" as numbers."""
    described = bare(readback.describe(program))
    for entry, tile in zip(described["tiles"], program.tiles):
        entry["mask"] = None if tile.mask is None else _hex_rows(tile.mask)
        entry["codes"] = None if tile.codes is None else tile.codes.tolist()
        for pulses, (_, cells) in zip(entry["passes"], tile.passes):
            pulses["map"] = _hex_rows(cells)
    return described


def _hex_rows(map_: np.ndarray) -> List[str]:
    """Rows of a bool map as in the file: column j is bit j & 7 of byte j >> 3."""
    return [row.tobytes().hex() for row in pack_bits(map_)]


def _write_csv(program: Program, out: Path) -> str:
    """One line per cell of a tile: macro, row, col, on (1, 0 or nothing), target_nS, pulses (e.g. FORM+RESET)."""
    kinds = {recipe.id: recipe.kind_name for recipe in program.recipes}
    with atomic_writer(out, "w") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(["macro", "row", "col", "on", "target_nS", "pulses"])
        for tile in program.tiles:
            target_nS = None if tile.codes is None else tile.target_nS
            for row, col in np.ndindex(tile.n_row, tile.n_col):
                on = "" if tile.mask is None else int(tile.mask[row, col])
                target = "" if target_nS is None or not on else f"{target_nS[row, col]:.3f}"
                pulses = "+".join(kinds[recipe] for recipe, cells in tile.passes if cells[row, col])
                table.writerow([tile.macro, tile.row0 + row, tile.col0 + col, on, target, pulses])
    return os.fspath(out)


def _write_npy(path: str, map_: np.ndarray) -> str:
    with atomic_writer(path) as handle:
        np.save(handle, map_, allow_pickle=False)
    return path


def _write_pictures(program: Program, out: Path) -> List[str]:
    """One grey PNG per macro: a pixel per cell, white on, grey off, black where no tile has a mask."""
    try:
        import imageio.v2 as imageio
    except ImportError:
        raise ConfigError(f"pictures of masks need imageio: {how_to_install('report')}") from None
    os.makedirs(out, exist_ok=True)
    grey = np.array([_OFF, _ON, _OUTSIDE], np.uint8)[chip_maps(program)["mask"]]  # -1 is the last entry
    paths = []
    for macro, picture in enumerate(grey):
        paths.append(os.path.join(out, f"macro{macro}.png"))
        with atomic_writer(paths[-1]) as handle:
            imageio.imwrite(handle, picture, format="png")
    return paths

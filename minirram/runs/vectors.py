"""Test vectors of one layer or tile of a run."""

import os
from dataclasses import dataclass, replace
from typing import Optional, Tuple, Union

import numpy as np

from ..crossbar.wires import Wires
from ..device.interface import Cell
from ..device.presets import TAOX_40NM
from ..errors import ConfigError, did_you_mean
from ..json_codec import Result
from ..nn.network import input_bits
from ..vectors import formats
from ..vectors.vectors import Span, Stimulus, answer, draw, draw_codes
from .folder import RunFolder

Path = Union[str, "os.PathLike[str]"]
NO_WIRES = Wires(0.0, 0.0)


@dataclass(frozen=True)
class Written(Result):
    """What `minirram vectors` wrote."""

    about: str
    """what the vectors are of"""
    format: str
    """of the files"""
    rows: int
    """input lines"""
    pairs: int
    """outputs"""
    tiles: int
    """conversions of one output and plane"""
    samples: int
    """input vectors"""
    input_bits: int
    """of the codes"""
    adc_bits: int
    """resolution of the converters"""
    arrangement: str
    """of the converters: pair or polarity"""
    lsb_S: float
    """one LSB as a conductance: LSB over the read voltage"""
    saturated: int
    """conversions that saturate, over all samples"""
    noise_lsb: Optional[float]
    """largest standard deviation of an output by read noise, LSB; None: not asked for"""
    files: Tuple[str, ...]
    """paths"""


@dataclass(frozen=True)
class Wanted:
    """What vectors are to hold."""

    form: str = "readmemh"
    """how the files are written, one of `formats.FORMATS`"""
    samples: int = 64
    """number of input vectors"""
    seed: int = 0
    """seed of drawn cells and codes"""
    noise: bool = False
    """whether the standard deviation of each output by read noise is written, too"""


def of_run(
    folder: Path, out: Path, wanted: Wanted, *, layer: Optional[str] = None, tile: Optional[int] = None
) -> Written:
    """Vectors of a matrix of a run as it lies on its chip, or of one of its tiles, with the run's ADC and lines.

    layer: name of the matrix; may be left out where there is one. Cells are those that a product multiplies: behind
    lines with resistance the effective ones. Codes are drawn. ConfigError for a name or tile that is not there.
    """
    run = RunFolder.open(folder)
    chip, model, _ = run.load_trained()
    name = _named(layer, chip.placement.names)
    tiles = chip.placement.tiles_of(name)
    if tile is not None and not 0 <= tile < len(tiles):
        raise ConfigError(f"tile {tile} of {name}; it has {len(tiles)}, counted from 0")
    of_wires = run.config.wires if wanted.form != "spice" else None  # the netlist has lines of its own
    rows, pairs = chip.placement.shape(name)
    cells: np.ndarray = np.zeros((rows, 2 * pairs), np.float32)
    for one in tiles:
        columns = slice(2 * one.col_start, 2 * (one.col_start + one.n_pairs))
        cells[one.matrix_rows, columns] = chip.macros[one.macro].effective_grid(one.region, of_wires)
    spans = tuple(Span(one.row_start, one.n_rows, one.col_start, one.n_pairs) for one in tiles)
    bits = input_bits(run.config.network)[name]
    codes = draw_codes(rows, samples=wanted.samples, input_bits=bits, seed=wanted.seed)
    model_of_cell = chip.cell_model
    whole = Stimulus(cells, codes, bits, model.adcs[name], spans, model_of_cell.grid_S, model_of_cell.read_voltage_V)
    about = f"minirram: matrix {name} of a run of {run.config.task}"
    if tile is not None:
        whole, about = _one_tile(whole, spans[tile]), f"{about}, tile {tile} as an array of its own"
    return _write(out, wanted, whole, model=model_of_cell, wires=run.config.wires or NO_WIRES, about=about)


def of_shape(
    shape: Tuple[int, int],
    out: Path,
    wanted: Wanted,
    *,
    input_bits: int = 4,
    adc_bits: int = 8,
    arrangement: str = "pair",
    wire_ohm: float = 0.0,
) -> Written:
    """Vectors of a drawn matrix (rows, pairs): TaOx cells, half of them on, and an LSB with which some saturate.

    wire_ohm: resistance of a line per cell, of the netlist in "spice" alone.
    """
    if wire_ohm and wanted.form != "spice":
        raise ConfigError("the resistance of lines belongs to the netlist: format spice")
    stimulus = draw(
        TAOX_40NM,
        shape,
        samples=wanted.samples,
        input_bits=input_bits,
        adc_bits=adc_bits,
        arrangement=arrangement,
        seed=wanted.seed,
    )
    about = f"minirram: a drawn matrix, seed {wanted.seed}"
    return _write(out, wanted, stimulus, model=TAOX_40NM, wires=Wires(wire_ohm, wire_ohm), about=about)


def _named(layer: Optional[str], names: Tuple[str, ...]) -> str:
    if layer is None and len(names) > 1:
        raise ConfigError(f"a run of several matrices: name one of {', '.join(names)}")
    if layer is not None and layer not in names:
        raise ConfigError(f"no matrix {layer!r}{did_you_mean(layer, names) or '; there are ' + ', '.join(names)}")
    return layer or names[0]


def _one_tile(whole: Stimulus, tile: Span) -> Stimulus:
    """The tile with its rows of the codes."""
    columns = slice(2 * tile.pair, 2 * (tile.pair + tile.pairs))
    return replace(
        whole,
        cells_grid=np.ascontiguousarray(whole.cells_grid[tile.row_slice, columns]),
        codes=np.ascontiguousarray(whole.codes[:, tile.row_slice]),
        tiles=(Span(0, tile.rows, 0, tile.pairs),),
    )


def _write(out: Path, wanted: Wanted, stimulus: Stimulus, *, model: Cell, wires: Wires, about: str) -> Written:
    found = answer(stimulus, model if wanted.noise else None)
    files = formats.write(os.fspath(out), wanted.form, stimulus, found, wires=wires, about=about)
    return Written(
        about=about,
        format=wanted.form,
        rows=stimulus.shape[0],
        pairs=stimulus.shape[1],
        tiles=len(stimulus.tiles),
        samples=len(stimulus.codes),
        input_bits=stimulus.input_bits,
        adc_bits=stimulus.adc.bits,
        arrangement=stimulus.adc.arrangement,
        lsb_S=float(stimulus.adc.tile_lsb) * stimulus.grid_S,
        saturated=int(found.saturated.sum()),
        noise_lsb=None if found.noise_lsb is None else float(found.noise_lsb.max()),
        files=files,
    )

"""The files of vectors, by format, and the README beside them."""

import os
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from ..crossbar.converters import bit_planes
from ..crossbar.wires import Wires, column_currents_A
from ..errors import ConfigError
from ..files import atomic_writer, whole_folder
from .spice import CURRENTS, netlist
from .vectors import Answer, Stimulus

Write = Callable[[str, bytes], None]
NOISE_STEPS = 256
"""noise in text formats counts steps of LSB / 256"""
LARGEST_NETLIST = 128 * 256
"""cells: ngspice takes minutes for more"""


def arrays(stimulus: Stimulus, answer: Answer) -> Dict[str, np.ndarray]:
    """name -> integers, of all that is written; noise in LSB / NOISE_STEPS, rounded."""
    cells: np.ndarray = stimulus.cells_grid.astype(np.int64)
    found = {
        "codes": stimulus.codes,
        "plus": cells[:, 0::2].astype(np.uint32),
        "minus": cells[:, 1::2].astype(np.uint32),
        "tiles": np.array(stimulus.tiles, np.uint32),
        "expected": answer.y,
        "saturated": answer.saturated.astype(np.uint32),
    }
    if answer.noise_lsb is not None:
        found["noise"] = np.rint(answer.noise_lsb * NOISE_STEPS).astype(np.uint32)
    return found


def sizes(stimulus: Stimulus) -> Dict[str, int]:
    """The numbers that a test bench needs beside the arrays."""
    (rows, pairs), (numerator, shift) = stimulus.shape, stimulus.lsb
    return {
        "SAMPLES": len(stimulus.codes),
        "ROWS": rows,
        "PAIRS": pairs,
        "TILES": len(stimulus.tiles),
        "INPUT_BITS": stimulus.input_bits,
        "ADC_BITS": stimulus.adc.bits,
        "POLARITY": int(stimulus.adc.arrangement == "polarity"),
        "TOP": stimulus.adc.top,
        "LSB_NUMERATOR": numerator,
        "LSB_SHIFT": shift,
    }


def write(folder: str, form: str, stimulus: Stimulus, answer: Answer, *, wires: Wires, about: str) -> Tuple[str, ...]:
    """Write the vectors as one of FORMATS into a new folder, all files or none; returns their paths.

    wires: of the netlist, "spice" alone. about: first line of the README. ConfigError for a folder that is not empty.
    """
    if form not in FORMATS:
        raise ConfigError(f"format {form!r}: choose {', '.join(FORMATS)}")
    names: List[str] = []
    with whole_folder(folder) as unfinished:

        def add(name: str, data: bytes) -> None:
            with atomic_writer(os.path.join(unfinished, name)) as handle:
                handle.write(data)
            names.append(name)

        lines = FORMATS[form](add, stimulus, answer, wires)
        text = "\n".join([about, "", *_order(stimulus, answer), "", *lines, ""])
        add("README.txt", text.encode("utf-8"))
    return tuple(os.path.join(folder, name) for name in names)


def _order(stimulus: Stimulus, answer: Answer) -> Iterator[str]:
    """What README.txt says of any format."""
    (rows, pairs), adc, (numerator, shift) = stimulus.shape, stimulus.adc, stimulus.lsb
    yield f"{rows} rows x {pairs} pairs of columns in {len(stimulus.tiles)} tile(s), {len(stimulus.codes)} samples."
    yield f"{stimulus.input_bits} input bits, {adc.bits} ADC bits, arrangement {adc.arrangement}, M = {adc.top}."
    yield f"One grid unit is {stimulus.grid_S:g} S; LSB = {numerator} / 2^{shift} grid units of current, exactly."
    yield f"A driven row is at {stimulus.read_voltage_V:g} V."
    yield ""
    yield "codes     (samples, rows), unsigned; row 0 first. Bit b of a code is plane b: bit 0 has the weight 1."
    yield "plus      (rows, pairs): G+ in grid units; row 0 first, in a row pair 0 first."
    yield "minus     (rows, pairs): G-, the same."
    yield "tiles     (tiles, 4): first row, rows, first pair, pairs. Each tile converts on its own."
    yield "expected  (samples, pairs), signed: y = sum over tiles and planes of 2^b code, before any zero point."
    yield "saturated (samples): conversions of a sample with |rint(I / LSB)| > M, over tiles, planes and pairs."
    if answer.noise_lsb is not None:
        yield f"noise     (samples, pairs): standard deviation of y by fresh read noise, in LSB / {NOISE_STEPS}."
    yield ""
    if adc.arrangement == "pair":
        yield "code = clip(rint(I / LSB), -M, M) of I = sum over driven rows of G+ - G-."
    else:
        yield "code = clip(rint(I+ / LSB), 0, M) - clip(rint(I- / LSB), 0, M), I+ and I- over the driven rows."
    yield "rint rounds to the nearest, ties to even; I / LSB is exact: I * 2^LSB_SHIFT / LSB_NUMERATOR."
    yield "Sample 0 drives nothing, sample 1 all rows with the largest code; then each bit and single rows alone."


def _readmemh(add: Write, stimulus: Stimulus, answer: Answer, wires: Wires) -> List[str]:
    """One hexadecimal word a line, for $readmemh; sizes as localparams."""
    digits = {"codes": 2, "plus": 6, "minus": 6, "tiles": 8, "expected": 16, "saturated": 8, "noise": 8}
    found = arrays(stimulus, answer)
    for name, values in found.items():
        bits = (1 << 4 * digits[name]) - 1  # a negative number in two's complement
        words = (f"{value & bits:0{digits[name]}x}" for value in values.reshape(-1).tolist())
        add(f"{name}.hex", ("\n".join(words) + "\n").encode("ascii"))
    lines = "".join(f"localparam {name} = {value};\n" for name, value in sizes(stimulus).items())
    add("parameters.vh", lines.encode("ascii"))
    return [
        "NAME.hex: one word a line for $readmemh, the last axis fastest; `expected` is two's complement of 64 bits.",
        "Bits of a word: " + ", ".join(f"{name} {4 * digits[name]}" for name in found) + ".",
        "parameters.vh: the sizes as localparams.",
    ]


def _c(add: Write, stimulus: Stimulus, answer: Answer, wires: Wires) -> List[str]:
    """One header of constants."""
    kinds = {"codes": "uint8_t", "expected": "int64_t"}
    lines = ["#ifndef VECTORS_H", "#define VECTORS_H", "#include <stdint.h>", ""]
    lines += [f"#define VECTORS_{name} {value}" for name, value in sizes(stimulus).items()]
    for name, values in arrays(stimulus, answer).items():
        shape = "".join(f"[{size}]" for size in values.shape)
        lines.append(f"static const {kinds.get(name, 'uint32_t')} vectors_{name}{shape} = {_braces(values)};")
    add("vectors.h", "\n".join([*lines, "#endif", ""]).encode("ascii"))
    return ["vectors.h: sizes as VECTORS_NAME, arrays as vectors_NAME[..][..] in the order above."]


def _braces(values: np.ndarray) -> str:
    if values.ndim == 1:
        return "{" + ", ".join(map(str, values.tolist())) + "}"
    return "{\n" + ",\n".join(map(_braces, values)) + "}"  # type: ignore[arg-type]


def _npz(add: Write, stimulus: Stimulus, answer: Answer, wires: Wires) -> List[str]:
    """One archive of NumPy."""
    import io

    file = io.BytesIO()
    found: Dict[str, Any] = arrays(stimulus, answer)
    found.update({name: np.array(value, np.int64) for name, value in sizes(stimulus).items()})
    np.savez_compressed(file, **found)
    add("vectors.npz", file.getvalue())
    return ["vectors.npz: the arrays above by name, and the sizes in capitals; numpy.load reads it."]


def _spice(add: Write, stimulus: Stimulus, answer: Answer, wires: Wires) -> List[str]:
    """A netlist that applies each plane of each sample, and the currents that the columns should give."""
    if len(stimulus.tiles) > 1 or stimulus.cells_grid.size > LARGEST_NETLIST:
        raise ConfigError(f"a netlist holds one tile of at most {LARGEST_NETLIST} cells: choose a smaller one")
    cells_S = stimulus.cells_grid.astype(np.float64) * stimulus.grid_S
    planes = bit_planes(stimulus.codes, stimulus.input_bits).transpose(1, 0, 2).reshape(-1, len(cells_S))
    inputs_V = planes.astype(np.float64) * stimulus.read_voltage_V
    currents_A = column_currents_A(cells_S, inputs_V, wires=wires, tolerance=1e-10)
    add("tile.cir", netlist(cells_S, inputs_V, wires).encode("ascii"))
    add("expected_A.txt", _table(currents_A, "%.12e"))
    _readmemh(add, stimulus, answer, wires)
    return [
        f"tile.cir: `ngspice -b tile.cir` writes {CURRENTS}, the current of every column, one a line.",
        "Inputs in turn: sample 0 plane 0, sample 0 plane 1, ..; columns: G+ and G- of pair 0, of pair 1, ..",
        "expected_A.txt: a line per input, a column per column of cells, ampere: minirram's own solve of the lines.",
        f"Lines: {wires.row_ohm:g} ohm per cell of a row, {wires.col_ohm:g} of a column. The integers of `expected`",
        "are those of lines without resistance. NAME.hex hold the arrays above, one word a line.",
    ]


def _table(values: np.ndarray, form: str) -> bytes:
    return "".join(" ".join(form % value for value in line) + "\n" for line in values.tolist()).encode("ascii")


FORMATS: Dict[str, Callable[[Write, Stimulus, Answer, Wires], List[str]]] = {
    "readmemh": _readmemh,
    "c": _c,
    "npz": _npz,
    "spice": _spice,
}
"""name -> what writes it; returns lines of the README"""

"""minirram import: a map from a lab file, in any of its ways of writing, as minirram keeps maps."""

import argparse
from dataclasses import dataclass, fields

import numpy as np

from ..files import atomic_writer
from ..json_codec import Result
from ..labfiles.dialect import DECIMALS, DELIMITERS, INDEX, LAYOUTS, Dialect
from ..labfiles.maps import Reading, read_map
from .arguments import lab_options, lab_policy
from .field_options import field_option


@dataclass(frozen=True)
class Imported(Result):
    """A lab file, and the map that was written."""

    reading: Reading
    """what was taken from the file"""
    out: str
    """path of the map: `.npy`, float64 siemens, 0 = unformed"""


RESULT = Imported
EXAMPLES = (
    ("minirram import MAP.csv --unit uS --out map.npy", "a table in microsiemens as siemens"),
    (
        "minirram import list.txt --layout list --first 1 --out map.npy",
        "a list of row, column, value that counts from 1",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram import` takes."""
    parser.add_argument("file", metavar="FILE", help="measured cells: .csv .tsv .txt .npy .npz .mat .xlsx")
    parser.add_argument("--out", required=True, metavar="MAP.npy", help="map to write: float64 siemens, 0 = unformed")
    lab_options(parser)
    known = parser.add_argument_group("what is known of the file", "each is found by looking where it is not stated")
    for name, choices in (
        ("delimiter", tuple(DELIMITERS)),
        ("decimal", tuple(DECIMALS)),
        ("layout", LAYOUTS),
        ("index", INDEX),
    ):
        field_option(known, "--" + name, Dialect, name, choices=choices)
    field_option(known, "--first", Dialect, "first", type=int, choices=(0, 1))
    field_option(known, "--variable", Dialect, "variable", metavar="NAME")


def run(options: argparse.Namespace) -> Imported:
    """Read, and write the map."""
    dialect = Dialect(**{field.name: getattr(options, field.name) for field in fields(Dialect)})
    found = read_map(options.file, options.unit, policy=lab_policy(options), dialect=dialect)
    with atomic_writer(options.out) as handle:
        np.save(handle, found.conductances_S)
    return Imported(found.reading, options.out)


def text(imported: Imported) -> str:
    """What was taken, and where it is."""
    return f"{imported.reading.line}\n{imported.out}: float64 siemens (--unit S), 0 = unformed"

"""minirram convert: a program file of format 1 in the present format; digital.json as a compact binary for firmware."""

import argparse
import os
from dataclasses import dataclass
from typing import Optional, Tuple

from ..errors import DataError
from ..files import atomic_writer, json_of
from ..inference import integer_binary
from ..inference.integer_network import integer_network
from ..json_codec import Result
from ..programming.readback import named, read_bytes
from ..xbp import codec, format1
from .arguments import file_option


@dataclass(frozen=True)
class Converted(Result):
    """What `minirram convert` wrote."""

    file: str
    """path of the new file"""
    bytes: int
    """its size"""
    bytes_before: int
    """size of the old one"""
    new_state: Optional[str]
    """digest of what the program leaves: 8 hexadecimal digits; None: a digital side"""


RESULT = Converted
EXAMPLES = (
    ("minirram convert old.xbp --out new.xbp", "a file of format 1 in the present format"),
    ("minirram convert old.xbp --out new.xbp --json", "the same, its sizes as JSON"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram convert` takes."""
    file_option(parser)
    parser.add_argument("--out", required=True, help="file to write: a program, or the binary of a digital.json")


def run(options: argparse.Namespace) -> Converted:
    """Read the old file, write the new one."""
    old = read_bytes(options.file)
    data, new_state = _digital(old, options.file) if old[:1] == b"{" else _program(old, options.file)
    with atomic_writer(options.out) as handle:
        handle.write(data)
    return Converted(os.fspath(options.out), len(data), len(old), new_state)


def _program(old: bytes, path: str) -> Tuple[bytes, str]:
    with named(path):
        program = format1.read(old)
    return codec.write(program), f"{program.new_state:08x}"


def _digital(old: bytes, path: str) -> Tuple[bytes, None]:
    """The binary of a digital.json (export/SPEC.md, 2.4)."""
    try:
        described = json_of(old)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return integer_binary.to_bytes(integer_network(described)), None


def text(converted: Converted) -> str:
    """The new file beside the old one."""
    sizes = f"{converted.bytes} bytes, {converted.bytes_before} before"
    leaves = "the digital side in integers" if converted.new_state is None else f"leaves state {converted.new_state}"
    return f"{converted.file}: {sizes}, {leaves}"

"""minirram convert: write a program file of format 1 anew, in the present format."""

import argparse
import os
from dataclasses import dataclass

from ..files import atomic_writer
from ..json_codec import Result
from ..programming.readback import read_bytes
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
    new_state: str
    """digest of what the program leaves: 8 hexadecimal digits"""


RESULT = Converted


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram convert` takes."""
    file_option(parser)
    parser.add_argument("--out", required=True, help="program file to write; targets stay in the program")


def run(options: argparse.Namespace) -> Converted:
    """Read the old file, write the new one."""
    old = read_bytes(options.file)
    program = format1.read(old)
    data = codec.write(program)
    with atomic_writer(options.out) as handle:
        handle.write(data)
    return Converted(os.fspath(options.out), len(data), len(old), f"{program.new_state:08x}")


def text(converted: Converted) -> str:
    """The new file beside the old one."""
    sizes = f"{converted.bytes} bytes, {converted.bytes_before} before"
    return f"{converted.file}: {sizes}, leaves state {converted.new_state}"

"""The program file and nothing else: byte table, rules, records, reader, codec. See export/SPEC.md.

The face offers `read` and `write` of whole programs as bytes, and the records that they hold.
"""

from .codec import read, write
from .records import Program, PulseRecord, TileProgram

__all__ = ["Program", "PulseRecord", "TileProgram", "read", "write"]

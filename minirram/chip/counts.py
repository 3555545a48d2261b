"""What is out of order on a chip, counted."""

from dataclasses import dataclass, fields
from typing import Iterable

from ..json_codec import Result
from .chip import Chip


@dataclass(frozen=True)
class ChipCounts(Result):
    """Cells and pairs of a chip that are not as the technology has them."""

    unformed_pairs: int
    """pairs in use with a cell that never formed"""
    dead_pairs: int
    """pairs in use of which no cell formed: their weight is 0"""
    stuck_cells: int
    """cells in use that answer to no pulse"""
    clipped_conductances: int
    """conductances that were cut at the largest that the grid of the technology holds"""
    maps_left_out: int
    """measured maps beyond the macros that the network needs"""
    signs_given: int
    """pairs in use whose sign is that of their only formed cell; 0: signs are drawn, or weights are written"""


def chip_counts(chip: Chip, *, signs_given: int) -> ChipCounts:
    """The counts of a chip as it is now. signs_given: by what learned on it."""
    return ChipCounts(
        chip.unformed_pairs(),
        chip.dead_pairs(),
        chip.stuck_cells(),
        chip.clipped(),
        maps_left_out=chip.maps_left_out,
        signs_given=signs_given,
    )


def summed(counts: Iterable[ChipCounts]) -> ChipCounts:
    """The sum over several chips."""
    counts = tuple(counts)
    return ChipCounts(*(sum(getattr(one, field.name) for one in counts) for field in fields(ChipCounts)))

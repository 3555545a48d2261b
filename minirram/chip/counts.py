"""What is out of order on a chip, counted."""

from dataclasses import dataclass, fields
from itertools import chain
from typing import Dict, Iterable, List, Tuple

from ..json_codec import Result
from ..units import named_lines
from .chip import Chip


@dataclass(frozen=True)
class UnformedLine(Result):
    """A line in use on which no cell formed, and that nobody named as dead."""

    macro: int
    """number of the macro"""
    line: str
    """"row", or "column" of cells"""
    number: int
    """its number on the chip"""


@dataclass(frozen=True)
class ChipCounts(Result):
    """Cells and pairs of a chip that are not as the technology has them."""

    unformed_pairs: int
    """pairs in use with a cell that never formed"""
    dead_pairs: int
    """pairs in use of which no cell formed: their weight is 0"""
    unformed_lines: Tuple[UnformedLine, ...]
    """lines in use on which no cell formed"""
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
        unformed_lines(chip),
        chip.stuck_cells(),
        chip.clipped(),
        maps_left_out=chip.maps_left_out,
        signs_given=signs_given,
    )


def unformed_lines(chip: Chip) -> Tuple[UnformedLine, ...]:
    """The lines in use on which no cell formed, by physical numbers."""
    found = []
    for index, (macro, used) in enumerate(zip(chip.macros, chip.used)):
        for line, across, numbers in zip(("row", "column"), (1, 0), macro.line_maps):
            idle = used.any(axis=across) & ~macro.formed.any(axis=across)
            found += [UnformedLine(index, line, int(number)) for number in numbers[idle]]
    return tuple(found)


def line_names(lines: Iterable[UnformedLine]) -> str:
    """For people: "rows 3, 7 to 9 of macro 0; column 5 of macro 1", as a fit names its lines."""
    groups: Dict[Tuple[int, str], List[int]] = {}
    for one in lines:
        groups.setdefault((one.macro, one.line), []).append(one.number)
    parts = []
    for (macro, line), found in groups.items():
        numbers = sorted(set(found))
        parts.append(f"{named_lines(line, numbers, len(numbers))} of macro {macro}")
    return "; ".join(parts)


def summed(counts: Iterable[ChipCounts]) -> ChipCounts:
    """The sum over several chips."""
    counts = tuple(counts)
    numbers = {
        field.name: sum(getattr(one, field.name) for one in counts)
        for field in fields(ChipCounts)
        if field.name != "unformed_lines"
    }
    return ChipCounts(unformed_lines=tuple(chain.from_iterable(one.unformed_lines for one in counts)), **numbers)

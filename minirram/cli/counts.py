"""Counts of what should not happen, and doubts about what was asked for, as text."""

from typing import Dict, Iterator, Optional

from ..inference.examine import Score

LARGEST_READ_NOISE = 0.2
"""share of a conductance; no technology reads worse, so a larger one was meant in percent"""


def share_lines(read_noise: Optional[float]) -> Iterator[str]:
    """A line when the read noise looks like percent."""
    if read_noise is not None and read_noise > LARGEST_READ_NOISE:
        meant = f"it is a share, {read_noise:g} % is {read_noise / 100:g}"
        yield f"read noise              {read_noise:.0%} of a conductance: {meant}"


def count_lines(counts: Dict[str, int]) -> Iterator[str]:
    """A line per count that is not zero."""
    for name, count in counts.items():
        if count:
            yield f"{name:23s} {count}"


def saturated(score: Score) -> int:
    """Conversions that saturated, of all tiles."""
    return sum(sum(tiles) for tiles in score.saturated.values())

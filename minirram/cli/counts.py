"""Counts of what should not happen, as text."""

from typing import Dict, Iterator

from ..inference.examine import Score


def count_lines(counts: Dict[str, int]) -> Iterator[str]:
    """A line per count that is not zero."""
    for name, count in counts.items():
        if count:
            yield f"{name:23s} {count}"


def saturated(score: Score) -> int:
    """Conversions that saturated, of all tiles."""
    return sum(sum(tiles) for tiles in score.saturated.values())

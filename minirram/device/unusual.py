"""Numbers of a cell that are allowed, but look like a slip."""

from typing import Any, Tuple

LARGEST_READ_NOISE = 0.1
"""no technology here reads with more; a percentage would be above"""


def unusual(model: Any) -> Tuple[str, ...]:
    """What looks like a slip in a cell model, a sentence each; a model of one's own may have no such number."""
    noise = getattr(model, "read_noise", None)
    if noise is None or noise <= LARGEST_READ_NOISE:
        return ()
    return (f"read noise is a share, not percent: {noise:g} is {100 * noise:g} % of the conductance",)

"""The free settings of learning weights, and the search for them: one after the other, with few trials."""

import math
import re
from dataclasses import dataclass, replace
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

BOUNDS = {"learning_rate": (5e-4, 20.0), "threshold": (0.05, 4.0)}
"""no neighbour beyond these is tried"""
LESS_DECAY = 1e-4
"""weight decay that is tried beside the recipe's"""


@dataclass(frozen=True)
class Settings:
    """What weights are learned with, where the recipe of the masks need not be the best."""

    learning_rate: float
    """at the first step"""
    threshold: float
    """least change that is written, over the standard deviation of the difference of two formed cells; 0: any"""
    momentum: float
    """of the gradient descent"""
    weight_decay: float
    """pull of the weights towards 0"""


class Search:
    """Which `Settings` are the best by their score, found coordinate by coordinate.

    The learning rate first: a grid, which goes on by factors of 2 while the best is at its end. With the best rate the
    threshold, in the same way. Then one trial each with another momentum (at the rate that moves as far in the long
    run) and with less weight decay. When anything but the rate has changed since it was chosen, its neighbours again.

    `scores`: dict Settings -> score, -infinity where the training diverged. The caller fills in what `rounds` asks for.
    """

    def __init__(
        self, start: Settings, rates: Sequence[float], *, thresholded: bool, momentum: Optional[float] = None
    ) -> None:
        """start: `Settings` to begin with. rates: learning rates to begin with; a single one is taken as it is, and
        so is the momentum and the decay that belong to it. thresholded: whether there is a threshold to choose.
        momentum: the other momentum to try; None: neither momentum nor weight decay is searched."""
        self.start = replace(start, learning_rate=rates[0])
        self.rates = rates
        self.thresholded = thresholded
        self.momentum = momentum if len(rates) > 1 else None
        self.scores: Dict[Settings, float] = {}

    @property
    def best(self) -> Settings:
        """The settings with the best score so far; of equals the first, of diverged ones that with the least rate."""
        if not self.scores:
            return self.start
        if max(self.scores.values()) == -math.inf:
            return min(self.scores, key=lambda settings: settings.learning_rate)
        return max(self.scores, key=lambda settings: self.scores[settings])

    def rounds(self) -> Iterator[List[Settings]]:
        """Yields lists of settings to be tried, at once; their scores must be known when the next list is asked for."""
        if len(self.rates) == 1 and not self.thresholded:
            return
        yield [replace(self.start, learning_rate=rate) for rate in self.rates]
        if len(self.rates) > 1:
            yield from self._climb("learning_rate")
        if self.thresholded:
            yield from self._climb("threshold")
        if self.momentum is not None:
            best = self.best
            rate = best.learning_rate * (1 - self.momentum) / (1 - best.momentum)
            others = [
                replace(best, momentum=self.momentum, learning_rate=rate),
                replace(best, weight_decay=LESS_DECAY),
            ]
            new = [settings for settings in others if settings not in self.scores]
            if new:
                yield new
        if len(self.rates) > 1:
            yield from self._climb("learning_rate")

    def at_edge(self) -> List[str]:
        """Names of the settings whose best value has no tried neighbour on one side."""
        names = ["learning_rate"] + (["threshold"] if self.thresholded else [])
        return [name for name in names if self._neighbours(name, bounds=(0.0, math.inf))]

    def _climb(self, name: str) -> Iterator[List[Settings]]:
        """Go on past the end of what was tried of a setting, while the best is there."""
        while True:
            new = self._neighbours(name, BOUNDS[name])
            if not new:
                return
            yield new

    def _neighbours(self, name: str, bounds: Tuple[float, float]) -> List[Settings]:
        """Settings next to the best in one value, on the sides where no tried one differs from it in that alone."""
        best = self.best
        value = getattr(best, name)
        tried = [getattr(other, name) for other in self.scores if replace(other, **{name: value}) == best] or [value]
        low, high = bounds
        ends = [(min(tried), value / 2), (max(tried), 2 * value)]
        return [replace(best, **{name: new}) for end, new in ends if value == end and low <= new <= high]


def readable(name: str) -> str:
    """The name of a folder of settings, such as rate0.1-step0, for people: rate 0.1, step 0."""
    return re.sub(r"([a-z])(?=\d)", r"\1 ", name).replace("-", ", ").replace("e, ", "e-")

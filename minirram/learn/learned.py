"""What a learner has learned: one value that it gives, adopts and saves."""

from dataclasses import dataclass
from typing import Dict, Mapping

import numpy as np

from ..errors import DataError
from ..files import part, prefixed

Arrays = Dict[str, np.ndarray]
Groups = Dict[str, Arrays]
"""{what it is: {matrix name: array}}"""


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned by the end of an epoch. Its arrays are its own: learning on does not change them."""

    groups: Groups
    """per group, e.g. "masks", the arrays by name"""
    state: Arrays
    """digital state of the network, see `network.initial_state`"""
    epoch: int
    """epochs that it took; 0: nothing was learned yet"""
    validation: float
    """its validation score by the training forward; NaN at epoch 0"""

    def to_arrays(self) -> Arrays:
        """A flat dict of arrays for a checkpoint: `GROUP/NAME`, `state/NAME`, `epoch` int64, `validation` float64."""
        arrays = flat(dict(self.groups, state=self.state))
        return dict(arrays, epoch=np.array(self.epoch, np.int64), validation=np.array(self.validation, np.float64))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Learned":
        """The inverse of `to_arrays`; DataError for what is missing."""
        missing = [name for name in ("epoch", "validation") if name not in arrays]
        if missing:
            raise DataError(f"what was learned lacks its {' and its '.join(missing)}")
        names = dict.fromkeys(name.split("/")[0] for name in arrays if "/" in name)
        groups = {group: part(arrays, group) for group in names}
        state = groups.pop("state", {})
        return cls(groups, state, int(arrays["epoch"]), float(arrays["validation"]))


def flat(groups: Groups) -> Arrays:
    """{'GROUP/NAME': array}"""
    return {name: array for group, arrays in groups.items() for name, array in prefixed(group, arrays).items()}


def copies(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The same arrays with memory of their own."""
    return {name: array.copy() for name, array in arrays.items()}

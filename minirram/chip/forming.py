"""What formed, and what that leaves to masks: signs follow the cells that formed.

A pair with one formed cell is a weight of a given sign, a pair with none is no weight at all. Where nearly every cell
formed, signs are those that were drawn and masks choose among all connections, as on the paper's chip. On a half-formed
chip both follow what formed.
"""

from typing import Dict, Mapping

import numpy as np

from .chip import Chip
from .faults import Faults
from .levels import kept_of_cells

HALF_FORMED_FROM = 0.01
"""share of unformed cells from which on signs and masks follow what formed"""


def half_formed(chip: Chip) -> bool:
    """Whether more than HALF_FORMED_FROM of the cells in use did not form."""
    used = chip.used
    return bool(np.mean(~chip.formed()[used]) > HALF_FORMED_FROM)


def unformed(chip: Chip) -> Faults:
    """Cells in use that did not form, as cells that are never on. Forming tells them, no further pulse is needed."""
    missing = chip.used & ~chip.formed()
    return Faults(never_on=missing, never_off=np.zeros_like(missing))


def free_to_keep(chip: Chip, signs: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Connections whose cell formed, dict name -> bool in the masks' shape: a mask chooses among these alone."""
    formed = chip.formed()
    return {
        name: kept_of_cells(chip.level, *chip.placement.gather(name, formed), sign=sign) for name, sign in signs.items()
    }

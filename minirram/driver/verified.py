"""Write-verify by the host, for benches that do not verify by themselves."""

from dataclasses import replace
from typing import Any, Optional

import numpy as np

from ..device.pulses import PulseRecipe
from .protocol import Driver, Pulsed, Verify, check_recipe


def pulse(
    driver: Driver,
    macro: int,
    mask: np.ndarray,
    *,
    recipe: PulseRecipe,
    verify: Optional[Verify] = None,
    read_first: bool = False,
) -> Pulsed:
    """Give the cells of `mask` (bool (rows, cols)) up to `recipe.max_pulses` pulses, until each is past its limit.

    verify: None: all pulses, nothing read. read_first: cells that are past the limit already get no pulse.
    """
    check_recipe(driver.capabilities, recipe)
    call: Any = getattr(driver, recipe.kind.lower())
    if verify is None:
        return call(macro, mask, recipe)
    pending = mask.copy()
    if read_first and pending.any():
        pending &= ~verify.passed(recipe.kind, driver.read(macro, pending, verify.read))
    if driver.capabilities.verifies:
        return call(macro, pending, recipe, verify=verify)
    one, pulses = replace(recipe, max_pulses=1), np.zeros(mask.shape, np.uint32)
    for _ in range(recipe.max_pulses):
        if not pending.any():
            break
        pulses += call(macro, pending, one).pulses
        pending &= ~verify.passed(recipe.kind, driver.read(macro, pending, verify.read))
    return Pulsed(pulses, pending)

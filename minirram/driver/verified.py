"""Write-verify by the host, for benches that do not verify by themselves."""

from typing import Any, Callable, Optional

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
    given: int = 0,
    before: Optional[Callable[[int], None]] = None,
) -> Pulsed:
    """Give the cells of `mask` (bool (rows, cols)) up to `recipe.max_pulses` pulses, until each is past its limit.

    Ramps, repeated reads and the read before the first pulse are the recipe's. verify: None: all pulses, nothing read.
    read_first: cells that are past the limit already get no pulse. given: pulses that the cells got before, which
    count. before: called with the number of each pulse before it is given.
    """
    check_recipe(driver.capabilities, recipe)
    call: Any = getattr(driver, recipe.kind.lower())
    tell = before if before is not None else lambda number: None
    left = recipe.behind(given)
    numbers = range(recipe.max_pulses - left.max_pulses, recipe.max_pulses)
    pulses = np.zeros(mask.shape, np.uint32)
    if verify is None:
        for number in numbers:  # one call each: a stop finds the ramp where it stood
            tell(number)
            pulses += call(macro, mask, recipe.pulse(number)).pulses
        return Pulsed(pulses, np.zeros(mask.shape, bool))
    pending = mask.copy()
    if (read_first or recipe.read_first) and pending.any():
        pending &= ~passed(driver, macro, pending, recipe=recipe, verify=verify)
    if driver.capabilities.verifies:
        tell(given)
        return call(macro, pending, left, verify=verify)
    for number in numbers:
        if not pending.any():
            break
        tell(number)
        pulses += call(macro, pending, recipe.pulse(number)).pulses
        pending &= ~passed(driver, macro, pending, recipe=recipe, verify=verify)
    return Pulsed(pulses, pending)


def passed(driver: Driver, macro: int, mask: np.ndarray, *, recipe: PulseRecipe, verify: Verify) -> np.ndarray:
    """Bool: the cells of `mask` that are past the limit in `recipe.good_reads` reads in a row."""
    good = mask.copy()
    for _ in range(recipe.good_reads):
        if good.any():
            good &= verify.passed(recipe.kind, driver.read(macro, good, verify.read))
    return good

"""The formed chip of a configuration, before anything is learned on it."""

from ..chip.chip import Chip
from ..chip.dead_lines import read_faults
from ..errors import ConfigError
from ..nn.network import matrices
from ..units import si_format
from .chip_files import DRAWN, ChipFiles
from .config import RunConfig
from .driven import pristine_chip

MOST_DEAD = 0.75
"""share of pairs without a formed cell above which a chip is refused: hardly a weight is left to learn with"""


def make_chip(config: RunConfig, files: ChipFiles = DRAWN) -> Chip:
    """The formed chip of a run: drawn from the technology, or as measured, with the stuck cells that are planted.

    ConfigError when `files` are not those that `config` names.
    """
    recipe, shapes = config.recipe, matrices(config.network)
    files.check_named(config)
    if files.maps:
        maps_S = files.maps_S()
        chip = Chip.from_maps(
            config.cell_model,
            maps_S,
            shapes=shapes,
            level=recipe.level,
            seed=recipe.chip_seed,
            lines=config.lines,
        )
        chip.stick(() if files.faults is None else read_faults(files.faults))
    else:
        chip = pristine_chip(config, files.faults)
        chip.form(config.forming_voltage_V)
    return checked_chip(chip)


def checked_chip(chip: Chip) -> Chip:
    """`chip`; ConfigError when too few pairs that the network needs have a formed cell, or where the grid of its
    technology cuts more than one conductance in a hundred.
    """
    macro, model = chip.macros[0], chip.cell_model
    cells = len(chip.macros) * macro.on.size
    if chip.clipped() > cells / 100:
        limit_S = model.grid_max(macro.rows) * model.grid_S
        raise ConfigError(
            f"the grid of {model.name} holds up to {si_format(limit_S, 'S')}: {chip.clipped()} conductances of the "
            f"{cells} cells are above; state a larger grid_S, as `minirram fit` does"
        )
    if chip.dead_pairs() > MOST_DEAD * chip.placement.n_pairs:
        raise ConfigError(
            f"{chip.dead_pairs()} of the {chip.placement.n_pairs} pairs that the network needs have no formed cell"
        )
    return chip

"""A trained run as it would be under another configuration: other converters, input codes, wires, or another chip.

What was learned stays: masks, signs, the statistics of the digital side. Converters are calibrated anew where what they
see has changed. Another chip is formed, and gets the masks; how much its cells conduct sets the scale of its weights.
"""

from dataclasses import fields, replace
from typing import Any, Callable, Tuple

from ..chip.chip import Chip
from ..chip.levels import kept_weights, weight_scale_S
from ..device.interface import Cell
from ..errors import ConfigError
from ..inference.calibration import calibrated
from ..inference.model import Model
from ..learn.recipe import Recipe
from ..nn.network import matrices
from ..rng import stream
from .chip_files import DRAWN, ChipFiles
from .config import RunConfig
from .folder import RunFolder
from .made_chip import make_chip

OF_USE = ("name", "sources", "read_noise", "read_noise_floor_S", "read_voltage_V", "read_time_s") + (
    "drift_exponent",
    "drift_exponent_std",
    "drift_start_s",
    "relaxation_mean_S",
    "relaxation_std_S",
    "relaxation_time_s",
    "relaxation_per_decade",
    "relaxation_mean_per_decade",
    "activation_eV",
    "reference_K",
)
"""parameters of a cell that act after programming: the chip stays the individual that it is"""
OF_THE_CHIP = ("chip_seed", "formed_share")
"""fields of a recipe that decide which individual the chip is"""
FREE_IN_USE = OF_THE_CHIP + ("seed",)
"""fields of a recipe that may differ from those of the training; `seed` is then that of the read noise"""


def is_other_chip(own: RunConfig, config: RunConfig, files: ChipFiles) -> bool:
    """Whether `config` asks for a chip that is not the one of the run."""
    recipes = any(getattr(own.recipe, name) != getattr(config.recipe, name) for name in OF_THE_CHIP)
    return recipes or own.lines != config.lines or files != DRAWN or not _same_cells(own.cell_model, config.cell_model)


def _same_cells(one: Cell, other: Cell) -> bool:
    """Whether two technologies differ at most in what acts after programming."""
    if type(one) is not type(other):
        return False
    return all(vars(one)[name] == vars(other)[name] for name in vars(one) if name not in OF_USE)


def check_learned(own: RunConfig, config: RunConfig) -> None:
    """ConfigError where `config` differs in what training decided: its name, and what to do."""
    for field in fields(Recipe):
        one, other = getattr(own.recipe, field.name), getattr(config.recipe, field.name)
        if field.name not in FREE_IN_USE and one != other:
            raise ConfigError(f"{field.name} was decided in training: {one}, not {other}; train a run for each")
    if matrices(own.network) != matrices(config.network):
        raise ConfigError("the widths of the network were decided in training; train a run for each")


def reconfigured(
    run: RunFolder, config: RunConfig, *, training: Callable[[], Any], files: ChipFiles
) -> Tuple[Chip, Model]:
    """(chip with the masks of the run programmed, model) of a run under `config`.

    training: gives the training data of `config`, from which converters are calibrated where that is needed. files: of
    another chip. ConfigError where `config` differs in what training decided.
    """
    own = run.config
    check_learned(own, config)
    other = is_other_chip(own, config, files)
    if not other:
        chip, model, _ = run.load_trained(config.cell_model)
    else:
        chip, model = _on_another_chip(run, config, files)
    converters = config.adc_bits, config.adc_arrangement, config.network, config.wires
    if not other and converters == (own.adc_bits, own.adc_arrangement, own.network, own.wires):
        return chip, model
    model = calibrated(
        config.network,
        model,
        chip=chip,
        codes=training().calibration_codes(),
        adc_bits=config.adc_bits,
        arrangement=config.adc_arrangement,
        wires=config.wires,
    )
    return chip, model


def _on_another_chip(run: RunFolder, config: RunConfig, files: ChipFiles) -> Tuple[Chip, Model]:
    """The masks of a run on a chip that is made anew."""
    if run.config.maps and not files.maps:
        raise ConfigError(f"{run.folder} was learned on a measured chip; what decides the chip cannot be changed")
    _, model, masks = run.load_trained()
    chip, recipe = make_chip(config, files), config.recipe
    read_S, scales_S = chip.read_out(stream(recipe.chip_seed, "read-out")), {}
    for name in chip.placement.names:
        plus_S, minus_S = chip.placement.gather(name, read_S)
        kept_S = kept_weights(recipe.level, plus_S, minus=minus_S, sign=model.signs[name])
        scales_S[name] = weight_scale_S(recipe.level, kept_S, density=recipe.density)
    chip.program(masks, model.signs)
    return chip, replace(model, placement=chip.placement, scales_S=scales_S)

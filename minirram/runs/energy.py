"""Energy, latency and area of a run."""

from dataclasses import dataclass, replace
from typing import Optional, Tuple

from ..accounting import events, figures, shapes
from ..accounting.account import (
    SHARED_MACROS,
    add_baselines,
    add_reprogramming,
    density_sweep,
    inference_account,
    training_account,
)
from ..accounting.costs import load_costs
from ..errors import ConfigError
from ..inference.calibration import calibrate_adcs
from ..inference.examine import examine
from ..nn.network import requantised
from .folder import RunFolder, open_training


@dataclass(frozen=True)
class WhatIf:
    """What an account changes against the run it describes."""

    technology: str = "macro-40nm"
    """named technology file, or the path of one"""
    adc_bits: Optional[int] = None
    """resolution of the ADCs, calibrated anew; None: the run's"""
    input_bits: Optional[int] = None
    """bits of all input codes, their ranges unchanged; None: the run's"""
    read_voltage_V: Optional[float] = None
    """voltage on a driven row, known exactly; None: the run's technology with the range of the technology file"""
    read_time_s: Optional[float] = None
    """duration of one read, known exactly; None: likewise"""
    densities: Tuple[float, ...] = ()
    """kept fractions to which the masks are thinned or filled at random, the inputs held: a sweep"""
    macros: Optional[int] = None
    """macros at hand; None: as many as the network fills"""

    def __post_init__(self):
        for density in self.densities:
            if not 0 < density <= 1:
                raise ConfigError(f"density {density}; a kept fraction lies above 0 and at most at 1")
        if self.macros is not None and self.macros < 1:
            raise ConfigError(f"{self.macros} macros; a network needs at least 1")

    def adapted(self, config):
        """The run's configuration with these ADC and input bits."""
        if self.adc_bits is not None:
            config = replace(config, adc_bits=self.adc_bits)
        if self.input_bits is not None:
            config = replace(config, network=requantised(config.network, self.input_bits))
        return config

    def adapted_model(self, config, model, chip, data):
        """The model with ADCs calibrated for the changed bits on training data; the run's own if nothing changed."""
        if self.adc_bits is None and self.input_bits is None:
            return model
        codes = data.calibration_codes()
        return replace(
            model,
            adcs=calibrate_adcs(
                config.network, model.state, codes, chip, model.scales_S, config.adc_bits, config.adc_arrangement
            ),
        )


ENERGY_SAMPLES = 500
"""validation samples whose events are counted"""
ENERGY_IMAGES = 3
"""the same where a sample is a whole image, cut into many fields of the network: as many as DRIVE holds back"""


def account(folder, data=None, threads=1, what_if=None):
    """Energy, latency and area of a run, JSON-ready: per inference by matrix, plane and event, of programming and of
    training, digital hardware beside it. Energy and accuracy belong to the same ADC and input bits.

    what_if: `accounting.WhatIf`, what to change against the run.
    """
    what_if = WhatIf() if what_if is None else what_if
    run = RunFolder.open(folder)
    config, costs = what_if.adapted(run.config), load_costs(what_if.technology)
    network = config.network
    pulse = figures.read_pulse(config.cell_model, costs, what_if.read_voltage_V, what_if.read_time_s)
    chip, model, masks = run.load_trained()
    training = open_training(run.config, data)
    if network != run.config.network:  # codes of other bits
        training = open_training(replace(config, data_crc=0), data)
    model = what_if.adapted_model(config, model, chip, training)
    examination = training.validation.first(ENERGY_IMAGES if config.data_layout.per_pixel else ENERGY_SAMPLES)
    network_shapes = shapes.of_network(network)
    counter = events.EventCounter(network_shapes.bits, threads)
    score = examine(
        config, chip, model=model, examination=examination, split="validation", threads=threads, observer=counter
    )
    # A whole image counts as so many inferences as fields of the network's own size it is cut into.
    first = chip.placement.names[0]
    inferences = counter.vectors[first] / network_shapes.positions[first]

    def inference_now():
        counted = events.counted_events(counter, chip, model.adcs, inferences)
        found = inference_account(
            counted,
            network_shapes.digital,
            chip.placement,
            costs,
            config.adc_bits,
            pulse,
            config.adc_arrangement,
            what_if.macros,
        )
        if what_if.macros is not None:
            add_reprogramming(found, chip, what_if.macros, costs)
        return found

    result = inference_now()
    add_baselines(result, network_shapes, costs)
    steps = training.steps_per_epoch(config.recipe) * config.recipe.epochs
    programming = figures.programming_energy(chip.pulses, config.cell_model, costs)
    result.update(
        task=config.task,
        adc_bits=config.adc_bits,
        input_bits=network.input_bits,
        samples=len(examination),
        inferences=inferences,
        macs=network_shapes.macs,
        programming_J={kind: float(joules[1]) for kind, joules in programming.items()},
        pulses=dict(chip.pulses),
        training=training_account(
            chip, config.recipe, steps, network_shapes, costs, config.adc_bits, pulse, config.adc_arrangement
        ),
    )
    if what_if.macros is None or what_if.macros >= chip.placement.n_macros:
        result.update(accuracy=score.accuracy, roc_auc=score.roc_auc, pr_auc=score.pr_auc)
    else:
        result["assumed"] = SHARED_MACROS
    if what_if.densities:
        result["density_sweep"] = density_sweep(
            chip, model, masks, what_if.densities, config.recipe.seed, inference_now
        )
    return result

"""Accounts of energy, latency and area, JSON-ready: of one inference by matrix and plane, of training, of what-ifs.

A figure stands as its typical value; under "range" the same names hold low, typical and high.
"""

from typing import Dict

import numpy as np

from ..nn.operations import buffer_bits
from ..rng import stream
from .costs import as_range, load_costs
from .events import MatrixEvents, expected_events, on_fewer_macros, reprogramming
from .figures import (
    JOULES,
    TRAINING_MACS,
    adcs_per_macro,
    baselines,
    chip_area,
    digital_energy,
    digital_latency,
    matrix_energy,
    matrix_latency,
    pair_conversions,
    programming_energy,
    programming_time,
    read_out_energy,
    read_pulse,
    saved_fraction,
    training_baselines,
)

ACTIVITY = 0.2
"""share of set bits in input codes where no data are at hand; 0.11 to 0.22 in the tasks' networks, docs/energy.md"""

TRAINING_READS = (
    "read-outs during learning are paid for as conversions at adc_bits; the simulated learning reads with noise but "
    "without an ADC, so its accuracy is not that of adc_bits"
)
SHARED_MACROS = (
    "no accuracy: the masks were learned on macros of their own, and one that takes turns has other conductances; "
    "minirram transfer shows what that does"
)


def inference_account(events, digital, placement, costs, adc_bits, pulse, arrangement="pair", macros=None):
    """One inference: dict with `by_matrix`, `digital_layers`, `total`, `latency_s`, `area_um2` and more.

    events: dict name -> `events.MatrixEvents`. digital: dict layer -> `events.DigitalEvents`. macros: at hand, when
    they are fewer than the placement fills; `add_reprogramming` says what taking turns costs. `activity` is the share
    of set bits among those of the input codes.
    """
    macros = placement.n_macros if macros is None else min(macros, placement.n_macros)
    adcs = adcs_per_macro(placement, costs, arrangement)
    by_matrix, layers, rows = {}, {}, []
    for name, counted in events.items():
        counted = on_fewer_macros(counted, macros)
        figures = matrix_energy(counted, costs, adc_bits, pulse)
        figures.update(matrix_latency(counted, costs, adc_bits, adcs, pulse))
        counts = _matrix_counts(counted)
        activity = counts["rows_driven"] / counts["bits_read"]
        by_matrix[name] = dict(_shown(counts, figures), by_plane=_by_plane(counted, pulse), activity=activity)
        rows.append((counts, figures))
    for name, arithmetic in digital.items():
        figures = digital_energy(arithmetic, costs)
        figures.update(digital_latency(arithmetic, costs))
        counts = {key: float(value) for key, value in vars(arithmetic).items()}
        layers[name] = _shown(counts, figures)
        rows.append((counts, figures))
    total = _shown(*_sums(rows))
    area = chip_area(placement, costs, adc_bits, arrangement, buffer_bits(digital), macros)
    return {
        "technology": {"name": costs.name, "about": costs.about},
        "read_voltage_V": float(pulse.voltage_V[1]),
        "read_time_s": float(pulse.time_s[1]),
        "by_matrix": by_matrix,
        "digital_layers": layers,
        "total": total,
        "activity": total["rows_driven"] / total["bits_read"],
        "latency_s": total["latency_s"],
        "area_um2": _shown({}, area),
        "adcs_per_macro": adcs,
    }


def _matrix_counts(counted: MatrixEvents):
    """Events of one matrix, summed over bit planes."""
    conversions = float(counted.conversions.sum())
    return {
        "vectors": counted.vectors,
        "rows_driven": float(counted.rows_driven.sum()),
        "cell_reads": float(counted.cell_reads.sum()),
        "conversions": conversions,
        "shift_adds": conversions,
        "partial_adds": counted.partial_adds,
        "line_pitches": counted.line_pitches,
        "bits_read": counted.bits_read,
    }


def _by_plane(counted, pulse):
    """Events of one matrix by bit plane, lowest bit first, with the typical joules in its cells."""
    each_J = pulse.voltage_V[1] ** 2 * pulse.time_s[1]
    return {
        "rows_driven": counted.rows_driven.tolist(),
        "cell_reads": counted.cell_reads.tolist(),
        "conversions": counted.conversions.tolist(),
        "array_J": (counted.siemens_read * each_J).tolist(),
    }


def _sums(rows):
    """(counts, figures) of the sum over rows; what a row lacks is zero."""
    counts: Dict[str, float] = {}
    figures: Dict[str, np.ndarray] = {}
    for row_counts, row_figures in rows:
        for key, value in row_counts.items():
            counts[key] = counts.get(key, 0.0) + value
        for key, joules in row_figures.items():
            figures[key] = figures.get(key, 0.0) + joules
    return counts, figures


def _shown(counts, figures):
    """Counts and typical figures in one dict, with all figures' ranges."""
    shown = dict(counts)
    shown.update({key: float(value[1]) for key, value in figures.items()})
    shown["range"] = {key: as_range(value) for key, value in figures.items()}
    return shown


def add_reprogramming(account, chip, n_macros, costs):
    """Put what running on `n_macros` macros costs into an account's total, energy and latency."""
    on = np.stack([macro.on & macro.formed for macro in chip.macros])
    written, n_set, n_reset, most = reprogramming(on, chip.used, n_macros)
    pulses = {"set": n_set, "reset": n_reset}
    joules = sum(programming_energy(pulses, chip.cell_model, costs).values())
    seconds = sum(programming_time(pulses, chip.cell_model).values())
    endurance = chip.cell_model.endurance_cycles
    account["reprogramming"] = dict(
        _shown({}, {"reprogramming_J": joules}),
        macros=n_macros,
        macros_written=written,
        pulses=pulses,
        reprogramming_s=seconds,
        cycles_per_cell=n_set / chip.used[0].size,  # a SET and a RESET each, mean over the macro written in turn
        cycles_of_one_cell=most,  # the most that one of its cells goes through
        inferences_until_worn=None if endurance is None or not most else endurance / most,
    )
    total = account["total"]
    total["reprogramming_J"], total["range"]["reprogramming_J"] = float(joules[1]), as_range(joules)
    for key, extra in (("total_J", joules), ("latency_s", np.full(3, seconds))):
        total[key] += float(extra[1])
        total["range"][key] = {case: total["range"][key][case] + value for case, value in as_range(extra).items()}
    account["latency_s"] = total["latency_s"]


def add_baselines(account, network_shapes, costs):
    """Put digital hardware beside an account: `baselines`, `gpu_J`, `saved_fraction` (against the GPU's INT8).

    What the technology file `costs` says of digital hardware replaces the package's figures.
    """
    found = baselines(network_shapes.macs, network_shapes.weights, network_shapes.activations, costs)
    total_J = np.array(list(account["total"]["range"]["total_J"].values()))
    account["baselines"] = {
        name: dict(as_range(joules), saved_fraction=as_range(saved_fraction(total_J, joules)))
        for name, joules in found.items()
    }
    account["gpu_J"] = float(found["gpu_int8"][1])
    account["saved_fraction"] = account["baselines"]["gpu_int8"]["saved_fraction"]["typical"]


def training_account(chip, recipe, steps, network_shapes, costs, adc_bits, pulse, arrangement="pair"):
    """What learning the masks cost: read-outs, pulses by kind, and the host's arithmetic on digital hardware.

    steps: optimiser steps of the whole training. A read-out of every cell in use precedes each step, each validation
    and the first wiring, two more find stuck cells; its energy is that of the present masks. network_shapes:
    `shapes.NetworkShapes`.
    """
    read_outs = steps + recipe.epochs + 1 + (2 if chip.pulses["probe_reset"] else 0)
    each = read_out_energy(chip, costs, adc_bits, pulse, arrangement)
    pulses = programming_energy(chip.pulses, chip.cell_model, costs)
    figures = {"read_" + key: read_outs * value for key, value in each.items()}
    figures.update({kind + "_J": joules for kind, joules in pulses.items()})
    figures["total_J"] = sum(figures.values())
    host = training_baselines(
        network_shapes.macs, network_shapes.weights, network_shapes.activations, steps, recipe.batch_size, costs
    )
    return dict(
        _shown({}, figures),
        steps=steps,
        read_outs=read_outs,
        cell_reads=read_outs * int(np.count_nonzero(chip.used)),
        conversions=read_outs * pair_conversions(chip.placement, arrangement),
        adc_bits=adc_bits,
        assumed=TRAINING_READS,
        pulses=dict(chip.pulses),
        pulse_time_s=programming_time(chip.pulses, chip.cell_model),
        host_macs=TRAINING_MACS * network_shapes.macs * steps * recipe.batch_size,
        host={name: as_range(joules) for name, joules in host.items()},
    )


def density_sweep(chip, model, masks, densities, seed, account_now):
    """Energy against density: the run's masks thinned or filled at random, its inputs held. A list of dicts.

    account_now: a callable that accounts for the chip as it is. `array_J` follows the masks, `adc_J` and the rest do
    not. Says nothing on accuracy: no mask is learned anew. The chip is left with the masks of the last density.
    """
    rows = []
    for density in densities:
        thinned = {name: at_density(mask, density, stream(seed, "density", name)) for name, mask in masks.items()}
        chip.program(thinned, model.signs)
        total = account_now()["total"]
        keys = [key for key in JOULES + ("reprogramming_J", "total_J") if key in total]
        row = {key: total[key] for key in keys}
        rows.append(dict(row, density=density, range={key: total["range"][key] for key in keys}))
    return rows


def at_density(mask, density, generator):
    """A mask with a kept fraction of about `density`: connections dropped, or added, at random. Nested over density."""
    kept, draw = np.count_nonzero(mask) / mask.size, generator.random(mask.shape)
    if density <= kept:
        return mask & (draw < density / kept)
    return mask | (draw < (density - kept) / (1.0 - kept))


def shapes_account(
    network_shapes, placement, cell_model, technology_file="macro-40nm", adc_bits=8, activity=ACTIVITY, density=0.5
):
    """An account from shapes alone, at pair level: mean conductances, a stated share of set bits."""
    costs = load_costs(technology_file)
    pulse = read_pulse(cell_model, costs)
    on_S = cell_model.lrs_median_S * np.exp(cell_model.lrs_sigma_ln**2 / 2)
    off_S = cell_model.hrs_median_S * np.exp(cell_model.hrs_sigma_ln**2 / 2)
    pair_S = density * (on_S + off_S) + (1.0 - density) * 2 * off_S
    events = expected_events(placement, network_shapes.positions, network_shapes.bits, activity, pair_S)
    account = inference_account(events, network_shapes.digital, placement, costs, adc_bits, pulse)
    add_baselines(account, network_shapes, costs)
    total = account["total"]
    return {
        "technology": account["technology"],
        "adc_bits": adc_bits,
        "density": density,
        "activity": activity,
        "cell_reads": total["cell_reads"],
        "energy_J": total["range"]["total_J"],
        "energy_terms_J": {key: total[key] for key in JOULES},
        "latency_s": total["range"]["latency_s"],
        "area_um2": account["area_um2"]["range"]["total_um2"],
        "baselines": account["baselines"],
    }

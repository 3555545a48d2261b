"""Accounts of energy, latency and area: of one inference by matrix and plane, of training, of what-ifs."""

from dataclasses import fields
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Tuple

import numpy as np

from ..nn.layers.base import DigitalEvents
from ..nn.operations import buffer_bits
from ..rng import stream
from .costs import Costs, load_costs
from .events import MatrixEvents, bits_moved, expected_events, on_fewer_macros, reprogramming
from .figures import (
    JOULES,
    TRAINING_MACS,
    ReadPulse,
    adcs_per_macro,
    chip_area,
    digital_energy,
    digital_hardware,
    digital_latency,
    matrix_energy,
    matrix_latency,
    pair_conversions,
    programming_energy,
    programming_time,
    read_out_energy,
    read_pulse,
    saved_fraction,
    training_hardware,
)
from .results import (
    Area,
    ByPlane,
    CostsUsed,
    DensityRow,
    Hardware,
    InferenceAccount,
    MatrixPart,
    Part,
    Range,
    Reprogramming,
    ShapesAccount,
    Total,
    TrainingAccount,
)
from .shapes import NetworkShapes

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


Figures = Dict[str, np.ndarray]
"""name -> float64 (3,): low, typical, high"""


def inference_account(
    events: Dict[str, MatrixEvents],
    network_shapes: NetworkShapes,
    *,
    placement: Any,
    costs: Costs,
    adc_bits: int,
    pulse: ReadPulse,
    arrangement: str,
    macros: Optional[int] = None,
    turns: Optional[Reprogramming] = None,
) -> InferenceAccount:
    """One inference, and digital hardware beside it.

    events: by matrix. placement: `placement.Placement`. arrangement: of the ADCs. macros: at hand, when they are fewer
    than the placement fills; turns: what `reprogramming_account` says of that. Costs of digital hardware that `costs`
    states replace the package's.
    """
    n_macros = placement.n_macros if macros is None else min(macros, placement.n_macros)
    adcs = adcs_per_macro(placement, costs, arrangement=arrangement)
    counted = {name: on_fewer_macros(entry, n_macros) for name, entry in events.items()}
    matrices = {
        name: _matrix(entry, costs, adc_bits=adc_bits, adcs=adcs, pulse=pulse) for name, entry in counted.items()
    }
    layers = {name: _layer(entry, costs) for name, entry in network_shapes.digital.items()}
    total = _total([*matrices.values(), *layers.values()], turns)
    area = chip_area(
        placement,
        costs,
        adc_bits=adc_bits,
        arrangement=arrangement,
        buffer_bits=buffer_bits(network_shapes.digital),
        n_macros=n_macros,
    )
    return InferenceAccount(
        costs=CostsUsed(costs.name, costs.about),
        read_voltage_V=float(pulse.voltage_V[1]),
        read_time_s=float(pulse.time_s[1]),
        by_matrix={
            name: MatrixPart(
                **_shown(Part, *part),
                by_plane=_by_plane(counted[name], pulse),
                activity=part[0]["rows_driven"] / part[0]["bits_read"],
            )
            for name, part in matrices.items()
        },
        digital_layers={name: Part(**_shown(Part, *part)) for name, part in layers.items()},
        total=total,
        activity=total.rows_driven / total.bits_read,
        area_um2=Area(**_shown(Area, {}, area)),
        adcs_per_macro=adcs,
        reprogramming=turns,
        digital_hardware=dict(_hardware(total, network_shapes, costs)),
    )


def _matrix(
    counted: MatrixEvents, costs: Costs, *, adc_bits: int, adcs: int, pulse: ReadPulse
) -> Tuple[Dict[str, float], Figures]:
    """(counts summed over bit planes, figures) of one matrix."""
    conversions = float(counted.conversions.sum())
    counts = {
        "vectors": counted.vectors,
        "rows_driven": float(counted.rows_driven.sum()),
        "cell_reads": float(counted.cell_reads.sum()),
        "conversions": conversions,
        "shift_adds": conversions,
        "partial_adds": counted.partial_adds,
        "line_pitches": counted.line_pitches,
        "bits_read": counted.bits_read,
        "bits_moved": bits_moved(counted, adc_bits),
    }
    joules = matrix_energy(counted, costs, adc_bits=adc_bits, pulse=pulse)
    return counts, dict(joules, **matrix_latency(counted, costs, adc_bits=adc_bits, adcs_per_macro=adcs, pulse=pulse))


def _layer(arithmetic: DigitalEvents, costs: Costs) -> Tuple[Dict[str, float], Figures]:
    """(counts, figures) of one layer's arithmetic."""
    counts = {key: float(value) for key, value in vars(arithmetic).items()}
    return counts, dict(digital_energy(arithmetic, costs), **digital_latency(arithmetic, costs))


def _by_plane(counted: MatrixEvents, pulse: ReadPulse) -> ByPlane:
    each_J = pulse.voltage_V[1] ** 2 * pulse.time_s[1]
    return ByPlane(
        rows_driven=tuple(counted.rows_driven.tolist()),
        cell_reads=tuple(counted.cell_reads.tolist()),
        conversions=tuple(counted.conversions.tolist()),
        array_J=tuple((counted.siemens_read * each_J).tolist()),
    )


def compensation_account(
    events: Dict[str, MatrixEvents],
    responses: int,
    *,
    placement: Any,
    costs: Costs,
    adc_bits: int,
    pulse: ReadPulse,
    arrangement: str,
) -> Part:
    """One read of the stored probe vectors, and the gains from it.

    events: by matrix, of all its probe vectors. responses: integers that they give; each is multiplied with the one
    at programming and added up. The factor itself lies in the scale of a product and costs nothing there.
    """
    adcs = adcs_per_macro(placement, costs, arrangement=arrangement)
    rows = [_matrix(entry, costs, adc_bits=adc_bits, adcs=adcs, pulse=pulse) for entry in events.values()]
    counts, figures = _sum([*rows, _layer(DigitalEvents(multiplies=responses, adds=responses), costs)])
    return Part(**_shown(Part, counts, figures))


def _sum(rows: Iterable[Tuple[Dict[str, float], Figures]]) -> Tuple[Dict[str, float], Figures]:
    """The sums of counts and figures, what a row lacks being zero."""
    counts: Dict[str, float] = {}
    figures: Figures = {}
    for row_counts, row_figures in rows:
        for key, count in row_counts.items():
            counts[key] = counts.get(key, 0.0) + count
        for key, figure in row_figures.items():
            figures[key] = figures.get(key, 0.0) + figure
    return counts, figures


def _total(rows: Iterable[Tuple[Dict[str, float], Figures]], turns: Optional[Reprogramming]) -> Total:
    """The sum of counts and figures, and of macros that are programmed in turn."""
    counts, figures = _sum(rows)
    figures["reprogramming_J"] = np.zeros(3)
    if turns is not None:
        joules = turns.range["reprogramming_J"].array()
        figures["reprogramming_J"] = joules
        figures["total_J"] = figures["total_J"] + joules
        figures["latency_s"] = figures["latency_s"] + turns.reprogramming_s
    return Total(**_shown(Total, counts, figures))


def _shown(kind: type, counts: Dict[str, float], figures: Figures) -> Dict[str, Any]:
    """The fields of a `Part` or another kind: counts, typical figures and all ranges; what was not counted is 0."""
    names = [field.name for field in fields(kind) if field.type is float]
    typical = {key: float(value[1]) for key, value in figures.items()}
    numbers = {name: counts.get(name, typical.get(name, 0.0)) for name in names}
    return dict(numbers, range={key: Range.of(value) for key, value in figures.items()})


def reprogramming_account(chip: Any, n_macros: int, *, costs: Costs) -> Reprogramming:
    """What running a `Chip` on `n_macros` macros costs: the last one takes the contents of all later ones in turn."""
    on = np.stack([macro.on & macro.formed for macro in chip.macros])
    written, n_set, n_reset, most = reprogramming(on, chip.used, n_macros=n_macros)
    pulses = {"set": n_set, "reset": n_reset}
    joules = np.sum(list(programming_energy(pulses, chip.cell_model, costs=costs).values()), axis=0)
    endurance = chip.cell_model.endurance_cycles
    return Reprogramming(
        reprogramming_J=float(joules[1]),
        range={"reprogramming_J": Range.of(joules)},
        macros=n_macros,
        macros_written=written,
        pulses=pulses,
        reprogramming_s=float(sum(programming_time(pulses, chip.cell_model).values())),
        cycles_per_cell=n_set / chip.used[0].size,  # a SET and a RESET each, mean over the macro written in turn
        cycles_of_one_cell=most,
        inferences_until_worn=None if endurance is None or not most else endurance / most,
    )


def _hardware(total: Total, network_shapes: NetworkShapes, costs: Costs) -> Iterator[Tuple[str, Hardware]]:
    """(name, joules on it and what the chip saves) of digital hardware."""
    total_J = total.range["total_J"].array()
    for name, joules in digital_hardware(**_size(network_shapes), own=costs).items():
        saved = Range.of(saved_fraction(total_J, joules))
        yield name, Hardware(**vars(Range.of(joules)), saved_fraction=saved)


def _size(network_shapes: NetworkShapes) -> Dict[str, Any]:
    """What digital hardware is charged for."""
    return {name: getattr(network_shapes, name) for name in ("macs", "weights", "activations")}


def training_account(
    chip: Any,
    recipe: Any,
    *,
    steps: int,
    network_shapes: NetworkShapes,
    costs: Costs,
    adc_bits: int,
    pulse: ReadPulse,
    arrangement: str,
) -> TrainingAccount:
    """What learning the masks cost: read-outs, pulses by kind, and the host's arithmetic on digital hardware.

    steps: optimiser steps of the whole training. A read-out of every cell in use precedes each step, each validation
    and the first wiring, two more find stuck cells; its energy is that of the present masks.
    """
    read_outs = steps + recipe.epochs + 1 + (2 if chip.pulses["probe_reset"] else 0)
    each = read_out_energy(chip, costs, adc_bits=adc_bits, pulse=pulse, arrangement=arrangement)
    pulses = programming_energy(chip.pulses, chip.cell_model, costs=costs)
    figures = {"read_" + key: read_outs * value for key, value in each.items()}
    figures.update({kind + "_J": joules for kind, joules in pulses.items()})
    figures["total_J"] = sum(figures.values())
    host = training_hardware(**_size(network_shapes), steps=steps, batch_size=recipe.batch_size, own=costs)
    return TrainingAccount(
        **_shown(TrainingAccount, {}, figures),
        steps=steps,
        read_outs=read_outs,
        cell_reads=read_outs * int(np.count_nonzero(chip.used)),
        conversions=read_outs * pair_conversions(chip.placement, arrangement),
        adc_bits=adc_bits,
        assumed=TRAINING_READS,
        pulses={kind: int(count) for kind, count in chip.pulses.items()},
        pulse_times_s={kind: float(value) for kind, value in programming_time(chip.pulses, chip.cell_model).items()},
        host_macs=TRAINING_MACS * network_shapes.macs * steps * recipe.batch_size,
        host={name: Range.of(joules) for name, joules in host.items()},
    )


def density_sweep(
    chip: Any,
    model: Any,
    *,
    masks: Dict[str, np.ndarray],
    densities: Iterable[float],
    seed: int,
    account_now: Callable[[], InferenceAccount],
) -> Tuple[DensityRow, ...]:
    """Energy against density: the run's masks thinned or filled at random, its inputs held.

    account_now: accounts for the chip as it is. `array_J` follows the masks, `adc_J` and the rest do not. Says nothing
    on accuracy: no mask is learned anew. The chip is left with the masks of the last density.
    """
    rows = []
    names = [field.name for field in fields(DensityRow) if field.name not in ("density", "range")]
    for density in densities:
        thinned = {
            name: at_density(mask, density, generator=stream(seed, "density", name)) for name, mask in masks.items()
        }
        chip.program(thinned, model.signs)
        total = account_now().total
        figures = {name: getattr(total, name) for name in names}
        rows.append(DensityRow(**figures, density=density, range={name: total.range[name] for name in names}))
    return tuple(rows)


def at_density(mask: np.ndarray, density: float, *, generator: np.random.Generator) -> np.ndarray:
    """A mask with a kept fraction of about `density`: connections dropped, or added, at random. Nested over density."""
    kept, draw = np.count_nonzero(mask) / mask.size, generator.random(mask.shape)
    if density <= kept:
        return mask & (draw < density / kept)
    return mask | (draw < (density - kept) / (1.0 - kept))


def shapes_account(
    network_shapes: NetworkShapes,
    placement: Any,
    *,
    cell_model: Any,
    costs: str = "macro-40nm",
    adc_bits: int,
    activity: float = ACTIVITY,
    density: float = 0.5,
    arrangement: str = "pair",
) -> ShapesAccount:
    """An account from shapes alone, at pair level: mean conductances, a stated share of set bits.

    costs: named technology file, or the path of one. arrangement: of the ADCs.
    """
    table = load_costs(costs)
    pulse = read_pulse(cell_model, table)
    on_S, off_S = (
        median_S * np.exp(sigma_ln**2 / 2) for median_S, sigma_ln in (cell_model.lrs_spread(), cell_model.hrs_spread())
    )
    pair_S = density * (on_S + off_S) + (1.0 - density) * 2 * off_S
    events = expected_events(
        placement,
        network_shapes.positions,
        bits=network_shapes.bits,
        activity=activity,
        pair_S=pair_S,
        arrangement=arrangement,
    )
    account = inference_account(
        events,
        network_shapes,
        placement=placement,
        costs=table,
        adc_bits=adc_bits,
        pulse=pulse,
        arrangement=arrangement,
    )
    total = account.total
    return ShapesAccount(
        costs=account.costs,
        adc_bits=adc_bits,
        density=density,
        activity=activity,
        cell_reads=total.cell_reads,
        energy_terms_J={key: getattr(total, key) for key in JOULES},
        total_J=total.range["total_J"],
        latency_s=total.range["latency_s"],
        area_um2=account.area_um2.range["total_um2"],
        digital_hardware=account.digital_hardware,
    )

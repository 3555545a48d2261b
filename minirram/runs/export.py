"""Program file and digital.json of a run."""

import os
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np

from .. import __version__
from ..chip.chip import Chip
from ..device.pulses import pulse_recipes
from ..device.thresholds import Thresholds, thresholds
from ..errors import ConfigError
from ..files import atomic_writer, write_json
from ..inference import digital_json, integer_binary
from ..inference.integer_network import integer_network
from ..inference.model import Model
from ..programming import build, readback
from ..programming.build import attainable, build_identity, chip_identity, increment
from ..programming.readback import read_program
from ..programming.results import ProgramSummary
from ..rng import stream
from ..xbp import codec
from ..xbp.records import Program
from .config import RunConfig
from .folder import RunFolder

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Export(ProgramSummary):
    """What was written."""

    file: str
    """path of the program file; digital.json lies beside it"""
    targets: Optional[str]
    """path of the file with the conductance targets; None: there are none"""
    targets_bytes: Optional[int]
    """size of that file"""
    not_formed: int
    """cells that the masks keep but that never formed: they stay off"""
    digital_bytes: Optional[int]
    """size of digital.bin, digital.json for firmware; None: it has no form in integers"""
    not_in_integers: Optional[str]
    """why there is no digital.bin; None: there is one"""


def export(
    folder: Path,
    out: Optional[Path] = None,
    *,
    code_bits: Optional[int] = None,
    old: Optional[Path] = None,
    with_targets: bool = False,
) -> Export:
    """Write the run's program file (default program.xbp in the folder), and beside it what belongs to it.

    That is targets.xbp, digital.json and, where the network has a form in integers, digital.bin.

    Cells that never formed cannot be kept on; `not_formed` counts those that the masks wanted. code_bits: of the
    conductance targets, 8 or 16; 0: none, and no targets.xbp; None: 16 where cells were tuned, since the targets are
    then what the network is, else 8. with_targets: they stand in the program, too, for
    programmers that tune cells. old: program file that the chip holds; the new one then holds the pulses that differ
    alone, and a chip in any other state refuses it.
    """
    if with_targets and (old is not None or code_bits == 0):
        raise ConfigError("with_targets: an increment holds pulses alone, and code_bits 0 leaves no targets")
    run = RunFolder.open(folder)
    config = run.config
    chip, model, masks = run.load_trained()
    code_bits = (16 if chip.tuned else 8) if code_bits is None else code_bits
    whole, not_formed = build_program(config, chip, model=model, masks=masks, code_bits=code_bits)
    built = whole if with_targets else build.without_targets(whole)
    if old is not None:
        built = increment(read_program(old), built)
    data = codec.write(built)
    path = os.fspath(out) if out is not None else run.path("program.xbp")
    beside = os.path.dirname(path)
    with atomic_writer(path) as handle:
        handle.write(data)
    targets = codec.write(build.targets_of(whole)) if code_bits else None
    if targets is not None:
        with atomic_writer(os.path.join(beside, "targets.xbp")) as handle:
            handle.write(targets)
    described = digital_json.describe(config.network, model, chip=chip, wires=config.wires)
    write_json(os.path.join(beside, "digital.json"), described)
    digital_bytes, not_in_integers = _write_binary(os.path.join(beside, "digital.bin"), described)
    return Export(
        **vars(readback.describe(built, data)),
        file=path,
        targets=None if targets is None else os.path.join(beside, "targets.xbp"),
        targets_bytes=None if targets is None else len(targets),
        not_formed=not_formed,
        digital_bytes=digital_bytes,
        not_in_integers=not_in_integers,
    )


def _write_binary(path: str, described: Dict[str, Any]) -> Tuple[Optional[int], Optional[str]]:
    """(bytes written, None), or (None, why there is no binary): one that lies there goes away."""
    try:
        data = integer_binary.to_bytes(integer_network(described))
    except ConfigError as error:
        if os.path.exists(path):
            os.unlink(path)
        return None, str(error)
    with atomic_writer(path) as handle:
        handle.write(data)
    return len(data), None


def build_program(
    config: RunConfig, chip: Chip, *, model: Model, masks: Dict[str, np.ndarray], code_bits: int = 8
) -> Tuple[Program, int]:
    """(program that takes the unformed chip to the masks, count of kept cells that never formed).

    The program names physical lines; no tile of it touches a line out of use. The targets of a chip whose cells were
    tuned are what they hold, see `_tuned_aim`.
    """
    formed_S = chip.physical(chip.formed_S())
    wanted = chip.physical(chip.wanted_on(masks, model.signs))
    if chip.tuned:
        on, target_S, limits = _tuned_aim(chip, wanted)
    else:
        target_S, limits = formed_S, thresholds(config.cell_model)
        on = attainable(wanted, formed_S, limits=limits)
    # Where the data lie, and how they lie there, is not part of what was built.
    decided = {key: value for key, value in config.to_json().items() if key not in ("data", "layout")}
    built = build.build_program(
        chip.physical_placement(),
        on,
        level=config.recipe.level,
        recipes=pulse_recipes(config.cell_model, config.forming_voltage_V),
        limits=limits,
        chip_id=chip_identity(formed_S),
        target_S=target_S if code_bits else None,
        partners=chip.physical(chip.partners(model.signs)) if config.recipe.level == "pair" else None,
        code_bits=code_bits or 8,
        build_id=build_identity(decided),
        formed=bool(config.maps),
        meta={"minirram": __version__, "task": config.task},
    )
    return built, int(np.count_nonzero(wanted & ~on))


def _tuned_aim(chip: Chip, wanted: np.ndarray) -> Tuple[np.ndarray, np.ndarray, Thresholds]:
    """(cells to keep, conductances to reach, thresholds) of a chip whose cells were tuned, by physical numbers.

    A kept cell may hold any conductance, also one of an off cell. The thresholds tell it from a pristine cell alone.
    """
    held_S = chip.physical(chip.conductance_S())
    least_S = 2 * float(chip.macros[0].pristine_grid) * chip.cell_model.grid_S
    kept = wanted & (held_S > least_S)
    lowest_S = float(held_S[kept].min()) if kept.any() else 2 * least_S
    on_min_S = max(lowest_S / 2, 0.75 * least_S)
    return kept, held_S, Thresholds(on_min_S, 0.98 * on_min_S)


def chip_map(folder: Path, out: Path, *, state: str) -> np.ndarray:
    """Write the chip of a run as `.npy`, float64 siemens (macros, rows, cols), physical numbers; returns the array.

    Lines out of use, dead ones among them, hold 0. state: "formed", as after FORM alone (what the example programmer
    starts from), or "programmed", with the masks.
    """
    if state not in ("formed", "programmed"):
        raise ConfigError(f"state {state!r}: choose 'formed' or 'programmed'")
    chip, _, _ = RunFolder.open(folder).load_trained()
    map_S = chip.physical(chip.formed_S() if state == "formed" else chip.conductance_S())
    with atomic_writer(out) as handle:
        np.save(handle, map_S)
    return map_S


def simulated_readback(folder: Path) -> np.ndarray:
    """What a read of a run's programmed chip would give: float64 siemens (macros, rows, cols), physical numbers.

    One read of the simulated chip that holds the masks, with the technology's read noise. Lines out of use hold 0.
    """
    run = RunFolder.open(folder)
    chip, _, _ = run.load_trained()
    generator = stream(run.config.recipe.seed, "simulated read-back")
    return chip.physical(chip.read_out(generator))

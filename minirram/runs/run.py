"""What the commands do as functions: train, evaluate, energy, export, recalibrate; `Run` has them as methods."""

import contextlib
import os
from typing import Optional, Sequence, Tuple, Union

from ..chip.dead_lines import ChipLines
from ..crossbar.conditions import Conditions
from ..crossbar.wires import Wires
from ..device.interface import Cell
from ..device.presets import load_cell_model
from ..driver.protocol import Driver
from ..errors import ConfigError, DataError
from ..labfiles.maps import USUAL, Policy
from ..learn.recipe import Recipe
from ..nn.network import Network
from ..tasks.labelled_data import LabelledData
from ..tasks.registry import SYNTHETIC
from ..tasks.registry import task as task_of
from ..tasks.task import Task
from ..tasks.task_file import read_task_file
from . import energy as energy_step
from . import evaluate as evaluate_step
from . import export as export_step
from . import recalibrate as recalibrate_step
from .chip_files import ChipFiles
from .config import RunConfig
from .driven import open_session
from .energy import EnergyAccount, WhatIf
from .evaluate import Evaluation
from .export import Export
from .folder import RunFolder
from .own_data import given
from .recalibrate import Recalibration
from .train import Progress, TrainingResults, chip_of, learn, read_results

Path = Union[str, "os.PathLike[str]"]
THREADS = min(2, os.cpu_count() or 1)
"""threads where none are named, as on the command line"""


def train(
    what: Union[Network, Task, str],
    data: Union[LabelledData, Path],
    recipe: Union[Recipe, str] = "full",
    *,
    out: Path,
    cell: Union[Cell, str] = "taox-40nm",
    adc_bits: int = 8,
    adc_arrangement: str = "pair",
    wires: Optional[Wires] = None,
    lines: Optional[ChipLines] = None,
    maps: Sequence[str] = (),
    unit: Optional[str] = None,
    policy: Policy = USUAL,
    faults: Optional[str] = None,
    driver: Union[str, Driver, None] = None,
    port: Optional[str] = None,
    threads: int = THREADS,
    resume: bool = False,
    progress: Optional[Progress] = None,
) -> "Run":
    """Learn the masks of a network on a simulated chip, then look at the test set once: the finished `Run` in `out`.

    what: a network, which learns from arrays; or a task, its name, or the path of its .json, which learns from a file
    of data, a folder that holds its data, "synthetic", or arrays. recipe: one, or the name of one of the task's. cell:
    a technology, its name, or the path of a fitted .json. wires: lines that drop voltage. lines: dead lines. maps,
    unit, policy: measured conductances to start from, and what is done with cells that hold none. faults: file of stuck
    cells. driver, port: the bench whose chip learns, by name, "module:Class" or as an object, and what it is called
    with. resume: continue the run in `out`; more epochs take on a finished one. progress: called with each row of
    the history. ConfigError, ShapeError, DataError as the command.
    """
    chosen, source, arrays = _given(what, data)
    network = chosen if isinstance(chosen, Network) else chosen.network
    layout = chosen.layout if isinstance(chosen, Task) else arrays.layout(network)  # type: ignore[union-attr]
    if isinstance(recipe, str):
        recipe = Recipe() if isinstance(chosen, Network) and recipe == "full" else _recipe_of(chosen, recipe)
    files = ChipFiles(tuple(maps), unit, faults, policy)
    config = RunConfig(
        chosen.name,
        source,
        network,
        recipe,
        load_cell_model(cell) if isinstance(cell, str) else cell,
        adc_bits=adc_bits,
        adc_arrangement=adc_arrangement,
        wires=wires,
        lines=lines,
        layout=layout,
        **files.names(),
    )
    with contextlib.ExitStack() as stack:
        session = None
        if driver is not None:
            session = stack.enter_context(open_session(driver, config, port=port, files=files))
        chip = chip_of(out, config, files=files, session=session, resume=resume)
        readings = files.readings
        learn(
            out, config, chip=chip, threads=threads, resume=resume, progress=progress, arrays=arrays, readings=readings
        )
    return Run(out)


def _given(
    what: Union[Network, Task, str], data: Union[LabelledData, Path]
) -> Tuple[Union[Network, Task], str, Optional[LabelledData]]:
    """(network, or complete task; source of the data; arrays that the run folder is to carry)."""
    if not isinstance(data, LabelledData):
        if isinstance(what, Network):
            raise ConfigError(f"network {what.name} learns from LabelledData; a task learns from the folder {data}")
        found = given(what, os.fspath(data))
        return found.task, found.source, found.arrays
    if isinstance(what, Network):
        return what, SYNTHETIC, data
    if isinstance(what, str) and what.endswith(".json"):
        return read_task_file(what).complete(data), SYNTHETIC, data
    return task_of(what) if isinstance(what, str) else what, SYNTHETIC, data


def _recipe_of(chosen: Union[Network, Task], name: str) -> Recipe:
    if isinstance(chosen, Network):
        raise ConfigError(f"network {chosen.name} has no recipe {name!r}; give a Recipe")
    return chosen.recipe(name)


def evaluate(
    run: Union["Run", Path],
    split: str = "validation",
    *,
    data: Optional[Path] = None,
    read_noise: Optional[float] = None,
    draws: int = 1,
    conditions: Optional[Conditions] = None,
    adc_bits: Optional[int] = None,
    input_bits: Optional[int] = None,
    ideal: bool = False,
    threads: int = THREADS,
) -> Evaluation:
    """How a run answers "validation" or "test" on its simulated macros. Opening the test set is logged in its folder.

    run: a `Run`, or its folder. data: folder of the data, or "synthetic", instead of the run's. read_noise: instead of
    the technology's. draws: repetitions of the read noise. conditions: of use; the run's wires where they state none.
    adc_bits, input_bits: of ADCs and input codes instead of the run's; ADCs are calibrated anew.
    ideal: whole images are answered with ideal reads, too; samples with one label always are.
    """
    return evaluate_step.evaluate(
        _folder(run),
        split,
        data=None if data is None else os.fspath(data),
        read_noise=read_noise,
        draws=draws,
        conditions=conditions,
        threads=threads,
        ideal=ideal,
        as_if=evaluate_step.AsIf(adc_bits=adc_bits, input_bits=input_bits),
    )


def energy(
    run: Union["Run", Path],
    *,
    data: Optional[Path] = None,
    costs: str = "macro-40nm",
    adc_bits: Optional[int] = None,
    input_bits: Optional[int] = None,
    read_voltage_V: Optional[float] = None,
    read_time_s: Optional[float] = None,
    densities: Tuple[float, ...] = (),
    macros: Optional[int] = None,
    threads: int = THREADS,
) -> EnergyAccount:
    """Energy, latency and area of a run, per inference, of programming and of training.

    run: a `Run`, or its folder. data: folder of the data, or "synthetic", instead of the run's. costs: of events, a
    name or the path of a .json file. All else asks what would be if: ADCs, input codes, voltage or duration of a read,
    kept fractions, or the number of macros were so.
    """
    what_if = WhatIf(
        costs=costs,
        adc_bits=adc_bits,
        input_bits=input_bits,
        read_voltage_V=read_voltage_V,
        read_time_s=read_time_s,
        densities=densities,
        macros=macros,
    )
    source = None if data is None else os.fspath(data)
    return energy_step.account(_folder(run), data=source, threads=threads, what_if=what_if)


def export(
    run: Union["Run", Path],
    out: Optional[Path] = None,
    *,
    code_bits: Optional[int] = None,
    old: Optional[Path] = None,
    with_targets: bool = False,
) -> Export:
    """Write the program file of a run, default `program.xbp` in its folder; `targets.xbp` and `digital.json` beside it.

    run: a `Run`, or its folder. code_bits: of conductance targets, 8 or 16; 0: none; None: 16 for a placed run, 8 for
    masks. old: program that the chip holds; only what differs is then written. with_targets: targets in the program,
    too. Returns what the file holds.
    """
    return export_step.export(_folder(run), out, code_bits=code_bits, old=old, with_targets=with_targets)


def recalibrate(
    run: Union["Run", Path],
    readback: Path,
    *,
    unit: str = "S",
    out: Optional[Path] = None,
    relearn_steps: int = 0,
    program: Optional[Path] = None,
    data: Optional[Path] = None,
    threads: int = THREADS,
) -> Recalibration:
    """Take a run to its chip as it reads back: digital statistics and ADC ranges anew, in a run folder of its own.

    run: a `Run`, or its folder. readback: lab file of conductances in `unit`. out: the new folder, default
    `recalibrated` in the run's. relearn_steps: batches for which masks learn on; program: the one that the chip
    holds, from which their pulses lead on, default `program.xbp` in the run's folder.
    """
    return recalibrate_step.recalibrate(
        _folder(run),
        readback,
        unit=unit,
        out=out,
        relearn_steps=relearn_steps,
        program=program,
        data=None if data is None else os.fspath(data),
        threads=threads,
    )


class Run:
    """A finished run and what can be asked of it. `train` makes one; `Run(folder)` opens one."""

    evaluate = evaluate
    energy = energy
    export = export
    recalibrate = recalibrate

    def __init__(self, folder: Path) -> None:
        """Open the run in `folder`; DataError when there is none, or one whose training has not ended."""
        opened = RunFolder.open(folder)
        if not opened.has("results.json"):
            raise DataError(f"{opened.folder}: the training of this run has not ended; continue it with resume=True")
        self.folder = opened.folder
        self.config = opened.config

    @property
    def results(self) -> TrainingResults:
        """What the training gave, as in `results.json`; DataError for a run that was not trained, but placed."""
        return read_results(os.path.join(self.folder, "results.json"))

    def __repr__(self) -> str:
        return f"Run({self.folder!r})"


def _folder(run: Union[Run, Path]) -> str:
    return run.folder if isinstance(run, Run) else os.fspath(run)

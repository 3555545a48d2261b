"""Program the chip of a run through a driver: form, write and verify, read back, say what was found."""

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, ContextManager, Dict, Iterator, Optional, Tuple, Union, cast

import numpy as np

from ..chip.chip import Chip
from ..crossbar.macro import Macro
from ..driver import line_bytes, programmer
from ..driver.journal import Journal
from ..driver.programmer import Estimate, Progress
from ..driver.protocol import Capabilities, Driver
from ..driver.registry import SIMULATED, open_driver
from ..driver.session import DEFAULT_TIMEOUT_S, Session
from ..driver.simulated import SimulatedDriver
from ..errors import ConfigError, DataError
from ..files import atomic_writer, check_writable, locks, read_npz, write_json, write_npz
from ..inference import digital_json
from ..json_codec import Result
from ..programming import manifest
from ..programming.manifest import check_measured
from ..programming.readback import read_program, verify, wrong_cells
from ..programming.results import WrongCell
from ..xbp import codec, digests, table
from ..xbp.records import Program
from .export import build_program
from .folder import RunFolder
from .learning_folder import LOCK
from .repair import read_conductances

Path = Union[str, "os.PathLike[str]"]
PROGRAM, READBACK, CELLS, FAULTS = "program.xbp", "readback.npy", "cells.npz", "failed.txt"
"""files of a bench folder, beside manifest.json and driver.log"""
SIMULATED_CHIP = "simulated-chip.npz"
"""of a simulated chip that no port keeps: it lies here while no process has it"""


@dataclass(frozen=True)
class Bench(Result):
    """What programming a chip through a driver gave."""

    folder: str
    """of journal, read-back, results of each cell and manifest"""
    bench: str
    """name of the bench"""
    chip_id: str
    """of the chip that the program is for"""
    state: str
    """"programmed" only after a read-back of this program; else "unknown", or "untouched" by a dry run"""
    new_state: str
    """digest of what the program leaves"""
    estimate: Estimate
    """of pulses and time, before the first pulse"""
    line_bytes: Dict[str, int]
    """over a serial line: the read of the state, pulses with verifying reads, the read-back"""
    line_minutes: float
    """what they take at 115,200 baud"""
    resumed: bool
    """whether an earlier start had done steps already"""
    pulses: int
    """pulses that are known to have been given, of all starts"""
    most_pulses: int
    """of one cell"""
    interrupted: int
    """cells that were being pulsed when a start was stopped"""
    readback_id: Optional[str]
    """digest of the read-back; None: nothing was read"""
    checked: int
    """cells that the program speaks of"""
    failed: Tuple[WrongCell, ...]
    """cells that are not what the program says"""

    @property
    def passed(self) -> bool:
        """Whether no cell failed."""
        return not self.failed


def bench(
    folder: Path,
    driver: Union[str, Driver],
    *,
    port: Optional[str] = None,
    out: Optional[Path] = None,
    program: Optional[Path] = None,
    readback: Optional[Path] = None,
    dry_run: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Optional[Progress] = None,
) -> Bench:
    """Run a program on the chip behind a driver, read it back and write what was found into `out`.

    folder: the run. driver, port: as of `train`. out: default FOLDER/bench; the same call goes on where a stop was.
    program: default the run's whole program; else a file for this chip. readback: what the chip was last read to be,
    for a repair program or an increment. dry_run: look at the bench and estimate, pulse nothing, write nothing.
    ConfigError and DataError, before the first pulse, for a bench, a program or outputs that cannot be; BenchError when
    the bench fails.
    """
    run = RunFolder.open(folder)
    chip, model, masks = run.load_trained()
    whole, _ = build_program(run.config, chip, model=model, masks=masks, code_bits=0)
    built = whole if program is None else read_program(program)
    _check_program(built, whole, readback)
    out = run.path("bench") if out is None else os.fspath(out)
    opened = driver
    if isinstance(driver, str):
        opened = open_driver(driver, port, simulated=lambda: pristine_macros(chip, formed=bool(run.config.maps)))
    with Session(opened, timeout_s=timeout_s) as session:  # type: ignore[arg-type]
        programmer.check(session.capabilities, built)
        estimate = programmer.estimate(session.capabilities, built)
        if dry_run:
            return _untouched(out, session.capabilities, built, estimate)
        data = codec.write(built)
        described = digital_json.describe(run.config.network, model, chip=chip, wires=run.config.wires)
        header = {"program": digests.program_digest(data), "chip_id": f"{built.chip_id:08x}", "rows": programmer.ROWS}
        with alone(out), Journal(os.path.join(out, manifest.JOURNAL), header) as journal, ExitStack() as stack:
            begun = bool(journal.done) or journal.begun is not None
            resumed = begun and journal.readback is None
            _check_outputs(out)
            if driver == SIMULATED and port is None:
                stack.enter_context(_kept(cast(SimulatedDriver, opened), out, begun=begun))
            _write(os.path.join(out, PROGRAM), data)
            write_json(os.path.join(out, "digital.json"), described)
            session.log_to(os.path.join(out, "driver.log"))
            if not begun:
                last_S = None if readback is None else _map(readback)
                programmer.check_state(session, built, last_S, formed=_conducting(chip) if run.config.maps else None)
            made = programmer.run(session, built, journal, progress=progress)
            readback_S = programmer.read_back(session, built)
            session.safe_idle()
            found = _finish(out, session.capabilities, built, made, readback_S, journal)
    return replace(found, estimate=estimate, resumed=resumed)


@contextmanager
def _kept(driver: SimulatedDriver, out: str, *, begun: bool) -> Iterator[None]:
    """The simulated chip of a folder: out of its file while the block runs, put back when that ends or is stopped.

    ConfigError for a programming that has begun on a chip that is not there: its process was killed.
    """
    path = os.path.join(out, SIMULATED_CHIP)
    if begun:
        if not os.path.isfile(path):
            raise ConfigError(
                f"{out}: the simulated chip of this programming ended with its process. Give another --out, and --port "
                "FILE.npz, which keeps the chip after each pulse"
            )
        driver.restore(read_npz(path))
        os.remove(path)
    try:
        yield
    finally:
        write_npz(path, driver.state())


def alone(out: str) -> ContextManager[None]:
    """The folder of a bench is this process's while the block runs; ConfigError when it is another's. See `locks`."""
    return locks.alone(out, LOCK, what="another programming", kept=_has_begun)


def _has_begun(out: str) -> bool:
    """Whether the bench was asked for anything: the log says what, and the journal goes on."""
    log = os.path.join(out, "driver.log")
    return os.path.isfile(log) and os.path.getsize(log) > 0


def _conducting(chip: Chip) -> np.ndarray:
    """Bool (macros, physical rows, physical columns): the cells of a measured chip that were formed."""
    return chip.physical(np.stack([macro.formed for macro in chip.macros]))


def pristine_macros(chip: Chip, *, formed: bool) -> Tuple[Macro, ...]:
    """Macros like those of a simulated chip, before any program: not formed, or formed with all cells on."""
    made = []
    for macro in chip.macros:
        arrays: Dict[str, Any] = dict(macro.state())
        able = (arrays["lrs_grid"] > 0) & np.isfinite(arrays["forming_V"]) if formed else np.zeros_like(macro.stuck)
        arrays["formed"] = macro.stuck | able
        arrays["on"] = np.where(macro.stuck, macro.on, able)
        arrays["on_grid"] = macro.lrs_grid
        arrays["writes"] = np.zeros_like(macro.writes)
        arrays.update({name: np.int64(0) for name in arrays if name.startswith("pulses/")})
        made.append(Macro.from_state(macro.model, arrays))
    return tuple(made)


def _check_program(built: Program, whole: Program, readback: Optional[Path]) -> None:
    """DataError unless the program is for the run's chip and leads to the run's masks, from a state that is known."""
    for name in ("chip_id", "new_state"):
        found, expected = getattr(built, name), getattr(whole, name)
        if found != expected:
            raise DataError(f"{name} of the program is {found:08x}, that of the run {expected:08x}: not its program")
    needs = built.before in (table.BEFORE["measured"], table.BEFORE["programmed"])
    if needs != (readback is not None):
        raise ConfigError("--readback is the last read-back of the chip: it goes with a repair or an increment alone")
    if readback is None:
        return
    bound = check_measured(readback, chip_id=built.chip_id)
    if built.before == table.BEFORE["programmed"]:
        held = None if bound is None else bound.new_state
        if held != f"{built.base_state:08x}":
            raise DataError(
                f"{readback}: the increment is for a chip that holds {built.base_state:08x}; its manifest says "
                f"{held or 'nothing, there is none'}"
            )
        return
    found = digests.readback_id(_map(readback))
    if found != built.readback_id:
        raise DataError(f"{readback}: read-back {found:08x}, the program was made from {built.readback_id:08x}")


def _map(readback: Path) -> np.ndarray:
    """The map of a read-back, (macros, rows, cols)."""
    found_S = read_conductances(readback)
    return found_S[np.newaxis] if found_S.ndim == 2 else found_S


def _check_outputs(out: str) -> None:
    """OSError, before any pulse, when the folder cannot be written to."""
    check_writable(out)


def _write(path: str, data: bytes) -> None:
    with atomic_writer(path) as handle:
        handle.write(data)


def _finish(
    out: str,
    capabilities: Capabilities,
    built: Program,
    made: programmer.Programming,
    readback_S: np.ndarray,
    journal: Journal,
) -> Bench:
    """Write read-back, cells, list of failures and, last of all, the manifest."""
    found, wrong = verify(built, readback_S), wrong_cells(built, readback_S)
    results = programmer.cell_results(made, readback_S, {cell.place: cell.why for cell in wrong})
    with atomic_writer(os.path.join(out, READBACK)) as handle:
        np.save(handle, readback_S)
    results.save(os.path.join(out, CELLS))
    lines = "".join(f"{m} {r} {c} {why}\n" for m, r, c, why in results.failed() if why.startswith("stuck"))
    _write(os.path.join(out, FAULTS), lines.encode("ascii"))
    bound = manifest.bind(out, bench=capabilities.name, digital="digital.json")
    journal.write(readback=bound.readback_id, new_state=bound.new_state)
    return Bench(
        folder=out,
        bench=capabilities.name,
        chip_id=bound.chip_id,
        state="programmed",
        new_state=bound.new_state,
        estimate=programmer.estimate(capabilities, built),
        **_over_the_line(capabilities, built),
        resumed=False,
        pulses=int(made.pulses.sum()),
        most_pulses=int(made.pulses.max(initial=0)),
        interrupted=int(np.count_nonzero(made.interrupted)),
        readback_id=bound.readback_id,
        checked=found.checked,
        failed=wrong,
    )


def _over_the_line(capabilities: Capabilities, built: Program) -> Dict[str, Any]:
    """Fields of `Bench`: bytes and minutes."""
    sizes = line_bytes.line_bytes(capabilities, built)
    return {"line_bytes": sizes, "line_minutes": line_bytes.minutes(sum(sizes.values()))}


def _untouched(out: str, capabilities: Capabilities, built: Program, estimate: Estimate) -> Bench:
    """What a dry run says."""
    return Bench(
        folder=out,
        bench=capabilities.name,
        chip_id=f"{built.chip_id:08x}",
        state="untouched",
        new_state=f"{built.new_state:08x}",
        estimate=estimate,
        **_over_the_line(capabilities, built),
        resumed=False,
        pulses=0,
        most_pulses=0,
        interrupted=0,
        readback_id=None,
        checked=sum(tile.n_row * tile.n_col for tile in built.tiles),
        failed=(),
    )

"""A run that learns through a driver: the bench, its chip, and what the run folder keeps of it."""

import os
from typing import Callable, Optional, Sequence, Union

from ..chip.chip import Chip
from ..chip.dead_lines import read_faults
from ..crossbar.macro import Macro
from ..driver.learning import DrivenChip
from ..driver.protocol import Driver
from ..driver.registry import SIMULATED, open_driver
from ..driver.session import DEFAULT_TIMEOUT_S, Session
from ..errors import ConfigError
from ..files import blaming, read_json, write_json
from ..nn.network import matrices
from .chip_files import ChipFiles
from .config import RunConfig
from .learning_folder import NOTE, LearningFolder


def pristine_chip(config: RunConfig, faults: Optional[str]) -> Chip:
    """The drawn chip of a run before FORM, with the stuck cells in the file `faults`."""
    recipe = config.recipe
    chip = Chip.sample(
        config.cell_model, matrices(config.network), level=recipe.level, seed=recipe.chip_seed, lines=config.lines
    )
    chip.stick(() if faults is None else read_faults(faults))
    return chip


def open_session(
    driver: Union[str, Driver],
    config: RunConfig,
    *,
    port: Optional[str],
    files: ChipFiles,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Session:
    """The bench of a run. driver: a name of `driver.registry`, "module:Class", or an object.

    ConfigError for what a run with a bench has no use for: measured maps, wires, and faults of a chip that is real.
    """
    if config.maps or config.wires is not None:
        raise ConfigError("a run behind a driver reads its own chip: no --map and no --wire-ohm")
    files.check_named(config)
    if files.faults is not None and driver != SIMULATED:
        raise ConfigError("--faults plants stuck cells into a simulated chip; a bench has its own")
    if not isinstance(driver, str):
        return Session(driver, timeout_s=timeout_s)
    simulated: Callable[[], Sequence[Macro]] = lambda: pristine_chip(config, files.faults).macros  # noqa: E731
    return Session(open_driver(driver, port, simulated=simulated), timeout_s=timeout_s)


def driven_chip(config: RunConfig, session: Session, *, resting: bool = False, was_formed: bool = False) -> DrivenChip:
    """The chip of a run behind its bench, formed; resting, was_formed: as of `DrivenChip`."""
    recipe = config.recipe
    chip = DrivenChip.behind(
        session,
        config.cell_model,
        matrices(config.network),
        level=recipe.level,
        seed=recipe.chip_seed,
        lines=config.lines,
        resting=resting,
        was_formed=was_formed,
    )
    chip.form(config.forming_voltage_V)
    return chip


def goes_on(folder: "Union[str, os.PathLike[str]]", resume: bool) -> bool:
    """Whether the folder holds a learning that goes on, or has ended."""
    run = LearningFolder(folder, None)
    return resume and LearningFolder.exists(folder) and (run.has("checkpoint.npz") or run.has("results.json"))


def was_formed(folder: "Union[str, os.PathLike[str]]", resume: bool) -> bool:
    """Whether an earlier start formed the chip of a run that goes on and has no checkpoint."""
    return resume and LearningFolder.exists(folder) and LearningFolder(folder, None).has(NOTE)


def bench_name(chip: Chip) -> Optional[str]:
    """How the bench of a chip is called; None for a simulated chip without a driver."""
    return chip.session.capabilities.name if isinstance(chip, DrivenChip) else None


def note_bench(run: LearningFolder, chip: Chip) -> None:
    """Keep the bench's capabilities and its log in the run folder.

    ConfigError when a run would go on without its bench, or on another kind of bench.
    """
    name, session = bench_name(chip), getattr(chip, "session", None)
    if run.has(NOTE):
        with blaming(run.path(NOTE)):
            before = read_json(run.path(NOTE))["name"]
        if before != name:
            raise ConfigError(f"{run.folder} learns through the driver of {before}, not {name or 'without one'}")
    elif session is not None:
        if run.has("checkpoint.npz"):
            raise ConfigError(f"{run.folder} learns without a driver: leave out --driver")
        write_json(run.path(NOTE), session.capabilities.to_json())
    if session is not None:
        session.log_to(run.path("driver.log"))

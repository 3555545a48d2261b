"""The files that say which individual a chip is, where its seed alone does not."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..chip.chip import Chip
from ..chip.dead_lines import read_faults, read_lines
from ..errors import ConfigError
from ..files import crc_of
from ..json_codec import Result
from ..labfiles.maps import USUAL, LabMap, Policy, Reading, read_chip_map
from ..programming.manifest import check_measured
from ..progress.stages import stage
from .config import RunConfig


@dataclass(frozen=True)
class ChipFiles:
    """Measured maps and stuck cells of one chip, as paths. A run remembers each by name and checksum."""

    maps: Tuple[str, ...] = ()
    """conductance map of each macro; none: the chip is drawn"""
    unit: Optional[str] = None
    """of the maps"""
    faults: Optional[str] = None
    """list of stuck cells; None: none are planted"""
    policy: Policy = USUAL
    """what is done with cells of the maps that hold no conductance"""
    dead_lines: Optional[str] = None
    """file of dead lines, to say what was taken from it; the run's configuration holds the lines themselves"""

    def __post_init__(self) -> None:
        if self.unit is not None and not self.maps:
            raise ConfigError("--unit is that of measured maps: give them, --map")
        if self.policy != USUAL and not self.maps:
            raise ConfigError(
                "--missing, --open, --short and --offset are for cells of measured maps: give them, --map"
            )

    @cached_property
    def lab_maps(self) -> Tuple[LabMap, ...]:
        """The maps, read once."""
        maps = []
        with stage("reading maps", len(self.maps)) as going:
            for path in self.maps:
                maps.append(read_chip_map(path, self.unit, policy=self.policy))
                going.advance()
        return tuple(maps)

    @property
    def readings(self) -> Tuple[Reading, ...]:
        """What was taken from each file, which has its name without folders, as in the configuration."""
        found = [lab_map.reading for lab_map in self.lab_maps]
        if self.faults is not None:
            found.append(reading_of_faults(self.faults))
        if self.dead_lines is not None:
            found.append(reading_of_lines(self.dead_lines))
        return tuple(replace(reading, file=os.path.basename(reading.file)) for reading in found)

    def maps_S(self) -> List[np.ndarray]:
        """Conductances of each macro, siemens, float64 (rows, columns); 0: unformed."""
        return [map_S for lab_map in self.lab_maps for map_S in lab_map.macros_S()]

    def names(self) -> Dict[str, Any]:
        """The fields of a `RunConfig` that name these files; MissingFileError when there is none."""
        maps = tuple(name + self._replaced for name in map_names(self.maps))
        return {"maps": maps, "faults": "" if self.faults is None else map_names((self.faults,))[0]}

    @property
    def _replaced(self) -> str:
        """The policies that are not the usual ones, as a run remembers them behind the name of a map."""
        unusual = [name for name, action in vars(self.policy).items() if action != getattr(USUAL, name)]
        return "".join(f" {name}={getattr(self.policy, name)}" for name in unusual)

    def check_named(self, config: RunConfig) -> None:
        """ConfigError unless these are the files that `config` names."""
        own = {"maps": config.maps, "faults": config.faults}
        if self.faults is not None and self.faults.endswith(".npz"):
            check_measured(self.faults)
        for what, given in self.names().items():
            if given != own[what]:
                raise ConfigError(f"this run has the {what} {own[what] or 'none'}; {given or 'none'} were given")


def reading_of_faults(path: str) -> Reading:
    """What was taken from a file of stuck cells."""
    states = [conducts for _, _, _, conducts in read_faults(path)]
    counts = {"stuck off": states.count(False), "stuck on": states.count(True)}
    return Reading(path, (len(states),), "stuck cells", "", "", counts, 0)


def reading_of_lines(path: str) -> Reading:
    """What was taken from a file of dead lines."""
    lines = read_lines(path)
    counts = {"dead columns": len(lines.dead_cols), "dead rows": len(lines.dead_rows)}
    written = f"{lines.policy} them"
    return Reading(path, (lines.rows, 2 * lines.pairs), "dead lines", "", written, counts, 0)


DRAWN = ChipFiles()
"""no file: the seed says it all"""


@dataclass(frozen=True)
class WhichChip(Result):
    """Which individual a chip is."""

    seed: int
    """of all that is drawn: of a measured chip that is what its maps do not hold"""
    maps: Tuple[str, ...]
    """measured maps that it starts from, "NAME CRC-32"; none: it is drawn"""
    rows: int
    """rows of a macro, dead ones among them"""
    cols: int
    """columns of a macro, dead ones among them"""
    dead_rows: int
    """dead rows of all macros"""
    dead_cols: int
    """dead columns of all macros"""
    faults: str
    """file of stuck cells, "NAME CRC-32"; "": none"""

    def __str__(self) -> str:
        parts = [f"maps {', '.join(self.maps)}" if self.maps else f"drawn, seed {self.seed}"]
        parts.append(f"macros of {self.rows} x {self.cols}")
        if self.dead_rows or self.dead_cols:
            parts.append(f"{self.dead_rows} rows and {self.dead_cols} columns dead")
        if self.faults:
            parts.append(f"stuck cells of {self.faults}")
        return "; ".join(parts)


def which_chip(config: RunConfig, chip: Chip) -> WhichChip:
    """Which individual the chip of a run is."""
    dead_rows, dead_cols = (0, 0)
    if config.lines is not None:
        dead_rows, dead_cols = len(config.lines.dead_rows), len(config.lines.dead_cols)
    return WhichChip(
        config.recipe.chip_seed, config.maps, *chip.macros[0].physical_shape, dead_rows, dead_cols, config.faults
    )


def map_names(paths: Sequence[str]) -> Tuple[str, ...]:
    """How a run remembers its maps: "NAME CRC-32" of each file; MissingFileError when there is none."""
    names = []
    for path in paths:
        names.append(f"{os.path.basename(path)} {crc_of(path):08x}")
    return tuple(names)

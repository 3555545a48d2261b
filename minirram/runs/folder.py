"""The run folder: what one training run leaves on disk, written whole and opened with checks.

Its files and their fields stand in docs/run-folder.md. `config.json`, `chip.npz`, `model.npz` and `masks.npz` alone are
enough to evaluate, account for energy and export elsewhere.
"""

import os
from dataclasses import replace
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from ..chip.chip import Chip
from ..chip.dead_lines import ChipLines
from ..chip.levels import mask_shape
from ..chip.placement import Placement
from ..device.interface import Cell
from ..errors import ConfigError, DataError, MissingFileError
from ..files import blaming, write_npz
from ..inference.model import Model, checked
from ..progress.stages import stage
from ..tasks import registry
from .config import IN_THE_FOLDER, RunConfig, config_from_json
from .learning_folder import LearningFolder, Path

DATA_FILE = "data.npz"
"""the data that a run folder carries"""
TRUST = "MINIRRAM_TRUST"
"""environment variable: folders, separated as in PATH, whose data run folders may name"""
REPORT_FILE = "data.json"
"""what they are, as they were read"""


def open_training(config: RunConfig, source: Optional[str] = None) -> Any:
    """Training and validation data of a `RunConfig`, from `source` (a folder, or "synthetic") instead of its own.

    ConfigError when a run that has read its data (`data_crc`) would go on with others.
    """
    with stage("reading data"):
        data = registry.load_training(
            config.task, config.data_layout, source=source or config.data, network=config.network
        )
    if config.data_crc and data.crc != config.data_crc:
        raise ConfigError(
            f"the training data in {source or config.data} are not those that the run was learned "
            f"from: checksum {data.crc:08x}, not {config.data_crc:08x}"
        )
    return data


def open_test(config: RunConfig, source: Optional[str] = None) -> Any:
    """The test set of a `RunConfig` as an examination, from `source` instead of its own. The caller logs it."""
    return registry.load_test(config.task, config.data_layout, source=source or config.data, network=config.network)


def _trusted(path: str) -> bool:
    """Whether a path lies in one of the folders of TRUST."""
    if path.startswith(("\\\\", "//")):  # a machine of the network would be asked for it
        return False
    folders = [os.path.realpath(folder) for folder in os.environ.get(TRUST, "").split(os.pathsep) if folder]
    real = os.path.realpath(path) if folders else path
    return any(real == folder or real.startswith(os.path.join(folder, "")) for folder in folders)


class RunFolder(LearningFolder):
    """The folder of a run that learns masks. Parts are read when they are asked for."""

    config: RunConfig

    @staticmethod
    def config_from_json(value: Any) -> RunConfig:
        """The RunConfig in `config.json`; DataError when it is another one, or of a task that is not known."""
        config = config_from_json(value)
        if config.layout is None and config.task not in registry.TASKS:
            raise DataError(f"no task {config.task!r}; this version knows {', '.join(registry.TASKS)}")
        return config

    @classmethod
    def open(cls, folder: Path) -> "RunFolder":
        """The run in `folder`, whose data may lie in it; DataError when there is none."""
        run = super().open(folder)
        if run.config.data == IN_THE_FOLDER:
            run.config = replace(run.config, data=run.folder)
        return run

    def source(self, named: Optional[str] = None) -> str:
        """Where the run's data are read from: `named`, else as its configuration says, where that may be opened.

        A run folder may come from somebody else. What it names outside itself is opened in folders that the environment
        variable MINIRRAM_TRUST lists; elsewhere ConfigError asks for the name.
        """
        stated = self.config.data
        if named is not None:
            return named
        if stated in (registry.SYNTHETIC, self.folder) or _trusted(stated):
            return stated
        raise ConfigError(
            f"{self.folder}: its data lie in {stated!r}, and no path that a run folder names is opened by itself: name "
            f"it, --data, or list its folder in {TRUST}"
        )

    @property
    def carries_data(self) -> bool:
        """Whether its data lie in the folder itself."""
        return self.config.data == self.folder and self.has(DATA_FILE)

    def save_trained(self, chip: Chip, model: Model, *, masks: Mapping[str, np.ndarray]) -> None:
        """Write `chip.npz`, `model.npz` and `masks.npz`."""
        write_npz(self.path("chip.npz"), chip.state())
        write_npz(self.path("model.npz"), model.to_arrays(self.config.network))
        write_npz(self.path("masks.npz"), masks)

    def load_model(self) -> Model:
        """The Model in `model.npz`; DataError when it is damaged or of another network.

        MissingFileError says so where the training was stopped before it made one.
        """
        if not self.has("model.npz"):
            raise MissingFileError(
                f"{self.folder}: no model.npz yet: the training was stopped; minirram train --resume finishes it"
            )
        with blaming(self.path("model.npz")):
            return Model.from_arrays(
                self.arrays("model.npz"),
                self.config.network,
                adc_bits=self.config.adc_bits,
                adc_arrangement=self.config.adc_arrangement,
            )

    def load_trained(self, cell_model: Optional[Cell] = None) -> Tuple[Chip, Model, Dict[str, np.ndarray]]:
        """(chip with the masks programmed, Model, masks). cell_model: instead of the run's, to ask what if."""
        config = self.config
        model = self.load_model()
        with blaming(self.path("chip.npz")):
            chip = self._load_chip(cell_model or config.cell_model, model.placement)
        with blaming(self.path("masks.npz")):
            arrays, masks = self.arrays("masks.npz"), {}
            for name, shape in model.placement.shapes:
                masks[name] = checked(arrays, name, dtype=bool, shape=mask_shape(config.recipe.level, shape))
            chip.program(masks, model.signs)
        return chip, model, masks

    def _load_chip(self, cell_model: Cell, placement: Placement) -> Chip:
        """The chip in `chip.npz` under a placement."""
        chip = Chip.from_state(cell_model, placement, level=self.config.recipe.level, arrays=self.arrays("chip.npz"))
        self._check_lines(chip.macros)
        return chip

    def _check_lines(self, macros: Any) -> None:
        """DataError unless the macros lie on the lines that the configuration leaves alive."""
        for index, macro in enumerate(macros):
            rows, cols = macro.physical_shape
            lines = ChipLines(rows=rows, pairs=cols // 2) if self.config.lines is None else self.config.lines
            alive = lines.row_map(index), lines.col_map(index)
            if (rows, cols) != (lines.rows, 2 * lines.pairs) or not all(map(np.array_equal, macro.line_maps, alive)):
                raise DataError(f"macro {index} does not lie on the live lines that config.json states")

"""Presets of `CellModel`. Every number stands beside its source; "assumed" says that no measurement was found."""

import os
from typing import Any, Dict, Tuple, Union

from ..errors import ConfigError, DataError, did_you_mean
from ..files import read_json, write_json
from ..units import ROOM_TEMPERATURE_K
from .cell import CellModel
from .cell_json import cell_from_json, cell_to_json
from .interface import Cell


def _preset(name: str, **numbers: Tuple[Any, str]) -> CellModel:
    """A `CellModel` from field = (value, source)."""
    values = {field: value for field, (value, _) in numbers.items()}
    return CellModel(name=name, sources=tuple((field, source) for field, (_, source) in numbers.items()), **values)


_PAPER = "Li et al., arXiv 2311.07164"
_CODE = "code published with " + _PAPER
_ESGNN = "measured maps of the same macro family (repository wangsc1912/ESGNN, Nature Machine Intelligence 2023)"
_YAO = "another chip: Yao et al., Nature 2020, 130 nm TaOx/HfOx"
_OFF = "off by default"
_UNUSED = "has no effect here"

TAOX_40NM = _preset(
    "taox-40nm",
    forming_mean_V=(3.433, "measured, n = 400; " + _ESGNN),
    forming_std_V=(0.114, "measured, n = 400; " + _ESGNN),
    pristine_S=(0.1e-6, "about 10 MOhm; " + _PAPER),
    lrs_median_S=(12.202e-6, "measured, n = 1,430, microsiemens assumed; " + _ESGNN),
    lrs_sigma_ln=(0.1474, "measured, n = 1,430; " + _ESGNN),
    hrs_median_S=(1.0e-6, "assumed; on/off about 10 as in the group's circuit model; worth a sweep from 0.1 to 2 uS"),
    hrs_sigma_ln=(0.5, "assumed"),
    hrs_max_S=(4.0e-6, "assumed: RESET is verified; one cell in 360 needs a second pulse"),
    read_noise=(0.0065, "measured, about 0.65 % per read; " + _PAPER),
    read_noise_floor_S=(0.0, "assumed: none"),
    write_noise=(0.0015, _CODE),
    write_clip_sigmas=(2.0, _CODE),
    re_set=("replay", _CODE + ": a cell that is set again returns to its old value"),
    tuning_std_S=(0.54e-6, "8 levels in 2 to 20 uS; " + _YAO),
    stuck_lrs=(0.0, "assumed: none; 0.01 % stuck cells in " + _YAO),
    stuck_hrs=(0.0, "assumed: none; 0.01 % stuck cells in " + _YAO),
    endurance_cycles=(10_000, "assumed; about 1e4 for a 22 nm foundry chip, Wen et al., Science 2024"),
    drift_exponent=(0.0, _OFF + "; levels stayed apart for 30 days: " + _YAO),
    drift_exponent_std=(0.0, _OFF),
    drift_start_s=(1.0, _UNUSED),
    relaxation_mean_S=(0.0, _OFF),
    relaxation_std_S=(0.0, _OFF),
    relaxation_time_s=(1.0, _UNUSED),
    relaxation_per_decade=(0.0, _UNUSED),
    relaxation_mean_per_decade=(None, _UNUSED),
    activation_eV=(0.0, _UNUSED),
    reference_K=(ROOM_TEMPERATURE_K, _UNUSED),
    grid_S=(1e-9, "choice: 8e-5 of the median, far below the read noise"),
    read_voltage_V=(0.2, "assumed; as in " + _YAO),
    read_time_s=(50e-9, "assumed; the pulse width of " + _YAO),
    form_time_s=(100e-6, "assumed"),
    form_energy_J=(4e-9, "assumed: 3.43 V x 12 uA x 100 us"),
    set_voltage_V=(2.0, _YAO),
    set_time_s=(50e-9, _YAO),
    set_energy_J=(6.0e-12, "2.0 V x 60 uA x 50 ns; " + _YAO),
    reset_voltage_V=(1.8, "negative; " + _YAO),
    reset_time_s=(50e-9, _YAO),
    reset_energy_J=(4.1e-12, "1.8 V x 45 uA x 50 ns; " + _YAO),
)
"""The paper's macro: 40 nm TaOx 1T1R."""

_RADAR = "measured, HfOx 1T1R (repository akashlevy/RRAM-RADAR-Tuning)"
_WAN = "another chip: Wan et al., Nature 2022"
_MILO = "another chip: Milo et al., IRPS 2021"

HFOX_1T1R = _preset(
    "hfox-1t1r",
    forming_mean_V=(3.119, _RADAR),
    forming_std_V=(0.315, _RADAR),
    pristine_S=(0.1e-6, "assumed; as TaOx"),
    lrs_median_S=(118e-6, "from the mean of 127 uS after forming and the spread; " + _RADAR),
    lrs_sigma_ln=(0.38, _RADAR),
    hrs_median_S=(12e-6, "66 to 101 kOhm; " + _RADAR),
    hrs_sigma_ln=(0.11, "assumed: the range 66 to 101 kOhm read as two standard deviations each way"),
    hrs_max_S=(None, "assumed: none"),
    read_noise=(0.01, "assumed; 1 % of full scale in the documentation of IBM/aihwkit"),
    read_noise_floor_S=(0.0, "assumed: none"),
    write_noise=(0.095, "cycle-to-cycle variation of SET, 8 to 11 %; " + _RADAR),
    write_clip_sigmas=(2.0, "assumed; as TaOx"),
    re_set=("replay", "a cell returns to its own value within the cycle-to-cycle variation; " + _RADAR),
    tuning_std_S=(0.58e-6, "uniform within the accepted window of +-1 uS; " + _WAN),
    stuck_lrs=(0.0, _OFF + "; 1.75 % in a 4 Mb HfO2 array, Chen et al., IEEE TC 2015, quoted second-hand"),
    stuck_hrs=(0.0, _OFF + "; 9.04 % in a 4 Mb HfO2 array, Chen et al., IEEE TC 2015, quoted second-hand"),
    endurance_cycles=(1_000_000, "typical lower end, Sebastian et al., Nature Nanotechnology 2020"),
    drift_exponent=(0.0, "assumed: relaxation alone"),
    drift_exponent_std=(0.0, "assumed: relaxation alone"),
    drift_start_s=(1.0, _UNUSED),
    relaxation_mean_S=(-8.7e-6, "80 C, 30 min; " + _RADAR),
    relaxation_std_S=(15e-6, "80 C, 30 min; " + _RADAR),
    relaxation_time_s=(1800.0, _RADAR),
    relaxation_per_decade=(0.097, "from sigma(1 s) = 2.30 uS and sigma(1 d) = 3.90 uS at 12 uS; " + _WAN),
    relaxation_mean_per_decade=(None, "assumed: as the spread"),
    activation_eV=(1.0, "assumed"),
    reference_K=(353.15, "80 C; " + _RADAR),
    grid_S=(20e-9, "choice: 1.6e-4 of the median; a column of 512 cells then holds up to 655 uS per cell"),
    read_voltage_V=(0.2, "assumed; as TaOx"),
    read_time_s=(50e-9, "assumed; as TaOx"),
    form_time_s=(5e-3, "assumed; a compact model for HfOx (repository Memristor_ODE_Hardware)"),
    form_energy_J=(200e-9, "assumed: 3.4 V x 12 uA x 5 ms"),
    set_voltage_V=(1.2, _MILO),
    set_time_s=(1e-6, _MILO),
    set_energy_J=(48e-12, "1.2 V x 40 uA x 1 us; " + _MILO),
    reset_voltage_V=(1.5, "first pulse; " + _WAN),
    reset_time_s=(1e-6, _WAN),
    reset_energy_J=(60e-12, "assumed: 1.5 V x 40 uA x 1 us"),
)
"""Filamentary HfOx cells after forming, with their relaxation."""

_JOSHI = "fit by IBM/aihwkit (pcm.py) to a million devices, Joshi et al., Nature Communications 2020"

PCM = _preset(
    "pcm",
    forming_mean_V=(0.0, "phase-change cells need no forming: any pulse will do"),
    forming_std_V=(0.0, "phase-change cells need no forming"),
    pristine_S=(0.1e-6, "assumed; as the amorphous state"),
    lrs_median_S=(25e-6, "full scale; " + _JOSHI),
    lrs_sigma_ln=(0.042, "write error of 1.06 uS at 25 uS; " + _JOSHI),
    hrs_median_S=(0.1e-6, "assumed"),
    hrs_sigma_ln=(0.5, "assumed"),
    hrs_max_S=(None, "assumed: none"),
    read_noise=(0.037, "slow (1/f) noise of a read at 20 s at 25 uS, to be held over bit planes; " + _JOSHI),
    read_noise_floor_S=(0.0, "assumed: none"),
    write_noise=(0.042, "the write error again; no effect with re_set redraw"),
    write_clip_sigmas=(2.0, _UNUSED),
    re_set=("redraw", "assumed: melting erases the cell's past"),
    tuning_std_S=(0.95e-6, "at 12.5 uS; " + _JOSHI),
    stuck_lrs=(0.0, _OFF),
    stuck_hrs=(0.0, _OFF + "; below 1 % of cells in most cores, Le Gallo et al., Nature Electronics 2023 (abstract)"),
    endurance_cycles=(1_000_000, "typical lower end, Sebastian et al., Nature Nanotechnology 2020"),
    drift_exponent=(0.049, "at 25 uS; off cells drift too slowly with it, the fit gives 0.1 at 0.1 uS; " + _JOSHI),
    drift_exponent_std=(0.008, "at 25 uS; " + _JOSHI),
    drift_start_s=(20.0, _JOSHI),
    relaxation_mean_S=(0.0, "drift alone"),
    relaxation_std_S=(0.0, "drift alone"),
    relaxation_time_s=(1.0, _UNUSED),
    relaxation_per_decade=(0.0, _UNUSED),
    relaxation_mean_per_decade=(None, _UNUSED),
    activation_eV=(0.0, "assumed: the exponent does not depend on temperature near room temperature"),
    reference_K=(ROOM_TEMPERATURE_K, "assumed"),
    grid_S=(1e-9, "choice: 4e-5 of the median"),
    read_voltage_V=(0.2, "assumed"),
    read_time_s=(50e-9, "assumed; as TaOx"),
    form_time_s=(0.0, "no forming"),
    form_energy_J=(0.0, "no forming"),
    set_voltage_V=(2.0, "assumed; Singh et al., Nature Electronics 2025"),
    set_time_s=(100e-9, "Xiao et al., Applied Physics Reviews 2020"),
    set_energy_J=(20e-12, "2 V x 100 uA x 100 ns; Singh et al., Nature Electronics 2025"),
    reset_voltage_V=(2.0, "assumed; Singh et al., Nature Electronics 2025"),
    reset_time_s=(100e-9, "Xiao et al., Applied Physics Reviews 2020"),
    reset_energy_J=(100e-12, "2 V x 500 uA x 100 ns; Singh et al., Nature Electronics 2025"),
)
"""Phase-change memory: every cell conducts as made, writes are noisy, conductance drifts."""

_AGRAWAL = "fit by sandialabs/cross-sim (SONOS.py) to 128 K devices, Agrawal et al., IEDM 2022, at 1600 nA and 0.1 V"

SONOS_40NM = _preset(
    "sonos-40nm",
    forming_mean_V=(0.0, "charge-trap cells need no forming: any pulse will do"),
    forming_std_V=(0.0, "charge-trap cells need no forming"),
    pristine_S=(1e-9, "assumed: erased; below the grid's step in truth"),
    lrs_median_S=(16e-6, "top of the range; " + _AGRAWAL),
    lrs_sigma_ln=(0.0124, "programming error of 19.9 nA; " + _AGRAWAL),
    hrs_median_S=(1.6e-12, "on/off of 1e7; rounds to 0 on the grid; " + _AGRAWAL),
    hrs_sigma_ln=(0.5, "assumed"),
    hrs_max_S=(None, "assumed: none"),
    read_noise=(0.0079, "12.6 nA; " + _AGRAWAL),
    read_noise_floor_S=(0.0, "the fit vanishes at zero current; " + _AGRAWAL),
    write_noise=(0.0124, "the programming error again; no effect with re_set redraw"),
    write_clip_sigmas=(2.0, _UNUSED),
    re_set=("redraw", "assumed: each programming is a new draw"),
    tuning_std_S=(0.199e-6, "19.9 nA; " + _AGRAWAL),
    stuck_lrs=(0.0, _OFF),
    stuck_hrs=(0.0, _OFF),
    endurance_cycles=(100_000, "Xiao et al., Applied Physics Reviews 2020"),
    drift_exponent=(0.0, "relaxation alone"),
    drift_exponent_std=(0.0, "relaxation alone"),
    drift_start_s=(1.0, _UNUSED),
    relaxation_mean_S=(-0.115e-6, "-11.5 nA after one day; " + _AGRAWAL),
    relaxation_std_S=(0.161e-6, "from 19.9 to 25.6 nA in one day, in quadrature; " + _AGRAWAL),
    relaxation_time_s=(86400.0, _AGRAWAL),
    relaxation_per_decade=(1.08, "from 25.6 to 34.6 nA between one and five days; not valid beyond; " + _AGRAWAL),
    relaxation_mean_per_decade=(3.63, "from -11.5 to -40.7 nA between one and five days; " + _AGRAWAL),
    activation_eV=(0.0, "assumed: no figures at other temperatures"),
    reference_K=(ROOM_TEMPERATURE_K, "assumed"),
    grid_S=(1e-9, "choice: 6e-5 of the median"),
    read_voltage_V=(0.1, _AGRAWAL),
    read_time_s=(50e-9, "assumed; as TaOx"),
    form_time_s=(0.0, "no forming"),
    form_energy_J=(0.0, "no forming"),
    set_voltage_V=(10.0, "above 10 V; Xiao et al., Applied Physics Reviews 2020"),
    set_time_s=(1e-3, "10 us to ms; Xiao et al., Applied Physics Reviews 2020"),
    set_energy_J=(10e-15, "10 V x 1 pA x 1 ms, without the charge pump; Xiao et al., Applied Physics Reviews 2020"),
    reset_voltage_V=(10.0, "above 10 V; Xiao et al., Applied Physics Reviews 2020"),
    reset_time_s=(1e-3, "10 us to ms; Xiao et al., Applied Physics Reviews 2020"),
    reset_energy_J=(10e-15, "10 V x 1 pA x 1 ms, without the charge pump; Xiao et al., Applied Physics Reviews 2020"),
)
"""40 nm charge-trap (SONOS) memory read below threshold."""

TECHNOLOGIES: Dict[str, Cell] = {model.name: model for model in (TAOX_40NM, HFOX_1T1R, PCM, SONOS_40NM)}
"""what `technology` finds by name; `register_technology` adds to it"""


def register_technology(model: Cell) -> Cell:
    """Let `technology` and the command line find `model` by its name; returns it. ConfigError for a name in use."""
    if TECHNOLOGIES.setdefault(model.name, model) != model:
        raise ConfigError(f"there is another technology {model.name!r}; give this one a name of its own")
    return model


def technology(name: str) -> Cell:
    """The preset called `name`; ConfigError lists the names when there is none."""
    try:
        return TECHNOLOGIES[name]
    except KeyError:
        known = ", ".join(sorted(TECHNOLOGIES))
        close = did_you_mean(name, TECHNOLOGIES)
        raise ConfigError(f"no technology {name!r}{close}; known are {known}, or a .json file") from None


def load_cell_model(name: Union[str, "os.PathLike[str]"]) -> Cell:
    """The technology called `name`, or the cell in the file `name`: .json of `save_cell_model`, or written by hand.

    DataError that names the file for anything that is no cell.
    """
    path = os.fspath(name)
    if not path.endswith(".json"):
        return technology(path)
    try:
        return cell_from_json(read_json(path))
    except DataError as error:
        raise DataError(f"{path}: not a cell model: {error}") from None


def save_cell_model(path: Union[str, "os.PathLike[str]"], cell_model: Cell) -> None:
    """Write a cell as JSON."""
    write_json(path, cell_to_json(cell_model))

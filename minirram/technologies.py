"""Presets of `CellModel`. Every number names its source; "assumed" says that no measurement was found."""

from .cells import CellModel
from .errors import ConfigError

_ESGNN = "measured maps of the same macro family (repository wangsc1912/ESGNN, Nature Machine Intelligence 2023)"
_PAPER = "Li et al., arXiv 2311.07164"
_YAO = "Yao et al., Nature 2020, 130 nm TaOx/HfOx"

TAOX_40NM = CellModel(
    name="taox-40nm",
    forming_mean_V=3.433,
    forming_std_V=0.114,
    pristine_S=0.1e-6,
    lrs_median_S=12.202e-6,
    lrs_sigma_ln=0.1474,
    hrs_median_S=1.0e-6,
    hrs_sigma_ln=0.5,
    read_noise=0.0065,
    write_noise=0.0015,
    tuning_std_S=0.54e-6,
    endurance_cycles=10_000,
    grid_S=1e-9,
    read_voltage_V=0.2,
    read_time_s=50e-9,
    form_time_s=100e-6,
    form_energy_J=4e-9,
    set_voltage_V=2.0,
    set_time_s=50e-9,
    set_energy_J=6.0e-12,
    reset_voltage_V=1.8,
    reset_time_s=50e-9,
    reset_energy_J=4.1e-12,
    sources=(
        ("forming_mean_V", "measured, n = 400; " + _ESGNN),
        ("forming_std_V", "measured, n = 400; " + _ESGNN),
        ("pristine_S", "about 10 MOhm; " + _PAPER),
        ("lrs_median_S", "measured, n = 1,430, microsiemens assumed; " + _ESGNN),
        ("lrs_sigma_ln", "measured, n = 1,430; " + _ESGNN),
        ("hrs_median_S", "assumed; on/off about 10 as in the group's circuit model, sweep 0.1 to 2 uS"),
        ("hrs_sigma_ln", "assumed"),
        ("read_noise", "measured, about 0.65 % per read; " + _PAPER),
        ("write_noise", "code published with " + _PAPER),
        ("re_set", "code published with " + _PAPER + ": a cell that is set again returns to its old value"),
        ("write_clip_sigmas", "code published with " + _PAPER),
        ("tuning_std_S", "8 levels in 2 to 20 uS; " + _YAO + " (another chip)"),
        ("read_noise_floor_S", "assumed: none"),
        ("stuck_lrs", "assumed: none"),
        ("stuck_hrs", "assumed: none"),
        ("endurance_cycles", "assumed; about 1e4 for a 22 nm foundry chip, Wen et al., Science 2024"),
        ("grid_S", "choice: 8e-5 of the median, far below the read noise"),
        ("read_voltage_V", "assumed for this chip; 0.2 V in " + _YAO),
        ("read_time_s", "assumed; the pulse width of " + _YAO),
        ("form_time_s", "assumed"),
        ("form_energy_J", "assumed: 3.43 V x 12 uA x 100 us"),
        ("set_voltage_V", "another chip: " + _YAO),
        ("set_time_s", "another chip: " + _YAO),
        ("set_energy_J", "derived: 2.0 V x 60 uA x 50 ns; " + _YAO),
        ("reset_voltage_V", "another chip, negative polarity: " + _YAO),
        ("reset_time_s", "another chip: " + _YAO),
        ("reset_energy_J", "derived: 1.8 V x 45 uA x 50 ns; " + _YAO),
    ),
)
"""The paper's macro: 40 nm TaOx 1T1R."""

TECHNOLOGIES = {model.name: model for model in (TAOX_40NM,)}


def technology(name):
    """The preset called `name`; ConfigError lists the names when there is none."""
    try:
        return TECHNOLOGIES[name]
    except KeyError:
        raise ConfigError(
            "no technology {!r}; known are {}".format(name, ", ".join(sorted(TECHNOLOGIES)))
        ) from None

"""minirram fit: fit a technology to measured maps, and say whether the fit may be used."""

import argparse
from dataclasses import fields
from typing import Iterator, Optional

import numpy as np

from ..device.cell import CellModel
from ..device.fit import Fit, fit_maps
from ..device.fit_forming import fit_forming
from ..device.fit_pulses import RowError, fit_pulses
from ..device.fit_unit import likely_unit
from ..device.fit_verdict import NOT_USABLE
from ..device.presets import load_cell_model, save_cell_model
from ..errors import ConfigError, DataError
from ..files import blaming, check_replaceable
from ..labfiles.maps import LabMap, Policy, read_column, read_map
from ..labfiles.table import read_table
from ..labfiles.units import UNITS, of_cells
from ..progress.stages import stage
from ..runs.fit_file import FitReport, file_beside, histogram_of, save_fit
from ..units import si_format
from .arguments import CONTENTS, DEFAULT_TECHNOLOGY, GOOD, group, lab_options, lab_policy
from .counts import count_lines

RESULT = FitReport
EXAMPLES = (
    ("minirram fit MAP.csv --unit uS --out mine-cells.json", "a technology from one map"),
    ("minirram fit read*.npy --unit S --repeated", "reads of one array: the read noise, too"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram fit` takes."""
    parser.add_argument("maps", nargs="+", metavar="MAP", help="measured conductances, any lab file; 0 = not formed")
    measured = group(parser, "what was measured")
    measured.add_argument(
        "--repeated", action="store_true", help="the maps are reads of one array: fit the read noise too"
    )
    measured.add_argument(
        "--states", metavar="LIST", help="states in the maps where they are known, as pristine,off,on (default: found)"
    )
    measured.add_argument("--forming", metavar="FILE", help="measured forming voltages; default: those of --base")
    measured.add_argument("--forming-unit", choices=("V", "mV"), default="V", help="unit of the forming voltages")
    measured.add_argument(
        "--pulses",
        metavar="FILE",
        help="pulse response: rows of a pulse number and conductances, in --unit; default: none is fitted",
    )
    model = group(parser, "the model")
    model.add_argument(
        "--base", metavar="NAME", default=DEFAULT_TECHNOLOGY, help="technology for what the maps do not tell"
    )
    model.add_argument(
        "--out",
        metavar="MODEL.json",
        help="write the fitted model, for train --technology MODEL.json; MODEL.fit.json beside it, for report",
    )
    model.add_argument("--force", action="store_true", help="write a model that is not usable, and end with code 0")
    model.add_argument("--plot", metavar="FILE", help="write a picture of the fit (.png, .pdf, .svg)")
    lab_options(parser)


def run(options: argparse.Namespace) -> FitReport:
    """Fit, and write the model if it is usable."""
    if options.forming is None and options.forming_unit != "V":
        raise ConfigError("--forming-unit is that of the voltages in --forming: name that, too")
    if options.repeated and len(options.maps) < 2:
        raise ConfigError("--repeated compares reads of one array: give at least two maps")
    for path in (options.out, options.plot):
        if path is not None:
            check_replaceable(path)
    base = load_cell_model(options.base)
    if not isinstance(base, CellModel):
        raise ConfigError(f"{options.base} is a {type(base).__name__}; a fit gives the numbers of a CellModel")
    maps = [_map(path, options.unit, base, policy=lab_policy(options)) for path in options.maps]
    maps_S = [np.where(one.is_kind("missing"), np.nan, one.conductances_S) for one in maps]
    maps_S = [np.where(one.is_kind("short"), np.inf, map_S) for one, map_S in zip(maps, maps_S)]
    forming_V = None if options.forming is None else _forming_V(options.forming, options.forming_unit)
    pulses = None if options.pulses is None else _pulses(options.pulses, options.unit)
    with stage("fitting the model"):
        found = fit_maps(
            maps_S,
            base,
            forming_V=forming_V,
            pulses=pulses,
            repeated=options.repeated,
            states=None if options.states is None else options.states.split(","),
            unit=maps[0].reading.unit,
        )
    if options.plot is not None:
        from .fit_picture import draw

        draw(options.plot, found, maps_S, forming_V=forming_V, pulses=pulses)
    written = options.out is not None and (found.verdict != NOT_USABLE or options.force)
    if written:
        save_cell_model(options.out, found.model)
    report = FitReport(
        files=tuple(one.reading for one in maps),
        not_formed=found.cells - found.formed - found.not_read,
        forced=options.force,
        model_file=options.out if written else None,
        picture_file=options.plot,
        report_file=None if options.out is None else file_beside(options.out),
        histogram=histogram_of(maps_S),
        **{field.name: getattr(found, field.name) for field in fields(Fit)},
    )
    if report.report_file is not None:
        save_fit(report.report_file, report)
    return report


def _map(path: str, unit: Optional[str], base: CellModel, *, policy: Policy) -> LabMap:
    """A map; ConfigError that proposes a unit where none is stated."""
    if unit is None:
        try:
            return read_map(path, policy=policy)
        except ConfigError as error:
            values = read_map(path, "S", policy=policy, plausible=False).conductances_S
            conducting = values[np.isfinite(values) & (values > 0)]
            if conducting.size == 0 or np.ptp(conducting) == 0:
                raise
            likely = likely_unit(conducting, base)
            raise ConfigError(f"{error}; for {base.name}, --unit {likely} is likely") from None
    return read_map(path, unit, policy=policy)


def _forming_V(path: str, unit: str) -> np.ndarray:
    """Forming voltages; DataError that names the file where they cannot be fitted."""
    voltages_V = read_column(path, unit, above_0=True).values
    with blaming(path):
        fit_forming(voltages_V)
    return voltages_V


def _pulses(path: str, unit: Optional[str]) -> np.ndarray:
    """A pulse response: pulse numbers, then conductances in siemens. DataError that names file and line."""
    named = of_cells(unit, path)
    if len(named) != 1 or named[0].quantity != "conductance":
        raise ConfigError(f"--pulses {path}: conductances in --unit S, mS, uS or nS; {unit} was given")
    table = read_table(path)
    if table.values.ndim != 2:
        raise DataError(f"{path}: a pulse response is a table of rows and columns, not {table.values.shape}")
    values = table.values.copy()
    values[:, 0 if values.shape[1] == 1 else 1 :] *= UNITS[named[0].name].scale
    with blaming(path):
        try:
            fit_pulses(values)
        except RowError as error:
            raise DataError(f"{error} ({table.show(error.row)})" if table.source else str(error)) from None
    return values


def exit_code(shown: FitReport) -> int:
    """3 for a fit that is not usable, unless it was forced."""
    return CONTENTS if shown.verdict == NOT_USABLE and not shown.forced else GOOD


def text(shown: FitReport) -> str:
    """The states, what else was fitted, what was left out and assumed, and the verdict."""
    return "\n".join(_lines(shown))


def _lines(shown: FitReport) -> Iterator[str]:
    model = shown.model
    yield from (f"read       {one.line}" for one in shown.files)
    yield "state      cells    share   median     sigma of ln  KS distance  its limit"
    for state in shown.states:
        median = si_format(state.median_S, "S", digits=4)
        yield (
            f"{state.name:10s} {state.cells:<8d} {state.share:6.1%}  {median:10s} {state.sigma_ln:<12.4f} "
            f"{state.ks:<12.4f} {state.ks_limit:.4f}"
        )
    if shown.reads is not None:
        reads, last = shown.reads, shown.reads.trend[-1] - 1
        yield f"read noise {reads.noise:.2%}, {reads.reads} reads of {reads.cells} cells; common trend {last:+.2%}"
    if shown.forming is not None:
        one = shown.forming
        ks = f"KS distance {one.ks:.4f}, limit {one.ks_limit:.4f}"
        yield f"forming    {one.mean_V:.4f} +- {one.std_V:.4f} V, {one.cells} voltages, {ks}"
    for branch in shown.pulses:
        ends = f"{si_format(branch.start_S, 'S')} to {si_format(branch.end_S, 'S')}"
        yield (
            f"pulses     {branch.direction} from {ends} in {branch.pulses}, constant {branch.constant_pulses:.3g}, "
            f"deviation {si_format(branch.deviation_S, 'S', digits=3)}, {branch.explained:.1%} explained"
        )
    yield f"grid       {si_format(model.grid_S, 'S')}, holds up to {si_format(shown.grid_max_S, 'S')}"
    if shown.formed_min_S:
        yield f"formed     from {si_format(shown.formed_min_S, 'S')}: {shown.formed} of {shown.cells} cells"
    yield from count_lines("fit", shown)
    for kind, lines in (("note", shown.remarks), ("without", shown.exclusions), ("because", shown.reasons)):
        yield from (f"{kind:10s} {line}" for line in lines)
    yield f"verdict    {shown.verdict}"
    if shown.verdict == NOT_USABLE and not shown.forced:
        yield "           --force takes the model all the same"
    if shown.model_file is not None:
        yield f"model      {shown.model_file}, for minirram train --technology"
    if shown.report_file is not None:
        yield f"figures    {shown.report_file}, for minirram report"

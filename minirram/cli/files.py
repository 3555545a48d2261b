"""The commands on program files and conductance maps: each returns (exit code, JSON-ready result, text)."""

import os
from dataclasses import asdict

from ..device.fit import fit_maps
from ..device.measured_maps import read_conductance_map, read_table
from ..device.presets import load_cell_model, save_cell_model
from ..errors import ConfigError, DataError
from ..programming import dump, readback
from ..runs.evaluate import accuracy_of_readback
from ..runs.export import build_program, chip_map, read_program
from ..runs.folder import RunFolder
from ..units import si_format

GOOD, DIFFERENT = 0, 1
_LARGEST_MAP = (2**16, 2**16)  # a fit takes the cells of any array


def _file_option(parser):
    parser.add_argument("file", metavar="FILE", help="program file (.xbp)")


def _inspect(options):
    built, size = read_program(options.file)
    shown = readback.describe(built, size)
    lines = [f"{key:14s} {value}" for key, value in shown.items() if not isinstance(value, list)]
    lines += [f"recipe  {recipe}" for recipe in shown["recipes"]]
    lines += [f"tile    {tile}" for tile in shown["tiles"]]
    return GOOD, shown, "\n".join(lines)


def _verify_options(parser):
    _file_option(parser)
    parser.add_argument("readback", metavar="READBACK.npy", help="conductances read back, float siemens")
    parser.add_argument("--tolerance", type=float, default=0.1, help="of a target, relative (%(default)s)")
    parser.add_argument("--run", help="run folder of the program: what the differences do to its validation figures")
    parser.add_argument("--data", help='data set of the run: folder or "synthetic"')


def _check_belongs(built, file, folder):
    """DataError unless the program leaves the run's chip with the run's masks."""
    run = RunFolder.open(folder)
    chip, model, masks = run.load_trained()
    code_bits = built.tiles[0].code_bits if built.tiles else 0
    own, _ = build_program(run.config, chip, model, masks, code_bits)
    for name in ("chip_id", "program_id"):
        found, expected = getattr(built, name), getattr(own, name)
        if found != expected:
            message = "{}: {} is {:08x}, that of the run {} is {:08x}: not a program of this run, or of older masks"
            raise DataError(message.format(file, name, found, folder, expected))


def _verify(options):
    built, _ = read_program(options.file)
    if options.run is not None:
        _check_belongs(built, options.file, options.run)
    measured_S = read_table(options.readback, kinds="f")
    found = readback.verify(built, measured_S, options.tolerance)
    shown = found.to_json(most=len(found.cells))
    lines = ["{differing} of {checked} cells differ, bit error rate {bit_error_rate:.2e}".format(**shown)]
    if options.run is not None:
        programmed, read_back = accuracy_of_readback(options.run, measured_S, options.data)
        shown["accuracy_programmed"], shown["accuracy_read_back"] = programmed["accuracy"], read_back["accuracy"]
        lines += [
            "accuracy {accuracy_programmed:.2%} as programmed, {accuracy_read_back:.2%} as read back".format(**shown)
        ]
    lines += ["  macro {macro} row {row} col {col}: {why}".format(**cell) for cell in shown["cells"]]
    return GOOD if found.passed else DIFFERENT, shown, "\n".join(lines)


def _diff_options(parser):
    parser.add_argument("a", metavar="A", help="program file")
    parser.add_argument("b", metavar="B", help="program file")


def _diff(options):
    found = readback.differences(read_program(options.a)[0], read_program(options.b)[0])
    lines = ["equal" if found["equal"] else "{turned_on} cells turn on, {turned_off} off".format(**found)]
    lines += ["{}: {} -> {}".format(name, *values) for name, values in found["fields"].items() if name != "recipes"]
    lines += [f"{tile}" for tile in found["tiles"]]
    return GOOD if found["equal"] else DIFFERENT, found, "\n".join(lines)


def _dump_options(parser):
    _file_option(parser)
    parser.add_argument("--format", choices=dump.FORMATS, required=True, help="npy and png write a folder")
    parser.add_argument("--out", required=True, help="file (csv, json) or folder (npy, png) to write")


def _dump(options):
    paths = [os.fspath(path) for path in dump.dump(read_program(options.file)[0], options.out, options.format)]
    return GOOD, {"files": paths}, "\n".join(paths)


def _chip_options(parser):
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("--out", required=True, help=".npy file to write: float siemens (macros, rows, cols)")
    parser.add_argument("--state", choices=("formed", "programmed"), default="formed", help="default %(default)s")


def _chip(options):
    map_S = chip_map(options.run, options.out, options.state)
    shown = {"file": options.out, "shape": list(map_S.shape), "state": options.state}
    return GOOD, shown, "{file}: {shape}, {state}".format(**shown)


def _fit_options(parser):
    parser.add_argument("maps", nargs="+", metavar="MAP", help="measured conductances (.csv, .npy), 0 = not formed")
    parser.add_argument("--unit", required=True, help="of the maps: S, mS, uS or nS")
    parser.add_argument("--forming", metavar="FILE", help="measured forming voltages in volt (.csv, .npy)")
    parser.add_argument(
        "--repeated", action="store_true", help="the maps are reads of one array: fit the read noise too"
    )
    parser.add_argument("--base", default="taox-40nm", help="technology for what the maps do not tell (%(default)s)")
    parser.add_argument("--out", metavar="MODEL.json", help="write the fitted model, for train --technology MODEL.json")


def _fit(options):
    if options.repeated and len(options.maps) < 2:
        raise ConfigError("--repeated compares reads of one array: give at least two maps")
    maps_S = [read_conductance_map(path, options.unit, *_LARGEST_MAP, even=False) for path in options.maps]
    forming_V = None if options.forming is None else read_table(options.forming)
    found = fit_maps(maps_S, load_cell_model(options.base), forming_V, repeated=options.repeated)
    if options.out is not None:
        save_cell_model(options.out, found.model)
    shown = {key: value for key, value in found._asdict().items() if key != "model"}
    shown["model"] = {key: value for key, value in asdict(found.model).items() if key != "sources"}
    model = found.model
    lines = [
        "on conductance  median {}, sigma of ln {:.4f}".format(si_format(model.lrs_median_S, "S"), model.lrs_sigma_ln),
        f"forming voltage {model.forming_mean_V:.4f} +- {model.forming_std_V:.4f} V",
    ]
    lines += [f"{key:15s} {value:.6g}" for key, value in shown.items() if isinstance(value, (int, float))]
    return GOOD, shown, "\n".join(lines)


COMMANDS = (
    ("inspect", _inspect, _file_option, "show a program file"),
    ("verify", _verify, _verify_options, "compare a read-back with a program file"),
    ("diff", _diff, _diff_options, "how two program files differ (exit code 1 when they do)"),
    ("dump", _dump, _dump_options, "a program file as tables, arrays or pictures"),
    ("chip", _chip, _chip_options, "write the conductances of a run's chip"),
    ("fit", _fit, _fit_options, "fit a technology to measured maps"),
)

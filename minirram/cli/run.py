"""The commands of one run: demo, train, evaluate, export."""

import os
import sys
from dataclasses import fields, replace
from typing import Optional

from ..chip.dead_lines import read_lines
from ..crossbar.conditions import Conditions
from ..crossbar.wires import MODELS, Wires
from ..device.presets import TECHNOLOGIES, load_cell_model, technology
from ..errors import ConfigError
from ..learn.recipe import Recipe
from ..runs.config import RunConfig
from ..runs.demo import demo_baselines
from ..runs.energy import account as account_run
from ..runs.evaluate import evaluate
from ..runs.export import export
from ..runs.folder import RunFolder
from ..runs.train import learn, map_names, train
from ..tasks.registry import TASKS, task
from ..units import ZERO_CELSIUS_K, si_format
from .arguments import GOOD, data_option, run_option, threads_option


def _train_options(parser):
    parser.add_argument("task", choices=list(TASKS), metavar="TASK", help="one of " + ", ".join(TASKS))
    parser.add_argument("--data", required=True, help='folder that holds TASK.npz, or "synthetic"')
    parser.add_argument("--out", required=True, help="run folder to make (or to continue, with --resume)")
    parser.add_argument(
        "--preset", choices=("full", "quick"), default="full", help="recipe to start from (%(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in --out, if there is one")
    names = ", ".join(TECHNOLOGIES)
    parser.add_argument("--technology", metavar="NAME", help="preset of the cells (" + names + ") or a fitted .json")
    parser.add_argument(
        "--map", action="append", default=[], help="measured conductance map (.csv, .npy), one per macro"
    )
    parser.add_argument("--unit", help="unit of the maps: S, mS, uS or nS")
    parser.add_argument(
        "--dead-lines", metavar="FILE.json", help="dead_rows, dead_cols: lists of [macro, line]; policy: skip or spare"
    )
    parser.add_argument("--faults", metavar="FILE", help="stuck cells, one a line: macro row col stuck_on|stuck_off")
    parser.add_argument("--read-noise", type=float, help="relative standard deviation of one read")
    parser.add_argument(
        "--re-set", choices=("replay", "redraw"), help="what a SET cell gets: its old value or a new draw"
    )
    parser.add_argument("--adc-bits", type=int, help="resolution of the ADCs")
    parser.add_argument("--wire-ohm", type=float, help="learn through the IR drop of lines, resistance per cell")
    parser.add_argument(
        "--adc-arrangement", choices=("pair", "polarity"), help="one conversion per pair, or one per cell column"
    )
    for field in fields(Recipe):
        kind = {int: int, float: float, str: str, Optional[int]: int, Optional[float]: float}[field.type]
        parser.add_argument("--" + field.name.replace("_", "-"), type=kind, help="see minirram.training.Recipe")
    threads_option(parser)


def _config(options):
    """The RunConfig that the options ask for; the run to resume, else the task, gives what they leave open."""
    if options.resume and RunFolder.exists(options.out):
        base = RunFolder.open(options.out).config
    else:
        chosen = task(options.task)
        recipe = chosen.recipes[options.preset]
        base = RunConfig(options.task, options.data, chosen.build_network(), recipe, technology("taox-40nm"))
    cell_model = base.cell_model if options.technology is None else load_cell_model(options.technology)
    return replace(
        base,
        task=options.task,
        data=options.data if options.data == "synthetic" else os.path.abspath(options.data),
        recipe=replace(base.recipe, **_given(options, [field.name for field in fields(Recipe)])),
        cell_model=replace(cell_model, **_given(options, ["read_noise", "re_set"])),
        maps=map_names(options.map),
        lines=base.lines if options.dead_lines is None else read_lines(options.dead_lines),
        faults="" if options.faults is None else map_names((options.faults,))[0],
        wires=base.wires if options.wire_ohm is None else Wires(options.wire_ohm, options.wire_ohm),
        **_given(options, ["adc_bits", "adc_arrangement"]),
    )


def _given(options, names):
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _train(options):
    if bool(options.map) != (options.unit is not None):
        raise ConfigError("--map and --unit belong together: the unit of a map must be given")
    config = _config(options)
    with _Progress(config.recipe.epochs) as progress:
        results = train(
            options.out,
            config,
            options.threads,
            options.resume,
            options.map,
            options.unit,
            progress.row,
            options.faults,
        )
    return GOOD, results, _results_text(results)


class _Progress:
    """A line per epoch on stderr, or a tqdm bar when that is installed."""

    def __init__(self, epochs):
        self.epochs = epochs
        self.bar = None
        try:
            from tqdm import tqdm
        except ImportError:
            tqdm = None
        self.make_bar = tqdm

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()

    def row(self, row):
        """Show one row of the history."""
        if self.make_bar is not None:
            if self.bar is None:
                self.bar = self.make_bar(total=self.epochs, unit="epoch", file=sys.stderr)
            self.bar.update(row["epoch"] - self.bar.n)
            self.bar.set_postfix(loss=row["loss"], validation=row["validation"])
            return
        print(
            "epoch {epoch}/{epochs}  loss {loss:.4f}  validation {validation:.4f}  kept {kept_fraction:.3f}  "
            "{samples_per_second:.0f} samples/s".format(epochs=self.epochs, **row),
            file=sys.stderr,
        )


def _results_text(results):
    name, test = results["primary"], results["test"]
    lines = [
        "validation {:12s} {:.2%}   on the simulated macro, {} ADC bits, read noise {:.2%}".format(
            name, results["validation"][name], results["adc_bits"], results["read_noise"]
        ),
        "test {:18s} {:.2%}   (ideal reads {:.2%})".format(name, test[name], test["ideal"][name]),
        "kept fraction           {:.3f}    best epoch {} of {}".format(
            results["kept_fraction"], results["best_epoch"], results["epochs"]
        ),
        "pulses                  {}".format(", ".join(f"{count} {kind}" for kind, count in results["pulses"].items())),
        "training                {:.0f} images/s, {:.0f} s".format(
            results["images_per_second"], results["training_seconds"]
        ),
    ]
    stuck, moved = results.get("stuck_cells", 0), results.get("moved", [])  # older runs have neither
    if stuck or moved:
        lines.append(f"out of order            {stuck} stuck cells; {len(moved)} rows and pairs moved")
    return "\n".join(lines)


def _demo_options(parser):
    parser.add_argument("--out", required=True, help="run folder to make")
    parser.add_argument("--seed", type=int, default=0, help="of scores, signs, batches and read noise")
    threads_option(parser)


def _demo(options):
    chosen = task("fashion-mnist")
    recipe = replace(chosen.recipes["quick"], seed=options.seed)
    config = RunConfig("fashion-mnist", "synthetic", chosen.build_network(), recipe, technology("taox-40nm"))
    with _Progress(recipe.epochs) as progress:
        results, test_set = learn(options.out, config, options.threads, progress=progress.row)
    results.update(demo_baselines(options.out, test_set))
    account = account_run(options.out, threads=options.threads)
    exported = export(options.out)
    total = account["total"]
    results.update(energy_J=total["total_J"], array_J=total["array_J"], program=exported["file"])
    text = [
        _results_text(results),
        "linear classifier       {:.2%}".format(results["linear_accuracy"]),
        "unpruned random chip    {:.2%}".format(results["unpruned_accuracy"]),
        "energy/inference        {} in the array, {} in all at {} ADC bits; GPU {}".format(
            si_format(results["array_J"], "J"),
            si_format(results["energy_J"], "J"),
            results["adc_bits"],
            si_format(account["gpu_J"], "J"),
        ),
        "program file            {} ({} bytes)".format(exported["file"], exported["bytes"]),
    ]
    return GOOD, results, "\n".join(text)


def _evaluate_options(parser):
    run_option(parser)
    parser.add_argument("--split", choices=("validation", "test"), default="validation", help="default %(default)s")
    data_option(parser)
    parser.add_argument("--read-noise", type=float, help="instead of the run's")
    parser.add_argument("--draws", type=int, default=1, help="repetitions of the read noise")
    parser.add_argument("--wire-ohm", type=float, help="IR drop: resistance of a line per cell")
    parser.add_argument("--wire-model", choices=MODELS, default="solve", help="of the IR drop; default %(default)s")
    parser.add_argument("--adc-offset", type=float, default=0.0, help="spread of the ADCs' offsets, LSB")
    parser.add_argument("--adc-gain", type=float, default=0.0, help="spread of the ADCs' relative gain errors")
    parser.add_argument("--held-noise", action="store_true", help="read noise is the same in all bit planes")
    parser.add_argument("--age", type=float, default=0.0, help="seconds since programming: drift and relaxation")
    parser.add_argument("--celsius", type=float, help="temperature over that time")
    threads_option(parser)


def _conditions(options):
    """The `Conditions` that the options of `evaluate` ask for."""
    wire_ohm = options.wire_ohm
    return Conditions(
        wires=None if wire_ohm is None else Wires(wire_ohm, wire_ohm, options.wire_model),
        adc_offset_lsb=options.adc_offset,
        adc_gain=options.adc_gain,
        held_noise=options.held_noise,
        age_s=options.age,
        temperature_K=None if options.celsius is None else options.celsius + ZERO_CELSIUS_K,
    )


def _evaluate(options):
    score = evaluate(
        options.run,
        options.split,
        options.data,
        options.read_noise,
        options.draws,
        options.threads,
        _conditions(options),
    )
    split = score["split"]
    spread = "" if score["standard_error"] is None else " +- {:.3%}".format(score["standard_error"])
    name = score["primary"]
    lines = [
        "{} {}  {:.2%}{}   (ideal reads {:.2%})".format(split, name, score[name], spread, score["ideal"][name]),
        "saturated conversions  {}".format(sum(sum(tiles) for tiles in score["saturated"].values())),
        "clipped activations    {}".format(sum(score["clipped"].values())),
    ]
    if "confusion" in score:
        lines += ["confusion (row = true class)"]
        lines += ["  " + " ".join(f"{count:5d}" for count in row) for row in score["confusion"]]
    else:
        lines += [f"{key:12s} {score[key]:.4f}" for key in score["ideal"]]
    return GOOD, score, "\n".join(lines)


def _export_options(parser):
    run_option(parser)
    parser.add_argument("--from", dest="old", metavar="OLD", help="program the chip holds: write only what differs")
    parser.add_argument("--out", help="program file to write; default RUN/program.xbp")
    parser.add_argument("--code-bits", type=int, choices=(0, 8, 16), default=8, help="conductance targets (0: none)")


def _export(options):
    exported = export(options.run, options.out, options.code_bits, options.old)
    return (
        GOOD,
        exported,
        "{file}: {bytes} bytes, {cells_on} of {cells} cells on, program {program_id}".format(**exported),
    )


_COMMANDS = (
    ("demo", _demo, _demo_options, "train, evaluate, account and export on built-in data"),
    ("train", _train, _train_options, "learn the masks of a task's network on a simulated chip"),
    ("evaluate", _evaluate, _evaluate_options, "accuracy of a run on its simulated macros"),
    ("export", _export, _export_options, "write the program file of a run"),
)

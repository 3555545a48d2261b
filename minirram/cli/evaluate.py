"""minirram evaluate: accuracy of a run on its simulated macros."""

import argparse
from dataclasses import replace
from typing import Iterator

from ..crossbar.conditions import Conditions
from ..crossbar.wires import MODELS, Wires
from ..device.cell import CellModel
from ..errors import ConfigError
from ..inference.examine import Score
from ..runs.evaluate import AsIf, Evaluation, evaluate
from ..tasks.metrics import iou_by_class
from ..units import ZERO_CELSIUS_K
from .arguments import data_option, group, run_option, threads_option
from .console import printable
from .counts import count_lines
from .field_options import field_option, finite

RESULT = Evaluation
EXAMPLES = (
    (
        "minirram evaluate runs/mine --read-noise 0.02 --draws 5",
        "the validation set with 2 % read noise, drawn five times",
    ),
    (
        "minirram evaluate runs/mine --adc-bits 6",
        "the whole validation set as with 6-bit ADCs, calibrated anew",
    ),
    (
        "minirram evaluate runs/mine --split test --age 86400",
        "the test set a day after programming; this opening is logged",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram evaluate` takes."""
    run_option(parser)
    samples = group(parser, "what is examined")
    samples.add_argument(
        "--split",
        choices=("validation", "test"),
        default="validation",
        help="samples that are answered; every opening of the test set is logged",
    )
    data_option(samples)
    samples.add_argument(
        "--ideal",
        action="store_true",
        help="answer whole images with ideal reads, too, in half the time again; samples with one label always are",
    )
    samples.add_argument("--digital", metavar="FILE", help="also write digital.json of the chip at that age there")
    changed = group(parser, "what if", "in place of what the run has")
    field_option(changed, "--adc-bits", AsIf, "adc_bits")
    field_option(changed, "--input-bits", AsIf, "input_bits")
    condition_options(parser)
    field_option(group(parser, CONDITIONS), "--compensate", Conditions, "compensated", more="with --age")
    threads_option(parser)


CONDITIONS = "conditions of use"


def condition_options(parser: argparse.ArgumentParser) -> None:
    """--read-noise, --draws and what `Conditions` holds."""
    use = group(parser, CONDITIONS)
    field_option(use, "--read-noise", CellModel, "read_noise", more="0.01 = 1 %; default: the technology's")
    use.add_argument("--draws", type=int, default=1, help="how often the read noise is drawn; the mean is shown")
    use.add_argument(
        "--wire-ohm", type=finite, metavar="OHM", help="IR drop: resistance of a line per cell; default: the run's"
    )
    more = f"with --wire-ohm; default {MODELS[0]}"
    field_option(use, "--wire-model", Wires, "model", more=more, choices=MODELS)
    field_option(use, "--adc-offset", Conditions, "adc_offset_lsb", default=0.0)
    field_option(use, "--adc-gain", Conditions, "adc_gain", more="0.01 = 1 %", default=0.0)
    field_option(use, "--held-noise", Conditions, "held_noise")
    field_option(use, "--age", Conditions, "age_s", default=0.0)
    field_option(use, "--celsius", Conditions, "temperature_K", more="with --age", metavar="CELSIUS")


def run(options: argparse.Namespace) -> Evaluation:
    """Examine the run under the conditions that the options ask for."""
    return evaluate(
        options.run,
        options.split,
        data=options.data,
        read_noise=options.read_noise,
        draws=options.draws,
        threads=options.threads,
        conditions=replace(conditions_of(options), compensated=options.compensate),
        digital=options.digital,
        ideal=options.ideal,
        as_if=AsIf(adc_bits=options.adc_bits, input_bits=options.input_bits),
    )


def conditions_of(options: argparse.Namespace) -> Conditions:
    """The `Conditions` that the options ask for."""
    wire_ohm = options.wire_ohm
    if options.wire_model is not None and wire_ohm is None:
        raise ConfigError("--wire-model says how the IR drop of --wire-ohm is computed: give that, too")
    if options.celsius is not None and not options.age > 0:
        raise ConfigError("--celsius is the temperature over the time since programming: give that, too, --age SECONDS")
    return Conditions(
        wires=None if wire_ohm is None else Wires(wire_ohm, wire_ohm, options.wire_model or MODELS[0]),
        adc_offset_lsb=options.adc_offset,
        adc_gain=options.adc_gain,
        held_noise=options.held_noise,
        age_s=options.age,
        temperature_K=None if options.celsius is None else options.celsius + ZERO_CELSIUS_K,
    )


def text(score: Evaluation) -> str:
    """The primary figure, what was counted, and the other figures or the confusion matrix."""
    return "\n".join(_lines(score))


WIDEST = 10
"""classes up to which the whole confusion is shown, in 80 columns"""


def _confusion(score: Evaluation) -> Iterator[str]:
    """The confusion with the names of the classes; of many classes the right answers and the usual mistakes."""
    rows = score.confusion or ()
    names = [_in_column(name) for name in score.class_names or map(str, range(len(rows)))]
    if len(rows) <= WIDEST:
        yield "confusion: row = true class, column = answer, both in this order"
        width = max(5, len(str(max(map(max, rows)))))
        yield from (f"{name:18s} " + " ".join(f"{count:{width}d}" for count in row) for name, row in zip(names, rows))
        return
    yield "confusion: true class, right answers, what is answered most often instead"
    for number, (name, row) in enumerate(zip(names, rows)):
        wrong = [(count, names[k]) for k, count in enumerate(row) if k != number and count]
        most = max(wrong, default=None)
        instead = "" if most is None else f", {most[0]} times {most[1]}"
        yield f"{name:18s} {row[number]:5d} of {sum(row)}{instead}"


def _in_column(name: str) -> str:
    """A name as it stands in a column: on one line, its characters that steer a terminal escaped, cut where long."""
    return printable(name.replace("\n", "\\n").replace("\t", "\\t"))[:18]


def ideal_reads(score: Score) -> str:
    """The primary figure with ideal reads, where it was asked for."""
    return "" if score.ideal is None else f"   (ideal reads {getattr(score.ideal, score.primary):.2%})"


def _lines(score: Evaluation) -> Iterator[str]:
    spread = "" if score.standard_error is None else f" +- {score.standard_error:.3%}"
    yield f"{score.split} {score.primary}  {score.value:.2%}{spread}{ideal_reads(score)}"
    yield f"converters              {score.adc_bits} ADC bits, {score.input_bits} input bits"
    if score.compensation is not None:
        factors = ", ".join(f"{name} {factor:.3f}" for name, factor in score.compensation.items())
        yield f"compensation            {factors}"
    yield from count_lines("evaluate", score)
    yield from (f"warning                 {line}" for line in score.warnings)
    if score.confusion is not None and score.dice is not None:
        yield from (f"{name:12s} {getattr(score, name):.4f}" for name in ("accuracy", "sensitivity"))
        names = score.class_names or map(str, range(len(score.confusion)))
        for name, iou in zip(names, iou_by_class(score.confusion)):
            yield f"IoU of {_in_column(name):18s} {iou:.4f}"
    if score.confusion is not None:
        yield from _confusion(score)
        return
    for name in ("roc_auc", "pr_auc", "accuracy", "sensitivity", "specificity", "dice"):
        yield f"{name:12s} {getattr(score, name):.4f}"

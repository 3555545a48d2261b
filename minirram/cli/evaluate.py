"""minirram evaluate: accuracy of a run on its simulated macros."""

import argparse
from typing import Any, Iterator

from ..crossbar.conditions import Conditions
from ..crossbar.wires import MODELS, Wires
from ..errors import ConfigError
from ..runs.evaluate import evaluate
from ..units import ZERO_CELSIUS_K
from .arguments import data_option, run_option, threads_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram evaluate` takes."""
    run_option(parser)
    parser.add_argument("--split", choices=("validation", "test"), default="validation", help="default %(default)s")
    data_option(parser)
    parser.add_argument("--read-noise", type=float, help="instead of the run's")
    parser.add_argument("--draws", type=int, default=1, help="repetitions of the read noise")
    parser.add_argument("--wire-ohm", type=float, help="IR drop: resistance of a line per cell")
    parser.add_argument("--wire-model", choices=MODELS, help=f"of the IR drop, with --wire-ohm; default {MODELS[0]}")
    parser.add_argument("--adc-offset", type=float, default=0.0, help="spread of the ADCs' offsets, LSB")
    parser.add_argument("--adc-gain", type=float, default=0.0, help="spread of the ADCs' relative gain errors")
    parser.add_argument("--held-noise", action="store_true", help="read noise is the same in all bit planes")
    parser.add_argument("--age", type=float, default=0.0, help="seconds since programming: drift and relaxation")
    parser.add_argument("--celsius", type=float, help="temperature over that time")
    threads_option(parser)


def run(options: argparse.Namespace) -> Any:
    """Examine the run under the conditions that the options ask for."""
    return evaluate(
        options.run,
        options.split,
        options.data,
        options.read_noise,
        options.draws,
        options.threads,
        conditions_of(options),
    )


def conditions_of(options: argparse.Namespace) -> Conditions:
    """The `Conditions` that the options ask for."""
    wire_ohm = options.wire_ohm
    if options.wire_model is not None and wire_ohm is None:
        raise ConfigError("--wire-model says how the IR drop of --wire-ohm is computed: give that, too")
    return Conditions(
        wires=None if wire_ohm is None else Wires(wire_ohm, wire_ohm, options.wire_model or MODELS[0]),
        adc_offset_lsb=options.adc_offset,
        adc_gain=options.adc_gain,
        held_noise=options.held_noise,
        age_s=options.age,
        temperature_K=None if options.celsius is None else options.celsius + ZERO_CELSIUS_K,
    )


def text(score: Any) -> str:
    """The primary figure, what was counted, and the other figures or the confusion matrix."""
    return "\n".join(_lines(score))


def _lines(score: Any) -> Iterator[str]:
    name, error = score["primary"], score["standard_error"]
    spread = "" if error is None else f" +- {error:.3%}"
    yield f"{score['split']} {name}  {score[name]:.2%}{spread}   (ideal reads {score['ideal'][name]:.2%})"
    yield f"saturated conversions  {sum(sum(tiles) for tiles in score['saturated'].values())}"
    yield f"clipped activations    {sum(score['clipped'].values())}"
    if "confusion" not in score:
        for key in score["ideal"]:
            yield f"{key:12s} {score[key]:.4f}"
        return
    yield "confusion (row = true class)"
    for row in score["confusion"]:
        yield "  " + " ".join(f"{count:5d}" for count in row)

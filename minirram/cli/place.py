"""minirram place: a network from an ONNX file on macros, with its trained weights written and examined."""

import argparse
from typing import Iterator, Optional, Tuple

from ..device.presets import TECHNOLOGIES, load_cell_model
from ..errors import ConfigError
from ..learn.written_weights import Writing
from ..runs.place import Placed, Placing, Written, place_network
from ..units import si_format
from .arguments import chip_files, chip_lines, chip_options, given, threads_option
from .counts import count_lines
from .evaluate import condition_options, conditions_of

RESULT = Placed
EXAMPLES = (
    ("minirram place network.onnx", "macros and energy from the graph alone"),
    ("minirram place network.onnx --weights --data mine.npz", "write the trained weights and answer the samples"),
)
DEFAULT_TECHNOLOGY = "taox-40nm"
OF_WEIGHTS = (
    *("data", "writes", "tuning_error", "epochs", "learning_rate", "read_noise", "seed", "out", "draws"),
    *("chip_seed", "adc_arrangement", "map", "faults"),
)
"""options that do something where weights are written"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram place` takes."""
    parser.add_argument("network", metavar="NETWORK", help="ONNX file")
    parser.add_argument("--weights", action="store_true", help="write its trained weights on the chip, with --data")
    parser.add_argument("--data", metavar="FILE.npz", help="inputs and, if there are any, labels: what is examined")
    parser.add_argument("--writes", type=int, metavar="N", help="writes that may be spent, the farthest weights first")
    parser.add_argument(
        "--tuning-error", type=float, help=f"relative error of what a write reaches; default {Writing.tuning_error}"
    )
    parser.add_argument("--epochs", type=int, help="epochs of learning on the chip, after the writing; default 0")
    parser.add_argument(
        "--learning-rate", type=float, help=f"learning rate of these epochs; default {Placing.learning_rate}"
    )
    parser.add_argument("--bits", type=int, help=f"bits of the codes between layers; default {Placing.bits}")
    parser.add_argument("--input-bits", type=int, help=f"bits of the codes of the input; default {Placing.input_bits}")
    parser.add_argument("--size", metavar="HEIGHTxWIDTH", help="height and width of the input; default: the file's")
    parser.add_argument("--output", metavar="NAME", help="output of the graph, where it has several")
    parser.add_argument("--fold", action="store_true", help="batch norms behind matrices become part of them")
    names = ", ".join(TECHNOLOGIES)
    parser.add_argument(
        "--technology", metavar="NAME", default=DEFAULT_TECHNOLOGY, help=f"preset of the cells ({names}) or a .json"
    )
    chip_options(parser)
    parser.add_argument("--chip-seed", type=int, help="which individual the chip is; default 0")
    parser.add_argument("--seed", type=int, help="seed of the read noise; default 0")
    parser.add_argument("--adc-bits", type=int, help=f"resolution of the ADCs; default {Placing.adc_bits}")
    parser.add_argument(
        "--adc-arrangement", choices=("pair", "polarity"), help="one conversion per pair, or per column"
    )
    parser.add_argument("--out", metavar="FOLDER", help="run folder to make, for evaluate, energy, export, verify")
    condition_options(parser)
    threads_option(parser)


def run(options: argparse.Namespace) -> Placed:
    """Place, and write and examine where that is asked for."""
    conditions = conditions_of(options)
    if options.learning_rate is not None and not options.epochs:
        raise ConfigError("--learning-rate is that of --epochs: give these, too")
    if options.weights and options.data is None:
        raise ConfigError("--weights needs --data FILE.npz: inputs that ranges are taken from and that are answered")
    idle = [name for name in OF_WEIGHTS if getattr(options, name) not in (None, 1, [])]
    if not options.weights and (idle or conditions != type(conditions)()):
        named = "--" + idle[0].replace("_", "-") if idle else "a condition of use"
        raise ConfigError(f"{named} belongs to written weights: give --weights, too")
    cell_model = load_cell_model(options.technology).changed(**given(options, ["read_noise"]))
    fields = ("bits", "input_bits", "adc_bits", "adc_arrangement", "output", "writes", "tuning_error", "seed")
    placing = Placing(
        cell_model,
        fold_batch_norms=options.fold,
        size=None if options.size is None else size_of(options.size),
        lines=chip_lines(options),
        files=chip_files(options),
        **given(options, [*fields, "chip_seed", "epochs", "learning_rate"]),
    )
    return place_network(
        options.network,
        placing,
        data=options.data,
        conditions=conditions,
        draws=options.draws,
        threads=options.threads,
        out=options.out,
    )


def size_of(text: str) -> Tuple[int, int]:
    """(height, width) of "HEIGHTxWIDTH"."""
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise ConfigError(f"--size {text!r}: two lengths, for example 64x64")
    return int(height), int(width)


def text(placed: Placed) -> str:
    """A few lines on the network, and on its weights."""
    return "\n".join(_lines(placed))


def _lines(placed: Placed) -> Iterator[str]:
    counts = ", ".join(f"{count} {kind}" for kind, count in placed.operators.items())
    yield f"{placed.network}: {placed.layers} layers of {counts}"
    yield from (f"note                    {note}" for note in placed.notes)
    yield f"weights                 {placed.weights} in pairs of cells, {placed.biases} biases on the digital side"
    yield f"macros                  {placed.macros}, {placed.utilisation:.1%} of their pairs; {placed.macs} MACs"
    for name, figure, unit in (("energy", placed.total_J, "J"), ("latency", placed.latency_s, "s")):
        low, typical, high = (si_format(value, unit, digits=3) for value in (figure.low, figure.typical, figure.high))
        yield f"{name:23s} {typical} ({low} .. {high}), from shapes alone"
    if placed.written is not None:
        yield from _written_lines(placed.written)
        yield from (f"read                    {one.line}" for one in placed.written.readings)
        yield from count_lines("place", placed)
        yield from (f"map {index:<19d} {one.line}" for index, one in enumerate(placed.written.maps))
        yield from (f"warning                 {line}" for line in placed.written.warnings)
        yield from (f"written                 {name}" for name in placed.written.files)


def _written_lines(written: Written) -> Iterator[str]:
    budget = "" if written.writes_allowed is None else f" of {written.writes_allowed} allowed"
    writes = ", ".join(f"{count} {kind}" for kind, count in written.writes.items())
    yield f"writes                  {writes}{budget}"
    if written.epochs:
        yield f"learned                 {written.epochs} epoch(s) on the chip"
    yield f"weight error            {written.weight_error:.2%} of the weights, root mean square, without read noise"
    yield f"input codes             from {written.input_low:.4g} to {written.input_high:.4g}"
    yield f"ranges                  from the first {written.calibration_samples} sample(s), which are not examined"
    score, noise = written.score, _percent(written.read_noise)
    yield f"accuracy                {score.value:.2%} by {written.judged_by}, {score.samples} samples, {noise}"
    yield f"ideal reads             {score.ideal.accuracy:.2%}"
    if written.float_accuracy is not None:
        yield f"float network           {written.float_accuracy:.2%}"
    yield f"agreement               {written.agreement:.2%} of the float network's answers"
    yield f"logit error             {written.logit_error:.2%} of the logits, root mean square"


def _percent(read_noise: Optional[float]) -> str:
    return "no stated read noise" if read_noise is None else f"read noise {read_noise:.2%}"

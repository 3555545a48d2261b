"""minirram place: a network from an ONNX file on macros, with its trained weights written and examined."""

import argparse
from typing import Iterator, Optional, Tuple

from ..device.presets import load_cell_model
from ..errors import ConfigError
from ..runs.place import Placed, Placing, Written, place_network
from ..units import si_format
from .arguments import (
    chip_files,
    chip_group,
    chip_lines,
    chip_options,
    converter_options,
    given,
    group,
    technology_option,
    threads_option,
)
from .counts import count_lines
from .evaluate import condition_options, conditions_of
from .field_options import field_option

RESULT = Placed
EXAMPLES = (
    ("minirram place network.onnx", "macros and energy from the graph alone"),
    ("minirram place network.onnx --weights --data mine.npz", "write the trained weights and answer the samples"),
)
OF_WEIGHTS = (
    *("data", "writes", "tuning_error", "epochs", "learning_rate", "read_noise", "seed", "out", "draws"),
    *("chip_seed", "adc_arrangement", "map", "faults"),
)
"""options that do something where weights are written"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram place` takes."""
    parser.add_argument("network", metavar="NETWORK", help="ONNX file")
    graph = group(parser, "the network")
    field_option(graph, "--size", Placing, "size", type=str, metavar="HEIGHTxWIDTH")
    field_option(graph, "--output", Placing, "output")
    field_option(graph, "--fold", Placing, "fold_batch_norms")
    for flag, name in (("--bits", "bits"), ("--input-bits", "input_bits")):
        field_option(graph, flag, Placing, name, more=f"default {getattr(Placing, name)}")
    _weight_options(parser)
    technology_option(parser, told=False)
    field_option(chip_group(parser), "--chip-seed", Placing, "chip_seed", more=f"default {Placing.chip_seed}")
    converter_options(chip_group(parser), "default {}")
    chip_options(parser)
    condition_options(parser)
    threads_option(parser)


def _weight_options(parser: argparse.ArgumentParser) -> None:
    """How trained weights are written, and what is examined then."""
    weights = group(parser, "its weights")
    weights.add_argument("--weights", action="store_true", help="write its trained weights on the chip, with --data")
    weights.add_argument(
        "--data", metavar="FILE.npz", help="with --weights: inputs and, if there are any, labels: what is examined"
    )
    field_option(weights, "--writes", Placing, "writes")
    for name in ("tuning_error", "epochs", "learning_rate", "seed"):
        field_option(weights, "--" + name.replace("_", "-"), Placing, name, more=f"default {getattr(Placing, name)}")
    weights.add_argument(
        "--out", metavar="RUN", help="run folder to make, for evaluate, energy, export, verify; default: none"
    )


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
    if score.ideal is not None:
        yield f"ideal reads             {score.ideal.accuracy:.2%}"
    if written.float_accuracy is not None:
        yield f"float network           {written.float_accuracy:.2%}"
    yield f"agreement               {written.agreement:.2%} of the float network's answers"
    yield f"logit error             {written.logit_error:.2%} of the logits, root mean square"


def _percent(read_noise: Optional[float]) -> str:
    return "no stated read noise" if read_noise is None else f"read noise {read_noise:.2%}"

"""minirram transfer: take the masks of a run, or a placed network, to another chip and learn on."""

import argparse

from ..device.cell import CellModel
from ..errors import ConfigError
from ..learn.recipe import Recipe
from ..runs.folder import RunFolder
from ..study.transfer import RELEARNING_RATE, TransferResults, lines_like, transfer
from .arguments import (
    anyway_option,
    chip_files,
    chip_group,
    chip_lines,
    chip_options,
    data_option,
    given,
    group,
    source_of,
    take_environment,
    threads_option,
)
from .counts import count_lines
from .field_options import field_option

RESULT = TransferResults
EXAMPLES = (
    (
        "minirram transfer runs/mine --out runs/other --chip-seed 1 --epochs 4",
        "the masks on another chip, then four epochs there",
    ),
    (
        "minirram transfer runs/mine --out runs/other --chip-seed 1 --match --epochs 1",
        "bits matched to the answers of the first chip, without labels; then an epoch",
    ),
    (
        "minirram transfer runs/mine --out runs/faulty --epochs 4 --stuck-lrs 0.002 --know-faults",
        "on a chip with stuck cells, which are read out first",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram transfer` takes."""
    parser.add_argument("run", metavar="RUN", help="run folder of the first chip")
    files = group(parser, "data and run")
    files.add_argument(
        "--out", metavar="RUN", required=True, help="run folder of the other chip; a stopped transfer continues there"
    )
    data_option(files)
    learning = group(parser, "learning on the other chip")
    field_option(learning, "--epochs", Recipe, "epochs", required=True)
    learning.add_argument(
        "--match",
        action="store_true",
        help="before that, flip bits until each layer answers as on the first chip; no label is looked at",
    )
    more = f"default: {RELEARNING_RATE} of the run's"
    field_option(learning, "--learning-rate", Recipe, "learning_rate", more=more)
    chip = chip_group(parser)
    field_option(chip, "--chip-seed", Recipe, "chip_seed", more="default: the run's")
    for flag, name in (("--stuck-lrs", "stuck_lrs"), ("--stuck-hrs", "stuck_hrs")):
        field_option(chip, flag, CellModel, name, more="default: the technology's")
    chip.add_argument(
        "--know-faults", action="store_true", help="read the stuck cells out first; signs and bits avoid them"
    )
    chip_options(parser)
    threads_option(parser)
    anyway_option(parser)


def run(options: argparse.Namespace) -> TransferResults:
    """Transfer, or continue a transfer."""
    take_environment(options)
    changes = given(options, ["epochs", "chip_seed", "learning_rate"])
    cell_model = RunFolder.open(options.run).config.cell_model
    faulty = cell_model.changed(**given(options, ["stuck_lrs", "stuck_hrs"]))
    if options.know_faults and not faulty.stuck_lrs + faulty.stuck_hrs and options.faults is None:
        raise ConfigError("--know-faults without stuck cells; give --stuck-lrs, --stuck-hrs or --faults")
    files = chip_files(options)
    return transfer(
        options.run,
        options.out,
        changes=changes,
        cell_model=faulty,
        lines=chip_lines(options, None if files.maps else lines_like(options.run)),
        files=files,
        know_faults=options.know_faults,
        match=options.match,
        threads=options.threads,
        data=None if options.data is None else source_of(options.data),
    )


def text(results: TransferResults) -> str:
    """Validation before, with the digital side alone, and after each epoch; the test set before and after."""
    lines = []
    if results.from_chip is not None:
        lines = [f"first chip   {results.from_chip}", f"other chip   {results.chip}"]
    what = "masks" if results.writes is None else "weights"
    if results.writes is not None:
        lines += [f"written      {results.writes} writes brought the weights to the other chip"]
    lines += [f"validation on the first chip {results.home:.4f}, with its {what} on the other {results.before:.4f}"]
    digital = results.digital_only
    stages = [("without a pulse, digital statistics of the other chip", digital.validation, digital.recovered)]
    if results.matched is not None:
        matched = results.matched
        what = f"matched on {matched.samples} inputs, {matched.flips} bits in {matched.pulses} pulses:"
        stages.append((what, matched.validation, matched.recovered))
    for epoch, (score, share) in enumerate(zip(results.after, results.recovered), 1):
        stages.append((f"after epoch {epoch}", score, share))
    for stage, score, share in stages:
        won = "" if share is None else f"   {share:.1%} of the gap"
        lines.append(f"{stage} {score:.4f}{won}")
    before, after = results.test.before, results.test.after
    lines.append(f"test {after.primary} {before.value:.4f} before, {after.value:.4f} after, on the simulated macros")
    lines += [f"read {one.line}" for one in results.readings] + list(count_lines("transfer", results))
    lines += [f"map {index}  {one.line}" for index, one in enumerate(results.maps)]
    return "\n".join(lines + [f"warning {line}" for line in results.warnings])

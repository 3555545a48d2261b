"""docs/counts.md: everything that is clipped, dropped, skipped, assumed or moved, and where a command says so.

`python -m minirram.cli.counts_page docs/counts.md` writes the page; a test holds it against the code.
"""

import sys
from typing import Iterator, NamedTuple, Tuple

from ..files import atomic_writer
from .counts import COUNTS, Count


class Told(NamedTuple):
    """Something that is told in words, in a line of its own and a field of the results."""

    what: str
    commands: Tuple[str, ...]
    line: str
    """what the line of text begins with, or holds"""
    fields: Tuple[str, ...]
    """of the results of these commands"""
    remedy: str


TOLD = (
    Told(
        "cells of a map that hold no conductance; stuck cells and dead lines of a file",
        ("train", "transfer", "compare", "fit-network"),
        "read",
        ("readings",),
        "`--missing`, `--open`, `--short` and `--offset` with `error` refuse the file; see lab-files.md",
    ),
    Told(
        "the same, and a read noise as below",
        ("place",),
        "read",
        ("written.readings", "written.maps", "written.warnings"),
        "as above",
    ),
    Told(
        "the same of a file that is read for itself",
        ("fit",),
        "read",
        ("files",),
        "as above",
    ),
    Told(
        "many cells with one largest value, here and in each map that is read",
        ("import",),
        "at the largest value",
        ("reading.saturated",),
        "the range of the instrument may end there: measure with a larger one",
    ),
    Told("the same of an imported map", ("import",), "of them taken for unformed", ("reading",), "as above"),
    Told(
        "the same of a read-back", ("verify",), "read-back", ("readback",), "none is replaced; what differs is listed"
    ),
    Told(
        "the same of a read-back",
        ("recalibrate",),
        "read-back",
        ("readback",),
        "what holds no number is taken for open",
    ),
    Told(
        "cells that are not what the program says", ("verify",), "macro", ("cells",), "`minirram repair`, `recalibrate`"
    ),
    Told(
        "cells that failed while they were programmed",
        ("bench",),
        "macro",
        ("failed",),
        "`train --faults` with `failed.txt`",
    ),
    Told(
        "cells whose pulses were cut off by a stop", ("bench",), "went on", ("interrupted",), "their wear is not exact"
    ),
    Told(
        "cells that no pulse brings to the masks", ("repair",), "macro", ("hopeless",), "`recalibrate`, or `transfer`"
    ),
    Told(
        "lines left out of a proposed network",
        ("fit-network",),
        "dead",
        ("dead_rows", "dead_cols"),
        "`--dead-lines` of train",
    ),
    Told(
        "layers added to a proposed network",
        ("fit-network",),
        "added",
        ("added",),
        "a network of your own with more layers",
    ),
    Told(
        "lines of a file that number rows or columns, header lines",
        ("import",),
        "skipped",
        ("reading",),
        "`--index`, `--layout` and `--first` state what they are",
    ),
    Told(
        "cells of a map taken as pristine, shorted or low",
        ("train", "transfer"),
        "map",
        ("maps",),
        "`minirram fit` shows the states of the cells",
    ),
    Told(
        "bad lines, outliers, shorted cells, jumping cells, voltages left out of a fit",
        ("fit",),
        "without",
        ("exclusions",),
        "measure these cells again, or take the fit as it is",
    ),
    Told("what a fit assumes", ("fit",), "note", ("remarks",), "state it: `--unit`, `--states`, `--base`"),
    Told("a fit that is not usable", ("fit",), "because", ("reasons",), "another map; `--force` takes it all the same"),
    Told(
        "samples without a value, imbalance, duplicates, values beyond the codes' range",
        ("train",),
        "one line each",
        ("data_report",),
        "`minirram task --check` shows them before the training; see networks.md",
    ),
    Told(
        "a read noise that looks like percent",
        ("train", "evaluate", "transfer", "compare"),
        "warning",
        ("warnings",),
        "give a share: 0.0065 is 0.65 %",
    ),
    Told(
        "targets of conductance that are not compared", ("verify",), "targets not", ("targets_left_out",), "`--targets`"
    ),
    Told("what an ONNX graph leaves out", ("place",), "note", ("notes",), "see onnx.md"),
    Told(
        "figures that rest on an assumption",
        ("energy",),
        "one inference at",
        ("assumed",),
        "as many `--macros` as needed",
    ),
    Told("settings whose best value is the last one tried", ("compare",), "best value at", ("arms",), "more `--rates`"),
)

REFUSED = (
    ("a map or read-back with NaN, infinite or negative cells, or above the grid", "another `grid_S`, or a policy"),
    ("more than 1 % of a chip's conductances above the grid", "a technology with a larger `grid_S`"),
    ("more than 75 % of the pairs without a formed cell", "a smaller network, or a higher forming voltage"),
    ("`--celsius` on a technology whose ageing has no temperature law", "another technology, or no `--celsius`"),
    ("`--age` on a technology that does not age", "another technology"),
    ("`--unit` or a policy for cells without a `--map`", "the map, or without"),
    ("`--wire-model`, `--wire-gradient` or `--wire-steps` without `--wire-ohm`", "both"),
    ("`--know-faults` without stuck cells, `--port` without `--driver`", "both"),
    ("`verify --tolerance` where there are no targets, `--unit` with `--simulate`", "`--targets`, or without"),
    ("`compare --score-step` with arms that learn no masks, `--rates` with arms that learn masks alone", "without"),
    ("`place --learning-rate` without `--epochs`, options of written weights without `--weights`", "both"),
    ("`fit --forming-unit` without `--forming`", "both"),
    (
        "`import --first` on what is no list, `--index` on a list, `--variable` on text, `--delimiter` on arrays",
        "without",
    ),
    ("`--samples-per-epoch` for a task without crops", "without"),
    ("a line of a lab file that is not read, or that can be read in two ways", "what the message names"),
)

HARMLESS = (
    (
        "learn/written_weights.py",
        "wanted weights stay within what a pair can hold",
        "what is off is `weights off target`",
    ),
    ("device/cell.py", "write noise ends at two standard deviations", "the law of the cell, from its source"),
    ("crossbar/macro_state.py", "an off conductance is at most the on conductance of its cell", "the law of the cell"),
    ("device/interface.py", "what a write reaches is not below 0 S", "there is no such conductance"),
    ("driver/learning.py", "a read below 0 S counts as 0 S", "noise of the reading circuit on an open cell"),
    ("driver/messages.py", "more than 65,535 pulses on one cell count as so many", "recipes end earlier"),
    (
        "programming/build.py",
        "a target below half a step becomes one step",
        "`on_min` is above that in every technology",
    ),
    ("xbp/digests.py", "a read-back above 4.29 S counts as not read", "no cell conducts this much"),
    ("crossbar/converters.py", "codes beyond the range", "counted: saturated conversions, clipped activations"),
    ("inference/propagation.py", "means end at the range, as codes do", "of expectations; drawn reads are counted"),
    ("nn/engine/moments.py", "chances end at 0 and 1, tables too", "of expectations; drawn reads are counted"),
    (
        "learn/plain_weights.py",
        "a wanted weight ends where the cells do",
        "the arm's law: the chip alone remembers it, see `plain_weights`",
    ),
    ("inference/integers.py", "values end at 2^31 - 1", "fractions are chosen so that none reaches it"),
    ("inference/integer_forward.py", "codes beyond the range", "the float side counts them: clipped activations"),
    ("nn/layers/activation.py", "activations beyond the range", "counted: clipped activations"),
    ("nn/layers/resize.py", "the neighbour of a border pixel is that pixel", "bilinear interpolation"),
    (
        "nn/layers/resample.py",
        "pooling leaves out a remainder at the border",
        "as in ONNX and PyTorch; the shape shows it",
    ),
    (
        "tasks/codes.py",
        "inputs beyond the range of the codes",
        "counted in the data report: values cut; `inputs clipped`",
    ),
    ("runs/place_samples.py", "the code of 0 lies inside the codes", "no value is changed"),
    ("tasks/training_data.py", "samples that fill no batch wait for the next epoch", "each epoch has another order"),
    ("tasks/examinations.py", "exponents end at 80", "the probability is 1 to 34 digits"),
    ("tasks/draft.py", "a drafted recipe has 5 to 100 epochs", "the file that is written states them"),
    ("tasks/speech_features.py", "a recording is cut at 0.8 s, features at 0 and 1", "the definition of the features"),
    ("tasks/fundus.py", "grey values end at 0 and 255", "the definition of the picture"),
    ("tasks/drawn_garments.py", "grey values end at 0 and 1", "data that are drawn"),
    ("tasks/drawn_vessels.py", "grey values end at 0 and 1", "data that are drawn"),
    ("conformance/cases.py", "codes beyond the range", "the oracle of saturation"),
    ("conformance/moments.py", "codes beyond the range", "the chances of codes beyond it are those of its ends"),
    ("conformance/estimates.py", "reads end at a largest number", "the error that is left is stated"),
)
"""(module, what it cuts or leaves out, why no line says so)"""


def page() -> str:
    """The page as text."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Nothing is silent"
    yield ""
    yield "What is clipped, dropped, skipped, assumed or moved is a line of the text and a field of `--json`."
    yield "`python -m minirram.cli.counts_page docs/counts.md` writes this page; a test holds it to the code."
    yield ""
    yield "## Counts"
    yield ""
    yield "A line shows its count where that is not zero; the field is there always."
    yield ""
    yield from _table("line of text", "command: field", "what to do")
    for one in COUNTS:
        yield f"| `{one.line}` | {_by_field(one)} | {one.remedy} |"
    yield ""
    yield "## Told in words"
    yield ""
    yield from _table("what", "command", "line", "field", "what to do")
    for told in TOLD:
        fields = ", ".join(f"`{field}`" for field in told.fields)
        yield f"| {told.what} | {', '.join(told.commands)} | {told.line} | {fields} | {told.remedy} |"
    yield ""
    yield "## Refused"
    yield ""
    yield "The command ends with code 2 or 3, and one line says what would be right."
    yield ""
    yield from _table("what", "what to give")
    yield from (f"| {what} | {remedy} |" for what, remedy in REFUSED)
    yield ""
    yield "## Harmless"
    yield ""
    yield "No line says these; each has its reason."
    yield ""
    yield from _table("module", "what", "why")
    yield from (f"| `{module}` | {what} | {why} |" for module, what, why in HARMLESS)


def _by_field(one: Count) -> str:
    """The commands of each field."""
    shown = {command: f"arms[].{field}" if command == "compare" else field for command, field in one.fields.items()}
    commands = {field: [command for command in shown if shown[command] == field] for field in shown.values()}
    return "; ".join(f"{', '.join(names)}: `{field}`" for field, names in commands.items())


def _table(*heads: str) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)


if __name__ == "__main__":
    with atomic_writer(sys.argv[1], "w") as handle:
        handle.write(page())

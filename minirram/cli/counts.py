"""Counts of what should not happen: a line of text each, beside the field of the results that holds it.

`counts_page` writes the table of all of them.
"""

from dataclasses import dataclass, is_dataclass
from typing import Any, Dict, Iterator, Mapping, Tuple

from ..chip.counts import UnformedLine, line_names


@dataclass(frozen=True)
class Count:
    """Something that is clipped, dropped, moved or out of order, and counted."""

    line: str
    """what the line of text begins with"""
    fields: Mapping[str, str]
    """command -> field of its results, with the fields on the way to it"""
    remedy: str
    """what to do about it"""


_SCORES = {
    "train": "test",
    "demo": "test",
    "evaluate": "",
    "transfer": "test.after",
    "place": "written.score",
    "recalibrate": "recalibrated",
}
"""command -> field that holds the score of its text"""


def _of_scores(field: str) -> Dict[str, str]:
    return {command: f"{score}.{field}".lstrip(".") for command, score in _SCORES.items()}


def _of(field: str, *commands: str) -> Dict[str, str]:
    """The same field of several commands; that of `place` is one of what was written."""
    return {command: f"written.{field}" if command == "place" else field for command in commands}


COUNTS: Tuple[Count, ...] = (
    Count(
        "saturated conversions",
        {**_of_scores("saturated"), **_of("saturated", "energy", "compare"), "verify": "saturated_read_back"},
        "A few are usual, beyond a thousandth the range is too small: calibrate anew on the present chip.",
    ),
    Count(
        "clipped activations",
        {**_of_scores("clipped"), **_of("clipped", "energy", "compare")},
        "Ranges are set so that about one in a thousand is clipped; many more mean that inputs differ from training.",
    ),
    Count(
        "conductances cut",
        {
            **_of("clipped_conductances", "train", "demo", "evaluate", "transfer", "place", "verify", "recalibrate"),
            "compare": "chip.clipped_conductances",
        },
        "Cells conduct more than the grid holds: state a larger `grid_S`. Above 1 % of the cells it is an error.",
    ),
    Count(
        "unformed pairs",
        {**_of("unformed_pairs", "train", "demo", "transfer", "place"), "compare": "chip.unformed_pairs"},
        "One cell of the pair at least never formed; form with a higher voltage, or a larger `--formed-share`.",
    ),
    Count(
        "signs given by forming",
        {**_of("signs_given", "train", "demo", "transfer"), "compare": "chip.signs_given"},
        "Nothing: of these pairs one cell formed, and it gives the sign.",
    ),
    Count(
        "pairs without a weight",
        {**_of("dead_pairs", "train", "demo", "transfer", "place"), "compare": "chip.dead_pairs"},
        "No cell of the pair formed, its weight is 0; a smaller network on live lines loses less.",
    ),
    Count(
        "lines that never formed",
        {**_of("unformed_lines", "train", "demo", "transfer", "place"), "compare": "chip.unformed_lines"},
        "Name them as dead, `--dead-lines`; `minirram fit-network --map` writes that file and a network for the rest.",
    ),
    Count(
        "maps not used",
        {**_of("maps_left_out", "train", "demo", "transfer", "place", "fit-network"), "compare": "chip.maps_left_out"},
        "The network needs fewer macros; a larger one, or `minirram fit-network`, uses them all.",
    ),
    Count(
        "stuck cells",
        {**_of("stuck_cells", "train", "demo", "transfer", "place"), "compare": "chip.stuck_cells"},
        "`transfer --know-faults` reads them out and learns around them.",
    ),
    Count(
        "moved off dead lines",
        _of("moved", "train", "demo", "transfer", "place"),
        "Nothing: they stand in for dead lines; program files and maps name the physical lines.",
    ),
    Count(
        "cells to keep unformed",
        {"export": "not_formed"},
        "The masks keep cells that never formed: train on the measured map of the chip, `--map`.",
    ),
    Count(
        "weights off target",
        {"place": "written.off_target"},
        "Allow more `--writes`, or learn on the chip with `--epochs`.",
    ),
    Count(
        "inputs clipped",
        {"place": "written.inputs_clipped"},
        "Inputs lie beyond the calibration samples: put typical ones first in the data.",
    ),
    Count(
        "cells without a number",
        {"verify": "without_number"},
        "The read-back holds no value for them: read the chip again; with `--run` NaN counts as 0 S.",
    ),
    Count(
        "cells that differ",
        {"recalibrate": "differing"},
        "`minirram verify` lists them; `--relearn-steps` lets the masks learn around them.",
    ),
    Count(
        "of them known as stuck",
        {"verify": "known_stuck"},
        "Nothing: the masks were learned with these stuck cells; other cells that differ are faults.",
    ),
    Count(
        "cells taken for open",
        _of("doubtful", "recalibrate", "verify"),
        "The read-back holds no number for them, or one below 0: read the chip again.",
    ),
    Count(
        "cells above the grid",
        _of("limited", "recalibrate", "verify"),
        "Shorted cells of a read-back: they are taken to conduct as much as the grid holds.",
    ),
    Count(
        "cells not formed",
        {"fit": "not_formed"},
        "Their conductances are not part of the fit; form the array first if they should be.",
    ),
    Count(
        "cells unformed",
        {"chip": "unformed"},
        "Nothing: cells of the map that hold 0 S, lines out of use among them.",
    ),
)
"""in the order in which they are shown"""


def count_lines(command: str, results: Any) -> Iterator[str]:
    """A line per count of a command that is not zero."""
    for one in COUNTS:
        if command in one.fields:
            value = value_of(results, one.fields[command])
            number = total(value)
            if number:
                yield f"{one.line:23s} {number}{_names(value)}"


def _names(value: Any) -> str:
    """Which lines never formed; "" for other counts."""
    lines = [one for one in value if isinstance(one, UnformedLine)] if isinstance(value, tuple) else []
    return f": {line_names(lines)}" if lines else ""


def value_of(results: Any, field: str) -> Any:
    """A field within the fields of results; None below a field that is None."""
    for name in field.split("."):
        results = None if results is None else getattr(results, name)
    return results


def total(value: Any) -> int:
    """A number, the sum over the items of a dict or tuple; a dataclass among them counts as one."""
    if value is None:
        return 0
    if is_dataclass(value):
        return 1
    if isinstance(value, Mapping):
        return sum(map(total, value.values()))
    return sum(map(total, value)) if isinstance(value, (tuple, list)) else int(value)

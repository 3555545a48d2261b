"""docs/limits.md: what opening a file may cost, by kind, as the loader has it.

`python -m minirram.cli.limits_page docs/limits.md` writes the page; a test holds it against the code.
"""

import sys

from ..files import atomic_writer, budgets

_HEAD = """# Limits

Files may come from anybody. All are opened through one room, `minirram/files`, which takes regular files alone: no
FIFO, no device, and in run folders no symbolic link. What is beyond the budget of its kind is refused before memory is
taken. The error names the file and the limit. `minirram/files/budgets.py` is the one place that states the budgets.

"""

_BODY = """
Bytes: length of the file. Elements: values, cells, numbers or lines. Depth: lists and objects within one another.
Unpacks to: what all members of an archive, or all maps of a program, may take together. Seconds: to read and unpack it.

- A file under {small_MB:g} MB costs less than {most_MB:g} MB of memory and {most_s:g} s, whichever command opens it.
  `python benchmarks/hostile.py --json` measures that over files of all kinds made to do harm.
- Archives have at most {members:,} members, stored or deflated. Of an `.npz` only the members that are needed are read.
- A `.npy` header has at most {header:,} bytes and states plain values: numbers, truth values or texts, no objects.
- JSON has no NaN, no infinities, no name twice in an object, and no integer of more than {digits} digits.
- A list of cells makes an array of at most {listed:,} cells, and {ratio} more for each line.
- Pulses, sweeps and exports are not files that are read: a command that is asked for much takes long.

A file of one's own that unpacks to more is read with `{scale}` set: `{scale}=8` allows eight times as much. Saved
without compression it needs no such allowance.
"""


def page() -> str:
    """The text of docs/limits.md."""
    small = budgets.SMALL
    body = _BODY.format(
        small_MB=small["bytes"] / 1e6,
        most_MB=small["most_MB"],
        most_s=small["most_s"],
        members=budgets.MOST_MEMBERS,
        header=budgets.MOST_HEADER_BYTES,
        digits=budgets.MOST_DIGITS,
        listed=budgets.LISTED_CELLS,
        ratio=budgets.LISTED_RATIO,
        scale=budgets.SCALE,
    )
    return _HEAD + budgets.table() + "\n" + body


if __name__ == "__main__":
    with atomic_writer(sys.argv[1], "w") as handle:
        handle.write(page())

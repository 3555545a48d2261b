"""The rules on single fields of the program file's records: a list per record type, in the order of SPEC.md.

A list yields (error class, field, what is wrong); its first entry is the one that counts. The dataclasses that build
a program and the reader of hostile files go through the same lists. `contradictions` looks at the tiles as a whole.
"""

import bisect
from typing import Any, Iterator, List, Mapping, Sequence, Tuple

import numpy as np

from ..errors import ConfigError
from . import digests, table

Fault = Tuple[str, str, str]  # error class, field, what is wrong
Fields = Sequence[Tuple[str, str]]  # (name, format character), as in `table`
Values = Mapping[str, Any]  # field name -> value

_BITS: Mapping[str, Tuple[int, int]] = {"B": (0, 255), "H": (0, 65535), "h": (-32768, 32767), "I": (0, 2**32 - 1)}


class Contradiction(ConfigError):
    """A program that contradicts itself: `kind` is the error class of the rule, `tile` the number of the tile."""

    def __init__(self, kind: str, tile: int, text: str) -> None:
        super().__init__(text)
        self.kind, self.tile = kind, tile


def field_faults(values: Values, fields: Fields) -> Iterator[Fault]:
    """Values (dict) that the integer fields (a list of xbp.table) cannot hold."""
    for name, character in fields:
        if name in values and character in _BITS:
            low, high = _BITS[character]
            if not low <= values[name] <= high:
                yield "RANGE", name, f"is {values[name]}, allowed are {low}..{high}"


def header_faults(values: Values, limit: int = table.LIMITS["MAX_PAYLOAD"]) -> Iterator[Fault]:
    """Rules of the file header behind its checksum; `limit` is the largest payload that the reader takes."""
    payload, length, most = values["max_payload"], values["file_length"], table.LIMITS["MAX_FILE"]
    low, high = table.LIMITS["MIN_PAYLOAD"], table.LIMITS["MAX_PAYLOAD"]
    if not low <= payload <= high or payload % 4:
        yield "HEADER", "max_payload", f"is {payload}, allowed are multiples of 4 in {low}..{high}"
    if length > most:
        yield "HEADER", "file_length", f"is {length}, a file has at most {most} bytes"
    if payload > limit:
        yield "LIMIT", "max_payload", f"is {payload}, this reader takes {limit}"


def chip_faults(values: Values) -> Iterator[Fault]:
    """Rules of the CHIP record."""
    for name in ("macros", "rows", "cols"):
        if values[name] < 1:
            yield "RANGE", name, "is 0"
    for name, names in (("orientation", table.ORIENTATIONS), ("before", table.BEFORE)):
        if values[name] not in names.values():
            yield "RANGE", name, f"is {values[name]}, allowed are {names}"
    before = next((name for name, value in table.BEFORE.items() if value == values["before"]), None)
    if before and values["maps"] not in table.MAPS_ALLOWED[before]:
        allowed = " or ".join(map(str, table.MAPS_ALLOWED[before]))
        yield "RANGE", "maps", f"is {values['maps']} ({table.MAPS}), for a chip that is {before} before {allowed}"
    for name in ("reserved", "reserved2"):
        if values.get(name):
            yield "RESERVED", name, "is not 0"
    yield from _state_faults(values)


def _state_faults(values: Values) -> Iterator[Fault]:
    """What a program may say of the state of the chip before and after it."""
    if values["base_state"] and values["before"] < table.BEFORE["programmed"]:
        yield "RANGE", "base_state", "is given, but the chip holds no program before"
    if values["readback_id"] and values["before"] != table.BEFORE["measured"]:
        yield "RANGE", "readback_id", "is given, but the chip is not measured before"
    if values["maps"] < table.MAPS["pulses"] and values["base_state"] != values["new_state"]:
        yield "RANGE", "new_state", "is not the base_state, and nothing is pulsed"


def forms(chip: Values) -> bool:
    """Whether a program forms a chip and does no more: pulses alone, on an unformed one."""
    return bool(chip["maps"] == table.MAPS["pulses"] and chip["before"] == table.BEFORE["unformed"])


def changes(chip: Values) -> bool:
    """Whether the pulses are all that a program says of the new state: each one turns its cell over."""
    return bool(chip["maps"] == table.MAPS["pulses"] and chip["before"] >= table.BEFORE["programmed"])


def recipe_faults(values: Values) -> Iterator[Fault]:
    """Rules of one RECIPE record by itself."""
    if values["id"] >= table.LIMITS["N_RECIPES"]:
        yield "RANGE", "id", f"is {values['id']}, allowed are 0..{table.LIMITS['N_RECIPES'] - 1}"
    for name, names in (("kind", table.KINDS), ("drive", table.DRIVES)):
        if values[name] not in names.values():
            yield "RANGE", name, f"is {values[name]}, allowed are {names}"
    for name in ("max_pulses", "width_ns"):
        if values[name] < 1:
            yield "RANGE", name, "is 0"
    for name in ("row", "col", "select"):
        step, way = values[name + "_step_mV"], values[name + "_to_mV"] - values[name + "_mV"]
        if (step == 0) != (way == 0):
            yield "RANGE", name + "_step_mV", f"is {step}, and the ramp goes {way} mV"
    if values["floating"] >= 2 * max(table.FLOATING.values()):
        yield "RESERVED", "floating", f"has bits beyond {table.FLOATING}"
    if values["read_first"] > 1:
        yield "RESERVED", "read_first", "is neither 0 nor 1"
    if values.get("reserved"):
        yield "RESERVED", "reserved", "is not 0"
    if (values["good_reads"] == 0) != (values["verify_id"] == table.LIMITS["BLIND"]):
        yield "RECIPE", "good_reads", f"is {values['good_reads']}: 1 or more with a verify_id, 0 without"
    if values["drive"] and not 0 < values["compliance_nA"] <= values["budget_nA"]:
        yield "RECIPE", "budget_nA", "holds less than one cell's compliance_nA, or that is 0, and a line is driven"


def recipe_order_faults(values: Values, kinds: Mapping[int, int], chip: Values) -> Iterator[Fault]:
    """Rules of a RECIPE in its file; `kinds` maps the ids seen so far to their kinds, `chip` holds maps and before."""
    if forms(chip) and values["kind"] in (table.KINDS["SET"], table.KINDS["RESET"]):
        yield "RECIPE", "kind", f"is {values['kind']}: a program that forms a chip has FORM and READ alone"
    if values["id"] in kinds:
        yield "RECIPE", "id", f"{values['id']} stands twice"
    verify, read = values["verify_id"], table.KINDS["READ"]
    if verify != table.LIMITS["BLIND"] and (values["kind"] == read or kinds.get(verify) != read):
        yield (
            "RECIPE",
            "verify_id",
            f"is {verify}: neither 255 nor a READ recipe further up (and a READ verifies nothing)",
        )


def tile_faults(values: Values, chip: Values) -> Iterator[Fault]:
    """Rules of the TILE record; `chip` holds macros, rows and cols; and maps, where they are known."""
    for name, start, size in (("n_row", "row0", "rows"), ("n_col", "col0", "cols")):
        if values[name] < 1:
            yield "RANGE", name, "is 0"
        if values[start] + values[name] > chip[size]:
            yield (
                "RANGE",
                start,
                f"+ {name} is {values[start] + values[name]}, the macro has {chip[size]} {size}",
            )
    if values["macro"] >= chip["macros"]:
        yield "RANGE", "macro", f"is {values['macro']}, the chip has {chip['macros']}"
    if values["code_bits"] not in (0, 8, 16):
        yield "RANGE", "code_bits", f"is {values['code_bits']}, allowed are 0, 8 and 16"
    if values["level"] not in table.LEVELS.values():
        yield "RANGE", "level", f"is {values['level']}, allowed are {table.LEVELS}"
    if values["level"] != table.LEVELS["single"] and (values["n_col"] | values["col0"]) % 2:
        yield "RANGE", "n_col", "or col0 is odd, but pairs lie in columns 2k and 2k + 1"
    if (values["g_lsb"] > 0) != (values["code_bits"] > 0):
        yield "RANGE", "g_lsb", "must be above 0 with conductance codes, and 0 without"
    if "maps" in chip and (values["code_bits"] > 0) != (chip["maps"] & table.MAPS["targets"] > 0):
        yield "RANGE", "code_bits", f"is {values['code_bits']}, against the maps {chip['maps']} of CHIP"
    if values["g_off_nS"] and not values["code_bits"]:
        yield "RANGE", "g_off_nS", "is given without conductance codes"
    if values["on_min_nS"] <= values["off_max_nS"]:
        yield "RANGE", "on_min_nS", f"is {values['on_min_nS']}, not above off_max_nS = {values['off_max_nS']}"


def contradictions(tiles: Sequence[Any], kinds: Mapping[int, int], *, change: bool) -> Iterator[Tuple[str, int, str]]:
    """Rules Y3 to Y5 on tiles (`records.TileProgram`): (error class, number of the tile, what is wrong).

    kinds: id -> kind of the recipes. change: each pulse map changes the state, so no cell may be in two of them.
    """
    yield from _overlaps(tiles)
    for tile in tiles:
        if tile.codes is not None and any(np.any((tile.codes[k] > 0) != tile.mask[k]) for k in _blocks(tile)):
            text = f"tile {tile.number}: codes above 0 are not exactly those of the cells to keep"
            yield "CONFLICT", tile.number, text
        cells = 0 if tile.mask is None else _against_mask(tile, kinds)
        if cells:
            text = f"tile {tile.number}: the last pulse of {cells} cells is against the mask"
            yield "CONFLICT", tile.number, text
        cells = _turned_twice(tile) if change else 0
        if cells:
            yield "CONFLICT", tile.number, f"tile {tile.number}: {cells} cells turn over twice"


def _turned_twice(tile: Any) -> int:
    """How many cells stand in two pulse maps or more."""
    if len(tile.passes) < 2:
        return 0
    count = 0
    for rows in _blocks(tile):
        seen, twice = np.zeros((2, rows.stop - rows.start, tile.n_col), bool)
        for _, cells in tile.passes:
            twice |= seen & cells[rows]
            seen |= cells[rows]
        count += int(np.count_nonzero(twice))
    return count


def _against_mask(tile: Any, kinds: Mapping[int, int]) -> int:
    """How many cells get a RESET last though they are kept, or a FORM or SET though they are not."""
    count = 0
    for rows in _blocks(tile):
        pulsed, ends_on = np.zeros((2, rows.stop - rows.start, tile.n_col), bool)
        for recipe, cells in tile.passes:
            pulsed |= cells[rows]
            if kinds[recipe] == table.KINDS["RESET"]:
                np.greater(ends_on, cells[rows], out=ends_on)  # and not
            else:
                ends_on |= cells[rows]
        count += int(np.count_nonzero((ends_on ^ tile.mask[rows]) & pulsed))
    return count


def _blocks(tile: Any) -> Iterator[slice]:
    return digests.blocks(tile.n_row, tile.n_col)


def _overlaps(tiles: Sequence[Any]) -> Iterator[Tuple[str, int, str]]:
    """The first pair of tiles that share a cell: a line sweeps the rows of each macro, tiles open and close at it."""
    border = [(tile.macro, tile.rows.stop, 0, tile.col0, tile) for tile in tiles]
    border += [(tile.macro, tile.row0, 1, tile.col0, tile) for tile in tiles]
    open_tiles: List[Tuple[int, int, Any]] = []  # (first column, number, tile), apart from each other
    for _, _, opens, col0, tile in sorted(border, key=lambda edge: edge[:4] + (edge[4].number,)):
        k = bisect.bisect_left(open_tiles, (col0, tile.number if not opens else -1))
        if not opens:
            del open_tiles[k]
            continue
        for _, _, other in open_tiles[max(k - 1, 0) : k + 1]:
            if other.col0 < tile.cols.stop and col0 < other.cols.stop:
                first, second = sorted((tile.number, other.number))
                yield "OVERLAP", second, f"tiles {first} and {second} share cells"
                return
        open_tiles.insert(k, (col0, tile.number, tile))

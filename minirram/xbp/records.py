"""What a program file says, as Python values: the chip, the pulses, and per tile the mask, targets and passes.

Integers carry the file's units (mV, ns, nA, nS); `minirram.programming` converts from and to SI. Values that no
file can hold are refused on construction with ConfigError or ShapeError.
"""

from dataclasses import dataclass, field
from typing import Dict, Iterable, Mapping, Optional, Tuple, Union

import numpy as np

from ..errors import ConfigError, ShapeError
from ..files import utf8
from . import digests, rules, table

_LINES = ("row", "col", "select")


@dataclass(frozen=True)
class PulseRecord:
    """How one kind of pulse is given. Voltages are absolute, against ground."""

    id: int
    """0..15, unique in the file"""
    kind: int
    """1 FORM, 2 SET, 3 RESET, 4 READ"""
    verify_id: int = table.LIMITS["BLIND"]
    """id of the READ recipe used after every pulse; 255: blind"""
    drive: int = 0
    """0 one cell at a time, 1 cells of a row together, 2 cells of a column together"""
    floating: int = 0
    """unselected lines that float instead of lying at 0 V: 1 rows + 2 columns + 4 selects"""
    read_first: int = 0
    """1: read before the first pulse, and give none to a cell that is past its threshold already"""
    good_reads: Optional[int] = None
    """reads past the threshold in a row that end the pulses of a cell; None: 1 with a verify_id, else 0"""
    max_pulses: int = 1
    """at most so many pulses per cell (of a READ: reads that are averaged)"""
    row_mV: int = 0
    """selected row line, first pulse"""
    row_step_mV: int = 0
    """change from pulse to pulse, towards the end of the ramp"""
    row_to_mV: Optional[int] = None
    """where the ramp ends; None: at row_mV"""
    col_mV: int = 0
    """selected column line, first pulse"""
    col_step_mV: int = 0
    """change from pulse to pulse, towards the end of the ramp"""
    col_to_mV: Optional[int] = None
    """where the ramp ends; None: at col_mV"""
    select_mV: int = 0
    """gate of the selected cells' transistors, first pulse"""
    select_step_mV: int = 0
    """change from pulse to pulse, towards the end of the ramp"""
    select_to_mV: Optional[int] = None
    """where the ramp ends; None: at select_mV"""
    width_ns: int = 1
    """duration of one pulse, or of one read"""
    settle_ns: int = 0
    """wait after a pulse, before anything else is done to its lines"""
    compliance_nA: int = 0
    """current limit of one cell; 0: set by the select line alone"""
    budget_nA: int = 0
    """current limit of all cells that are pulsed together; 0: none"""
    guard_nS: int = 0
    """a verified cell must be past its threshold by so much"""

    def __post_init__(self) -> None:
        blind = self.verify_id == table.LIMITS["BLIND"]
        assumed = {"good_reads": int(not blind), **{f"{line}_to_mV": getattr(self, f"{line}_mV") for line in _LINES}}
        for name, value in assumed.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        _refuse(f"recipe {self.id}", rules.field_faults(vars(self), table.RECIPE_FIELDS))
        _refuse(f"recipe {self.id}", rules.recipe_faults(vars(self)))

    @property
    def kind_name(self) -> str:
        """FORM, SET, RESET or READ."""
        return _name(table.KINDS, self.kind)


@dataclass(frozen=True, eq=False)
class TileProgram:
    """One rectangle of one macro: which cells must be on, what they should conduct, and which pulses they get."""

    number: int
    """0..65535, ascending in the file"""
    macro: int
    """index of the macro"""
    row0: int
    """first row inside the macro"""
    col0: int
    """first cell column inside the macro"""
    n_row: int
    """input lines"""
    n_col: int
    """cell columns"""
    level: int
    """0 single cells, 1 pair level (11 is illegal), 2 cell level"""
    on_min_nS: int
    """a cell is on when it conducts at least this"""
    off_max_nS: int
    """a cell is off when it conducts at most this"""
    mask: Optional[np.ndarray] = None
    """bool (n_row, n_col), True = must be on"""
    code_bits: int = 0
    """0 no conductance targets, 8 or 16"""
    g_off_nS: int = 0
    """conductance of code 0: the off target"""
    g_lsb: int = 0
    """one step of the code, in nS * 2**-16"""
    codes: Optional[np.ndarray] = None
    """uint8 or uint16 (n_row, n_col); 0 exactly where mask is False"""
    passes: Tuple[Tuple[int, np.ndarray], ...] = ()
    """in order of execution: (recipe id, bool (n_row, n_col) of the cells to pulse)"""

    def __post_init__(self) -> None:
        where = f"tile {self.number}"
        _refuse(where, rules.field_faults(dict(vars(self), tile=self.number), (("tile", "H"),) + table.TILE_FIELDS))
        _refuse(where, rules.tile_faults(vars(self), {"macros": 1 << 16, "rows": 1 << 17, "cols": 1 << 17}))
        if (self.codes is None) != (self.code_bits == 0) or (self.codes is not None and self.mask is None):
            raise ConfigError(where + ": conductance codes go with a mask and code_bits of 8 or 16, and only with them")
        if len(self.passes) > 256:
            raise ConfigError(f"{where}: {len(self.passes)} passes, a file holds 256")
        maps = [("mask", self.mask, "bool")] + [("a pass", map_, "bool") for _, map_ in self.passes]
        for name, map_, dtype in maps + [("codes", self.codes, f"uint{self.code_bits}")]:
            if map_ is not None and (map_.shape != (self.n_row, self.n_col) or map_.dtype != np.dtype(dtype)):
                raise ShapeError(
                    f"{where}: {name} is {map_.dtype} {map_.shape}, expected {dtype} {(self.n_row, self.n_col)}"
                )
        paired = self.mask if self.level == table.LEVELS["pair"] else None
        if paired is not None and np.any(np.ascontiguousarray(paired).view(np.uint16) == 0x0101):
            raise ConfigError(where + ": both cells of a pair are on; at pair level one of them at most is")

    @property
    def maps(self) -> int:
        """What the tile has: the sum of `table.MAPS`."""
        has = {"mask": self.mask is not None, "targets": self.codes is not None, "pulses": bool(self.passes)}
        return sum(value for name, value in table.MAPS.items() if has[name])

    @property
    def n_keep(self) -> int:
        """Cells that must be on."""
        return 0 if self.mask is None else int(np.count_nonzero(self.mask))

    @property
    def rows(self) -> slice:
        """Slice of the macro's rows."""
        return slice(self.row0, self.row0 + self.n_row)

    @property
    def cols(self) -> slice:
        """Slice of the macro's cell columns."""
        return slice(self.col0, self.col0 + self.n_col)

    @property
    def level_name(self) -> str:
        """single, pair or cell."""
        return _name(table.LEVELS, self.level)

    @property
    def code_bytes(self) -> np.ndarray:
        """The decoded GTAR payloads: uint8 (n_row, n_col * code_bits / 8)."""
        return np.ascontiguousarray(self.codes, f"<u{self.code_bits // 8}").view(np.uint8)

    @property
    def target_nS(self) -> np.ndarray:
        """float64 (n_row, n_col): what each cell should conduct by its code."""
        if self.codes is None:
            raise ConfigError(f"tile {self.number} has no conductance targets")
        return self.conductance_nS(self.codes)

    def conductance_nS(self, codes: np.ndarray) -> np.ndarray:
        """float64 of the codes' shape: what cells of these codes should conduct."""
        return self.g_off_nS + codes * (self.g_lsb / 2.0 ** table.LIMITS["LSB_FRACTION_BITS"])


@dataclass(frozen=True, eq=False)
class Program:
    """All that one program file says."""

    chip_id: int
    """the individual chip; a reader with another chip refuses the file"""
    macros: int
    """of the chip"""
    rows: int
    """input lines of a macro"""
    cols: int
    """cell columns of a macro"""
    recipes: Tuple[PulseRecord, ...]
    """READ recipes before those that verify with them"""
    tiles: Tuple[TileProgram, ...]
    """numbered upwards"""
    build_id: int = 0
    """CRC-32 of the canonical JSON of the configuration that made the masks"""
    orientation: int = 1
    """0: row = word line, column = bit line; 1: row = bit line, column = source line"""
    before: int = 0
    """what the chip must be before: 0 unformed, 1 formed, 2 programmed with base_state, 3 measured with readback_id"""
    base_state: Optional[int] = None
    """digest of the state before; 0 unless `before` is 2 or 3. None: new_state without pulses, else 0"""
    readback_id: int = 0
    """digest of the read-back that the program was made from; 0 unless `before` is 3"""
    meta: Dict[str, str] = field(default_factory=dict)
    """ASCII key -> text, each at most 255 bytes"""
    max_payload: int = 1024
    """decoded bytes of a record: a reader needs about twice this of RAM"""
    directory: bool = True
    """whether DIR records say where each tile starts"""
    minor: int = table.MINOR
    """minor version of the format that the writer followed"""

    def __post_init__(self) -> None:
        if self.base_state is None:
            held = self.before == table.BEFORE["programmed"] and 0 < self.maps < table.MAPS["pulses"]
            object.__setattr__(self, "base_state", self._whole_state() if held else 0)
        header = dict(vars(self), file_length=0)
        _refuse("file", rules.field_faults(header, table.HEADER_FIELDS))
        _refuse("file", rules.header_faults(header))
        idle = self.maps < table.MAPS["pulses"]  # only then two digests must agree
        chip = dict(vars(self), maps=self.maps, new_state=self.new_state if idle else 0)
        _refuse("chip", rules.field_faults(chip, table.CHIP_FIELDS))
        _refuse("chip", rules.chip_faults(chip))
        kinds: Dict[int, int] = {}
        for recipe in self.recipes:
            _refuse(f"recipe {recipe.id}", rules.recipe_order_faults(vars(recipe), kinds, chip))
            kinds[recipe.id] = recipe.kind
        last, maps = -1, self.maps  # once: each look at it goes over all tiles
        for tile in self.tiles:
            self._check_tile(tile, kinds, last, maps=maps)
            last = tile.number
        for contradiction in rules.contradictions(self.tiles, kinds, change=rules.changes(chip)):
            raise rules.Contradiction(*contradiction)
        for key, text in self.meta.items():
            size = len(utf8(text))
            if not good_key(key) or size > 255 or len(key) + size + 2 > self.max_payload:
                raise ConfigError(
                    f"metadata {key!r}: the key is 1..255 visible ASCII characters, the text at most 255 bytes, "
                    f"together {self.max_payload - 2} at most"
                )

    def _check_tile(self, tile: TileProgram, kinds: Dict[int, int], last: int, *, maps: int) -> None:
        """ConfigError when `tile` cannot stand in this program of `maps` after the tile numbered `last`."""
        where = f"tile {tile.number}"
        if tile.number <= last:
            raise ConfigError(where + ": tiles are numbered upwards, without repeats")
        _refuse(where, rules.tile_faults(vars(tile), vars(self)))
        if (tile.maps ^ maps) & ~table.MAPS["pulses"]:
            raise ConfigError(where + ": its mask or targets are missing or more than those of the first tile")
        if max((tile.n_col + 7) // 8, tile.n_col * tile.code_bits // 8) > self.max_payload:
            raise ConfigError(
                f"{where}: a row of {tile.n_col} columns does not fit records of {self.max_payload} bytes"
            )
        for recipe, _ in tile.passes:
            if kinds.get(recipe) not in (table.KINDS["FORM"], table.KINDS["SET"], table.KINDS["RESET"]):
                raise ConfigError(f"{where}: recipe {recipe} is no FORM, SET or RESET of this program")

    @property
    def maps(self) -> int:
        """What the tiles have: the sum of `table.MAPS`, with the pulses of any tile."""
        pulses = table.MAPS["pulses"] if any(tile.passes for tile in self.tiles) else 0
        return pulses | (self.tiles[0].maps if self.tiles else 0)

    @property
    def is_change(self) -> bool:
        """Whether the pulses are all that is said of the new state: each one turns its cell over."""
        return rules.changes({"maps": self.maps, "before": self.before})

    @property
    def new_state(self) -> int:
        """Digest of what the chip is meant to hold afterwards; 0 after forming alone."""
        if self.maps & table.MAPS["mask"]:
            return self._whole_state()
        state = self.base_state or 0
        if self.is_change:
            for tile in self.tiles:
                for _, cells in tile.passes:
                    state ^= digests.of_cells(tile.macro, tile.row0, tile.col0, cells)
        return state

    def _whole_state(self) -> int:
        """The digest of a state that the masks of the tiles tell."""
        state = digests.of_chip(self.chip_id)
        for tile in self.tiles:
            state ^= digests.of_tile(vars(tile))
            state ^= 0 if tile.mask is None else digests.of_cells(tile.macro, tile.row0, tile.col0, tile.mask)
        return state


def pack_bits(map_: np.ndarray) -> np.ndarray:
    """Bool (n_row, n_col) -> uint8 (n_row, ceil(n_col / 8)): column j is bit j & 7 of byte j >> 3, pad bits 0."""
    return np.packbits(map_, axis=1, bitorder="little")


def unpack_bits(data: Union[bytes, np.ndarray], shape: Tuple[int, int]) -> np.ndarray:
    """The inverse of `pack_bits`, from bytes: bool of shape (n_row, n_col)."""
    n_row, n_col = shape
    rows = np.frombuffer(data, np.uint8).reshape(n_row, (n_col + 7) // 8)
    return np.unpackbits(rows, axis=1, count=n_col, bitorder="little").view(np.bool_)


def good_key(key: str) -> bool:
    """True when `key` may name a piece of metadata: 1..255 visible ASCII characters."""
    return 1 <= len(key) <= 255 and all("!" <= letter <= "~" for letter in key)


def _refuse(where: str, faults: Iterable[rules.Fault]) -> None:
    """ConfigError for the first fault, if there is one."""
    for _, name, text in faults:
        raise ConfigError(f"{where}: {name} {text}")


def _name(names: Mapping[str, int], value: int) -> str:
    """The name of `value` in a dict name -> value."""
    return next(name for name, known in names.items() if known == value)

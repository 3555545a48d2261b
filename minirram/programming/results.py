"""What a program file says, how two of them differ, and what a read-back shows."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from ..json_codec import Result


@dataclass(frozen=True, order=True)
class WrongCell(Result):
    """A cell that is not what the program says. Physical numbers."""

    macro: int
    """index of the macro"""
    row: int
    """row of the macro"""
    col: int
    """column of the macro"""
    why: str
    """"off" (but kept), "on" (but pruned), "not a number" or "off target\""""

    @property
    def place(self) -> Tuple[int, int, int]:
        """macro, row, column"""
        return self.macro, self.row, self.col


@dataclass(frozen=True, order=True)
class CostlyCell(WrongCell):
    """A cell that is not what the program says, and what that costs. Physical numbers."""

    programmed_S: float
    """what it conducts as programmed"""
    examined_S: float
    """what it was examined with: open 0, shorted the largest that the grid holds, else as read back"""
    loss: float
    """by which the mean loss is larger than with this cell as programmed, all others as read back"""


@dataclass(frozen=True)
class CellCosts(Result):
    """The cells of a read-back that cost most."""

    cells: Tuple[CostlyCell, ...]
    """dearest first, at most 10; none: no cell that differs raises the loss"""
    samples: int
    """training samples whose loss was looked at; 0: the training set has fewer than a batch of 50"""
    accuracy: Optional[float]
    """validation accuracy with these cells as programmed, all others as read back; None: there are none"""


@dataclass(frozen=True)
class LineCount(Result):
    """How many cells of a tile, a row or a column differ. Physical numbers."""

    macro: int
    """index of the macro"""
    number: int
    """of the tile in its program, or of the line in the macro"""
    cells: int
    """that differ"""


@dataclass(frozen=True)
class Verification(Result):
    """A read-back map beside a program."""

    passed: bool
    """whether no cell differs"""
    checked: int
    """cells with a mask"""
    differing: int
    """cells that differ"""
    bit_errors: int
    """cells that are off but should be on, on but should be off, or not a number"""
    bit_error_rate: float
    """bit_errors / checked"""
    kinds: Dict[str, int]
    """cells that differ, by kind: "off", "on", "not a number", "off target\""""
    open: int
    """of those that are off: cells that read 0 S or below"""
    overflow: int
    """of those without a number: cells that conduct more than was measured (inf), shorted ones among them"""
    tiles: Tuple[LineCount, ...]
    """tiles with cells that differ, at most 10, most first"""
    rows: Tuple[LineCount, ...]
    """rows likewise"""
    cols: Tuple[LineCount, ...]
    """columns likewise"""
    suspects: Tuple[str, ...]
    """what the map may be instead of the read-back that was meant"""
    cells: Tuple[WrongCell, ...]
    """the first 50 cells that differ, in order"""


@dataclass(frozen=True)
class RecipeSummary(Result):
    """How one kind of pulse is given."""

    id: int
    """its number in the file"""
    kind: str
    """FORM, SET, RESET or READ"""
    verify_id: int
    """number of the READ that follows every pulse; 255: none"""
    max_pulses: int
    """at most so many pulses per cell"""
    drive: int
    """cells that are pulsed together: 0 one, 1 of a row, 2 of a column"""
    floating: int
    """unselected lines that float: 1 rows + 2 columns + 4 selects"""
    read_first: int
    """1: a cell is read before its first pulse"""
    good_reads: int
    """reads in a row past the threshold that end the pulses"""
    row_mV: int
    """millivolts on the selected row line, first pulse"""
    row_step_mV: int
    """change from pulse to pulse"""
    row_to_mV: int
    """end of the ramp"""
    col_mV: int
    """millivolts on the selected column line, first pulse"""
    col_step_mV: int
    """change from pulse to pulse"""
    col_to_mV: int
    """end of the ramp"""
    select_mV: int
    """millivolts on the gates of the selected cells, first pulse"""
    select_step_mV: int
    """change from pulse to pulse"""
    select_to_mV: int
    """end of the ramp"""
    width_ns: int
    """nanoseconds of one pulse"""
    settle_ns: int
    """nanoseconds of rest after it"""
    compliance_nA: int
    """nanoamperes of a cell at most; 0: set by the select line"""
    budget_nA: int
    """nanoamperes of all cells that are pulsed together, at most; 0: one at a time"""
    guard_nS: int
    """a verified cell must be past its threshold by so much"""


@dataclass(frozen=True)
class Targets(Result):
    """Conductance targets of a tile's kept cells."""

    min: float
    """the smallest, nS"""
    mean: float
    """their mean, nS"""
    max: float
    """the largest, nS"""


@dataclass(frozen=True)
class PassSummary(Result):
    """One pass of pulses over a tile."""

    recipe: int
    """number of the recipe"""
    cells: int
    """cells that are pulsed"""


@dataclass(frozen=True)
class TileSummary(Result):
    """One rectangle of one macro."""

    number: int
    """its number in the file"""
    macro: int
    """index of the macro"""
    row0: int
    """first row"""
    col0: int
    """first column"""
    n_row: int
    """rows"""
    n_col: int
    """columns"""
    n_keep: int
    """cells that must be on"""
    on_min_nS: int
    """a cell that is on conducts at least this, nS"""
    off_max_nS: int
    """a cell that is off conducts at most this, nS"""
    code_bits: int
    """bits of a conductance target; 0: no targets"""
    level: str
    """"pair" or "cell\""""
    has_mask: bool
    """whether the file says which cells must be on"""
    target_nS: Optional[Targets]
    """conductance targets; None: none"""
    passes: Tuple[PassSummary, ...]
    """in order"""


@dataclass(frozen=True)
class ProgramSummary(Result):
    """What a program file says. Identities are 8 hexadecimal digits."""

    format: str
    """name and version of the format"""
    chip_id: str
    """of the chip that it is for"""
    build_id: str
    """of what it was built from"""
    program_digest: Optional[str]
    """SHA-256 of the file, which names exactly its bytes; None: there is none"""
    program_crc: Optional[str]
    """checksum of the whole file, by which a board names it; None: there is none"""
    base_state: str
    """digest of what the chip must hold before; zeros: nothing"""
    new_state: str
    """digest of what the chip is meant to hold afterwards"""
    readback_id: str
    """digest of the read-back that it was made from; zeros: none"""
    maps: Tuple[str, ...]
    """what its tiles have: "mask", "targets", "pulses\""""
    state_before: str
    """state that the chip must be in"""
    orientation: str
    """where the first row and column lie"""
    macros: int
    """macros of the chip"""
    rows: int
    """rows of a macro"""
    cols: int
    """columns of a macro"""
    max_payload: int
    """bytes of a record's payload, at most"""
    cells: int
    """cells with a mask"""
    cells_on: int
    """cells that must be on"""
    pulses: Dict[str, int]
    """cells that are pulsed, by kind"""
    recipes: Tuple[RecipeSummary, ...]
    """how each kind of pulse is given"""
    tiles: Tuple[TileSummary, ...]
    """rectangles of cells, in order"""
    meta: Dict[str, str]
    """further text, by key"""
    bytes: Optional[int]
    """size of the file; None: there is none"""


@dataclass(frozen=True)
class TileDifference(Result):
    """What differs between the tiles of one number."""

    tile: int
    """the number"""
    only_in: Optional[str]
    """"A" or "B" where only that file has the tile; None: both do"""
    fields: Dict[str, Tuple[int, int]]
    """fields that differ: value in A, value in B"""
    turned_on: int
    """cells on in B and off in A"""
    turned_off: int
    """cells off in B and on in A"""
    codes: int
    """conductance targets that differ"""
    passes_differ: bool
    """whether other cells are pulsed, or in another order"""


@dataclass(frozen=True)
class Differences(Result):
    """How two programs, A and B, differ."""

    equal: bool
    """whether they do not"""
    fields: Dict[str, Tuple[int, int]]
    """fields of the chip that differ: value in A, value in B"""
    meta: Optional[Tuple[Dict[str, str], Dict[str, str]]]
    """further text of A and of B; None: it is the same"""
    recipes: Optional[Tuple[Tuple[RecipeSummary, ...], Tuple[RecipeSummary, ...]]]
    """recipes of A and of B; None: they are the same"""
    turned_on: int
    """cells on in B and off in A, of tiles that both have"""
    turned_off: int
    """cells off in B and on in A, of tiles that both have"""
    tiles: Tuple[TileDifference, ...]
    """tiles that differ"""
    pulses: Tuple[Dict[str, int], Dict[str, int]]
    """cells that are pulsed in A and in B, by kind"""

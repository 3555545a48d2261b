"""What an account holds. A figure stands as its typical value; under `range` the same name holds low to high."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np

from ..json_codec import Result


@dataclass(frozen=True)
class Range(Result):
    """A figure with every cost at its low, its typical, or its high value at once: a bracket, no confidence."""

    low: float
    """every cost at its low value"""
    typical: float
    """every cost at its typical value"""
    high: float
    """every cost at its high value"""

    @classmethod
    def of(cls, figure: np.ndarray) -> "Range":
        """From an array (3,)."""
        return cls(*(float(value) for value in figure))

    def array(self) -> np.ndarray:
        """float64 (3,): low, typical, high."""
        return np.array([self.low, self.typical, self.high])


@dataclass(frozen=True)
class CostsUsed(Result):
    """Where the costs of events come from."""

    name: str
    """of the technology file"""
    about: str
    """one line on what it describes"""


@dataclass(frozen=True)
class Part(Result):
    """Events of one inference in a matrix, in a layer's arithmetic, or in all of them, with their figures."""

    vectors: float
    """input vectors of matrices"""
    rows_driven: float
    """rows driven with a 1, over all tiles and bit planes"""
    cell_reads: float
    """cells that a driven row reads"""
    conversions: float
    """conversions of the ADCs"""
    shift_adds: float
    """shift-and-adds of ADC codes"""
    partial_adds: float
    """additions of the sums of row tiles"""
    line_pitches: float
    """cell pitches of row and column lines that are charged"""
    bits_read: float
    """bits of input codes taken from the buffer"""
    bits_moved: float
    """bits of codes and sums over the wires of macros"""
    multiplies: float
    """multiplications of the digital layers"""
    adds: float
    """additions of the digital layers"""
    compares: float
    """comparisons of the digital layers"""
    bits_written: float
    """bits of codes put into the buffer"""
    bits_kept: float
    """bits of activations put into the buffer for a later layer that joins them"""
    bits_taken: float
    """bits of such activations taken out again"""
    bits_freed: float
    """bits of such activations that no later layer takes again"""
    array_J: float
    """joules in the cells"""
    lines_J: float
    """joules to charge row and column lines"""
    drive_J: float
    """joules of the row drivers"""
    adc_J: float
    """joules of the conversions"""
    digital_J: float
    """joules of the arithmetic"""
    buffer_J: float
    """joules of the buffer of codes"""
    links_J: float
    """joules of the interconnect within and between macros"""
    total_J: float
    """the sum of the joules"""
    read_s: float
    """seconds in which cells are read"""
    conversion_s: float
    """seconds of the conversions"""
    digital_s: float
    """seconds of the arithmetic"""
    buffer_s: float
    """seconds of the buffer"""
    latency_s: float
    """the sum of the seconds"""
    range: Dict[str, Range]
    """low, typical and high of every figure in joules or seconds"""


@dataclass(frozen=True)
class ByPlane(Result):
    """Events of one matrix by bit plane of its input codes, lowest bit first."""

    rows_driven: Tuple[float, ...]
    """rows driven with a 1"""
    cell_reads: Tuple[float, ...]
    """cells that a driven row reads"""
    conversions: Tuple[float, ...]
    """conversions of the ADCs"""
    array_J: Tuple[float, ...]
    """typical joules in the cells"""


@dataclass(frozen=True)
class MatrixPart(Part):
    """One matrix."""

    by_plane: ByPlane
    """the same by bit plane"""
    activity: float
    """share of set bits among those of its input codes"""


@dataclass(frozen=True)
class Total(Part):
    """One inference, with the pulses of macros that are programmed in turn."""

    reprogramming_J: float
    """joules of the pulses that bring the next contents onto a macro; 0 where each matrix has its own cells"""


@dataclass(frozen=True)
class Area(Result):
    """Square micrometres of a chip. Wires between macros, pads and the controller's memory are not in it."""

    cells_um2: float
    """of cells"""
    drivers_um2: float
    """of row drivers"""
    adcs_um2: float
    """of ADCs"""
    adders_um2: float
    """of shift-and-adds and adders of partial sums"""
    digital_um2: float
    """of the digital layers' lanes"""
    buffer_um2: float
    """of the buffer"""
    total_um2: float
    """the sum"""
    range: Dict[str, Range]
    """low, typical and high of every figure"""


@dataclass(frozen=True)
class Hardware(Range):
    """Joules of one inference on digital hardware."""

    saved_fraction: Range
    """1 - chip / hardware; the low one pairs the chip's high total with the hardware's low one"""


@dataclass(frozen=True)
class Reprogramming(Result):
    """What running on fewer macros than the network fills costs in one inference."""

    reprogramming_J: float
    """joules of its pulses"""
    range: Dict[str, Range]
    """low, typical and high of the joules"""
    macros: int
    """macros at hand"""
    macros_written: int
    """contents that take turns on the last macro"""
    pulses: Dict[str, int]
    """SET and RESET pulses"""
    reprogramming_s: float
    """seconds of its pulses, one after another"""
    cycles_per_cell: float
    """SET and RESET cycles of a cell of that macro, mean"""
    cycles_of_one_cell: int
    """the most that one of its cells goes through"""
    inferences_until_worn: Optional[float]
    """after how many inferences the first cell wears out; None: it does not, or no endurance is known"""


@dataclass(frozen=True)
class InferenceAccount(Result):
    """Energy, latency and area of one inference."""

    costs: CostsUsed
    """what events cost"""
    read_voltage_V: float
    """volts on a driven row, typical"""
    read_time_s: float
    """seconds of one read, typical"""
    by_matrix: Dict[str, MatrixPart]
    """by weight matrix"""
    digital_layers: Dict[str, Part]
    """digital arithmetic by layer"""
    total: Total
    """of all matrices and layers"""
    activity: float
    """share of set bits among those of all input codes"""
    area_um2: Area
    """of the chip"""
    adcs_per_macro: int
    """ADCs of one macro"""
    reprogramming: Optional[Reprogramming]
    """what taking turns costs; None: it was not asked for"""
    digital_hardware: Dict[str, Hardware]
    """the same inference on digital hardware, by its name"""


@dataclass(frozen=True)
class TrainingAccount(Result):
    """What learning the masks costs. Its reads are those of the present masks."""

    read_array_J: float
    """joules in the cells at read-outs"""
    read_lines_J: float
    """joules to charge lines at read-outs"""
    read_drive_J: float
    """joules of the row drivers at read-outs"""
    read_adc_J: float
    """joules of the conversions at read-outs"""
    form_J: float
    """joules of FORM pulses"""
    partner_reset_J: float
    """joules of the RESETs that turn each pair's partner off"""
    set_J: float
    """joules of SET pulses of masks"""
    reset_J: float
    """joules of RESET pulses of masks"""
    probe_reset_J: float
    """joules of the RESETs that find stuck cells"""
    probe_set_J: float
    """joules of the SETs that find stuck cells"""
    total_J: float
    """the sum of the joules"""
    range: Dict[str, Range]
    """low, typical and high of every figure"""
    steps: int
    """steps of gradient descent"""
    read_outs: int
    """read-outs of every cell in use"""
    cell_reads: int
    """cells read"""
    conversions: int
    """conversions of the ADCs"""
    adc_bits: int
    """resolution of those"""
    assumed: str
    """what this rests on"""
    pulses: Dict[str, int]
    """pulses that the chip received, by kind"""
    pulse_times_s: Dict[str, float]
    """seconds of the pulses by kind, one after another"""
    host_macs: int
    """multiply-accumulates of the computer that learns"""
    host: Dict[str, Range]
    """their joules on digital hardware, by its name"""


@dataclass(frozen=True)
class DensityRow(Result):
    """One inference with the masks thinned or filled at random to a density, the inputs held."""

    density: float
    """kept fraction"""
    array_J: float
    """joules in the cells"""
    lines_J: float
    """joules to charge row and column lines"""
    drive_J: float
    """joules of the row drivers"""
    adc_J: float
    """joules of the conversions"""
    digital_J: float
    """joules of the arithmetic"""
    buffer_J: float
    """joules of the buffer of codes"""
    links_J: float
    """joules of the interconnect within and between macros"""
    reprogramming_J: float
    """joules of macros that are programmed in turn"""
    total_J: float
    """the sum of the joules"""
    range: Dict[str, Range]
    """low, typical and high of every figure"""


@dataclass(frozen=True)
class ShapesAccount(Result):
    """Energy, latency and area of a network from its shapes alone."""

    costs: CostsUsed
    """what events cost"""
    adc_bits: int
    """resolution of the ADCs"""
    density: float
    """kept fraction, assumed"""
    activity: float
    """share of set bits, assumed"""
    cell_reads: float
    """cells read in one inference"""
    energy_terms_J: Dict[str, float]
    """typical joules by term"""
    total_J: Range
    """joules of one inference"""
    latency_s: Range
    """seconds of one inference"""
    area_um2: Range
    """square micrometres of the chip"""
    digital_hardware: Dict[str, Hardware]
    """the same inference on digital hardware, by its name"""

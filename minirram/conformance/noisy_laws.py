"""The laws of a noisy device: statistics of repeated reads, on all its columns. Each raises `Violation`, or returns the
`Power` of what it looked at: the smallest error that it finds in 99 of 100 devices.
"""

from typing import Callable, Optional, Sequence

from .cases import Factory, Spec
from .comparisons import Power
from .mean_laws import (
    bit_widths,
    crosstalk,
    curve,
    every_tile,
    gain,
    mean,
    overload,
    silence,
    single_planes,
    single_rows,
    static_cells,
)
from .noise_laws import (
    distribution,
    independent_columns,
    independent_reads,
    noise,
    noise_of_planes,
    noise_of_tiles,
    single_calls,
)

Law = Callable[[Factory, Spec, int], Optional[Power]]
STATISTICAL_LAWS: Sequence[Law] = (
    mean,
    gain,
    curve,
    every_tile,
    bit_widths,
    single_planes,
    single_rows,
    crosstalk,
    silence,
    static_cells,
    overload,
    noise,
    single_calls,
    noise_of_planes,
    noise_of_tiles,
    independent_columns,
    independent_reads,
    distribution,
)

"""What each law of a noisy device compares: the texts, sizes and cases of all its comparisons, in order."""

import re
from itertools import groupby
from typing import Any, List

import pytest

from minirram.conformance import Spec, mean_laws, noise_laws, simulator_factory
from minirram.conformance.noisy_laws import STATISTICAL_LAWS

from .places import ROOT

FILE = ROOT / "tests" / "conformance" / "asked.txt"
SMALL = {"tile_rows": 16, "tile_pairs": 8, "max_rows": 40, "max_pairs": 20, "max_batch": 200}
SPECS = {
    "pairs": Spec(read_noise=0.01, **SMALL),
    "polarities": Spec(read_noise=0.02, arrangement="polarity", input_bits=(2, 4), adc_bits=(10, 12), **SMALL),
}
READS = 60


def asked() -> str:
    """The comparisons of each law on simulated devices that keep it: those of all samples as one line."""
    lines: List[str] = []
    comparisons: List[int] = []

    def case_of(case: Any) -> str:
        return re.sub(", LSB of .*", "", repr(case))

    with pytest.MonkeyPatch.context() as patch:
        for module in (mean_laws, noise_laws):
            kept = module.must_lie, module.quantile

            def must_lie(found: Any, wanted: Any, slack: Any, case: Any, what: str, kept: Any = kept) -> None:
                lines.append(f"  {what} ({len(found)} of {comparisons[-1:]}; {case_of(case)})")
                kept[0](found, wanted, slack, case, what)

            def quantile(number: int, kept: Any = kept) -> float:
                comparisons.append(number)
                return float(kept[1](number))

            patch.setattr(module, "must_lie", must_lie)
            patch.setattr(module, "quantile", quantile)
        count = mean_laws._must_count

        def must_count(found: int, wanted: int, case: Any) -> None:
            lines.append(f"  saturated conversions: {wanted} ({case_of(case)})")
            count(found, wanted, case)

        patch.setattr(mean_laws, "_must_count", must_count)
        for name, spec in SPECS.items():
            for law in STATISTICAL_LAWS:
                lines.append(f"{law.__name__}, {name}")
                del comparisons[:]
                law(simulator_factory(spec, seed=4), spec, READS)
    alike = groupby(re.sub(r", sample \d+,", ", a sample", line) for line in lines)
    counted = ((line, len(list(same))) for line, same in alike)
    return "".join(f"{line}{f', {number} times' if number > 1 else ''}\n" for line, number in counted)

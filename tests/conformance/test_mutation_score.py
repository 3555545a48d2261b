"""The kit finds broken devices: one line of difference from a good one each."""

import runpy
import sys

import pytest

from minirram.conformance import Spec, check
from minirram.conformance.cases import NotTried
from minirram.conformance.comparisons import READS
from minirram.conformance.covering import cover
from minirram.conformance.exact_laws import EXACT_LAWS
from minirram.conformance.kit import EFFORTS
from minirram.conformance.noisy_laws import STATISTICAL_LAWS

from ..support.places import ROOT
from . import broken_devices

SMALL = {"tile_rows": 16, "tile_pairs": 8, "max_rows": 150, "max_pairs": 40, "max_batch": 400}
EXACT, NOISY = Spec(**SMALL), Spec(read_noise=0.01, adc_bits=(14,), **SMALL)
NOT_FOUND = {
    "halves away from zero": "the range comes in amperes: no current lies half-way between two codes for certain",
    "noisy: the same noise in each device": "a device may be made again from its seed",
    "noisy: noise cut at 3 sigma": "1 of 370 reads is another: the power of `distribution` says so",
}
"""name: reason"""


def is_found(name):
    """Whether the kit finds a device: at the first law that it breaks, in the order of `check`."""
    if name in broken_devices.EXACT:
        factory = broken_devices.device(broken_devices.EXACT[name])
        return broken_by_a_case(factory) or bool(check(factory, EXACT, effort="normal", seed=1).broken)
    factory = broken_devices.device(broken_devices.NOISY[name.replace("noisy: ", "")], NOISY.read_noise)
    return not all(keeps(law, factory, NOISY, READS) for law in STATISTICAL_LAWS)


def broken_by_a_case(factory):
    """Whether a case that `check` tries first of each law breaks it; what is left of `check` would shrink that case."""
    cases = list(cover(EXACT, 2 * EFFORTS["normal"] // 5, 1))
    return not all(keeps(law, factory, EXACT, case) for law in EXACT_LAWS for case in cases)


def keeps(law, *arguments):
    try:
        law(*arguments)
    except NotTried:
        return True
    except Exception:  # as `check` takes it: whatever the device raises is a finding
        return False
    return True


ALL = list(broken_devices.EXACT) + ["noisy: " + name for name in broken_devices.NOISY]


def test_there_are_at_least_sixty_and_each_changes_one_line():
    good = broken_devices.GOOD.read_text(encoding="utf-8").splitlines()
    changes = list(broken_devices.EXACT.values()) + list(broken_devices.NOISY.values())
    assert len(changes) >= 60
    for change in changes:
        text = broken_devices.source(change).splitlines()
        assert sum(line not in good for line in text) in (1, 2)  # the changed line, and one that is put before it


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_broken_devices_are_found(name):
    assert is_found(name) == (name not in NOT_FOUND)


def test_the_benchmark_counts_them(monkeypatch):
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "conformance.py"))
    monkeypatch.setattr(sys.modules[__name__], "ALL", ["codes wrap", "halves away from zero"])
    monkeypatch.setattr(sys.modules[__name__], "is_found", lambda name: name == "codes wrap")
    assert benchmark["mutation_score"]() == {"mutants": 2, "found": 1, "missed": ["halves away from zero"]}


@pytest.mark.slow
def test_the_good_device_keeps_the_laws():
    assert check(broken_devices.device(), EXACT, effort="quick", seed=1).broken == ()
    assert check(broken_devices.device(read_noise=NOISY.read_noise), NOISY, exact=False).broken == ()

"""Pulse recipes between the units of physics and those of a program file."""

from ..device.pulses import PulseRecipe
from ..xbp import table
from ..xbp.records import PulseRecord

LINES = ("row", "col", "select")


def pulse_record(recipe: PulseRecipe, number: int) -> PulseRecord:
    """The file's record number `number` of a `PulseRecipe`, in mV, ns, nA and nS; verified by record 0, the READ."""
    lines = {}
    for line in LINES:
        start, step, to = (getattr(recipe, f"{line}_{what}") for what in ("V", "step_V", "to_V"))
        ramps = bool(step) and to is not None and to != start
        lines[f"{line}_mV"] = round(start * 1e3)
        lines[f"{line}_step_mV"] = max(1, round(step * 1e3)) if ramps else 0
        lines[f"{line}_to_mV"] = round((to if ramps else start) * 1e3)
    return PulseRecord(
        id=number,
        kind=table.KINDS[recipe.kind],
        verify_id=0 if recipe.verified else table.LIMITS["BLIND"],
        floating=recipe.floating,
        read_first=int(recipe.read_first),
        good_reads=recipe.good_reads if recipe.verified else 0,
        max_pulses=recipe.max_pulses,
        width_ns=round(recipe.width_s * 1e9),
        settle_ns=round(recipe.settle_s * 1e9),
        compliance_nA=round(recipe.compliance_A * 1e9),
        guard_nS=round(recipe.guard_S * 1e9),
        **lines,
    )


def pulse_recipe(record: PulseRecord) -> PulseRecipe:
    """The `PulseRecipe` of a file's record, in SI units; the inverse of `pulse_record`."""
    lines = {}
    for line in LINES:
        lines[f"{line}_V"] = getattr(record, f"{line}_mV") / 1e3
        lines[f"{line}_step_V"] = getattr(record, f"{line}_step_mV") / 1e3
        lines[f"{line}_to_V"] = (getattr(record, f"{line}_to_mV") or 0) / 1e3
    return PulseRecipe(
        record.kind_name,
        width_s=record.width_ns / 1e9,
        compliance_A=record.compliance_nA / 1e9,
        max_pulses=record.max_pulses,
        verified=record.verify_id != table.LIMITS["BLIND"],
        source="of the program file",
        settle_s=record.settle_ns / 1e9,
        floating=record.floating,
        read_first=bool(record.read_first),
        good_reads=max(1, record.good_reads or 0),
        guard_S=record.guard_nS / 1e9,
        **lines,
    )

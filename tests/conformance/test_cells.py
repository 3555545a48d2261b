"""The kit for kinds of cells: every preset keeps the laws, and each check of a law catches a planted fault."""

import ast
import dataclasses
import re
import traceback
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from minirram.conformance import cells, check_cell
from minirram.conformance.cases import Violation
from minirram.device.cell import CellModel
from minirram.device.presets import HFOX_1T1R, PCM, TAOX_40NM, TECHNOLOGIES


@pytest.mark.parametrize("name", ["taox-40nm", "hfox-1t1r", "pcm", "sonos-40nm"])
def test_every_preset_keeps_the_laws(name):
    model = TECHNOLOGIES[name]
    report = check_cell(model)
    assert report.passed, str(report)
    tried = {result.law: result.tried for result in report.results}
    assert tried.pop("ageing") == model.ages and all(tried.values())


def test_parameters_of_other_sizes_keep_them_too():
    changes = {"read_noise": 0.1, "read_noise_floor_S": 1e-7, "re_set": "redraw", "lrs_sigma_ln": 0.6, "stuck_hrs": 0.1}
    report = check_cell(dataclasses.replace(HFOX_1T1R, **changes))
    assert report.passed, str(report)


RANDOM = np.random.default_rng(0)


def model_with(base, **changes):
    """A cell with the numbers of `base` and changes: `method(self, own, ...)`, own: that of CellModel; or a number."""

    def method(name, change):
        own = getattr(CellModel, name)
        return lambda self, *a, **k: change(self, lambda *b, **c: own(self, *b, **c), *a, **k)

    body = {name: method(name, change) for name, change in changes.items() if callable(change)}
    numbers = {field.name: getattr(base, field.name) for field in dataclasses.fields(CellModel)}
    model = dataclasses.dataclass(frozen=True)(type("Changed", (CellModel,), body))(**numbers)
    for name in changes.keys() - body.keys():
        object.__setattr__(model, name, changes[name])  # one that CellModel refuses
    return model


def times(factor):
    return lambda self, own, *a, **k: factor * own(*a, **k)


def at_random(self, own, *a, **k):
    return own(*a, **k) * (1 + 1e-9 * RANDOM.random())


def with_nan(self, own, *a, **k):
    found = np.array(own(*a, **k))
    found.flat[0] = np.nan
    return found


def both_stuck(self, own, *a):
    return tuple(np.ones_like(stuck) for stuck in own(*a))


def narrower(self, own, *a):
    return own(*a) ** 0.9 * self.lrs_median_S**0.1


def that_remembers(self, own, formed_S, generator):
    """Draws of the right distribution that go with the old value."""
    return formed_S**0.1 * own(formed_S, generator) ** 0.99**0.5 * self.lrs_median_S ** (0.9 - 0.99**0.5)


def of_two(self, own, plus, minus, *, unit_S):
    return self.read_std(plus, unit_S) + self.read_std(minus, unit_S)


def of_maps(factor):
    """Another noise of float32 maps than of lists."""
    return lambda s, own, g, unit_S=1.0: own(g, unit_S) * (factor if (g.ndim, g.dtype) == (2, np.float32) else 1)


def in_place(self, own, conductance_S, age_s, **numbers):
    return own(conductance_S, np.multiply(age_s, 1.01, out=age_s), **numbers)


FOUND = [  # law, base, what is changed, what the law says
    ("sampling", TAOX_40NM, {"sample_lrs_S": lambda s, own, *a: own(*a).astype(np.float32)}, "gives float32"),
    ("sampling", TAOX_40NM, {"sample_lrs_S": at_random}, "the same generator gives other numbers the second time"),
    (
        "sampling",
        TAOX_40NM,
        {"sample_lrs_S": lambda s, own, g, shape: own(g, shape[::-1]).T},
        "the shape that is asked",
    ),
    ("sampling", TAOX_40NM, {"sample_stuck": lambda s, own, *a: tuple(1 * x for x in own(*a))}, "no bool maps"),
    ("sampling", TAOX_40NM, {"sample_stuck": both_stuck}, "stuck in both states"),
    (
        "conductance",
        TAOX_40NM,
        {"sample_lrs_S": lambda s, own, *a: own(*a) - 1e-5},
        "the on conductance of a cell is .-",
    ),
    ("conductance", TAOX_40NM, {"sample_hrs_S": with_nan}, "the off conductance of a cell is .nan. S"),
    ("conductance", TAOX_40NM, {"pristine_S": -1e-9}, "the pristine conductance of a cell is"),
    ("conductance", TAOX_40NM, {"sample_lrs_S": times(1e-9)}, "on cells do not conduct more than off cells"),
    ("conductance", TAOX_40NM, {"to_grid": lambda s, own, *a: (own(*a)[0] + 0.5, 0)}, "no float32 integers"),
    ("conductance", TAOX_40NM, {"to_grid": lambda s, own, *a: (np.float32(2**24) + own(*a)[0], 0)}, "not sum exactly"),
    ("conductance", TAOX_40NM, {"to_grid": lambda s, own, *a: (own(*a)[0] + 1, 0)}, "off by more than half a step"),
    ("distributions", TAOX_40NM, {"sample_lrs_S": narrower}, "lrs_cdf: .* from the samples"),
    ("distributions", TAOX_40NM, {"hrs_cdf": lambda s, own, g: own(1.1 * g)}, "hrs_cdf: .* from the samples"),
    ("distributions", TAOX_40NM, {"hrs_spread": lambda s, own: (2 * own()[0], own()[1])}, "lie below the median it"),
    ("distributions", TAOX_40NM, {"lrs_spread": lambda s, own: (own()[0], np.nan)}, "a deviation of nan"),
    ("forming", TAOX_40NM, {"formed_share": lambda s, own, v: own(np.asarray(v) + 0.05)}, "formed_share: .* from the"),
    ("forming", TAOX_40NM, {"formed_share": lambda s, own, v: own(v) + 0.005 * np.sin(40 * v)}, "falls with the volt"),
    ("forming", TAOX_40NM, {"formed_share": times(1.001)}, "formed_share leaves 0..1"),
    (
        "forming",
        TAOX_40NM,
        {"forming_voltage_V": lambda s, own, share: own(share) - 0.1},
        "forming_voltage_V.0.01. forms",
    ),
    ("forming", TAOX_40NM, {"forming_voltage_V": lambda s, own, share: 99.0}, "forming_voltage_V.0.01. forms 1.000"),
    ("read_noise", TAOX_40NM, {"read_std": times(-1)}, "read_std is no deviation"),
    ("read_noise", TAOX_40NM, {"read_std": lambda s, own, g, unit_S=1.0: own(g, unit_S) + 1e-9}, "other units"),
    ("read_noise", TAOX_40NM, {"pair_read_std": of_two}, "pair_read_std is not that of two independent reads"),
    ("read_noise", TAOX_40NM, {"read_std": of_maps(1.1)}, "the variance of repeated reads is not read_std squared"),
    ("read_noise", TAOX_40NM, {"read_std": of_maps(1.01)}, "products have another read noise"),
    ("writing", TAOX_40NM, {"set_S": times(-1)}, "not above 0"),
    ("writing", TAOX_40NM, {"set_S": at_random}, "set_S: the same generator gives other numbers the second time"),
    ("writing", PCM, {"set_S": narrower}, "set_S under re_set = 'redraw': .* from the samples"),
    ("writing", PCM, {"set_S": that_remembers}, "set_S redraws, but remembers"),
    ("writing", TAOX_40NM, {"set_S": times(1.001)}, "set_S replays another mean value"),
    ("writing", TAOX_40NM, {"set_S": lambda s, own, f, g: f + 3 * (own(f, g) - f)}, "set_S replays with a spread of"),
    ("writing", PCM, {"reset_S": with_nan}, "reset_S gives no conductance"),
    ("writing", TAOX_40NM, {"tuned_S": times(1.001)}, "tuned_S misses its target"),
    ("ageing", PCM, {"acceleration": lambda s, own, kelvin: 2.0 if kelvin is None else own(kelvin)}, "is not 1"),
    ("ageing", PCM, {"acceleration": lambda s, own, k: own(k) if k is None else -1.0}, "accelerations"),
    ("ageing", HFOX_1T1R, {"acceleration": lambda s, own, kelvin: 1 / own(kelvin)}, "falls with the temperature"),
    ("ageing", PCM, {"aged_S": times(0.99)}, "changes conductances at age 0"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: own(g, a, **k) * np.where(a > 0, -1, 1)}, "after .* s"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: g * (1 - 0.1 * RANDOM.random() * (a > 0))}, "one course"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: g * (1 - 1e-4 * len(g) * (a > 0))}, "cells beside it"),
    ("ageing", PCM, {"aged_S": lambda s, own, g, a, **k: g}, "nothing changes"),
    ("ageing", PCM, {"aged_S": in_place}, "ageing in steps is not ageing at once"),
    (
        "json_round_trip",
        PCM,
        {"__post_init__": lambda s, own: vars(s).update(grid_S=s.grid_S / 2)},
        "comes back from JSON",
    ),
    ("json_round_trip", PCM, {"sample_lrs_S": at_random}, "draws other conductances after JSON"),
]
CHECKS = ("_must", "_must_follow")


@lru_cache(maxsize=None)
def planted(number):
    """(what the law says of a planted fault, the line of cells.py that says it)."""
    law, base, changes, _ = FOUND[number]
    with pytest.raises(Violation) as told:
        getattr(cells, law)(model_with(base, **changes))
    frames = traceback.extract_tb(told.value.__traceback__)
    return str(told.value), [one.lineno for one in frames if one.filename == cells.__file__ and one.name not in CHECKS][
        -1
    ]


@pytest.mark.parametrize("number", range(len(FOUND)), ids=[f"{one[0]}-{one[3]}" for one in FOUND])
def test_a_law_says_what_it_found(number):
    law, base, _, message = FOUND[number]
    getattr(cells, law)(base)
    assert re.search(message, planted(number)[0])


def test_each_check_of_each_law_catches_a_planted_fault():
    functions = ast.parse(Path(cells.__file__).read_text(encoding="utf-8")).body
    laws = [one for one in functions if isinstance(one, ast.FunctionDef) and one.name not in CHECKS]
    calls = [call for law in laws for call in ast.walk(law) if isinstance(call, ast.Call)]
    lines = {(call.lineno, call.end_lineno) for call in calls if getattr(call.func, "id", "") in CHECKS}
    found = {planted(number)[1] for number in range(len(FOUND))}
    assert len(lines) > 30
    assert [first for first, last in sorted(lines) if not found & set(range(first, last + 1))] == []


@pytest.mark.parametrize("law", cells.CELL_LAWS, ids=lambda law: law.__name__)
def test_the_kit_names_the_law_that_is_broken(law):
    _, base, changes, message = next(one for one in FOUND if one[0] == law.__name__)
    report = check_cell(model_with(base, **changes))
    name = law.__name__.replace("_", " ")
    assert name in report.broken and f"BROKEN {name}" in str(report) and re.search(message, str(report))


def test_what_a_model_raises_is_a_finding():
    report = check_cell(model_with(TAOX_40NM, read_std=lambda s, own, *a, **k: 1 / 0))
    assert "read noise" in report.broken and "the model raised ZeroDivisionError" in str(report)

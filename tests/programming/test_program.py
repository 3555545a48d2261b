"""Masks to pulses, conductance codes, incremental programs, verification and dumps."""

import csv
import dataclasses
import hashlib
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.chip.placement import place
from minirram.device import presets, pulses
from minirram.device.thresholds import Thresholds, on_border_S, thresholds
from minirram.errors import ConfigError, DataError, ShapeError
from minirram.programming import dump, readback
from minirram.programming.build import (
    RECIPE_ORDER,
    applied,
    attainable,
    build_identity,
    build_program,
    chip_identity,
    encode_targets,
    increment,
    pulse_counts,
    pulse_record,
    targets_of,
    without_targets,
)
from minirram.rng import stream
from minirram.xbp import codec, table
from minirram.xbp.records import Program, TileProgram

MODEL = presets.TAOX_40NM
RECIPES = pulses.pulse_recipes(MODEL)
LIMITS = thresholds(MODEL)
PLACEMENT = place([("a", (5, 6)), ("b", (20, 3)), ("c", (3, 7))], macro_rows=16, macro_pairs=8)
SHAPE = (PLACEMENT.n_macros, 16, 16)
USED = PLACEMENT.used_cells()


def chip(seed=0):
    """(as-formed map, partners, cells that the masks keep) of a small pair-level chip."""
    random = stream(seed, "test program")
    formed_S = MODEL.sample_lrs_S(random, SHAPE)
    sign = random.random(SHAPE[:2] + (8,)) < 0.5
    partners = np.stack([~sign, sign], axis=-1).reshape(SHAPE) & USED
    return formed_S, partners, USED & ~partners & (random.random(SHAPE) < 0.5)


def pair_program(seed=0, on=None, **changes):
    """The program of that chip."""
    formed_S, partners, kept = chip(seed)
    options = dict({"target_S": formed_S, "partners": partners}, **changes)
    return build_program(
        PLACEMENT,
        kept if on is None else on,
        level="pair",
        recipes=RECIPES,
        limits=LIMITS,
        chip_id=chip_identity(formed_S),
        **options,
    )


def after(made, formed_S):
    """Slow oracle: the map after all pulses, cell by cell, with ideal pulses (off = 1 uS, pristine = 0.1 uS).

    A chip that starts formed starts with all cells on.
    """
    kinds = {recipe.id: recipe.kind_name for recipe in made.recipes}
    now_S = np.full(formed_S.shape, 1e-7) if made.before == table.BEFORE["unformed"] else formed_S.copy()
    for tile in made.tiles:
        for recipe, cells in tile.passes:
            for row, col in np.argwhere(cells):
                where = tile.macro, tile.row0 + row, tile.col0 + col
                now_S[where] = 1e-6 if kinds[recipe] == "RESET" else formed_S[where]
    return now_S


@pytest.mark.parametrize("code_bits", [8, 16])
def test_the_pulses_lead_to_the_masks_and_verify_says_so(code_bits):
    formed_S, partners, kept = chip()
    made = pair_program(code_bits=code_bits)
    now_S = after(made, formed_S)
    assert np.array_equal(now_S[USED] > 5e-6, kept[USED]) and np.all(now_S[~USED] == 1e-7)
    report = readback.verify(made, now_S, tolerance=0.0 if code_bits == 16 else 0.01)
    assert report.passed and report.checked == USED.sum() and report.bit_error_rate == 0
    counts = pulse_counts(made)
    assert counts == {"FORM": USED.sum(), "SET": 0, "RESET": USED.sum() - kept.sum()}
    assert all(np.array_equal(tile.passes[1][1], partners[tile.macro, tile.rows, tile.cols]) for tile in made.tiles)


def test_cell_level_has_no_partners_and_may_keep_both_cells_of_a_pair():
    formed_S, _, _ = chip()
    made = build_program(
        PLACEMENT, USED.copy(), level="cell", recipes=RECIPES, limits=LIMITS, chip_id=1, target_S=formed_S
    )
    assert [len(tile.passes) for tile in made.tiles] == [2] * len(made.tiles)
    assert readback.verify(made, after(made, formed_S)).passed
    assert codec.write(codec.read(codec.write(made))) == codec.write(made)


def test_a_formed_chip_gets_no_form_pulse():
    made = pair_program(formed=True)
    assert made.before == table.BEFORE["formed"] and pulse_counts(made)["FORM"] == 0
    for tile, fresh in zip(made.tiles, pair_program().tiles):
        assert [cells.tolist() for _, cells in tile.passes] == [cells.tolist() for _, cells in fresh.passes[1:]]


@pytest.mark.parametrize("technology", sorted(presets.TECHNOLOGIES))
def test_every_technology_is_exported_and_read_back(technology):
    model = presets.TECHNOLOGIES[technology]
    recipes, limits = pulses.pulse_recipes(model), thresholds(model)
    formed_S = model.sample_lrs_S(stream(4, technology), SHAPE)
    on = attainable(chip()[2], formed_S, limits=limits)
    made = build_program(
        PLACEMENT, on, level="cell", recipes=recipes, limits=limits, chip_id=chip_identity(formed_S), target_S=formed_S
    )
    again = codec.read(codec.write(made), chip_identity(formed_S))
    assert codec.write(again) == codec.write(made) and readback.verify(again, after(again, formed_S)).passed
    forms = model.form_time_s > 0
    assert ("FORM" in recipes) == forms and (pulse_counts(again)["FORM"] > 0) == forms
    assert again.before == table.BEFORE["unformed" if forms else "formed"]
    assert [recipe.kind_name for recipe in again.recipes] == [k for k in RECIPE_ORDER if k in recipes]


def test_a_technology_without_forming_takes_increments():
    model = presets.TECHNOLOGIES["pcm"]
    recipes = pulses.pulse_recipes(model)
    old, new = (
        build_program(PLACEMENT, on, level="cell", recipes=recipes, limits=thresholds(model), chip_id=1)
        for on in (~USED, USED)
    )
    assert pulse_counts(increment(old, new)) == {"FORM": 0, "SET": USED.sum(), "RESET": 0}


@pytest.mark.parametrize("kind", ["READ", "RESET"])
def test_recipes_without_the_read_or_the_reset_are_refused(kind):
    fewer = {name: recipe for name, recipe in RECIPES.items() if name != kind}
    with pytest.raises(ConfigError, match=f"lack {kind}"):
        build_program(PLACEMENT, USED, level="cell", recipes=fewer, limits=LIMITS, chip_id=1)


def test_without_targets_there_are_no_codes():
    made = pair_program(target_S=None)
    assert all(tile.codes is None and tile.code_bits == 0 for tile in made.tiles)
    assert readback.verify(made, after(made, chip()[0]) * 0.9).passed


def test_a_program_for_many_macros_finds_its_directory():
    placement = place([(f"m{k}", (16, 8)) for k in range(33)], 16, macro_pairs=8)
    on = np.zeros((33, 16, 16), bool)
    built = [
        build_program(placement, on, level="cell", recipes=RECIPES, limits=LIMITS, chip_id=1, max_payload=size)
        for size in (64, 1024)
    ]
    assert [one.directory for one in built] == [True, True]
    assert [len(codec.read(codec.write(one)).tiles) for one in built] == [33, 33]


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"on": USED}, ConfigError, "both to keep and the unused partner"),
        ({"on": USED[:, :8]}, ShapeError, rf"expected bool of \({SHAPE[0]}, 16, 16\)"),
        ({"on": USED.astype(np.uint8)}, ShapeError, "on: uint8"),
        ({"partners": None}, ConfigError, "partners are given at pair level, and only there"),
        ({"code_bits": 12}, ConfigError, "code_bits is 12"),
        ({"target_S": np.full(SHAPE, 1e-7)}, ConfigError, "did not form: take them out with programming.attainable"),
        ({"target_S": np.full(SHAPE, np.nan)}, ConfigError, "did not form"),
    ],
)
def test_impossible_wishes_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        pair_program(**changes)


def test_cells_that_did_not_form_are_not_attainable():
    formed_S, _, kept = chip()
    where = tuple(np.argwhere(kept)[3])
    formed_S[where] = MODEL.pristine_S
    possible = attainable(kept, formed_S, limits=LIMITS)
    assert possible.sum() == kept.sum() - 1 and not possible[where]


def test_thresholds_of_cells_without_spread_lie_between_the_two_states():
    model = dataclasses.replace(MODEL, lrs_sigma_ln=0.0, hrs_sigma_ln=0.0, hrs_max_S=MODEL.lrs_median_S)
    limits = thresholds(model)
    assert limits.on_min_S == on_border_S(model)
    assert model.hrs_median_S < limits.off_max_S < limits.on_min_S < model.lrs_median_S


def test_thresholds_lie_between_the_two_states():
    assert MODEL.hrs_median_S < LIMITS.off_max_S < LIMITS.on_min_S < MODEL.lrs_median_S
    assert MODEL.lrs_cdf(LIMITS.on_min_S) < 1e-7
    with pytest.raises(ConfigError, match="off_max < on_min"):
        Thresholds(1e-6, 1e-6)


# -- identities and codes -------------------------------------------------------------------------------------------


def test_identities_are_those_that_the_specification_states():
    assert chip_identity(np.array([[1e-6, 12.3456e-6]])) == zlib.crc32(struct.pack("<II", 1000, 12346))
    text = b'{"a":["0.5","x",null,true],"b":1}'
    assert build_identity({"b": 1, "a": [0.5, "x", None, True]}) == zlib.crc32(text)
    assert build_identity({"a": (0.5, "x", None, True), "b": 1}) == zlib.crc32(text)


@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 16]), st.floats(1e-9, 1e-4), st.floats(0, 2))
def test_codes_are_within_half_a_step_of_their_targets(seed, bits, scale_S, off):
    random = np.random.Generator(np.random.PCG64(seed))
    target_S = scale_S * (1 + random.random((4, 6)))
    off_S = off * scale_S / 2
    kept = random.random((4, 6)) < 0.6
    fields = encode_targets(target_S, kept, code_bits=bits, off_S=off_S)
    step_nS = fields["g_lsb"] / 2**16
    decoded_nS = fields["g_off_nS"] + fields["codes"] * step_nS
    assert np.all((fields["codes"] > 0) == kept) and fields["codes"].dtype == f"u{bits // 8}"
    reachable = kept & (target_S * 1e9 >= fields["g_off_nS"] + step_nS / 2)
    assert np.all(np.abs(decoded_nS - target_S * 1e9)[reachable] <= step_nS / 2 * (1 + 1e-9))
    if kept.any():
        span_nS = target_S[kept].max() * 1e9 - fields["g_off_nS"]
        assert step_nS <= max(2**-16, span_nS / (2**bits - 1) + 2**-16)


def test_targets_below_the_off_target_are_refused():
    with pytest.raises(ConfigError, match="above the off target of 1000 nS"):
        encode_targets(np.full((1, 2), 1e-6), np.ones((1, 2), bool), code_bits=8, off_S=1e-6)


# -- incremental programs and differences ---------------------------------------------------------------------------


def test_an_increment_pulses_exactly_the_cells_that_differ():
    formed_S, partners, kept = chip()
    changed = (kept ^ (stream(1, "flips").random(SHAPE) < 0.2)) & USED & ~partners
    old, new = pair_program(), pair_program(on=changed)
    step = increment(old, new)
    assert pulse_counts(step) == {"FORM": 0, "SET": (changed & ~kept).sum(), "RESET": (kept & ~changed).sum()}
    assert (step.new_state, step.base_state, step.before) == (
        new.new_state,
        old.new_state,
        table.BEFORE["programmed"],
    )
    assert step.maps == table.MAPS["pulses"]
    after_it = applied(old, codec.read(codec.write(step)))
    assert after_it.new_state == new.new_state
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(after_it.tiles, new.tiles))
    found = readback.differences(old, step)
    assert (found.turned_on, found.turned_off) == ((changed & ~kept).sum(), (kept & ~changed).sum())
    assert set(found.fields) == {"maps", "before", "base_state", "new_state"} and not found.equal
    json.dumps(found.to_json(), allow_nan=False)
    now_S = after(new, formed_S)
    assert readback.verify(step, now_S).passed and not readback.verify(step, after(old, formed_S)).passed
    assert readback.verify(step, now_S).checked == np.count_nonzero(changed ^ kept)


def test_an_increment_fits_only_the_state_it_was_made_for():
    _, partners, kept = chip()
    steps = [kept & (stream(k, "flips").random(SHAPE) < 0.8) for k in range(3)]
    first, second, third = (pair_program(on=on) for on in steps)
    one, two = increment(first, second), increment(second, third)
    assert applied(applied(first, one), two).new_state == third.new_state == increment(first, third).new_state
    with pytest.raises(ConfigError, match="the increment is for state"):
        applied(first, two)
    with pytest.raises(ConfigError, match="do not have the same tiles|tile 0 has no mask: export its program whole"):
        increment(one, third)
    nothing = increment(first, first)
    assert nothing.maps == 0 and not nothing.tiles and codec.read(codec.write(nothing)).new_state == first.new_state


def test_targets_go_into_a_file_of_their_own():
    made = pair_program()
    plain, apart = without_targets(made), targets_of(made)
    assert (plain.maps, apart.maps, made.maps) == (5, 3, 7)
    assert plain.new_state == apart.new_state == apart.base_state == made.new_state
    again = codec.read(codec.write(apart), made.chip_id)
    now_S = after(made, chip()[0])
    assert readback.verify(plain, now_S, targets=again) == readback.verify(made, now_S)
    assert readback.verify(plain, now_S * 1.2).passed
    assert not readback.verify(plain, now_S * 1.2, targets=again).passed
    with pytest.raises(DataError, match="targets of another program: new_state is"):
        readback.verify(pair_program(on=chip()[2] & (stream(1, "x").random(SHAPE) < 0.5)), now_S, targets=again)
    with pytest.raises(DataError, match="has no conductance targets"):
        readback.verify(made, now_S, targets=plain)
    with pytest.raises(ConfigError, match="the program has no conductance targets"):
        targets_of(plain)


def test_a_program_does_not_differ_from_itself():
    assert readback.differences(pair_program(), codec.read(codec.write(pair_program()))).equal


def test_an_increment_that_needs_a_pulse_without_a_recipe_is_refused():
    _, partners, kept = chip()
    unset = {kind: recipe for kind, recipe in RECIPES.items() if kind != "SET"}
    formed_S = chip()[0]

    def made(on):
        return build_program(
            PLACEMENT, on, level="pair", recipes=unset, limits=LIMITS, chip_id=1, target_S=formed_S, partners=partners
        )

    fewer = kept & (stream(1, "flips").random(SHAPE) < 0.5)
    assert pulse_counts(increment(made(kept), made(fewer)))["RESET"] == (kept & ~fewer).sum()
    with pytest.raises(ConfigError, match="tile 0: [0-9]+ cells need SET, and the new program has no such recipe"):
        increment(made(fewer), made(kept))


@pytest.mark.parametrize(
    "other, message",
    [
        (lambda: pair_program(seed=1), "chip_id differs"),
        (lambda: pair_program(orientation=0), "orientation differs"),
    ],
)
def test_increments_between_unlike_programs_are_refused(other, message):
    with pytest.raises(ConfigError, match=message):
        increment(pair_program(), other())


def test_increments_between_other_tiles_are_refused():
    other = place([("a", (5, 6)), ("b", (20, 3)), ("c", (3, 6))], macro_rows=16, macro_pairs=8)
    formed_S, _, _ = chip()
    on = np.zeros(SHAPE, bool)
    identity = chip_identity(formed_S)
    programs = [
        build_program(one, on, level="cell", recipes=RECIPES, limits=LIMITS, chip_id=identity)
        for one in (PLACEMENT, other)
    ]
    with pytest.raises(ConfigError, match="do not have the same tiles"):
        increment(*programs)


# -- verification ---------------------------------------------------------------------------------------------------


def test_every_way_to_differ_is_found_where_it_is():
    formed_S, _, kept = chip()
    made, now_S = pair_program(), after(pair_program(), formed_S)
    on, off = np.argwhere(kept & USED), np.argwhere(~kept & USED)
    planted = {
        tuple(on[0]): ("off", 1e-6),
        tuple(on[1]): ("not a number", np.nan),
        tuple(off[0]): ("on", 9e-6),
        tuple(off[1]): ("not a number", np.inf),
        tuple(on[2]): ("off target", None),
    }
    for where, (_, value) in planted.items():
        now_S[where] = formed_S[where] * 1.2 if value is None else value
    report = readback.verify(made, now_S)
    assert {cell.place: cell.why for cell in report.cells} == {where: why for where, (why, _) in planted.items()}
    assert report.bit_errors == 4 and report.bit_error_rate == 4 / USED.sum()
    assert report.differing == len(report.cells) == 5 and not report.passed


def test_thresholds_are_inclusive_and_nothing_outside_the_tiles_counts():
    made = pair_program(target_S=None)
    tile = made.tiles[0]
    now_S = np.full(SHAPE, np.nan)
    for one in made.tiles:
        now_S[one.macro, one.rows, one.cols] = np.where(one.mask, tile.on_min_nS, tile.off_max_nS) * 1e-9
    assert readback.verify(made, now_S).passed


@given(st.integers(1, 10**6), st.booleans())
def test_a_cell_exactly_at_its_threshold_is_good_and_one_nanosiemens_beyond_is_not(n, on):
    mask = np.full((1, 2), on)
    tile = TileProgram(0, 0, 0, 0, 1, 2, 0, n if on else n + 1, n - 1 if on else n, mask)
    made = Program(1, 1, 1, 2, (), (tile,), before=2)
    at = np.full((1, 2), n * 1e-9)
    assert readback.verify(made, at).passed
    if n < 10**4:
        assert readback.verify(made, at.astype(np.float32)).passed
    wrong = np.full((1, 2), (n - 1 if on else n + 1) * 1e-9)
    assert readback.verify(made, wrong).bit_errors == 2


@given(st.integers(1, 255), st.integers(1, 10**4))
def test_a_cell_exactly_at_the_edge_of_its_tolerance_is_good(code, step_nS):
    target_nS = code * step_nS
    made = Program(1, 1, 1, 1, (), (_one_cell(code, step_nS),), before=2)
    edge = np.array([[target_nS * 1e-9 + step_nS * 0.5e-9]])
    assert readback.verify(made, edge, tolerance=0).passed
    assert not readback.verify(made, edge + 0.01e-9, tolerance=0).passed


def _one_cell(code, step_nS):
    """A tile of one kept cell with a target of code * step_nS."""
    codes = np.array([[code]], np.uint8)
    return TileProgram(0, 0, 0, 0, 1, 1, 0, 1, 0, np.ones((1, 1), bool), 8, 0, step_nS << 16, codes)


def test_one_macro_may_come_without_its_axis():
    placement = place([("a", (3, 2))], 4, macro_pairs=4)
    made = build_program(placement, np.zeros((1, 4, 8), bool), level="cell", recipes=RECIPES, limits=LIMITS, chip_id=1)
    assert readback.verify(made, np.full((4, 8), 1e-7)).passed


@pytest.mark.parametrize(
    "found, error, message",
    [
        (np.zeros((2, 2)), ShapeError, r"read-back of shape \(2, 2\)"),
        (np.zeros(SHAPE, np.int64), DataError, "expected floats in siemens"),
        (np.full(SHAPE, 12.3), DataError, "is it in another unit"),
    ],
)
def test_read_backs_that_cannot_be_one_are_refused(found, error, message):
    with pytest.raises(error, match=message):
        readback.verify(pair_program(), found)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ConfigError, match="tolerance is -1"):
        readback.verify(pair_program(), np.zeros(SHAPE), tolerance=-1)


# -- what people and scripts see ------------------------------------------------------------------------------------


def test_the_description_adds_up_and_is_json():
    made = pair_program(meta={"task": "t"})
    data = codec.write(made)
    shown = readback.describe(made, data).to_json()
    assert shown["cells"] == USED.sum() and shown["cells_on"] == chip()[2].sum() and shown["bytes"] == len(data)
    assert shown["program_digest"] == hashlib.sha256(data).hexdigest()
    assert shown["program_crc"] == data[-4:][::-1].hex()
    assert shown["tiles"][0]["target_nS"]["min"] >= shown["tiles"][0]["on_min_nS"]
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown


def test_dumps_say_what_the_program_says(tmp_path):
    made = pair_program()
    formed_S, partners, kept = chip()
    maps = dump.chip_maps(made)
    assert np.array_equal(maps["mask"], np.where(USED, kept, -1))
    assert np.array_equal(maps["pass1-RESET"], partners) and np.array_equal(maps["pass0-FORM"], USED)
    assert np.array_equal(np.isfinite(maps["target_S"]), kept)
    np.testing.assert_allclose(maps["target_S"][kept], formed_S[kept], rtol=0.01, atol=0)

    paths = dump.dump(made, tmp_path / "arrays", form="npy")
    assert len(paths) == 5 and np.array_equal(np.load(tmp_path / "arrays" / "mask.npy"), maps["mask"])

    dump.dump(made, tmp_path / "cells.csv", form="csv")
    with open(tmp_path / "cells.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == USED.sum()
    for row in rows:
        where = int(row["macro"]), int(row["row"]), int(row["col"])
        assert bool(int(row["on"])) == kept[where]
        assert row["pulses"] == ("FORM" if kept[where] else "FORM+RESET")
        assert (row["target_nS"] != "") == kept[where]

    dump.dump(made, tmp_path / "program.json", form="json")
    shown = json.loads((tmp_path / "program.json").read_text())
    assert shown["tiles"][0]["codes"] == made.tiles[0].codes.tolist()
    first = int.from_bytes(bytes.fromhex(shown["tiles"][0]["mask"][0]), "little")
    assert [bool(first >> k & 1) for k in range(made.tiles[0].n_col)] == made.tiles[0].mask[0].tolist()

    with pytest.raises(ConfigError, match="choose one of csv, npy, json, png"):
        dump.dump(made, tmp_path / "x", form="xml")


def test_maps_of_a_chip_as_large_as_a_file_may_state_are_refused(tmp_path):
    huge = Program(1, 65535, 65535, 65535, (), (_one_cell(3, 5),), before=2)
    for form in ("npy", "png"):
        pytest.importorskip("imageio" if form == "png" else "numpy")
        with pytest.raises(ConfigError, match="65535 x 65535 x 65535 cells take .* dump as csv or json"):
            dump.dump(huge, tmp_path / form, form=form)
    dump.dump(huge, tmp_path / "cells.csv", form="csv")
    dump.dump(huge, tmp_path / "cells.json", form="json")
    assert (tmp_path / "cells.csv").read_text().splitlines()[1:] == ["0,0,0,1,15.000,"]


def test_pictures_show_the_masks(tmp_path):
    imageio = pytest.importorskip("imageio.v2")
    paths = dump.dump(pair_program(), tmp_path / "made", form="png")
    assert len(paths) == SHAPE[0]
    picture = np.asarray(imageio.imread(paths[0]))
    assert np.array_equal(picture, np.where(USED[0], np.where(chip()[2][0], 255, 96), 0))


# -- pulse recipes --------------------------------------------------------------------------------------------------


def test_recipes_of_a_technology_carry_its_voltages_and_sources():
    assert RECIPES["FORM"].row_V == 3.8 and MODEL.formed_share(RECIPES["FORM"].row_V) > 0.999
    assert (RECIPES["RESET"].row_V, RECIPES["RESET"].col_V) == (0.0, MODEL.reset_voltage_V)
    record = pulse_record(RECIPES["SET"], 2)
    assert (record.row_mV, record.width_ns, record.verify_id, record.kind_name) == (2000, 50, 0, "SET")
    assert pulse_record(RECIPES["FORM"], 1).verify_id == table.LIMITS["BLIND"]
    assert all("assumed" in recipe.source for recipe in RECIPES.values())


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"kind": "ERASE"}, "pulse kind 'ERASE'"),
        ({"kind": "READ", "verified": True}, "not verified by another READ"),
        ({"row_V": 40.0}, "row_mV is 40000"),
        ({"width_s": 1e-10}, "width_ns is 0"),
    ],
)
def test_impossible_pulses_are_refused(changes, message):
    fields = {"kind": "SET", "row_V": 2.0, "col_V": 0.0, "select_V": 3.3, "width_s": 50e-9}
    with pytest.raises(ConfigError, match=message):
        pulse_record(pulses.PulseRecipe(**dict(fields, **changes)), 0)

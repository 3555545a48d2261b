"""The program file: round trips, golden vectors, hostile files, and the agreement of code, table and specification."""

import importlib.util
import json
import re
import struct
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.errors import ConfigError, FormatError, ShapeError
from minirram.programming import readback
from minirram.xbp import ahead, codec, digests, format1, reader, rules, sparse, table
from minirram.xbp.records import Program, PulseRecord, TileProgram

from ..support.places import ROOT
from ..support.programs import RECIPES, RESET, content, programs, tile_content

EXPORT = ROOT / "export"
EXPECTED = json.loads((EXPORT / "vectors" / "expected.json").read_text(encoding="ascii"))
CHIP_ID = EXPECTED["chip_id"]
FILES = ROOT / "tests" / "xbp" / "files"  # of format 1: what is converted


def script(name):
    """A script of export/ as a module."""
    spec = importlib.util.spec_from_file_location(name, EXPORT / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vector(path):
    """The bytes of a golden file."""
    return (EXPORT / "vectors" / path).read_bytes()


@given(programs())
def test_any_program_comes_back_and_the_writer_is_deterministic(program):
    data = codec.write(program)
    again = codec.read(data, program.chip_id)
    assert content(again) == content(program)
    assert (again.new_state, again.base_state, again.maps) == (program.new_state, program.base_state, program.maps)
    if program.tiles or not program.directory:
        assert codec.write(again) == data


def test_vectors_are_what_the_script_writes():
    files = script("make_vectors").all_files()
    stored = {
        path.relative_to(EXPORT / "vectors").as_posix() for path in (EXPORT / "vectors").rglob("*") if path.is_file()
    }
    assert stored == set(files)
    for path, data in files.items():
        assert vector(path) == data, path


@pytest.mark.parametrize("name", sorted(EXPECTED["good"]))
def test_golden_files_say_what_is_expected(name):
    data = vector("good/" + name)
    program = codec.read(data, CHIP_ID)
    assert readback.describe(program, data).to_json() == EXPECTED["good"][name]["summary"]
    payloads = {"04": b"", "05": b""}
    for kind, *_, payload in EXPECTED["good"][name]["records"]:
        payloads[kind] = payloads.get(kind, b"") + bytes.fromhex(payload)
    masks = [np.packbits(tile.mask, axis=1, bitorder="little") for tile in program.tiles if tile.mask is not None]
    assert b"".join(mask.tobytes() for mask in masks) == payloads["04"]
    codes = [tile.codes.astype(f"<u{tile.code_bits // 8}") for tile in program.tiles if tile.codes is not None]
    assert b"".join(array.tobytes() for array in codes) == payloads["05"]
    if name != "unknown-ancillary.xbp":
        assert codec.write(program) == data


@pytest.mark.parametrize("name", sorted(EXPECTED["bad"]))
def test_hostile_files_are_refused_for_the_reason_they_were_made_for(name):
    expected = EXPECTED["bad"][name]
    with pytest.raises(FormatError) as caught:
        codec.read(vector("bad/" + name), CHIP_ID, max_payload=EXPECTED["reader_payload"])
    found = caught.value
    assert (found.kind, found.offset, found.record) == (expected["error"], expected["offset"], expected["record"])
    assert caught.value.kind == checks_of_the_specification()[name[:-4].split("-")[0]]
    if not expected["streaming"]:
        assert codec.check(vector("bad/" + name), CHIP_ID, max_payload=1024).ended


def test_every_check_of_the_specification_has_a_hostile_file():
    named = {name[:-4].split("-")[0] for name in EXPECTED["bad"]}
    assert set(checks_of_the_specification()) - named == {"S1", "Y6"}  # the consumer's own, and a gigabyte of maps


def test_every_truncation_and_every_bit_flip_of_a_golden_file_is_refused():
    data = vector("good/example.xbp")
    for size in range(len(data)):
        with pytest.raises(FormatError):
            codec.read(data[:size], CHIP_ID)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(FormatError):
            codec.read(flipped, CHIP_ID)


@pytest.mark.parametrize("seed", range(3))
def test_records_that_are_looked_at_ahead_get_the_verdict_that_they_get_one_by_one(monkeypatch, seed):
    """Any field of any record changed, with checksums made good; and any byte, without."""
    make, random, look = script("make_vectors"), np.random.default_rng(seed), ahead.look
    mask = random.random((48, 64)) < 0.1
    mask[:, 1::2] &= ~mask[:, 0::2]
    tile = TileProgram(0, 0, 0, 0, 48, 64, 1, 5000, 4000, mask, 8, 0, 65536, mask * np.uint8(9), ((15, ~mask),))
    records = make.records_of(codec.write(Program(CHIP_ID, 1, 48, 64, RECIPES, (tile,), max_payload=128)))

    def one_by_one(*args, **limits):
        found = look(*args, **limits)
        return found._replace(alike=[0] * len(found.alike))

    def verdict(data):
        try:
            return [tile.maps()[0].tobytes() for tile in codec.check(data, CHIP_ID).tiles]
        except FormatError as error:
            return error.kind, error.offset, error.record, str(error)

    for _ in range(20):
        changed = [(list(head), stored) for head, stored in records]
        head, stored = changed[random.integers(len(changed))]
        field = int(random.integers(9))
        head[field] = max(0, head[field] + int(random.choice([-1, 1, 2])))
        data = bytearray(make.assemble(changed, {"max_payload": 128}, numbers=field != 3))
        if random.integers(2):
            data[random.integers(len(data))] ^= 1
        ours = verdict(bytes(data))
        with monkeypatch.context() as alone:
            alone.setattr(ahead, "look", one_by_one)
            assert ours == verdict(bytes(data))


def test_another_chip_is_refused_and_none_means_any():
    data = vector("good/example.xbp")
    assert codec.read(data).chip_id == CHIP_ID
    with pytest.raises(FormatError, match="made for chip 1234abcd, this is chip 1234abcc") as caught:
        codec.read(data, CHIP_ID ^ 1)
    assert caught.value.kind == "CHIP"


def test_records_cannot_move_between_files_with_other_headers():
    program = script("make_vectors").example()
    one = codec.write(program)
    other = codec.write(Program(**dict(vars(program), build_id=program.build_id + 1)))
    with pytest.raises(FormatError) as caught:
        codec.read(other[:32] + one[32:], CHIP_ID)
    assert (caught.value.kind, caught.value.offset) == ("CRC", 32 + 16 + 24)


def test_the_checksum_of_end_names_the_whole_file():
    """Any record replaced, with its own checksum made good: END no longer fits."""
    data = vector("good/example.xbp")
    records = script("make_vectors").records_of(data)
    at = 32
    for head, stored in records[:-1]:
        end = at + 16 + (len(stored) + 3 & ~3)
        other = bytearray(data)
        other[at + 16] ^= 1
        previous = zlib.crc32(data[:28]) if at == 32 else int.from_bytes(data[at - 4 : at], "little")
        other[end : end + 4] = zlib.crc32(other[at:end], previous).to_bytes(4, "little")
        with pytest.raises(FormatError) as caught:
            codec.check(bytes(other), CHIP_ID)
        assert caught.value.kind == "CRC" or caught.value.record == head[3]  # the next record, or what was changed
        at = end + 4
    reader = codec.check(data, CHIP_ID)
    bare = [data[:28]]
    at = 32
    for _, stored in records:
        size = 16 + (len(stored) + 3 & ~3)
        bare.append(data[at : at + size])
        at += size + 4
    assert reader.crc == zlib.crc32(b"".join(bare)) == int.from_bytes(data[-4:], "little")


def test_a_file_of_format_1_is_refused_with_the_command_that_converts_it():
    with pytest.raises(FormatError, match="minirram convert OLD.xbp --out NEW.xbp writes it anew") as caught:
        codec.read((FILES / "format1.xbp").read_bytes())
    assert caught.value.kind == "VERSION"


def test_a_file_of_format_1_says_the_same_in_format_2():
    made = format1.read((FILES / "format1.xbp").read_bytes())
    assert codec.read(codec.write(made), CHIP_ID).new_state == made.new_state
    ours = script("make_vectors").example()
    assert made.new_state == ours.new_state and made.meta == ours.meta and made.build_id == ours.build_id
    assert tile_content(made.tiles[0]) == tile_content(ours.tiles[0])
    assert len(made.recipes) == len(ours.recipes) and made.orientation == ours.orientation
    same = ("id", "kind", "verify_id", "floating", "max_pulses", "col_mV", "width_ns", "compliance_nA")
    for one, other in zip(made.recipes, ours.recipes):
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        assert (one.row_mV, one.select_mV) == (other.row_to_mV, 3300)  # format 1 has no ramps
    step = format1.read((FILES / "format1-increment.xbp").read_bytes())
    assert step.base_state == made.new_state and step.before == table.BEFORE["programmed"]


@pytest.mark.parametrize("name", ["format1.xbp", "format1-increment.xbp"])
def test_damaged_files_of_format_1_are_refused(name):
    data = (FILES / name).read_bytes()
    for bit in range(0, 8 * len(data), 5):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(FormatError):
            format1.read(bytes(flipped))
    for size in range(len(data)):
        with pytest.raises(FormatError):
            format1.read(data[:size])


def test_a_file_of_format_1_that_says_what_format_2_cannot_is_of_another_version(monkeypatch):
    def mixed(*_):
        raise ValueError("pulses into tiles without a mask beside tiles with one")

    monkeypatch.setattr(format1, "_program", mixed)
    with pytest.raises(FormatError, match="pulses into tiles without a mask") as caught:
        format1.read((FILES / "format1.xbp").read_bytes())
    assert caught.value.kind == "VERSION"


def test_a_small_file_cannot_ask_for_terabytes(monkeypatch):
    most = 3 * 6 * 12  # the example has a mask, codes, which become float64, and three passes
    monkeypatch.setattr(reader, "PROGRAM", replace(reader.PROGRAM, unpacked_bytes=most - 1, unpacked_ratio=0))
    with pytest.raises(FormatError, match="take 216 bytes, this reader 215") as caught:
        codec.read(vector("good/example.xbp"))
    assert caught.value.kind == "LIMIT"
    monkeypatch.setattr(reader, "PROGRAM", replace(reader.PROGRAM, unpacked_bytes=most, unpacked_ratio=0))
    assert codec.read(vector("good/example.xbp")).tiles


def test_a_directory_of_many_tiles_takes_several_records():
    heads = [head for head, _ in script("make_vectors").records_of(vector("good/long-directory.xbp"))]
    assert [head[2] for head in heads if head[0] == table.TYPES["DIR"]] == [64, 64, 24]
    assert codec.read(vector("good/long-directory.xbp")).directory


@pytest.mark.parametrize("side", [False, True])
def test_tiles_are_checked_in_a_time_that_grows_with_their_number(side):
    """Side by side in one row, or one below the other: 8 times as many take about 8 times as long."""
    seconds = []
    for count in (500, 4000):
        made = [tile(number=k, n_row=1, n_col=1, row0=0 if side else k, col0=k if side else 0) for k in range(count)]
        tries = []
        for _ in range(3):
            start = time.process_time()
            assert not list(rules.contradictions(made, {}, change=False))
            tries.append(time.process_time() - start)
        seconds.append(min(tries))
    assert seconds[1] < 40 * seconds[0] + 0.05


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 4)] * 2), max_size=8))
def test_overlaps_are_those_that_cell_counts_find(places):
    made = [tile(number=k, row0=r, col0=c, n_row=h, n_col=w) for k, (r, c, h, w) in enumerate(places)]
    count = np.zeros((16, 16), int)
    for one in made:
        count[one.rows, one.cols] += 1
    assert bool(list(rules.contradictions(made, {}, change=False))) == (count.max() > 1)


# -- states ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_a_state_is_the_sum_of_its_parts_whatever_the_way_and_the_cut(seed):
    random = np.random.Generator(np.random.PCG64(seed))
    old, new = random.random((2, 6, 9)) < 0.5
    one = digests.of_cells(2, 30, 40, old)
    assert one ^ digests.of_cells(2, 30, 40, old ^ new) == digests.of_cells(2, 30, 40, new)
    cut = digests.of_cells(2, 30, 40, old[:, :4]) ^ digests.of_cells(2, 30, 44, old[:, 4:])
    assert cut == one and (one != digests.of_cells(1, 30, 40, old) or not old.any())


def test_the_mix_is_that_of_the_specification():
    """Of a slow walk in Python's integers."""

    def mix(x):
        x ^= x >> 16
        x = x * 0x85EBCA6B & 0xFFFFFFFF
        x ^= x >> 13
        x = x * 0xC2B2AE35 & 0xFFFFFFFF
        return x ^ x >> 16

    values = [0, 1, 0x1234ABCD, 2**32 - 1]
    assert digests.mix(np.array(values, np.uint32)).tolist() == [mix(value) for value in values]
    cells = np.array([[True, False], [True, True]])
    expected = 0
    for row, col in ((5, 7), (6, 7), (6, 8)):
        expected ^= mix(mix(3 + 1) ^ (row << 16 | col))
    assert digests.of_cells(3, 5, 7, cells) == expected


def test_read_backs_have_digests():
    read_S = np.array([[1e-6, np.nan], [-3e-9, 9.0]])
    assert digests.readback_id(read_S) == zlib.crc32(struct.pack("<4I", 1000, 2**32 - 1, 0, 2**32 - 1))
    assert digests.readback_id(read_S) != digests.readback_id(read_S.T)


# -- sparse maps ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0005, 0.01, 0.2]), st.integers(1, 40), st.integers(1, 700))
def test_sparse_maps_come_back(seed, share, n_row, n_col):
    cells = np.random.Generator(np.random.PCG64(seed)).random((n_row, n_col)) < share
    records = sparse.encode(cells, 100)
    if records is None:  # a row does not fit
        assert cells.sum(axis=1).max() > 50
        return
    found = np.zeros_like(cells)
    last = 0
    for row, rows, stored in records:
        assert row >= last and len(stored) <= 100
        found[row : row + rows].reshape(-1)[sparse.decode(stored, rows, n_col)] = True
        last = row + rows
    assert np.array_equal(found, cells)


@given(st.binary(max_size=12), st.integers(1, 4), st.integers(1, 30))
def test_any_bytes_are_a_sparse_map_or_none(stored, n_row, n_col):
    """Beside a walk byte by byte."""
    places, at, gap, shift = [], -1, 0, 0
    good = bool(stored) and stored[-1] < 0x80
    for byte in stored:
        good &= shift < 28
        gap |= (byte & 127) << shift
        shift += 7
        if byte < 0x80:
            at += gap + 1
            places.append(at)
            gap = shift = 0
    found = sparse.decode(stored, n_row, n_col)
    assert (None if found is None else found.tolist()) == (places if good and at < n_row * n_col else None)


# -- values that no file can hold -----------------------------------------------------------------------------------


def tile(**changes):
    """A small good tile with some fields changed."""
    fields = {
        "number": 0,
        "macro": 0,
        "row0": 0,
        "col0": 0,
        "n_row": 2,
        "n_col": 4,
        "level": 0,
        "on_min_nS": 2,
        "off_max_nS": 1,
    }
    return TileProgram(**dict(fields, **changes))


MASK = np.array([[True, False, False, True], [False] * 4])


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: PulseRecord(16, 1), ConfigError, "id is 16, allowed are 0..15"),
        (lambda: PulseRecord(0, 5), ConfigError, "kind is 5"),
        (lambda: PulseRecord(0, 1, max_pulses=0), ConfigError, "max_pulses is 0"),
        (lambda: PulseRecord(0, 1, row_mV=32768), ConfigError, "row_mV is 32768, allowed are -32768..32767"),
        (lambda: PulseRecord(0, 1, floating=8), ConfigError, "floating has bits beyond"),
        (lambda: PulseRecord(0, 1, row_mV=5, row_to_mV=9), ConfigError, "row_step_mV is 0, and the ramp goes 4 mV"),
        (
            lambda: PulseRecord(0, 1, drive=1, compliance_nA=9, budget_nA=8),
            ConfigError,
            "budget_nA holds less than one",
        ),
        (
            lambda: PulseRecord(0, 1, good_reads=1),
            ConfigError,
            "good_reads is 1: 1 or more with a verify_id, 0 without",
        ),
        (lambda: tile(n_col=0), ConfigError, "n_col is 0"),
        (lambda: tile(on_min_nS=1), ConfigError, "on_min_nS is 1, not above off_max_nS = 1"),
        (lambda: tile(level=1, col0=1), ConfigError, "odd"),
        (lambda: tile(code_bits=8, g_lsb=1), ConfigError, "conductance codes go with a mask"),
        (lambda: tile(mask=MASK[:, :3]), ShapeError, "mask is bool"),
        (lambda: tile(mask=MASK.astype(np.uint8)), ShapeError, "mask is uint8"),
        (lambda: tile(level=1, mask=np.ones((2, 4), bool)), ConfigError, "both cells of a pair are on"),
        (lambda: tile(passes=((0, MASK),) * 257), ConfigError, "257 passes"),
        (lambda: tile().target_nS, ConfigError, "no conductance targets"),
    ],
)
def test_impossible_records_are_refused_on_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()


def program(*tiles, **changes):
    """A program of one macro of 4 x 4 cells."""
    fields = {"chip_id": 1, "macros": 1, "rows": 4, "cols": 4, "recipes": RECIPES, "tiles": tiles}
    return Program(**dict(fields, **changes))


PULSES = (RECIPES[0], RECIPES[1], PulseRecord(3, RESET))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: program(tile(), tile(number=1, row0=1), before=2), "tiles 0 and 1 share cells"),
        (lambda: program(tile(mask=MASK)), "maps is 1 .* for a chip that is unformed before 4 or 5 or 7"),
        (lambda: program(tile(mask=MASK), before=2, base_state=5), "new_state is not the base_state"),
        (lambda: program(tile(mask=MASK), tile(number=1, row0=2), before=2), "tile 1: its mask or targets are missing"),
        (lambda: program(tile(passes=((1, MASK), (1, MASK))), before=2), "tile 0: 2 cells turn over twice"),
        (lambda: program(tile(passes=((5, MASK),))), "a program that forms a chip has FORM and READ alone"),
        (
            lambda: program(tile(mask=MASK, code_bits=8, g_lsb=1, codes=np.uint8([[1, 0, 0, 0], [0] * 4])), before=2),
            "codes above 0 are not exactly those of the cells to keep",
        ),
        (
            lambda: program(tile(mask=MASK, passes=((3, MASK | True),)), recipes=PULSES),
            "the last pulse of 2 cells is against the mask",
        ),
        (
            lambda: program(
                tile(mask=MASK, passes=((3, ~MASK), (5, MASK | True), (3, MASK & [1, 0, 0, 0] > 0))), recipes=PULSES
            ),
            "the last pulse of 7 cells is against the mask",
        ),
        (lambda: program(max_payload=66), "max_payload is 66, allowed are multiples of 4"),
        (lambda: program(minor=256, before=2), r"minor is 256, allowed are 0\.\.255"),
        (lambda: program(build_id=-1, before=2), "build_id is -1"),
        (lambda: program(chip_id=2**32, before=2), "chip_id is 4294967296"),
        (lambda: program(before=4), "before is 4"),
        (lambda: program(tile(passes=((5, MASK),)), base_state=1), "base_state is given"),
        (lambda: program(before=2, readback_id=1), "readback_id is given"),
        (lambda: program(before=2, recipes=RECIPES[::-1]), "neither 255 nor a READ recipe further up"),
        (lambda: program(before=2, recipes=(RECIPES[0], RECIPES[0])), "stands twice"),
        (lambda: program(tile(), tile(), before=2), "numbered upwards"),
        (lambda: program(tile(macro=1), before=2), "macro is 1, the chip has 1"),
        (lambda: program(tile(row0=3), before=2), "the macro has 4 rows"),
        (lambda: program(tile(passes=((0, MASK),)), before=2), "recipe 0 is no FORM, SET or RESET"),
        (lambda: program(before=2, meta={"a b": ""}), "metadata 'a b'"),
        (lambda: program(before=2, meta={"a": "b" * 256}), "at most 255 bytes"),
        (lambda: program(tile(n_col=600), cols=600, max_payload=64, before=2), "does not fit records of 64 bytes"),
    ],
)
def test_impossible_programs_are_refused_on_construction(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_program_larger_than_a_file_is_refused_by_the_writer(monkeypatch):
    monkeypatch.setitem(table.LIMITS, "MAX_FILE", 500)
    with pytest.raises(ConfigError, match="612 bytes, a file at most 500.*without any"):
        codec.write(script("make_vectors").example())


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_last_pulse_counts_as_a_walk_over_cells_counts_it(seed, has_reset):
    random = np.random.Generator(np.random.PCG64(seed))
    passes = tuple((int(random.choice([1, 2, 3 if has_reset else 1])), random.random((2, 4)) < 0.4) for _ in range(4))
    made, kinds = tile(mask=random.random((2, 4)) < 0.5, passes=passes), {1: 1, 2: 2, 3: 3}
    last = {tuple(cell): recipe for recipe, cells in passes for cell in np.argwhere(cells).tolist()}
    wrong = sum((recipe == 3) == bool(made.mask[cell]) for cell, recipe in last.items())
    texts = [text for _, _, text in rules.contradictions([made], kinds, change=False)]
    assert texts == [f"tile 0: the last pulse of {wrong} cells is against the mask"] * bool(wrong)


# -- the specification ----------------------------------------------------------------------------------------------

SPEC = (EXPORT / "SPEC.md").read_text(encoding="utf-8")


def tables_of(heading):
    """Rows (lists of cells) of the first table below a heading of SPEC.md."""
    text = SPEC[SPEC.index("\n" + heading) :].split("\n|", 1)[1]
    lines = ("|" + text).split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def checks_of_the_specification():
    """check -> error class, of all numbered checks."""
    return {row[0]: row[1].strip("`") for row in tables_of("### 1.8 ") + tables_of("### 1.9 ")}


@pytest.mark.parametrize(
    "heading, fields",
    [
        ("### 1.2 ", table.HEADER_FIELDS),
        ("### 1.3 ", table.RECORD_FIELDS),
        ("#### CHIP ", table.CHIP_FIELDS),
        ("#### RECIPE ", table.RECIPE_FIELDS),
        ("#### TILE ", table.TILE_FIELDS),
        ("#### DIR ", table.DIR_FIELDS),
    ],
)
def test_the_byte_tables_of_the_specification_are_those_of_the_code(heading, fields):
    layout, expected = "<", []
    for name, character in fields:
        expected.append([str(struct.calcsize(layout)), str(struct.calcsize("<" + character)), name.rstrip("2")])
        layout += character
    assert [[row[0], row[1], row[2].strip("`")] for row in tables_of(heading)] == expected


def test_types_classes_and_limits_of_the_specification_are_those_of_the_code():
    stated = {row[1]: int(row[0].strip("`"), 16) for row in tables_of("### 1.4 ")}
    assert stated == table.TYPES
    classes = [(row[0].strip("`"), row[1]) for row in tables_of("### 1.7 ")]
    assert classes == [
        (name, str(-number)) if name not in table.HOST_ERRORS else (name, "host")
        for number, name in enumerate(table.ERRORS, 1)
    ]
    limits = {row[0].strip("`"): int(row[1]) for row in tables_of("### 1.10 ")}
    assert limits == table.LIMITS


def test_the_worked_examples_are_the_golden_example_byte_for_byte():
    blocks = re.findall(r"```hex\n(.*?)```", SPEC, re.S)
    stated = [bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines())) for block in blocks]
    assert b"".join(stated) == vector("good/example.xbp")
    numbers = [int(number) for number in re.findall(r"\*\*Example (\d+):", SPEC)]
    assert numbers == list(range(1, len(blocks) + 1))
    covered = {block[0] for block in stated[1:]}
    assert covered == set(table.TYPES.values())


def test_the_c_constants_are_those_of_the_table():
    assert (EXPORT / "xbp_table.h").read_text(encoding="ascii") == script("make_table").header_text()

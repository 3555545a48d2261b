"""The C side of export/: strict builds, golden and hostile files, agreement with Python, the loop over a chip."""

import dataclasses
import importlib.util
import json
import pathlib
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

from minirram.chip import placement
from minirram.device import presets, pulses
from minirram.device.thresholds import thresholds
from minirram.errors import FormatError
from minirram.programming import readback
from minirram.programming.build import (
    attainable,
    build_program,
    chip_identity,
    increment,
    pulse_counts,
    targets_of,
)
from minirram.rng import stream
from minirram.xbp import codec, digests
from minirram.xbp.records import Program, TileProgram

from ..support.c_programs import COMPILERS, CROSS, EXPORT, NEEDS_COMPILER, PROGRAMMER, STRICT, run_programmer

EXPECTED = json.loads((EXPORT / "vectors" / "expected.json").read_text(encoding="ascii"))

pytestmark = NEEDS_COMPILER


@pytest.fixture(scope="session")
def classify(built):
    """The reader that prints verdicts."""
    return built("classify", ("tests/classify.c", "xbp.c"))


@pytest.fixture(scope="session")
def changed(built):
    """The example programmer whose file becomes another one between the two passes."""
    return built("changed", ("tests/changed.c", *(name for name in PROGRAMMER if name != "programmer.c")))


def script(path):
    """A script of export/ as a module."""
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, EXPORT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verdicts(classify, cases, records=False, chip_id=EXPECTED["chip_id"]):
    """Lines that classify prints for (chunk size, bytes) cases."""
    stream_ = b"".join(struct.pack("<III", chip_id, chunk, len(data)) + data for chunk, data in cases)
    done = subprocess.run(classify + ["--records"] * records, input=stream_, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode("ascii").splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_source_is_clean_under_the_strict_flags(compiler, tmp_path):
    for source in sorted(EXPORT.rglob("*.c")):
        if source.parent.name in ("avr", "firmware"):
            continue  # of other compilers
        command = [compiler, *STRICT, "-O2", "-c", str(source), "-o", str(tmp_path / "object.o")]
        assert subprocess.run(command).returncode == 0, source.name


@pytest.mark.slow
def test_code_memory_and_stack_stay_within_the_promised_sizes():
    arm = "arm-none-eabi-gcc"
    if not shutil.which(arm) or not subprocess.run([arm, "-dumpversion"], stdout=subprocess.PIPE).stdout.startswith(
        b"12"
    ):
        pytest.skip("the sizes are promised for arm-none-eabi-gcc 12")
    done = subprocess.run(["sh", str(EXPORT / "size.sh")], stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout.decode()


def test_sources_of_two_payload_sizes_do_not_link(tmp_path):
    """Their readers have other sizes: the one would write over the memory of the other."""
    main = tmp_path / "main.c"
    main.write_text('#include "xbp.h"\nxbp_reader r;\nint main(void) { xbp_init(&r, 0, 0, 0); return 0; }\n')
    compiler, done = CROSS or [COMPILERS[0]], {}
    for payload in (512, 1024):
        objects = [str(tmp_path / "main.o"), str(tmp_path / "xbp.o")]
        for source, out, size in ((main, objects[0], payload), (EXPORT / "xbp.c", objects[1], 1024)):
            command = [
                *compiler,
                "-std=c99",
                f"-I{EXPORT}",
                f"-DXBP_READER_PAYLOAD={size}",
                "-c",
                str(source),
                "-o",
                out,
            ]
            subprocess.run(command, check=True)
        done[payload] = subprocess.run([*compiler, *objects, "-o", str(tmp_path / "main")], stderr=subprocess.PIPE)
    assert done[1024].returncode == 0
    assert done[512].returncode != 0 and b"xbp_init_512" in done[512].stderr


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler (g++) on this machine")
def test_the_header_serves_cplusplus_and_the_single_file_is_the_same_reader(tmp_path):
    single = (EXPORT / "xbp_single.h").read_text(encoding="ascii")
    assert single == script("make_single.py").text()
    (tmp_path / "reader.c").write_text('#define XBP_IMPLEMENTATION\n#include "xbp_single.h"\n')
    user = "xbp_reader r; xbp_init(&r, 0, 0, 0); return xbp_feed(&r, 0, 0) || xbp_finish(&r) != XBP_E_TRUNCATED;"
    for header in ("xbp.h", "xbp_single.h"):
        (tmp_path / "main.cpp").write_text(f'#include "{header}"\nint main() {{ {user} }}\n')
        command = ["gcc", *STRICT, f"-I{EXPORT}", "-c", str(tmp_path / "reader.c"), "-o", str(tmp_path / "reader.o")]
        subprocess.run(command, check=True)
        sources = [str(tmp_path / "main.cpp"), str(tmp_path / "reader.o")]
        subprocess.run(["g++", "-Wall", "-Werror", f"-I{EXPORT}", *sources, "-o", str(tmp_path / "main")], check=True)
        assert subprocess.run([str(tmp_path / "main")]).returncode == 0


def test_a_bad_link_costs_repeats_and_nothing_else(built):
    link = built("link", ("tests/link.c", "xbp.c"))
    repeats = 0
    for name, expected in sorted(EXPECTED["good"].items()):
        for seed in range(3):
            path = str(EXPORT / "vectors" / "good" / name)
            command = [*link, path, str(EXPECTED["chip_id"]), str(seed)]
            found = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split()
            # A second END comes behind the end of the file; all before it is as sent.
            assert found[:1] == [b"EXTRA"] or found[:2] == [b"DONE", str(len(expected["records"])).encode()], name
            repeats += 0 if found[0] == b"EXTRA" else int(found[2])
    assert repeats > 20


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("avr-gcc") and shutil.which("simavr")), reason="no avr-gcc or no simavr")
def test_the_reader_is_right_where_int_has_16_bits(tmp_path):
    """Every small vector on a simulated AVR, byte by byte."""
    names = script("make_table.py").table.ERRORS
    numbers = {name: -number for number, name in enumerate(names, 1)}
    batches, room = [], 0  # an array holds 32,767 bytes at most
    for kind, name in [("good", name) for name in EXPECTED["good"]] + [("bad", name) for name in EXPECTED["bad"]]:
        data = (EXPORT / "vectors" / kind / name).read_bytes()
        entry = EXPECTED["bad"].get(name)
        if len(data) < 2000:
            if len(data) > room:
                batches.append([])
                room = 30000
            batches[-1].append((data, numbers[entry["error"]] if entry and entry["streaming"] else 1))
            room -= len(data)
    for batch in batches:
        assert b"good" in on_avr(tmp_path, batch)


def on_avr(folder, files):
    """What the reader on a simulated AVR prints of (bytes, verdict)."""
    arrays = {
        "uint8_t bytes": b"".join(data for data, _ in files),
        "uint16_t sizes": [len(data) for data, _ in files],
        "int8_t verdicts": [verdict for _, verdict in files],
    }
    text = f"#define N_FILES {len(files)}u\n#define CHIP_ID {EXPECTED['chip_id']}ul\n"
    for name, values in arrays.items():
        text += f"static const {name}[] PROGMEM = {{ {', '.join(map(str, values))} }};\n"
    (folder / "bytes.h").write_text(text)
    out = str(folder / "avr.elf")
    options = ["-mmcu=atmega1284p", "-DF_CPU=16000000ul", *STRICT, "-Os", f"-I{folder}"]
    sources = [str(EXPORT / name) for name in ("tests/avr/avr.c", "xbp.c")]
    subprocess.run(["avr-gcc", *options, *sources, "-o", out], check=True, stderr=subprocess.DEVNULL)
    command = ["simavr", "-m", "atmega1284p", "-f", "16000000", out]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return done.stdout


@pytest.mark.parametrize("chunk", [1, 5, 64, 100_000])
def test_golden_files_give_the_expected_records(classify, chunk):
    for name, expected in EXPECTED["good"].items():
        data = (EXPORT / "vectors" / "good" / name).read_bytes()
        *records, verdict = verdicts(classify, [(chunk, data)], records=True)
        stated = ["{} {} {} {} {} {} {}".format(*record) for record in expected["records"]]
        assert [line.rstrip() for line in records] == [line.rstrip() for line in stated], name
        assert verdict == f"DONE {len(stated)} {expected['summary']['program_crc']}"


@pytest.mark.slow
def test_any_program_is_taken_in_chunks_of_any_size(classify):
    random = np.random.Generator(np.random.PCG64(8))
    mutants = script("tests/mutants.py")
    files = [codec.write(mutants.random_program(random)) for _ in range(100)]
    chunks = random.integers(1, 200, len(files)).tolist()
    found = verdicts(classify, list(zip(chunks, files)), chip_id=mutants.CHIP_ID)
    for data, verdict in zip(files, found):
        wide = codec.check(data).max_payload > mutants.READER_PAYLOAD
        assert verdict.split()[0] == ("LIMIT" if wide else "DONE")


def test_hostile_files_give_the_expected_classes(classify):
    names = sorted(EXPECTED["bad"])
    cases = [(7, (EXPORT / "vectors" / "bad" / name).read_bytes()) for name in names]
    found = [line.split() for line in verdicts(classify, cases)]
    for name, line in zip(names, found):
        entry = EXPECTED["bad"][name]
        assert line[0] == (entry["error"] if entry["streaming"] else "DONE"), name
        if entry["streaming"]:
            assert int(line[1]) == (entry["record"] or 0) and (line[0] == "TOTAL" or int(line[2]) <= entry["offset"]), (
                name
            )


@pytest.mark.slow
def test_every_truncation_and_every_bit_flip_is_refused_as_python_refuses_it(classify):
    data = (EXPORT / "vectors" / "good" / "example.xbp").read_bytes()
    cases = [data[:size] for size in range(len(data))]
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        cases.append(bytes(flipped))
    found = verdicts(classify, [(33, case) for case in cases])
    assert "DONE" not in {line.split()[0] for line in found}
    for case, verdict in zip(cases, found):
        with pytest.raises(FormatError) as caught:
            codec.check(case, EXPECTED["chip_id"], max_payload=1024)
        assert [caught.value.kind, str(caught.value.record or 0)] == verdict.split()[:2]


@pytest.mark.slow
def test_both_readers_say_the_same_of_mutants_with_good_checksums(classify):
    command = [sys.executable, str(EXPORT / "tests" / "mutants.py"), *classify, "--count", "500", "--seed", "5"]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout.decode()


# -- the loop: Python exports, the programmer runs it, the read-back is verified --------------------------------------


class Bench:
    """A simulated chip of one macro and programs for it."""

    def __init__(self, folder):
        self.folder = folder
        self.model = presets.TAOX_40NM
        self.placement = placement.place([("a", (40, 30)), ("b", (600, 20)), ("c", (7, 9))])
        random = stream(3, "bench")
        shape = (self.placement.n_macros, 512, 512)
        self.map_S = np.rint(self.model.sample_lrs_S(random, shape) * 1e9) * 1e-9
        self.map_S[0, ::97, ::31] = self.model.pristine_S  # cells that do not form
        sign = random.random(shape[:2] + (256,)) < 0.5
        self.partners = np.stack([~sign, sign], axis=-1).reshape(shape) & self.placement.used_cells()
        self.kept = random.random(shape) < 0.5
        self.limits = thresholds(self.model)
        np.save(folder / "map.npy", self.map_S)

    def program(self, kept=None, formed=False):
        """The whole program for a choice of kept cells, of an unformed or a formed chip."""
        wanted = (self.kept if kept is None else kept) & self.placement.used_cells() & ~self.partners
        return build_program(
            self.placement,
            attainable(wanted, self.map_S, limits=self.limits),
            level="pair",
            recipes=pulses.pulse_recipes(self.model),
            limits=self.limits,
            chip_id=chip_identity(self.map_S),
            target_S=self.map_S,
            partners=self.partners,
            formed=formed,
        )

    def save(self, name, made):
        """Write a program; its path."""
        (self.folder / name).write_bytes(codec.write(made))
        return str(self.folder / name)

    def path(self, name):
        """The path of a program that was saved."""
        return str(self.folder / name)

    def run(self, programmer, *arguments):
        """Run the programmer; (return code, standard error, read-back or None)."""
        return run_programmer(self.folder, programmer, *arguments)


@pytest.fixture()
def bench(tmp_path):
    """A fresh bench."""
    return Bench(tmp_path)


@pytest.mark.slow
def test_the_programmed_chip_verifies_without_a_difference(programmer, bench):
    made = bench.program()
    code, _, found = bench.run(programmer, bench.save("a.xbp", made))
    report = readback.verify(made, found)
    assert code == 0 and report.passed and report.checked == 2 * bench.placement.n_pairs
    assert sum(tile.n_keep for tile in made.tiles) > 3000


def test_seventeen_planted_faults_are_the_seventeen_that_verify_finds(programmer, bench):
    made = bench.program()
    on = np.zeros(bench.map_S.shape, bool)
    for tile in made.tiles:
        on[tile.macro, tile.rows, tile.cols] = tile.mask
    cells = np.argwhere(bench.placement.used_cells())
    planted = sorted(map(tuple, cells[stream(1, "faults").choice(len(cells), 17, replace=False)].tolist()))
    lines = ["{} {} {} {}".format(*cell, "stuck_off" if on[cell] else "stuck_on") for cell in planted]
    (bench.folder / "faults.txt").write_text("\n".join(lines) + "\n")
    code, _, found = bench.run(programmer, "--faults", str(bench.folder / "faults.txt"), bench.save("a.xbp", made))
    report = readback.verify(made, found)
    assert code == 1 and [cell.place for cell in report.cells] == planted and report.bit_errors == 17


def test_an_incremental_program_runs_on_the_chip_that_holds_the_old_one_and_on_no_other(programmer, bench):
    old, new = bench.program(), bench.program(bench.kept ^ (stream(2, "flips").random(bench.kept.shape) < 0.02))
    step = increment(old, new)
    files = [bench.save("old.xbp", old), bench.save("step.xbp", step)]
    code, _, found = bench.run(programmer, "--read-all", *files)
    assert code == 0 and readback.verify(new, found).passed and not readback.verify(old, found).passed
    assert step.new_state == new.new_state
    code, _, part = bench.run(programmer, *files)
    pulsed = np.zeros(found.shape, bool)
    for tile in step.tiles:
        for _, cells in tile.passes:
            pulsed[tile.macro, tile.rows, tile.cols] |= cells
    assert code == 0 and readback.verify(step, part).passed
    assert np.array_equal(np.isnan(part), ~pulsed) and np.array_equal(part[pulsed], found[pulsed])
    beyond = [dataclasses.replace(recipe, row_mV=9000, row_to_mV=9000) for recipe in step.recipes if recipe.kind != 4]
    hot = dataclasses.replace(step, recipes=(*(one for one in step.recipes if one.kind == 4), *beyond))
    for sequence, why in [
        (files[1:], "another state"),
        (files + files[1:], "holds another program"),
        (files[:1] * 2, "state"),
        ([files[0], bench.save("hot.xbp", hot)], "a line voltage beyond the limit"),
    ]:
        code, errors, found = bench.run(programmer, *sequence)
        assert code == 3 and "SINK" in errors and why in errors
        assert found is None  # all are checked before the first pulse of any


def altered(made, change=lambda tile: {}, **fields):
    """The program with other fields, and with `change` of each tile."""
    tiles = tuple(dataclasses.replace(tile, **change(tile)) for tile in made.tiles)
    return dataclasses.replace(made, tiles=tiles, **fields)


def test_other_pulses_between_two_programs_leave_a_chip_that_refuses_the_second(programmer, bench):
    old, new = bench.program(), bench.program(bench.kept ^ (stream(2, "flips").random(bench.kept.shape) < 0.02))
    step = increment(old, new)
    partly = dataclasses.replace(step, tiles=step.tiles[1:])
    described = targets_of(new)
    programs = {"old": old, "step": step, "partly": partly, "described": described, "held": targets_of(old)}
    files = {name: bench.save(name + ".xbp", made) for name, made in programs.items()}
    code, errors, found = bench.run(programmer, files["old"], files["partly"], files["step"])
    assert code == 3 and "holds another program" in errors and "step.xbp" in errors and found is None
    code, errors, found = bench.run(programmer, files["old"], files["partly"])
    assert code == 0 and readback.verify(partly, found).passed
    code, errors, found = bench.run(programmer, files["old"], files["described"])
    assert code == 3 and "holds another program" in errors
    code, _, found = bench.run(programmer, files["old"], files["held"], files["step"], files["described"])
    assert code == 0 and readback.verify(new, found).passed


def test_a_repair_takes_the_chip_that_was_read_and_no_other(programmer, bench):
    old, new = bench.program(), bench.program(bench.kept ^ (stream(2, "flips").random(bench.kept.shape) < 0.02))
    step = increment(old, new)
    _, _, found = bench.run(programmer, "--read-all", bench.save("old.xbp", old))
    repair = dataclasses.replace(step, before=3, readback_id=digests.readback_id(found))
    code, _, found = bench.run(programmer, "--read-all", bench.path("old.xbp"), bench.save("repair.xbp", repair))
    assert code == 0 and readback.verify(new, found).passed and readback.verify(repair, found).passed
    code, errors, found = bench.run(programmer, "--read-all", bench.path("old.xbp"), *[bench.path("repair.xbp")] * 2)
    assert code == 3 and "made from another read-back of the chip" in errors and readback.verify(new, found).passed


def test_only_forming_every_cell_makes_a_formed_chip(programmer, bench):
    map_S = bench.map_S[:1, :8, :16]
    recipes = tuple(one for one in bench.program().recipes if one.kind_name in ("READ", "FORM"))
    np.save(bench.folder / "map.npy", map_S)

    def form(n_col, mask=None, **fields):
        tile = TileProgram(0, 0, 0, 0, 8, n_col, 0, 5400, 4900, mask, passes=((1, np.ones((8, n_col), bool)),))
        return Program(chip_identity(map_S), 1, 8, 16, recipes, (tile,), directory=False, **fields)

    whole, part = bench.save("whole.xbp", form(16)), bench.save("part.xbp", form(14))
    again = bench.save("again.xbp", form(16, np.ones((8, 16), bool), before=1))
    assert bench.run(programmer, whole, again)[0] == 1  # cell 0, 0 does not form
    code, errors, _ = bench.run(programmer, part, again)
    assert code == 3 and "another state" in errors


def recipes_with(made, kind, **fields):
    """Its recipes, with other fields in those of one kind; ramps end where they start unless a field says where."""
    flat = {f"{line}_to_mV": None for line in ("row", "col", "select")}
    return tuple(dataclasses.replace(one, **{**flat, **fields}) if one.kind == kind else one for one in made.recipes)


def late_codes(made, tile):
    """Other targets in the last tile alone: behind the first pulses."""
    return {"codes": tile.codes // 2 + tile.mask} if tile.number == made.tiles[-1].number else {}


@pytest.mark.parametrize(
    "other, why, touched",
    [
        (lambda made: altered(made, build_id=made.build_id ^ 1), "another file than the one", False),
        (lambda made: altered(made, lambda tile: {"codes": tile.codes // 2 + tile.mask}), "another file", False),
        (lambda made: altered(made, recipes=recipes_with(made, 3, max_pulses=11)), "another file", False),
        (lambda made: altered(made, recipes=recipes_with(made, 4, width_ns=60)), "another file", False),
        (lambda made: altered(made, lambda tile: late_codes(made, tile)), "another file", True),
        (lambda made: altered(made, recipes=recipes_with(made, 1, row_mV=4200)), "cell voltage", False),
        (lambda made: codec.write(made)[:-20], "TRUNCATED", True),
    ],
)
def test_a_file_that_changes_between_the_passes_does_not_do_more_than_was_checked(changed, bench, other, why, touched):
    made = bench.program()
    forged = other(made)
    (bench.folder / "b.xbp").write_bytes(forged if isinstance(forged, bytes) else codec.write(forged))
    code, errors, found = bench.run([*changed, str(bench.folder / "b.xbp")], bench.save("a.xbp", made))
    assert code == 3 and why in errors and found is None
    assert ("the state of the chip is unknown" in errors) == touched


def test_a_file_that_stays_the_same_between_the_passes_runs(changed, bench):
    made = bench.program()
    path = bench.save("a.xbp", made)
    code, _, found = bench.run([*changed, path], path)
    assert code == 0 and readback.verify(made, found).passed


def test_a_formed_chip_takes_its_program_without_form_pulses_and_an_unformed_one_does_not(programmer, bench):
    made = bench.program(formed=True)
    path = bench.save("a.xbp", made)
    code, _, found = bench.run(programmer, "--formed", path)
    assert code == 0 and readback.verify(made, found).passed and pulse_counts(made)["FORM"] == 0
    code, errors, _ = bench.run(programmer, path)
    assert code == 3 and "another state" in errors


def test_a_program_for_another_chip_is_refused(programmer, bench):
    path = bench.save("a.xbp", bench.program())
    bench.map_S[0, 0, 0] += 1e-9
    np.save(bench.folder / "map.npy", bench.map_S)
    code, errors, found = bench.run(programmer, path)
    assert code == 3 and "refused: CHIP" in errors and found is None


@pytest.mark.parametrize(
    "change, why",
    [
        ({"kind": 1, "row_mV": 9000}, "line voltage"),
        ({"kind": 3, "row_mV": -4400, "col_mV": 400}, "cell voltage"),
        ({"kind": 4, "row_mV": 2000}, "cell voltage"),
        ({"kind": 4, "row_mV": 4400, "col_mV": 4400}, "half-selected"),
        ({"kind": 4, "row_mV": 4400, "col_mV": 4400, "floating": 7}, "half-selected"),
        ({"kind": 4, "row_mV": -150, "col_mV": 301}, "cell voltage"),
        ({"kind": 4, "row_mV": 310, "col_mV": 20}, "half-selected"),
        ({"kind": 2, "row_mV": 4400, "col_mV": 2400}, "half-selected"),
        ({"kind": 2, "row_mV": 4400, "col_mV": 2400, "floating": 1}, "half-selected"),
        ({"kind": 3, "row_mV": 2600, "col_mV": 4400, "floating": 2}, "half-selected"),
        ({"kind": 2, "row_step_mV": 100, "row_to_mV": 9000}, "line voltage"),
        ({"kind": 2, "row_step_mV": 100, "row_to_mV": 4400}, "cell voltage"),
        ({"kind": 2, "col_step_mV": 100, "col_to_mV": 4200, "row_mV": 2000}, "half-selected"),
        ({"kind": 2, "drive": 1, "compliance_nA": 60_000, "budget_nA": 4_000_000_000}, "current"),
        ({"kind": 2, "settle_ns": 2_000_000_000}, "pulse longer"),
        ({"kind": 2, "max_pulses": 60000}, "more pulses"),
        ({"kind": 2, "width_ns": 2_000_000_000}, "pulse longer"),
        ({"kind": 2, "compliance_nA": 4_000_000_000}, "current"),
    ],
)
def test_a_hostile_but_well_formed_file_meets_the_compiled_limits(programmer, bench, change, why):
    made = bench.program()
    recipes = recipes_with(made, **change)
    hostile = type(made)(**dict(vars(made), recipes=recipes))
    code, errors, found = bench.run(programmer, bench.save("a.xbp", hostile))
    assert code == 3 and "SINK" in errors and why in errors and found is None


def test_lines_beyond_the_cell_limit_are_fine_where_the_unselected_lines_float(programmer, bench):
    made = bench.program()
    floating = altered(made, recipes=recipes_with(made, 1, row_mV=4400, col_mV=600, floating=2))
    floating = altered(floating, recipes=recipes_with(floating, 3, row_mV=2400, col_mV=4400, floating=1))
    code, _, found = bench.run(programmer, bench.save("a.xbp", floating))
    assert code == 0 and readback.verify(made, found).passed


@pytest.mark.parametrize("reads, width_ns, fits", [(1, 50, True), (1, 9_000_000, True), (100, 9_000_000, False)])
def test_the_time_limit_counts_the_reads_that_verify(programmer, bench, reads, width_ns, fits):
    made = bench.program()  # 20,000 cells get up to 10 RESET pulses: 9 ms of reading after each take half an hour
    slow = altered(made, recipes=recipes_with(made, 4, max_pulses=reads, width_ns=width_ns))
    code, errors, _ = bench.run(programmer, bench.save("a.xbp", slow))
    assert code == (0 if fits else 3) and ("longer than the limit" in errors) != fits


def test_endless_passes_meet_the_limit_per_cell(programmer, bench):
    made = bench.program()
    tiles = tuple(
        type(tile)(**dict(vars(tile), passes=tile.passes + tile.passes[-1:] * 200)) if tile.number == 2 else tile
        for tile in made.tiles
    )
    code, errors, _ = bench.run(programmer, bench.save("a.xbp", type(made)(**dict(vars(made), tiles=tiles))))
    assert code == 3 and "more pulses into one cell" in errors


@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "not a .npy file"),
        (b"\x93NUMPY\x09\x00v\x00", "not a .npy file"),
        (np.zeros((2, 2), np.int64), "little-endian floats"),
        (np.zeros(4), "expected the shape"),
        (np.zeros((2, 2, 2, 2)), "expected the shape"),
        (np.full((4, 4), 12.0), "the unit is siemens"),
        (np.full((4, 4), np.nan), "not finite"),
    ],
)
def test_a_map_that_is_none_is_named(programmer, bench, content, why):
    path = bench.save("a.xbp", bench.program())
    if isinstance(content, bytes):
        (bench.folder / "map.npy").write_bytes(content)
    else:
        np.save(bench.folder / "map.npy", content)
    code, errors, _ = bench.run(programmer, path)
    assert code == 2 and why in errors


def test_files_that_cannot_be_read_are_no_refusals(programmer, bench):
    for path, why in (("absent.xbp", "cannot be opened"), (".", "cannot be read")):
        code, errors, found = bench.run(programmer, str(bench.folder / path))
        assert code == 2 and why in errors and "refused" not in errors and found is None


@pytest.mark.parametrize("content", [None, "0 0\n", "0 0 600 stuck_on\n", "0 0 0 stuck\n", "0 0 0 stuck_on twice\n"])
def test_faults_that_are_none_are_named(programmer, bench, content):
    path = bench.folder / "faults.txt"
    path.mkdir() if content is None else path.write_text(content)
    code, errors, _ = bench.run(programmer, "--faults", str(path), bench.save("a.xbp", bench.program()))
    assert code == 2 and "expected lines of" in errors


def test_the_number_of_planted_faults_is_told(programmer, bench):
    (bench.folder / "faults.txt").write_text("0 1 2 stuck_on\n\n0 3 4 stuck_off\n")
    command = [*programmer, "--chip", str(bench.folder / "map.npy"), "--faults", str(bench.folder / "faults.txt")]
    done = subprocess.run(command + [bench.save("a.xbp", bench.program())], stdout=subprocess.PIPE)
    assert done.returncode == 1 and b"faults.txt: 2 faults planted" in done.stdout


def test_a_truncated_map_is_named(programmer, bench):
    path = bench.save("a.xbp", bench.program())
    whole = (bench.folder / "map.npy").read_bytes()
    (bench.folder / "map.npy").write_bytes(whole[:-3])
    code, errors, _ = bench.run(programmer, path)
    assert code == 2 and "ends too early" in errors

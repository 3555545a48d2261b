"""Synthetic lab files, delimiter x decimal mark x encoding x unit x marker: none is read as something else."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minirram.errors import DataError
from minirram.labfiles.dialect import Dialect
from minirram.labfiles.maps import KINDS, Policy, read_map

from .writing import BLANKS, DELIMITERS, ENCODINGS, MARKERS, UNITS, LabFile, written

TAKEN = Policy(*["unformed"] * 4)
WAYS = list(product(DELIMITERS, ".,", ENCODINGS, UNITS, MARKERS))


def cells(seed, shape=(4, 6), *, pristine=2):
    """Conductances about 12 uS; two of them are those of pristine cells."""
    cells_S = np.random.default_rng(seed).lognormal(np.log(12e-6), 0.3, shape)
    cells_S.flat[[3, -1][:pristine]] = 0.1e-6
    return cells_S


def outcome(path, cells_S, how, place=(0, 1), **options):
    """ "right", "refused", or "wrong" with what was read."""
    data, expected_S, kinds = written(cells_S, how, place)
    path.write_bytes(data)
    try:
        found = read_map(path, how.unit, policy=TAKEN, **options)
    except DataError as error:
        assert str(path) in str(error)
        return "refused", str(error)
    if how.layout == "column":
        expected_S, kinds = expected_S.reshape(-1, 1), kinds.reshape(-1, 1)
    same = found.conductances_S.shape == expected_S.shape
    same = same and np.allclose(found.conductances_S, expected_S, rtol=1e-12, atol=0)
    return ("right" if same and np.array_equal(np.array(KINDS)[found.kinds], kinds) else "wrong"), found.reading.line


def blank_of_spaces(how):
    """A blank cell between spaces cannot be written: its row is too short."""
    return how.marker == "" and how.delimiter == "space"


def checked(path, how, seed=0, **options):
    """The outcome of a way, which is right wherever the file says all."""
    result, told = outcome(path, cells(seed), how, **options)
    assert result == ("refused" if blank_of_spaces(how) else "right"), (how, told)
    return result


def test_a_table_of_files(tmp_path):
    """Every pair of properties that a file can have, in 120 files: none is read wrong, all are read."""
    drawn = np.random.default_rng(5).permutation(len(WAYS))[:120]
    ways = [LabFile(*WAYS[k]) for k in drawn]
    for name, values in zip(LabFile._fields, (DELIMITERS, ".,", ENCODINGS, UNITS, MARKERS)):
        assert {getattr(how, name) for how in ways} == set(values)
    results = [checked(tmp_path / "lab.csv", how, seed) for seed, how in enumerate(ways)]
    assert results.count("right") >= 110


@pytest.mark.slow
def test_a_longer_table(tmp_path):
    for seed, way in enumerate(WAYS[::3]):
        for layout, header, ends in (("grid", False, "\n"), ("list", True, "\r\n"), ("grid", True, "\r")):
            checked(tmp_path / "lab.txt", LabFile(*way, layout, header, ends), seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ways")


FILES = st.builds(
    LabFile,
    delimiter=st.sampled_from(sorted(DELIMITERS)),
    decimal=st.sampled_from(".,"),
    encoding=st.sampled_from(ENCODINGS),
    unit=st.sampled_from(sorted(UNITS)),
    marker=st.sampled_from(MARKERS),
    layout=st.sampled_from(("grid", "column", "list")),
    header=st.booleans(),
    ends=st.sampled_from(("\n", "\r\n", "\r")),
    digits=st.integers(0, 9),
).filter(lambda how: not blank_of_spaces(how))


@given(FILES, st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
@example(LabFile("comma", ",", unit="nS", layout="column", digits=0), 0, 4, 6)
@example(LabFile("space", ",", unit="kOhm", digits=3), 0, 4, 6)
def test_any_file_is_read_right_or_refused(folder, how, seed, rows, cols):
    """Digits, sizes and layouts at random; where digits leave open what a mark means, the file is refused."""
    result, told = outcome(folder / "lab.tsv", cells(seed, (rows, cols), pristine=0), how, (0, cols - 1))
    assert result in ("right", "refused"), (how, told)


@pytest.mark.slow
@given(FILES, st.integers(0, 2**31), st.integers(1, 8), st.integers(1, 8))
@settings(max_examples=3000, deadline=None)
def test_very_many_files(folder, how, seed, rows, cols):
    result, told = outcome(folder / "lab.csv", cells(seed, (rows, cols), pristine=0), how, (rows - 1, 0))
    assert result in ("right", "refused"), (how, told)


def test_what_a_decimal_mark_leaves_open_is_read_when_it_is_stated(tmp_path):
    for digits, marker in product((1, 2, 3), ("none", *BLANKS)):
        how = LabFile("semicolon", ",", marker=marker, layout="column", digits=digits)
        result, told = outcome(tmp_path / "lab.csv", cells(0) * 10, how, dialect=Dialect(decimal="comma"))
        assert result == "right", told

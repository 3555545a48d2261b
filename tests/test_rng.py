"""Named streams: independent of order, different by name."""

import zlib

import numpy as np
import pytest
from numpy.random import SFC64, Generator, SeedSequence

from minirram.rng import stream


def test_same_name_same_numbers_whatever_happens_between():
    first = stream(7, "macro", 3, "form").random(5)
    stream(7, "another").random(100)
    assert (stream(7, "macro", 3, "form").random(5) == first).all()


def test_names_and_seeds_give_different_streams():
    names = (("a",), ("b",), ("a", 0), ("a", 1), ())
    draws = [tuple(stream(seed, *name).random(2)) for seed in (0, 1) for name in names]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize("part", [-1, 2**32])
def test_integers_out_of_range_are_refused(part):
    with pytest.raises(ValueError, match="0..2"):
        stream(0, part)


@pytest.mark.parametrize("seed", [0, 1, 7, 2**32 - 1, 2**32, 2**64 + 5, 2**128 - 1, 2**160 + 3, np.int64(9)])
@pytest.mark.parametrize(
    "name", [(), ("a",), (0,), ("read", 3, 0, 64, 17, 0, 6, 64, 256), (2**32 - 1, np.int64(4), "b")]
)
def test_a_stream_is_numpys_of_that_seed_and_name(seed, name):
    key = tuple(zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in name)
    numpys = Generator(SFC64(SeedSequence(entropy=int(seed), spawn_key=key)))
    assert np.array_equal(stream(seed, *name).integers(0, 2**63, 9), numpys.integers(0, 2**63, 9))


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="0 or more"):
        stream(-1, "a")

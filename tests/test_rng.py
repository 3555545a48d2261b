"""Named streams: independent of order, different by name."""

import pytest

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

"""Named random streams: one seed and a name per consumer, so that a new consumer never shifts another's numbers."""

import zlib
from typing import Union

import numpy as np
from numpy.random import SFC64, Generator, SeedSequence

Part = Union[str, int]
"""of a stream's name: text, or an integer 0..2**32-1"""
SEED_WORDS = 4
"""of a `SeedSequence`, before its `spawn_key`: as one array they take a sixth of the time of a number and a key"""


def _key(part: Part) -> int:
    """One 32-bit word for a part of a stream's name: integers as they are, text through CRC-32."""
    if isinstance(part, str):
        return zlib.crc32(part.encode("utf-8"))
    value = int(part)
    if not 0 <= value < 2**32:
        raise ValueError(f"a stream's name takes text and integers 0..2**32-1, not {part!r}")
    return value


def stream(seed: int, *name: Part) -> Generator:
    """A `numpy.random.Generator` of its own for (seed, name), e.g. `stream(7, "macro", 3, "form")`.

    seed: non-negative integer. name: text or integers 0..2**32-1. The same arguments give the same numbers on one
    platform and NumPy build; no other order of creation or use changes them.
    """
    seed = int(seed)
    if seed < 0:
        raise ValueError(f"the seed of a stream is 0 or more, not {seed}")
    words = [seed >> bit & 0xFFFFFFFF for bit in range(0, max(seed.bit_length(), 1), 32)]
    words += [0] * (SEED_WORDS - len(words))
    words += map(_key, name)
    return Generator(SFC64(SeedSequence(np.array(words, np.uint32))))

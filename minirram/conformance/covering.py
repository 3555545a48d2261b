"""Cases that cover a `Spec`: every bit width, the borders of tiles and the largest sizes come up, whatever the seed.

What is drawn freely beside them may leave a bit width out: a shrinking search prefers simple cases.
"""

from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .cases import MOST_CELLS, MOST_PRODUCTS, PAPER_ROWS, Problem, Spec, Violation, within_budget

TRIES = 60
"""smaller cases that are tried after a failure"""
_SMALLEST = (("rows", 1), ("pairs", 1), ("batch", 1), ("fraction_bits", 0))


def cover(spec: Spec, count: int, seed: int) -> Iterator[Problem]:
    """`count` problems: each list of values is gone through in a random order, again and again."""
    random = np.random.default_rng(seed)
    lists = (
        _sizes(spec.tile_rows, spec.max_rows, PAPER_ROWS),
        _sizes(spec.tile_pairs, spec.max_pairs, ()),
        sorted({size for size in (1, 2, 3, 51, 64, 128, 256, spec.max_batch) if size <= spec.max_batch}),
        list(spec.input_bits),
        list(spec.adc_bits),
        list(range(13)),
    )
    columns = [_in_turn(random, values, count) for values in lists]
    for k, (rows, pairs, batch, input_bits, adc_bits, fraction_bits) in enumerate(zip(*columns)):
        if k % 2:  # what is too large to try has fewer rows here, fewer pairs else
            rows = min(rows, max(1, MOST_CELLS // pairs))
        if k % 4 > 1:  # and fewer pairs instead of fewer samples
            pairs = min(pairs, max(1, MOST_PRODUCTS // (rows * batch * input_bits)))
        if k % 8 == 5:  # square: what takes rows for columns, or samples for either, fits
            rows = pairs = batch = min(rows, spec.max_pairs, spec.max_batch, 100)
        own = int(random.integers(2**32))
        yield within_budget(Problem(rows, pairs, batch, input_bits, adc_bits, fraction_bits, own))


def _sizes(tile: int, largest: int, others: Sequence[int]) -> List[int]:
    """Of one and more tiles, a remainder, half of the tiles, and the largest."""
    half = (largest // tile + 1) // 2 * tile
    sizes = {1, 2, tile - 1, tile, tile + 1, 2 * tile + 3, 3 * tile - 1, half, largest - 1, largest, *others}
    return sorted(size for size in sizes if 1 <= size <= largest)


def _in_turn(random: np.random.Generator, values: Sequence[int], count: int) -> List[int]:
    rounds = [random.permutation(list(values)) for _ in range(-(-count // len(values)))]
    return [int(value) for value in np.concatenate(rounds)[:count]]


def breaks(problem: Problem, law: Callable[[Problem], None]) -> bool:
    """Whether a problem breaks the law."""
    return _violation(problem, law) is not None


def shrunk(problem: Problem, law: Callable[[Problem], None]) -> Tuple[Problem, Violation]:
    """The smallest problem found that breaks the law as this one does, and how; Violation where this one passes now."""
    first = _violation(problem, law)
    if first is None:
        raise Violation("a case that failed passed when it was repeated: the device is not deterministic")
    best, tries, smaller = (problem, first), 0, True
    while smaller and tries < TRIES:
        smaller = False
        for field, low in _SMALLEST:
            value = getattr(best[0], field)
            for candidate in sorted({low, (low + value) // 2, value - 1} - {value}):
                if candidate < low or tries >= TRIES:
                    continue
                tries += 1
                found = _violation(best[0]._replace(**{field: candidate}), law)
                if found is not None:
                    best, smaller = (best[0]._replace(**{field: candidate}), found), True
                    break
    return best


def _violation(problem: Problem, law: Callable[[Problem], None]) -> Optional[Violation]:
    try:
        law(problem)
    except Violation as violation:
        return violation
    return None

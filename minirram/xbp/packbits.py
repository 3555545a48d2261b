"""PackBits run-length coding of many payloads at once: one canonical encoding, and a decoder that trusts nothing.

A token byte c < 128 is followed by c + 1 literal bytes, c > 128 by one byte to repeat 257 - c times; c = 128 is
illegal. The canonical encoding: each maximal run of equal bytes is cut into pieces of 128 from its start; a piece of
3 or more, or of 2 at the end of the payload, is a repeat token; everything else is literal, in tokens of 128 and a
remainder.
"""

from typing import List, Optional, Sequence, Tuple

import numpy as np

_LONGEST = 128  # bytes that one token stands for
_ILLEGAL = 128  # the token byte without a meaning
_GROUP = 96  # payloads that are expanded at a time: they stay in the cache

_BYTE = np.arange(256)
_TOKEN_SIZE = np.where(_BYTE < _ILLEGAL, _BYTE + 2, 2).astype(np.intp)
_TOKEN_SIZE[_ILLEGAL] = 1 << 20  # past the end of any payload
_TOKEN_COUNT = np.where(_BYTE < _ILLEGAL, _BYTE + 1, 257 - _BYTE).astype(np.intp)


def encode(data: np.ndarray, lengths: Sequence[int]) -> Tuple[np.ndarray, np.ndarray]:
    """Canonical PackBits of consecutive payloads.

    data: uint8 (n,), all payloads one after the other; lengths: their sizes, each >= 1, summing to n.
    Returns (stored, ends): uint8 (m,) all encodings one after the other, int64 end of each one in it.
    """
    ends = np.cumsum(np.asarray(lengths, np.intp))
    return _encoded(data, ends, *_repeats(data, ends))


def encode_shorter(data: np.ndarray, lengths: Sequence[int]) -> List[Optional[bytes]]:
    """The canonical encodings that are smaller than their payloads, None in place of the others; as of `encode`."""
    size = np.asarray(lengths, np.intp)
    ends = np.cumsum(size)
    start, end, repeated = _repeats(data, ends)
    # No encoding is smaller than two bytes a run, its literals and a token for each 128 of them. Most maps of random
    # bits have no run that pays: they need no encoding.
    runs = np.searchsorted(start, np.concatenate(([0], ends)))
    literals = size - np.diff(np.concatenate(([0], np.cumsum(end - start)))[runs])
    if not np.any(2 * np.diff(runs) + literals + (literals + _LONGEST - 1) // _LONGEST < size):
        return [None] * len(size)
    stored, stops = _encoded(data, ends, start, end, repeated)
    text, stops = stored.tobytes(), stops.tolist()
    return [text[k:stop] if stop - k < n else None for k, stop, n in zip([0] + stops, stops, size.tolist())]


def _encoded(
    data: np.ndarray, ends: np.ndarray, start: np.ndarray, end: np.ndarray, repeated: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """What `encode` returns; start, end and repeated as of `_repeats`."""
    # The end of a payload is an item too, of no bytes: before every item lies a gap of literals.
    last = np.searchsorted(start, ends)
    start, end = np.insert(start, last, ends), np.insert(end, last, ends)
    payload_ends = last + np.arange(len(ends))
    size: np.ndarray = np.full(len(start), 2, np.intp)
    size[payload_ends] = 0
    gap = start.copy()
    gap[1:] -= end[:-1]
    tokens = (gap + (_LONGEST - 1)) >> 7
    stored_end = np.cumsum(gap + tokens + size)

    stored = np.empty(stored_end[-1], np.uint8)
    literal: np.ndarray = np.ones(len(stored), bool)
    run = size > 0
    position = stored_end[run] - 2
    stored[position], stored[position + 1] = 257 - (end - start)[run], data[start[run]]
    literal[position] = literal[position + 1] = False

    position = stored_end - size - gap - tokens
    if len(tokens) and tokens.max() > 1:
        nth = np.arange(tokens.sum()) - np.repeat(np.cumsum(tokens) - tokens, tokens)
        position = np.repeat(position, tokens) + nth * (_LONGEST + 1)
        gap = np.repeat(gap, tokens) - nth * _LONGEST
    else:
        some = gap > 0
        position, gap = position[some], gap[some]
    stored[position] = np.minimum(gap, _LONGEST) - 1
    literal[position] = False
    stored[np.flatnonzero(literal)] = data.take(np.flatnonzero(~repeated))  # twice as fast as with bool maps
    return stored, stored_end[payload_ends]


def _repeats(data: np.ndarray, ends: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and end of every repeat token of the canonical encoding, and bool (n,): the bytes that they stand for."""
    n = len(data)
    same: np.ndarray = np.zeros(n + 2, bool)  # byte i equals byte i - 1 of the same payload
    np.equal(data[1:], data[:-1], out=same[1:n])
    same[ends] = False
    three = same[1:-1] & same[2:]  # the bytes i, i + 1 and i + 2 are equal
    begins = three & ~same[:-2]
    stops: np.ndarray = np.zeros(n + 1, bool)
    repeated = three.copy()
    repeated[1:] |= three[:-1]
    repeated[2:] |= three[:-2]
    np.logical_and(repeated, ~same[1:-1], out=stops[1:])  # the last byte of a run of three or more
    pairs = ends[same[ends - 1]]
    pairs = pairs[~same[pairs - 2]]  # a run of exactly two at the end of a payload
    begins[pairs - 2] = stops[pairs] = repeated[pairs - 2] = repeated[pairs - 1] = True
    start, end = np.flatnonzero(begins), np.flatnonzero(stops)
    length = end - start
    if len(length) and length.max() > _LONGEST:
        start, end = _cut(start, end, ends, repeated)
    return start, end, repeated


def _cut(start: np.ndarray, end: np.ndarray, ends: np.ndarray, repeated: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Runs in pieces of 128; what is left over and too short goes back to the literals."""
    pieces = (end - start + _LONGEST - 1) // _LONGEST
    nth = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = np.repeat(start, pieces) + nth * _LONGEST
    end = np.minimum(np.repeat(end, pieces), start + _LONGEST)
    length = end - start
    short = (length < 2) | ((length == 2) & ~np.isin(end, ends))
    for offset in range(2):
        repeated[start[short & (length > offset)] + offset] = False
    return start[~short], end[~short]


def decode(stored: Sequence[bytes], lengths: Sequence[int]) -> List[Optional[bytes]]:
    """Decode payloads: stored, a list of bytes; lengths, the exact decoded sizes. Returns a list of bytes.

    An entry is None where the encoding is not valid: illegal token, input that ends inside a token, or another size.
    """
    sizes = np.array([len(one) for one in stored], np.intp)
    data = np.frombuffer(b"".join(stored), np.uint8)
    ends = np.cumsum(sizes)
    literal, stops = _walk(data, ends - sizes, ends)
    whole = stops == ends
    if not whole.all():
        kept = np.flatnonzero(whole).tolist()
        alone = iter(decode([stored[k] for k in kept], [lengths[k] for k in kept]) if kept else ())
        return [next(alone) if good else None for good in whole]
    decoded: List[bytes] = []
    for k in range(0, len(stored), _GROUP):
        first, last = ends[k] - sizes[k], ends[k : k + _GROUP][-1]
        decoded += _expand(data[first:last], literal[first:last], ends[k : k + _GROUP] - first)
    return [one if len(one) == length else None for one, length in zip(decoded, lengths)]


def _expand(data: np.ndarray, literal: np.ndarray, ends: np.ndarray) -> List[bytes]:
    """The payloads of encodings that are whole; literal as of `_walk`."""
    tokens = np.flatnonzero(~literal)
    token: np.ndarray = data.take(tokens)
    run = np.flatnonzero(token > _ILLEGAL)
    times = _TOKEN_COUNT.take(token.take(run))
    total = np.concatenate(([0], np.cumsum(times)))
    repeated = tokens.take(run) + 1
    literal[repeated] = False
    copied = np.flatnonzero(literal)
    # A run moves the literal bytes behind it; of several runs between two of them the last one counts.
    before = repeated - 1 - run - np.arange(len(run))  # literal bytes before each run
    moved: np.ndarray = np.zeros(len(copied) + 1, np.intp)
    moved[before] = total[1:]
    np.maximum.accumulate(moved, out=moved)
    out: np.ndarray = np.zeros(len(copied) + total[-1], np.uint8)
    out[np.arange(len(copied)) + moved[:-1]] = data.take(copied)
    value: np.ndarray = data.take(repeated)
    some = np.flatnonzero(value)  # most runs of real maps are zeros, and stand there
    if len(some):
        n = times.take(some)
        out[_places((before + total[:-1]).take(some), n)] = np.repeat(value.take(some), n)
    text = out.tobytes()
    stops = (np.searchsorted(copied, ends) + total[np.searchsorted(repeated, ends)]).tolist()
    return [text[start:stop] for start, stop in zip([0] + stops, stops)]


def _places(start: np.ndarray, count: np.ndarray) -> np.ndarray:
    """intp (count.sum(),): start[0], start[0] + 1 .. start[0] + count[0] - 1, start[1] and on."""
    ends = np.cumsum(count)
    places: np.ndarray = np.repeat(start - ends + count, count)
    places += np.arange(len(places))
    return places


def _walk(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(False where a token byte lies, where each payload's chain of tokens stops); all payloads walk in step."""
    literal: np.ndarray = np.ones(len(data), bool)
    stops = starts.copy()
    alive = np.flatnonzero(starts < ends)
    at, end = starts[alive], ends[alive]
    while len(alive):
        literal[at] = False
        at = at + _TOKEN_SIZE.take(data.take(at))
        going = at < end
        if np.count_nonzero(going) < len(going):
            stops[alive[~going]] = at[~going]
            alive, at, end = alive[going], at[going], end[going]
    return literal, stops

"""PackBits run-length coding of many payloads at once: one canonical encoding, and a decoder that trusts nothing.

A token byte c < 128 is followed by c + 1 literal bytes, c > 128 by one byte to repeat 257 - c times; c = 128 is
illegal. The canonical encoding: each maximal run of equal bytes is cut into pieces of 128 from its start; a piece of
3 or more, or of 2 at the end of the payload, is a repeat token; everything else is literal, in tokens of 128 and a
remainder.
"""

import numpy as np

_LONGEST = 128  # bytes that one token stands for
_ILLEGAL = 128  # the token byte without a meaning

_BYTE = np.arange(256)
_TOKEN_SIZE = np.where(_BYTE < _ILLEGAL, _BYTE + 2, 2).astype(np.int32)
_TOKEN_SIZE[_ILLEGAL] = 1 << 20  # past the end of any payload
_TOKEN_COUNT = np.where(_BYTE < _ILLEGAL, _BYTE + 1, 257 - _BYTE).astype(np.int32)


def encode(data, lengths):
    """Canonical PackBits of consecutive payloads.

    data: uint8 (n,), all payloads one after the other; lengths: their sizes, each >= 1, summing to n.
    Returns (stored, ends): uint8 (m,) all encodings one after the other, int64 end of each one in it.
    """
    ends = np.cumsum(np.asarray(lengths, np.int64))
    starts = ends - lengths
    run_start, run_length = _repeats(data, starts, ends)
    n_run, n_payload = len(run_start), len(ends)

    # Segments in order: for every repeat token the literals before it, then itself; at a payload's end the rest.
    payload = np.searchsorted(ends, run_start, side="right")
    runs_before = np.searchsorted(run_start, ends)
    slot_run = 2 * np.arange(n_run) + payload + 1
    slot_tail = 2 * runs_before + np.arange(n_payload)
    segment_end: np.ndarray = np.empty(2 * n_run + n_payload, np.int64)
    segment_end[slot_run - 1], segment_end[slot_run], segment_end[slot_tail] = run_start, run_start + run_length, ends
    length = np.diff(segment_end, prepend=0)
    is_run: np.ndarray = np.zeros(len(length), bool)
    is_run[slot_run] = True
    n_tokens = -(-length // _LONGEST)  # of a literal segment; a repeat segment is always one token
    stored_end = np.cumsum(np.where(is_run, 2, length + n_tokens))

    stored = np.empty(stored_end[-1], np.uint8)
    literal: np.ndarray = np.ones(len(stored), bool)
    position = stored_end[slot_run] - 2
    stored[position], stored[position + 1] = 257 - run_length, data[run_start]
    literal[position] = literal[position + 1] = False

    n_tokens[is_run] = 0
    nth = np.arange(n_tokens.sum()) - np.repeat(np.cumsum(n_tokens) - n_tokens, n_tokens)
    position = np.repeat(stored_end - length - n_tokens, n_tokens) + nth * (_LONGEST + 1)
    stored[position] = np.minimum(np.repeat(length, n_tokens) - nth * _LONGEST, _LONGEST) - 1
    literal[position] = False
    stored[literal] = data[np.repeat(~is_run, length)]
    return stored, stored_end[slot_tail]


def _repeats(data, starts, ends):
    """(start, length) of every repeat token of the canonical encoding."""
    same: np.ndarray = np.zeros(len(data) + 1, bool)  # byte i equals byte i - 1 of the same payload
    np.equal(data[1:], data[:-1], out=same[1:-1])
    same[starts] = False
    at_end: np.ndarray = np.zeros(len(data) + 1, bool)
    at_end[ends] = True
    start = np.flatnonzero(same[1:] & ~same[:-1])
    end = np.flatnonzero(same[:-1] & ~same[1:]) + 1
    pieces = (end - start + _LONGEST - 1) // _LONGEST
    last = end - start - _LONGEST * (pieces - 1)
    pieces -= (last < 2) | ((last == 2) & ~at_end[end])
    worth = pieces > 0
    start, end, pieces = start[worth], end[worth], pieces[worth]
    nth = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = np.repeat(start, pieces) + nth * _LONGEST
    return start, np.minimum(np.repeat(end, pieces) - start, _LONGEST)


def decode(stored, lengths):
    """Decode payloads: stored, a list of bytes; lengths, the exact decoded sizes. Returns a list of bytes.

    An entry is None where the encoding is not valid: illegal token, input that ends inside a token, or another size.
    """
    if not stored:
        return []
    sizes = np.array([len(one) for one in stored], np.int64)
    wanted = np.asarray(lengths, np.int64)
    data = np.frombuffer(b"".join(stored), np.uint8)
    ends = np.cumsum(sizes)
    is_token, stops = _tokens(data, ends - sizes, ends)
    tokens = np.flatnonzero(is_token)
    counted = np.concatenate(([0], np.cumsum(_TOKEN_COUNT[data[tokens]], dtype=np.int64)))
    last, first = np.searchsorted(tokens, ends), np.searchsorted(tokens, ends - sizes)
    good = (stops == ends) & (counted[last] - counted[first] == wanted)
    if not good.all():
        kept = np.flatnonzero(good)
        decoded = iter(decode([stored[k] for k in kept], wanted[kept]))
        return [next(decoded) if ok else None for ok in good]

    token = data[tokens]
    is_repeat = token > _ILLEGAL
    repeats = tokens[is_repeat]
    literal: np.ndarray = np.ones(len(data), bool)
    literal[tokens] = False
    literal[repeats + 1] = False
    count = _TOKEN_COUNT[token]
    from_literal: np.ndarray = np.repeat(~is_repeat, count)
    out = np.empty(len(from_literal), np.uint8)
    out[from_literal] = data[literal]
    out[~from_literal] = np.repeat(data[repeats + 1], count[is_repeat])
    out, ends = out.tobytes(), np.cumsum(wanted).tolist()
    return [out[start:end] for start, end in zip([0] + ends[:-1], ends)]


def _tokens(data, starts, ends):
    """(True where a token byte lies, where each payload's chain of tokens stops); all payloads walk in step."""
    is_token: np.ndarray = np.zeros(len(data), bool)
    stops = starts.copy()
    alive = np.flatnonzero(starts < ends)
    at, end = starts[alive], ends[alive]
    while len(alive):
        is_token[at] = True
        at = at + _TOKEN_SIZE[data[at]]
        going = at < end
        if not going.all():
            stops[alive[~going]] = at[~going]
            alive, at, end = alive[going], at[going], end[going]
    return is_token, stops

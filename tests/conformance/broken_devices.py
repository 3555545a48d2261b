"""Broken devices, each one line of difference from `good_device.Device`: what the kit must find."""

import runpy
import tempfile
from pathlib import Path

GOOD = Path(__file__).with_name("good_device.py")

SUM = "current = plane @ (self.plus[tile, cols] - self.minus[tile, cols])"
CODE = "code = np.rint(current / self.lsb)"
COUNT = "saturated += np.count_nonzero(np.abs(code) > self.top)"
ADD = "y[chunk, cols] += 2**b * np.clip(code, -self.top, self.top).astype(np.int64)"
PLANE = "plane = ((codes[chunk, tile] >> b) & 1).astype(np.float64)"
LSB = "self.lsb = range_A / self.top / (GRID_S * READ_V)"
TOP = "self.top = 2 ** (adc_bits - 1) - 1"
PLUS = "self.plus = np.rint(plus_S / GRID_S)"
MINUS = "self.minus = np.rint(minus_S / GRID_S)"
RETURN = "        return y, saturated"
NORMALS = "normals = self.generator.standard_normal(variance.shape)"
VARIANCE = "variance = plane @ (self.plus[tile, cols] ** 2 + self.minus[tile, cols] ** 2)"
NOISE = "return READ_NOISE * np.sqrt(variance) * normals"

EXACT = {
    # shapes and remainders
    "last rows dropped": ("range(0, codes.shape[1], TILE_ROWS)", "range(0, codes.shape[1] // 16 * 16 or 1, TILE_ROWS)"),
    "a remainder of one row is dropped": (SUM, "plane *= plane.shape[1] > 1; " + SUM),
    "a remainder of 5 rows is shifted": (SUM, SUM.replace("plane @", "(np.roll(plane, plane.shape[1] == 5, 1)) @")),
    "no more than 4 row tiles": ("range(0, codes.shape[1], TILE_ROWS)", "range(0, min(codes.shape[1], 64), TILE_ROWS)"),
    "tile 6 gets the cells of tile 5": (
        SUM,
        SUM.replace("self.plus[tile, cols]", "np.roll(self.plus, 16 * (row == 96), 0)[tile, cols]"),
    ),
    "last pairs dropped": ("range(0, y.shape[1], TILE_PAIRS)", "range(0, y.shape[1] // 8 * 8 or 1, TILE_PAIRS)"),
    "no more than 3 column tiles": ("range(0, y.shape[1], TILE_PAIRS)", "range(0, min(y.shape[1], 24), TILE_PAIRS)"),
    "tiles of 17 rows": ("TILE_ROWS, TILE_PAIRS, CHUNK = 16, 8, 50", "TILE_ROWS, TILE_PAIRS, CHUNK = 17, 8, 50"),
    "one conversion for all tiles": (
        "TILE_ROWS, TILE_PAIRS, CHUNK = 16, 8, 50",
        "TILE_ROWS, TILE_PAIRS, CHUNK = 10**6, 8, 50",
    ),
    # batches
    "an odd last sample is dropped": ("range(0, len(codes), CHUNK)", "range(0, max(1, len(codes) // 50 * 50), CHUNK)"),
    "sample 256 and later are zero": (RETURN, "        y[256:] = 0\n" + RETURN),
    "the last of an odd batch repeats the first": (
        RETURN,
        "        y[-1] = y[0] if len(y) % 2 and len(y) > 8 else y[-1]\n" + RETURN,
    ),
    "batches of 100 and more are reversed": (RETURN, "        y = y[::-1] if len(y) >= 100 else y\n" + RETURN),
    "the range of the largest sample": (
        CODE,
        CODE.replace("self.lsb", "(self.lsb * np.clip(np.abs(current).max() / self.top / self.lsb, 0.1, 1))"),
    ),
    # conversion
    "a rounded LSB": (LSB, LSB + "; self.lsb = max(1.0, np.rint(self.lsb))"),
    "an LSB of four digits": (LSB, LSB + "; self.lsb = float('%.4g' % self.lsb)"),
    "LSB over M + 1": (LSB, LSB.replace("self.top", "(self.top + 1)")),
    "truncation instead of rounding": (CODE, CODE.replace("np.rint", "np.trunc")),
    "rounding down": (CODE, CODE.replace("np.rint", "np.floor")),
    "a zero half an LSB off": (CODE, CODE.replace("self.lsb)", "self.lsb + 0.51)")),
    "a zero a hundredth of an LSB off": (CODE, CODE.replace("self.lsb)", "self.lsb + 0.01)")),
    "one conversion for all planes": (
        PLANE,
        PLANE.replace("((codes[chunk, tile] >> b) & 1)", "(codes[chunk, tile] * (b == 0))"),
    ),
    "sign lost": (CODE, CODE.replace("current /", "np.abs(current) /")),
    "a gain of 1.001": (CODE, CODE.replace("current /", "1.001 * current /")),
    "quotients in half precision": (CODE, "code = np.rint((current / self.lsb).astype(np.float16).astype(np.float64))"),
    "M is 2^(N-1)": (ADD, ADD.replace("self.top)", "self.top + 1)")),
    "the negative limit is -M - 1": (ADD, ADD.replace("-self.top", "-self.top - 1")),
    "codes wrap": (
        ADD,
        ADD.replace("np.clip(code, -self.top, self.top)", "((code + self.top) % (2 * self.top + 1) - self.top)"),
    ),
    "12 bits and more convert with 11": (TOP, "self.top = 2 ** (min(adc_bits, 11) - 1) - 1"),
    "19 bits are 18": (TOP, "self.top = 2 ** (adc_bits - 1 - (adc_bits == 19)) - 1"),
    # inputs and planes
    "plane weights off by one": (ADD, ADD.replace("2**b", "2 ** (b + 1)")),
    "5 input bits are 4": ("self.input_bits = input_bits", "self.input_bits = input_bits - (input_bits == 5)"),
    "at most 7 planes": ("self.input_bits = input_bits", "self.input_bits = min(input_bits, 7)"),
    "codes of 255 are signed": (
        PLANE,
        PLANE.replace("codes[chunk, tile] >> b", "np.where(codes == 255, 0, codes)[chunk, tile] >> b"),
    ),
    "the first row is never driven": (SUM, "plane[:, 0] *= row > 0; " + SUM),
    "row 13 of a tile is dead": (SUM, "plane[:, 13:14] = 0; " + SUM),
    "pair 21 is dead": (RETURN, "        y[:, 21:22] = 0\n" + RETURN),
    "neighbouring pairs exchanged beyond 30": (RETURN, "        y[:, 30:32] = y[:, 30:32][:, ::-1]\n" + RETURN),
    "the driven rows load each other": (
        CODE,
        CODE.replace("current /", "current * (1 - 1e-4 * plane.sum(axis=1, keepdims=True)) /"),
    ),
    # cells
    "G- clipped at 32000": (MINUS, "self.minus = np.minimum(np.rint(minus_S / GRID_S), 32000)"),
    "cells on a grid of 2 nS": (PLUS, "self.plus = 2 * np.rint(plus_S / GRID_S / 2)"),
    "G+ and G- exchanged in the second column tile": (SUM, SUM.replace("plane @", "(1 - 2 * (pair == 8)) * plane @")),
    "off cells conduct 1 nS": (PLUS, "self.plus = np.maximum(np.rint(plus_S / GRID_S), 1)"),
    "conductances kept from the device before": (
        PLUS,
        PLUS + "; self.plus = MEMORY.setdefault(self.plus.shape, self.plus)",
    ),
    # counters
    "saturation not counted": (COUNT, "saturated += 0"),
    "only positive saturation counted": (COUNT, COUNT.replace("np.abs(code)", "code")),
    "codes at M counted": (COUNT, COUNT.replace("> self.top", ">= self.top")),
    "samples instead of conversions counted": (
        COUNT,
        COUNT.replace("np.abs(code) > self.top", "(np.abs(code) > self.top).any(axis=1)"),
    ),
    "saturation counted over all calls": (
        RETURN,
        "        self.total = saturated = getattr(self, 'total', 0) + saturated\n" + RETURN,
    ),
    "a counter of 16 bits": (RETURN, "        saturated &= 0xFFFF\n" + RETURN),
    "a counter of 8 bits": (RETURN, "        saturated &= 0xFF\n" + RETURN),
    "only the last plane counted": (COUNT, COUNT.replace("saturated +=", "saturated += (b == self.input_bits - 1) *")),
    # state
    "sums in 32 bits": (RETURN, "        y = y.astype(np.int32)\n" + RETURN),
    "sums in 32 bits from the third sample on": (RETURN, "        y[2:] = y[2:].astype(np.int32)\n" + RETURN),
    "sums in float32 in batches of more than 100": (
        RETURN,
        "        y = y.astype(np.float32 if len(y) > 100 else np.int64).astype(np.int64)\n" + RETURN,
    ),
    "results of the call before added": (
        RETURN,
        "        self.sum = y = y + (self.calls > 2) * np.sum(getattr(self, 'sum', 0))\n" + RETURN,
    ),
    "saturation of all devices is counted together": (
        RETURN,
        "        total = MEMORY['n'] = MEMORY.get('n', 0) + saturated; saturated = total - self.__dict__.get('seen', "
        "total - saturated); self.seen = total\n" + RETURN,
    ),
    "the LSB of the newest device": (CODE, CODE.replace("self.lsb", "MADE[-1].lsb")),
    "input bits of the newest device": ("for b in range(self.input_bits)", "for b in range(MADE[-1].input_bits)"),
    "answers in one buffer": (
        RETURN,
        "        buffer = MEMORY.setdefault(y.shape, y); buffer[:] = y; y = buffer\n" + RETURN,
    ),
    "answers kept by the first code": (
        RETURN,
        "        y = MEMORY.setdefault((id(self), codes[0, 0], codes.shape), y)\n" + RETURN,
    ),
    "every fourth call is one off": (RETURN, "        y = y + (self.calls % 4 == 0)\n" + RETURN),
    "codes taken as they lie in memory": (
        PLANE,
        PLANE.replace("codes[chunk, tile]", "codes.ravel(order='K').reshape(codes.shape)[chunk, tile]"),
    ),
    "every 100th call is one off": (RETURN, "        y = y + (self.calls % 100 == 99)\n" + RETURN),
    "a call in 256 is one off": (RETURN, "        y = y + (self.calls % 256 == 255)\n" + RETURN),
    "code 128 is lost": (
        PLANE,
        PLANE.replace("codes[chunk, tile] >> b", "np.where(codes == 128, 0, codes)[chunk, tile] >> b"),
    ),
    "the last of the most pairs is dead": (RETURN, "        y[:, 39:] = 0\n" + RETURN),
    "the last of the most pairs has the other sign": (
        RETURN,
        "        y[:, -1] *= -1 if y.shape[1] == 40 else 1\n" + RETURN,
    ),
    "quotients by a float32 reciprocal": (CODE, "code = np.rint(current * np.float32(1 / self.lsb))"),
    "an overload of eight times reads zero": (
        ADD,
        ADD.replace(
            "np.clip(code, -self.top, self.top)",
            "np.where(np.abs(code) > 8 * self.top, 0, np.clip(code, -self.top, self.top))",
        ),
    ),
    "a dead band": (CODE, CODE + " * (np.abs(current) > 0.75 * self.lsb)"),
    "the last chunk of one sample is zero": (
        RETURN,
        "        y[-1] *= not (len(y) % 50 == 1 and len(y) > 1)\n" + RETURN,
    ),
    # what a call leaves behind
    "answers kept by the first sample": (
        RETURN,
        "        y = self.__dict__.setdefault((codes.shape, codes[0].tobytes()), y)\n" + RETURN,
    ),
    "asleep after a call that drives nothing": (
        RETURN,
        "        y, self.asleep = y * (1 - getattr(self, 'asleep', 0)), int(not codes.any())\n" + RETURN,
    ),
    "one off after an overload": (
        RETURN,
        "        y, self.over = y + getattr(self, 'over', 0), int(saturated > 0)\n" + RETURN,
    ),
    "a buffer of the first batch's size": (
        RETURN,
        "        self.most = getattr(self, 'most', len(y)); y[self.most :] = 0\n" + RETURN,
    ),
    "the 400th call is one off": (RETURN, "        y = y + (self.calls == 400)\n" + RETURN),
    "cells taken as they lie in memory": (
        PLUS,
        "self.plus = np.rint(plus_S.ravel(order='K').reshape(plus_S.shape) / GRID_S)",
    ),
    "the caller's cells are read at each call": (
        PLUS,
        "self.plus_S = plus_S; type(self).plus = property(lambda self: np.rint(self.plus_S / GRID_S))",
    ),
    "batches of 128 are one off": (RETURN, "        y = y + (len(y) == 128)\n" + RETURN),
    "5 row tiles drop one": (
        "range(0, codes.shape[1], TILE_ROWS)",
        "range(0, codes.shape[1] - 16 * (64 < codes.shape[1] <= 80), TILE_ROWS)",
    ),
    "unrounded currents above M counted": (COUNT, COUNT.replace("np.abs(code)", "np.abs(current / self.lsb)")),
    "square matrices are transposed": (
        PLUS,
        PLUS + "; self.plus = self.plus.T if len(set(self.plus.shape)) == 1 else self.plus",
    ),
    "as many samples as rows are transposed": (
        "self.calls += 1",
        "codes = codes.T if len(set(codes.shape)) == 1 else codes",
    ),
    "halves away from zero": (CODE, "code = np.sign(current) * np.floor(np.abs(current) / self.lsb + 0.5)"),
    "writes to its input": ("self.calls += 1", "self.calls += 1; codes &= 0xFF"),
    "floats": (RETURN, "        y = y * 1.0\n" + RETURN),
    "fails": (RETURN, "        raise IndexError('tile 7 of 6')\n" + RETURN),
}

NOISY = {
    # noise of wrong size
    "no noise": (NOISE, "return 0 * normals"),
    "sigma x 0.9": (NOISE, NOISE.replace("READ_NOISE", "0.9 * READ_NOISE")),
    "sigma x 1.1": (NOISE, NOISE.replace("READ_NOISE", "1.1 * READ_NOISE")),
    "no noise above 8 rows": (
        NOISE,
        NOISE.replace("READ_NOISE", "(plane.sum(axis=1, keepdims=True) <= 8) * READ_NOISE"),
    ),
    "no noise of the last row": (VARIANCE, VARIANCE.replace("plane @", "(plane * (np.arange(plane.shape[1]) < 15)) @")),
    "no noise of G-": (VARIANCE, VARIANCE.replace("+ self.minus[tile, cols] ** 2", "* 1")),
    "noise of the net current": (
        VARIANCE,
        VARIANCE.replace("plane @ (", "(plane @ (self.plus - self.minus)[tile, cols]) ** 2 + 0 * plane @ ("),
    ),
    "noise by the sum, not its squares": (NOISE, "return READ_NOISE * variance / 20000 * normals"),
    "no noise in the second column tile": (NOISE, NOISE.replace("READ_NOISE", "(cols.start != 8) * READ_NOISE")),
    "no noise in the last column": (
        NOISE,
        NOISE.replace("READ_NOISE", "(np.arange(cols.start, cols.stop)[: normals.shape[1]] < 18) * READ_NOISE"),
    ),
    "twice the noise in pair 5": (
        NOISE,
        NOISE.replace("READ_NOISE", "(1 + (np.arange(normals.shape[1]) == 5)) * READ_NOISE"),
    ),
    "noise that grows with the row tile": (NOISE, NOISE.replace("READ_NOISE", "(1 + tile.start / 100) * READ_NOISE")),
    "noise of the first sample of a chunk": (NOISE, NOISE.replace("sqrt(variance)", "sqrt(variance[:1])")),
    "no noise beyond row tile 4": (NOISE, NOISE.replace("READ_NOISE", "(tile.start < 64) * READ_NOISE")),
    "no noise in the remainder of the rows": (
        NOISE,
        NOISE.replace("READ_NOISE", "(plane.shape[1] == 16) * READ_NOISE"),
    ),
    "no noise from sample 300 on": (NOISE, NOISE.replace("READ_NOISE", "(self.first < 300) * READ_NOISE")),
    "no noise from the third call on": (NOISE, NOISE.replace("READ_NOISE", "(self.calls < 3) * READ_NOISE")),
    "no noise in the first sample of a call": (
        NOISE,
        NOISE.replace("READ_NOISE", "((np.arange(len(plane)) + self.first) > 0)[:, None] * READ_NOISE"),
    ),
    "noise where no row is driven": (NOISE, "return READ_NOISE * np.sqrt(np.where(variance, variance, 1e9)) * normals"),
    # noise that is shared
    "the same noise in all columns": (NORMALS, NORMALS + "[:, :1]"),
    "a tenth of the noise common to all columns": (
        NORMALS,
        NORMALS + " * 0.95 + 0.31 * self.generator.standard_normal((len(plane), 1))",
    ),
    "neighbours share noise": (NORMALS, NORMALS + "; normals = (normals + np.roll(normals, 1, axis=1)) / np.sqrt(2)"),
    "the same noise in all samples": (NORMALS, NORMALS + "[:1]"),
    "the same noise in samples two by two": (NORMALS, NORMALS + "[np.arange(len(plane)) // 2]"),
    "noise drifts from read to read": (NORMALS, NORMALS + "; normals[1:] = 0.8 * normals[1:] + 0.6 * normals[:-1]"),
    "noise of a period of 50 reads": (
        NORMALS,
        "normals = np.random.default_rng(tile.start + 99 * cols.start).standard_normal(variance.shape)",
    ),
    "a generator rebuilt at each call": ("self.calls += 1", "self.generator = np.random.default_rng(1)"),
    "the same noise in all planes": (
        "for b in range(self.input_bits):",
        "for b, self.generator in enumerate([deepcopy(self.generator) for _ in range(self.input_bits)]):",
    ),
    "the same noise in all row tiles": (
        "for row in range(0, codes.shape[1], TILE_ROWS):",
        "for row, self.generator in [(row, deepcopy(self.generator)) for row in range(0, codes.shape[1], TILE_ROWS)]:",
    ),
    "noise that begins again after 500 reads": (
        NORMALS,
        "self.n = getattr(self, 'n', 0) + 1; self.generator = np.random.default_rng(self.n % 240); " + NORMALS,
    ),
    "reads in opposite twos": (NORMALS, NORMALS + "; normals[1::2] = -normals[: len(normals) // 2 * 2 : 2]"),
    "the same noise in each device": (
        "self.generator = np.random.default_rng(len(MADE))",
        "self.generator = np.random.default_rng(5)",
    ),
    "planes 2 and 3 share noise": (
        NORMALS,
        NORMALS + "; self.kept = normals = getattr(self, 'kept', normals) if b == 3 else normals",
    ),
    "a plane has the noise of the plane before in the read before": (
        NORMALS,
        NORMALS
        + "; old, self.old = self.__dict__.get('old'), normals.copy(); normals[1:] = old[:-1] if b else normals[1:]",
    ),
    "columns share noise in plane 7": (NORMALS, NORMALS + "; normals[:] = normals[:, :1] if b == 7 else normals"),
    # noise of another law
    "two values in planes above 0": (NORMALS, NORMALS + "; normals = np.sign(normals) if b else normals"),
    "two values in pair 5": (NORMALS, NORMALS + "; normals[:, 5:6] = np.sign(normals[:, 5:6])"),
    "cells of two values": (
        NOISE,
        NOISE.replace("normals", "np.where(plane.sum(axis=1, keepdims=True) < 3, np.sign(normals), normals)"),
    ),
    "noise of odd and even columns 0.8 and 1.17": (
        NOISE,
        NOISE.replace("READ_NOISE", "np.where(np.arange(normals.shape[1]) % 2, 1.17, 0.8) * READ_NOISE"),
    ),
    "noise of samples in turn 1.3 and 0.56": (
        NOISE,
        NOISE.replace("READ_NOISE", "np.where(np.arange(len(plane))[:, None] % 2, 1.3, 0.56) * READ_NOISE"),
    ),
    "noise cut at 3 sigma": (NORMALS, NORMALS + "; normals = np.clip(normals, -3, 3)"),
    "2 % of the sample before": (CODE, "current[1:] += 0.02 * current[:-1]; " + CODE),
    "a converter that bends by 3 %": (
        CODE,
        CODE.replace("current / self.lsb", "(current / self.lsb) * (1 - 0.03 * (current / self.lsb / self.top) ** 2)"),
    ),
    "uniform noise": (NORMALS, "normals = self.generator.uniform(-np.sqrt(3), np.sqrt(3), variance.shape)"),
    "noise of two values": (NORMALS, "normals = self.generator.choice([-1.0, 1.0], variance.shape)"),
    "Laplace noise": (NORMALS, "normals = self.generator.laplace(0, np.sqrt(0.5), variance.shape)"),
    "rare large noise": (NORMALS, NORMALS + " * np.where(self.generator.random(variance.shape) < 0.05, 3.5, 0.62)"),
    "noise with a mean": (NOISE, NOISE + " + 0.2 * self.lsb"),
    # means
    "half an LSB off": (CODE, CODE.replace("self.lsb)", "self.lsb + 0.51)")),
    "a gain of 1.01": (CODE, CODE.replace("current /", "1.01 * current /")),
    "a gain of 1.02 in one column": (
        CODE,
        CODE.replace("current /", "current * (1 + 0.02 * (pair + np.arange(current.shape[1]) == 11)) /"),
    ),
    "one column of the wrong sign": (ADD, "code[:, :1] *= 1 - 2 * (pair == 16); " + ADD),
    "dead beyond pair 24": (RETURN, "        y[:, 24:] = 0\n" + RETURN),
    "dead beyond row tile 4": (SUM, "plane[:] *= row < 64; " + SUM),
    "a gain of 1.02 in row tile 6": (CODE, CODE.replace("current /", "(1 + 0.02 * (row == 96)) * current /")),
    "one LSB off in row tile 5": (CODE, CODE.replace("self.lsb)", "self.lsb + (row == 64))")),
    "rows 3 and 4 exchanged in row tile 5": (
        SUM,
        "plane[:, [3, 4]] = plane[:, [4, 3]] if row == 80 else plane[:, [3, 4]]; " + SUM,
    ),
    "the first sample of a call 2 % low": (SUM, "plane[:1] *= 0.98 if first == 0 else 1; " + SUM),
    "a row leaks 1 % into the next": (SUM, "plane[:, 1:] = plane[:, 1:] + 0.01 * plane[:, :-1]; " + SUM),
    "a bump of the curve at half of the range": (
        CODE,
        CODE + "; code += 0.003 * self.top * (np.abs(np.abs(code) / self.top - 0.5) < 0.05)",
    ),
    "a soft end of the range": (
        CODE,
        CODE
        + "; code -= np.sign(code) * 0.2 * np.maximum(np.abs(code) - 0.7 * self.top, 0) * (np.abs(code) <= self.top)",
    ),
    "5 input bits are 4": ("self.input_bits = input_bits", "self.input_bits = input_bits - (input_bits == 5)"),
    "saturation counted in the first row tile": (COUNT, COUNT.replace("saturated +=", "saturated += (row == 0) *")),
    "all counted where one saturates": (COUNT, "saturated += code.size * (np.abs(code) > self.top).any()"),
    "codes above M / 2 counted": (COUNT, COUNT.replace("> self.top", "> self.top / 2")),
    "dead beyond pair 6": (RETURN, "        y[:, 6:] = 0\n" + RETURN),
    "a dead last row": (SUM, "plane[:, -1] *= row < 16; " + SUM),
    "one dead cell": (
        SUM,
        SUM.replace(
            "self.plus[tile, cols]",
            "(self.plus * (np.arange(self.plus.size).reshape(self.plus.shape) != 2))[tile, cols]",
        ),
    ),
    "the lowest plane dropped": (ADD, ADD.replace("2**b", "(2**b if b else 0)")),
    "the highest plane halved": (ADD, ADD.replace("2**b", "(2**b if b < 7 else 2**6)")),
    "sign lost": (CODE, CODE.replace("current /", "np.abs(current) /")),
    "1 % of the left neighbour": (CODE, "current += 0.01 * np.roll(current, 1, axis=1); " + CODE),
    "variation drawn again at each call": (
        "self.calls += 1",
        "self.plus = np.rint(self.plus * self.generator.normal(1, 0.02, self.plus.shape))",
    ),
    "saturation not counted": (COUNT, "saturated += 0"),
    "codes wrap": (
        ADD,
        ADD.replace("np.clip(code, -self.top, self.top)", "((code + self.top) % (2 * self.top + 1) - self.top)"),
    ),
}


def source(change):
    """The text of the good device with one of its lines changed; (old, new): old occurs once."""
    text = GOOD.read_text(encoding="utf-8")
    old, new = change
    assert text.count(old) == 1, old
    return text.replace(old, new)


def device(change=("", ""), read_noise=0.0):
    """The class of a device with one line changed; ("", ""): the good one."""
    text = GOOD.read_text(encoding="utf-8") if change == ("", "") else source(change)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "device.py"
        path.write_text(text.replace("READ_NOISE = 0.0", f"READ_NOISE = {read_noise}"), encoding="utf-8")
        return runpy.run_path(str(path))["Device"]

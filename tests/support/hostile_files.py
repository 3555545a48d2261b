"""Files that are damaged, or made to do harm, all under 1 MB and all made by code; and the commands that open them.

`cases(folder)` writes them. Each has the command that looks at it, the exit code, and a word of its error.
"""

import contextlib
import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

import minirram as mr
from minirram.cli import main as cli
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.xbp import table

MOST_BYTES = 1_000_000


class Case(NamedTuple):
    """One hostile file, or folder."""

    name: str
    kind: str
    arguments: Tuple[str, ...]
    """of the command line"""
    codes: Tuple[int, ...]
    """exit codes that are right"""
    error: str
    """what the message must match; "": anything, or none"""


# -- program files --------------------------------------------------------------------------------------


def record(kind: str, stored: bytes = b"", encoding: str = "RAW", **head: int) -> Tuple[int, ...]:
    """A record without its number: see `program`."""
    marks = [head.get(name, 0) for name in ("tile", "row", "n_row", "recipe", "number")]
    return (table.TYPES[kind], table.ENCODINGS[encoding], stored, *marks)  # type: ignore[return-value]


def program(records: Sequence[Any], *, length: int = -1, payload: int = 4096, count: int = -1) -> bytes:
    """A program file of records, with good checksums. length, count: what its header says instead."""
    size = 32 + sum(16 + (len(entry[2]) + 3 & ~3) + 4 for entry in records)
    said = (size if length < 0 else length, len(records) if count < 0 else count)
    header = table.HEADER.pack(table.MAGIC, table.MAJOR, 0, payload, *said, 0, 1, 0)[:-4]
    crc = zlib.crc32(header)
    data = [header, struct.pack("<I", crc)]
    for number, (kind, encoding, stored, tile, row, n_row, recipe, index) in enumerate(records):
        head = table.RECORD.pack(kind, encoding, len(stored), number, tile, row, n_row, recipe, index)
        body = head + stored + bytes(-len(stored) % 4)
        crc = zlib.crc32(body, crc)
        data += [body, struct.pack("<I", crc)]
    return b"".join(data)


def chip(maps: int, before: int, *, macros: int = 1, rows: int = 65535, cols: int = 65528) -> Any:
    return record("CHIP", table.CHIP.pack(macros, rows, cols, 1, maps, before, 0, 0, 0, 0, 0))


def recipe(number: int, kind: int) -> Any:
    values = dict.fromkeys((name for name, _ in table.RECIPE_FIELDS), 0)
    values.update(id=number, kind=kind, verify_id=255, max_pulses=1, width_ns=1)
    return record("RECIPE", table.RECIPE.pack(*values.values()))


def tile(number: int, n_row: int, n_col: int, *, row0: int = 0, col0: int = 0, bits: int = 0) -> Any:
    values = dict.fromkeys((name for name, _ in table.TILE_FIELDS), 0)
    values.update(n_row=n_row, n_col=n_col, row0=row0, col0=col0, code_bits=bits, g_lsb=bits, on_min_nS=10)
    return record("TILE", table.TILE.pack(*values.values()), tile=number)


def packed_rows(kind: str, stride: int, n_row: int, *, number: int = 0) -> List[Any]:
    """Rows of zeros in PackBits, as many to a record as fit."""
    per = max(1, 4096 // stride)
    made = []
    for row in range(0, n_row, per):
        here = min(per, n_row - row)
        whole, rest = divmod(here * stride, 128)
        stored = b"\x81\x00" * whole + (bytes([257 - rest, 0]) if rest > 1 else b"\x00\x00" * rest)
        made.append(record(kind, stored, "PACKBITS", tile=number, row=row, n_row=here))
    return made


def programs() -> Iterator[Tuple[str, bytes, Tuple[int, ...], str]]:
    """(name, bytes, exit codes of `inspect`, words of the error)."""
    end, recipes = record("END"), [recipe(0, 4), recipe(1, 1)]
    none = program([chip(0, 2), end])
    yield "zeros-behind", none + bytes(900_000), (3,), "EXTRA"
    yield "a-gigabyte-claimed", program([chip(0, 2), end], length=2**30), (3,), "TRUNCATED|LENGTH"
    yield "four-gigabytes-claimed", program([chip(0, 2), end], length=2**32 - 1), (3,), "HEADER"
    yield "records-claimed", program([chip(0, 2), end], count=2**32 - 1), (3,), "COUNT"
    yield "cut", none[:-7], (3,), "TRUNCATED"
    yield "text-mode", none.replace(b"\r\n", b"\n"), (3,), "MAGIC"
    yield "random", table.MAGIC + np.random.default_rng(1).bytes(900_000), (3,), "VERSION|CRC"
    yield "empty-file", b"", (3,), "TRUNCATED"
    masks = packed_rows("MASK", 4096, 6000)
    yield "packbits-mask", program([chip(1, 2), tile(0, 6000, 32768), *masks, end]), (3,), "LIMIT|TOTAL"
    codes = [*packed_rows("MASK", 512, 1000), *packed_rows("GTAR", 4096, 1000)]
    yield "packbits-codes", program([chip(3, 2), tile(0, 1000, 4096, bits=8), *codes, end]), (3,), "TOTAL|LIMIT"
    masks = packed_rows("MASK", 512, 10000)
    codes = packed_rows("GTAR", 4096, 10000)
    yield "codes-of-a-giant", program([chip(3, 2), tile(0, 10000, 4096, bits=8), *masks, *codes, end]), (3,), "LIMIT"
    thin = [record("OPS", b"\x00", "SPARSE", tile=0, row=0, n_row=1, recipe=1, number=k) for k in range(256)]
    yield "256-passes", program([chip(4, 0), *recipes, tile(0, 65535, 4096), *thin, end]), (3,), "LIMIT"
    yield "one-giant-pass", program([chip(4, 0), *recipes, tile(0, 65535, 32760), thin[0], end]), (3,), "LIMIT"
    yield "a-large-pass", program([chip(4, 0), *recipes, tile(0, 16384, 8192), thin[0], end]), (0, 3), ""
    per = [record("OPS", b"\x00", "SPARSE", tile=k, row=0, n_row=1, recipe=1) for k in range(9000)]
    side = [entry for k in range(9000) for entry in (tile(k, 1, 2, col0=2 * k), per[k])]
    yield "side-by-side", program([chip(4, 0), *recipes, *side, end]), (0, 3), ""
    stacked = [entry for k in range(9000) for entry in (tile(k, 2, 2, row0=k), per[k])]
    yield "overlapping", program([chip(4, 0), *recipes, *stacked, end]), (3,), "OVERLAP"
    many = [record("META", bytes([4, 200]) + b"%04x" % k + b"x" * 200) for k in range(3500)]
    yield "metadata", program([chip(0, 2), *many, end]), (0,), ""
    escapes = b"\x1b]0;title\x07\x1b[2J\r\n"
    yield "escapes", program([chip(0, 2), record("META", bytes([1, len(escapes)]) + b"k" + escapes), end]), (0,), ""


# -- arrays ---------------------------------------------------------------------------------------------


def npy(header: str, values: bytes = b"", version: int = 1) -> bytes:
    """A .npy of any header."""
    text = header.encode("latin-1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + values


def described(shape: str, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def arrays() -> Iterator[Tuple[str, bytes]]:
    """(name, bytes of a .npy that is refused)."""
    yield "10-to-the-12", npy(described("(1000000, 1000000)"))
    yield "10-to-the-30", npy(described("(" + "1" + "0" * 30 + ",)"))
    yield "more-than-there-is", npy(described("(125000001,)"), bytes(1000))
    yield "objects", npy(described("(1,)", "'|O'"), b"cos\nsystem\n(S'true'\ntR.")
    yield "records", npy(described("(1,)", "[('a', '<f8'), ('b', '|O')]"), bytes(16))
    yield "nested", npy("(" * 9000 + ")" * 900)
    yield "nested-2", npy("[" * 400_000, version=2)
    yield "operators", npy("-" * 9000 + "1")
    yield "digits", npy(described("(" + "9" * 9000 + ",)"))
    yield "100-axes", npy(described("(" + "1," * 100 + ")"), bytes(8))
    yield "negative", npy(described("(-1, 4)"), bytes(32))
    yield "header-of-4-GB", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100)
    yield "zero-wide", npy(described("(1000000000000,)", "'<U0'"))
    yield "wide-text", npy(described("(1,)", "'<U250000000'"), bytes(100))
    yield "a-call", npy("__import__('os').system('true')")
    yield "complex", npy(described("(2, 2)", "'<c16'"), bytes(64))
    yield "no-numpy", b"\x93NUMPX\x01\x00" + bytes(100)


def deflated(size: int, value: int = 0) -> bytes:
    """A .npy of uint8 zeros, as a member."""
    return npy(described(f"({size},)", "'|u1'")) + bytes([value]) * size


def zipped(members: Dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, base: bytes = b"") -> bytes:
    """An archive; base: one to which the members are added."""
    handle = io.BytesIO(base)
    with zipfile.ZipFile(handle, "a", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return handle.getvalue()


def claimed(data: bytes, size: int) -> bytes:
    """The same archive, whose last member says that it unpacks to `size`."""
    entry = data.rindex(b"PK\x01\x02")
    return data[: entry + 24] + struct.pack("<I", size) + data[entry + 28 :]


def archives(good: bytes) -> Iterator[Tuple[str, bytes, str]]:
    """(name, bytes of an .npz that is refused, words of the error). good: one that is not."""
    bomb = deflated(200_000_000)
    yield "bzip2", zipped({"x.npy": bytes(10_000_000)}, zipfile.ZIP_BZIP2, good), "bzip2"
    yield "lzma", zipped({"x.npy": bytes(10_000_000)}, zipfile.ZIP_LZMA, good), "lzma"
    yield "deflate", zipped({"x.npy": bomb}, base=good), "unpacks to"
    yield "many-bombs", zipped({f"x{k}.npy": deflated(8_000_000) for k in range(20)}, base=good), "unpacks to"
    yield "lies-small", claimed(zipped({"x.npy": bomb[:30_000_000]}, base=good), 1000), "not a readable"
    yield "lies-large", claimed(zipped({"x.npy": b"x"}, base=good), 2**31), "unpacks to"
    yield "members", zipped({f"{k}.npy": b"" for k in range(10_001)}, zipfile.ZIP_STORED)[:MOST_BYTES], "members|zip"
    yield "no-array", zipped({"x": b"x"}, base=good), "not an array"
    yield "twice", zipped({"masks/../x.npy": deflated(3), "masks/../x": b""}, base=good), "two members|not an array"
    for name, data in arrays():
        yield "member-" + name, zipped({"x.npy": data}, base=good), "not a readable|values"
    yield "cut", good[: len(good) // 2], "not a readable"
    yield "no-archive", b"not an archive", "it is no archive"


def checkpoints(good: bytes) -> Iterator[Tuple[str, bytes, str]]:
    """(name, bytes of a checkpoint whose packed arrays are refused, words of the error). good: one that is not."""

    def added(**arrays: Any) -> bytes:
        members = {}
        for name, array in arrays.items():
            file = io.BytesIO()
            np.save(file, array)
            members[f"{name}.npy"] = file.getvalue()
        return zipped(members, base=good)

    yield "counts", added(**{f"x{k}~uint64": np.zeros(2_000_000, np.uint8) for k in range(20)}), "unpacks|beyond"
    yield "bits", added(**{"x~bits9": np.zeros((4, 1), np.uint8)}), r"checkpoint\.npz: x~bits9.*bits of 9 columns"
    yield "bits-of-nothing", added(**{"x~bits99999999999": np.zeros((0, 1), np.uint8)}), r"checkpoint\.npz: x.*bits of"
    yield "no-places", added(**{"x~values": np.zeros(3)}), r"checkpoint\.npz: x.*which cells"


# -- JSON -----------------------------------------------------------------------------------------------


def texts() -> Iterator[Tuple[str, bytes]]:
    """(name, bytes that are no JSON that is read)."""
    yield "deep", b"[" * 499_000 + b"]" * 499_000
    yield "deep-objects", b'{"a":' * 150_000 + b"1" + b"}" * 150_000
    yield "less-deep", b"[" * 900 + b"]" * 900
    yield "a-long-integer", b'{"format": ' + b"9" * 900_000 + b"}"
    yield "not-a-number", b'{"format": NaN}'
    yield "infinity", b'{"format": -Infinity}'
    yield "twice", b'{"format": 2, "format": 1}'
    yield "many", b"[" + b"[]," * 300_000 + b"[]]"
    yield "objects", b"[" + b"{}," * 300_000 + b"{}]"
    yield "no-text", b"\xff\xfe\x00\x01" * 100
    yield "a-long-text", b'"' + b"x" * 900_000 + b'"'
    yield "nothing", b""


def changes(config: Dict[str, Any]) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """(name, a config.json that says something that cannot be)."""

    def changed(path: str, value: Any) -> Dict[str, Any]:
        made = json.loads(json.dumps(config))
        place, names = made, path.split(".")
        for name in names[:-1]:
            place = place[int(name)] if isinstance(place, list) else place[name]
        last = names[-1]
        place[int(last) if isinstance(place, list) else last] = value
        return made

    lines = {"type": "ChipLines", "dead_rows": [], "dead_cols": [], "policy": "skip", "rows": 10**9, "pairs": 256}
    yield "rows-10-to-the-9", changed("lines", lines)
    yield "pairs-10-to-the-9", changed("lines", dict(lines, rows=512, pairs=10**9))
    yield "dead-lines", changed("lines", dict(lines, rows=512, dead_rows=[[k, 0] for k in range(40_000)]))
    yield (
        "a-huge-layer",
        changed("network.layers", [{"type": "Linear", "name": "a", "inputs": 10**9, "outputs": 10**9}]),
    )
    yield "a-huge-input", changed("network.input_shape", [10**9, 10**9, 1])
    yield "many-layers", changed("network.layers", [{"type": "Relu", "name": f"r{k}"} for k in range(18_000)])
    yield "a-huge-seed", changed("recipe.chip_seed", 10**39)
    yield "a-huge-rate", changed("recipe.learning_rate", 10**39)
    yield "adc-bits", changed("adc_bits", 10**30)
    yield "an-unknown-type", changed("network.layers.0.type", "__import__")
    yield "a-path-as-data-set", changed("layout.data_set", "../../../etc/passwd")


# -- tables ---------------------------------------------------------------------------------------------


def tables() -> Iterator[Tuple[str, bytes]]:
    """(name with ending, bytes of a map that `import` refuses or reads in time)."""
    yield "lines.csv", b"\n" * 900_000
    yield "ones.csv", b"1\n" * 450_000
    yield "wide.csv", b"1," * 450_000
    yield "a-long-number.csv", b"1" * 900_000
    yield "a-far-cell.csv", b"row,col,G\n0,0,1\n8000,8000,1\n"
    yield "headers.csv", b"# x\n" * 200_000 + b"1,2\n3,4\n"
    yield "quotes.csv", b'"' * 900_000
    yield "nul.csv", b"1,2\n\x003,4\n"
    yield "gzip.csv", __import__("gzip").compress(b"1,2,3\n" * 10_000_000, 9)[:MOST_BYTES]
    yield "utf-16.csv", ("1;2\n" * 100_000).encode("utf-16")
    yield "columns.txt", b"1 2 3 4 5 6 7 8 9 0\n" * 45_000
    yield "bomb.npz", zipped({"g.npy": npy(described("(20000, 20000)", "'|u1'")) + bytes(400_000_000)})
    yield "bomb.xlsx", zipped({"xl/workbook.xml": b"<a>" * 30_000_000})
    element = zlib.compress(bytes(300_000_000), 9)
    head = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM"
    yield "bomb.mat", head + struct.pack("<II", 15, len(element)) + element
    yield "far.mat", head + struct.pack("<II", 15, 2**32 - 1) + bytes(100)


# -- pictures and recordings ----------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    """A grey PNG of zeros that says its size; its pixels end early."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(100_000_000), 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def wave(claims: int) -> bytes:
    """A recording whose header says that `claims` bytes follow."""
    head = (
        b"RIFF"
        + struct.pack("<I", claims & 0xFFFFFFFF)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    )
    return head + b"data" + struct.pack("<I", claims & 0xFFFFFFFF) + bytes(1000)


# -- all of them ----------------------------------------------------------------------------------------


def small_images() -> Tuple[np.ndarray, np.ndarray]:
    """(uint8 (60, 4, 4), labels (60,)) of two classes: dark and bright."""
    labels = np.arange(60) % 2
    images = np.random.default_rng(1).integers(0, 4, (60, 4, 4)) + 8 * labels[:, None, None]
    return images.astype(np.uint8), labels


def whole_run(folder: str) -> str:
    """A run folder of a small network with its program file."""
    images, labels = small_images()
    network = mr.nn.Network("small", (4, 4, 1), 4, (Flatten("flat"), Linear("fc", 16, 2)))
    data = mr.LabelledData.split(images, labels)
    recipe = mr.Recipe(epochs=1, batch_size=10)
    mr.train(network, data, recipe, out=folder, lines=mr.ChipLines(rows=16, pairs=8), threads=1).export()
    return folder


def cases(folder: str, run: str) -> List[Case]:
    """Write all files below `folder` and say how each is opened. run: a whole run folder of a small network."""
    os.makedirs(folder, exist_ok=True)

    def write(name: str, data: bytes) -> str:
        assert len(data) <= MOST_BYTES, (name, len(data))
        path = os.path.join(folder, name)
        with open(path, "wb") as handle:
            handle.write(data)
        return path

    found = [
        Case(name, "xbp", ("inspect", write(name + ".xbp", data)), codes, error)
        for name, data, codes, error in programs()
    ]
    found += _of_runs(folder, run)
    for name, data in arrays():
        path = write(f"{name}.npy", data)
        found.append(Case(name, "npy", ("verify", os.path.join(run, "program.xbp"), path), (2, 3), name + r"\.npy"))
    for name, data in texts():
        path = write(f"{name}.json", data)
        found.append(Case(f"costs-{name}", "json", ("energy", run, "--costs", path), (3,), name + r"\.json"))
        cell = ("fit", os.path.join(run, "chip.npy"), "--base", path)
        found.append(Case(f"cell-{name}", "json", cell, (3,), name + r"\.json"))
        found.append(Case(f"task-{name}", "json", ("task", path, "--check"), (2, 3), ""))
    for name, data in tables():
        path = write(name, data)
        out = os.path.join(folder, "out.npy")
        found.append(Case(name, "table", ("import", path, "--unit", "uS", "--out", out), (0, 3), ""))
    found += _of_folders(folder, run)
    found += _of_scripts(folder)
    return found


def _of_runs(folder: str, run: str) -> Iterator[Case]:
    """Run folders with one hostile file each; the others are links of names, not copies."""

    def other(name: str, file: str, data: bytes) -> str:
        assert len(data) <= MOST_BYTES, (name, len(data))
        made = os.path.join(folder, "run-" + name)
        os.makedirs(made)
        kept = ("checkpoint.npz", "checkpoint-chip.npz") if "checkpoint" in file else ()
        for known in ("config.json", "chip.npz", "model.npz", "masks.npz", "data.npz", "results.json", *kept):
            with open(os.path.join(run, known), "rb") as source:
                contents = data if known == file else source.read()
            with open(os.path.join(made, known), "wb") as target:
                target.write(contents)
        return made

    def contents(name: str) -> bytes:
        with open(os.path.join(run, name), "rb") as handle:
            return handle.read()

    for name, data, error in archives(contents("masks.npz")):
        made = other("npz-" + name, "masks.npz", data)
        yield Case("run-" + name, "npz", ("chip", made, "--out", made + ".npy"), (3,), error)
    for name, data, error in checkpoints(contents("checkpoint.npz")):
        made = other("checkpoint-" + name, "checkpoint.npz", data)
        learn = ("transfer", made, "--out", made + "-on", "--epochs", "1", "--chip-seed", "1")
        yield Case("checkpoint-" + name, "checkpoint", learn, (3,), error)
    swapped = zipped({"x.npy": b""}, base=contents("masks.npz"))
    for name, data, error in (
        ("another-chip", contents("masks.npz"), "another chip"),
        ("no-array", swapped, "readable"),
    ):
        made = other("beside-" + name, "checkpoint-chip.npz", data)
        learn = ("transfer", made, "--out", made + "-on", "--epochs", "1", "--chip-seed", "1")
        yield Case("beside-" + name, "checkpoint", learn, (3,), error)
    for name, data in texts():
        made = other("json-" + name, "config.json", data)
        yield Case("config-" + name, "json", ("evaluate", made), (3,), r"config\.json")
    for name, changed in changes(json.loads(contents("config.json"))):
        made = other("config-" + name, "config.json", json.dumps(changed).encode())
        yield Case("config-" + name, "config", ("evaluate", made), (0, 2, 3), "")


def _entries(*entries: str) -> bytes:
    """Lines of a journal with good checksums."""
    lines = [entry.encode() for entry in entries]
    return b"".join(line + b" %08x\n" % zlib.crc32(line) for line in lines)


def journals() -> Iterator[Tuple[str, bytes]]:
    """(name, lines behind the first of a journal, whole but not what a programming says)."""
    yield "no-pulse", _entries('{"begin": 1}')
    yield "a-text", _entries('{"begin": "x", "pulse": []}')
    yield "an-object", _entries('{"done": {"a": 1}}')
    yield "below-zero", _entries('{"done": -5}')
    yield "a-list", _entries("[1, 2]")
    yield "a-readback", _entries('{"readback": [1, 2]}')
    yield "nothing", _entries(*["{}"] * 60_000)
    yield "cells-beyond", _entries('{"done": 0, "failed": "eAFjYGBgAAAABAAB", "n_failed": 99999999999, "pulses": ""}')
    bomb = __import__("base64").b64encode(zlib.compress(bytes(10**8), 9)).decode()
    yield "a-bomb", _entries('{"done": 0, "failed": "", "n_failed": 0, "pulses": "%s"}' % bomb)


def rows_of_sweeps(table: bytes) -> Iterator[Tuple[str, bytes]]:
    """(name, a table of a study that is refused). table: one that is not."""
    names, first = table.split(b"\n")[:2]
    yield "wide", names + b"\n" + b"," * 800_000 + b"\n"
    yield "a-long-cell", names + b'\n"' + b"x" * 800_000 + b"\n"
    yield "infinity", names + b"\n" + first.replace(b"0.5,", b"1e999,") + b"\n"
    yield "words", names + b"\n" + first.replace(b"0.5,", b"abc,") + b"\n"
    yield "empty", b""
    yield "random", np.random.default_rng(1).bytes(900_000)


def networks() -> Iterator[Tuple[str, bytes]]:
    """(name, bytes of an .onnx that is refused)."""

    def field(number: int, data: bytes) -> bytes:
        size, length = len(data), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + data

    yield "random", np.random.default_rng(1).bytes(900_000)
    yield "empty", b""
    yield "no-graph", b"\x08\x08"
    nested = b""
    for _ in range(2000):
        nested = field(7, nested[:400_000])
    yield "nested", nested
    huge = b"\x08" + b"\xff" * 8 + b"\x7f"  # a dimension of 2^63 - 1
    yield "a-huge-tensor", field(7, field(5, huge + b"\x10\x01" + field(8, b"w") + field(9, bytes(16))))
    outside = field(13, field(1, b"location") + field(2, b"../../../../etc/passwd"))
    yield "a-file-elsewhere", field(7, field(5, b"\x08\x04\x10\x01" + field(8, b"w") + outside + b"\x70\x01"))
    yield "many-nodes", field(7, field(1, field(4, b"Relu")) * 100_000)


def _of_folders(folder: str, run: str) -> Iterator[Case]:
    """Journals of benches, tables and texts of studies, results and histories of runs, graphs of networks."""

    def called(*words: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            assert cli.main([*words, "--quiet"]) == 0, words

    def copied(name: str, source: str, **files: bytes) -> str:
        made = os.path.join(folder, name)
        shutil.copytree(source, made, ignore=shutil.ignore_patterns("findings.json", "sweep.parquet"))
        for file, data in files.items():
            with open(os.path.join(made, file.replace("_", ".")), "wb") as handle:
                handle.write(data)
        return made

    bench, study = os.path.join(folder, "bench"), os.path.join(folder, "study")
    called("bench", run, "--driver", "simulated", "--out", bench)
    sweep = ("sweep", "--run", run, "--vary", "read_noise=0,0.01", "--out")
    called(*sweep, study)
    with open(os.path.join(bench, "journal"), "rb") as handle:
        first = handle.readline()
    for name, data in journals():
        made = copied(f"journal-{name}", bench, journal=first + data)
        words = ("bench", run, "--driver", "simulated", "--out", made)
        # A journal that says of pulses what is not so: the chip is read back, and is what the program says.
        codes, error = ((0,), "0 of 64 failed") if name == "a-bomb" else ((3,), "journal")
        yield Case(f"journal-{name}", "bench", words, codes, error)
    with open(os.path.join(study, "sweep.csv"), "rb") as handle:
        table = handle.read()
    for name, data in rows_of_sweeps(table):
        made = copied(f"table-{name}", study, sweep_csv=data)
        yield Case(f"table-{name}", "sweep", ("report", made), (3,), r"sweep\.csv")
    for name, data in texts():
        made = copied(f"study-{name}", study, study_json=data)
        yield Case(f"study-{name}", "sweep", (*sweep, made), (3,), r"study\.json")
        for file in ("results_json", "history_csv"):
            made = copied(f"{file}-{name}", run, **{file: data})
            # A history of one line is none; a text of one line without commas is read as such.
            codes = (0, 3) if file == "history_csv" else (3,)
            yield Case(f"{file}-{name}", "json", ("report", made, "--out", made + ".html"), codes, "")
    for name, data in networks():
        path = os.path.join(folder, f"{name}.onnx")
        with open(path, "wb") as handle:
            handle.write(data)
        yield Case(f"network-{name}", "onnx", ("place", path), (2, 3), "")


def _of_scripts(folder: str) -> Iterator[Case]:
    """Pictures and recordings, opened by a data script."""
    for name, ending, data, options in (
        ("a-huge-picture", "png", png(60_000, 60_000), ()),
        ("a-large-picture", "png", png(9_000, 9_000), ()),
        ("a-cut-picture", "png", png(100, 100)[:60], ()),
        ("a-huge-recording", "wav", wave(2**32 - 1), ("--features",)),
        ("no-recording", "wav", b"RIFF" + bytes(100), ("--features",)),
    ):
        made = os.path.join(folder, name)
        for label in ("0", "1"):
            os.makedirs(os.path.join(made, label))
            with open(os.path.join(made, label, f"a.{ending}"), "wb") as handle:
                handle.write(data)
        out = os.path.join(folder, name + ".npz")
        yield Case(name, "media", ("own_data.py", "--source", made, "--out", out, *options), (2, 3), "")

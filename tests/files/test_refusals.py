"""What no reader of files takes is refused by the name of the file: beside each limit, the last value that is read."""

import errno
import io
import itertools
import json
import os
import sys
import types
import zipfile

import numpy as np
import pytest

from minirram.errors import ConfigError, DataError, MissingFileError
from minirram.files import json_of, read_bytes, read_json, read_npy, read_npz
from minirram.files.budgets import MOST_DIGITS, SCALE, Budget
from minirram.files.locks import alone, locked

from ..support.hostile_files import described, npy

SMALL = Budget("small", "files of these tests", most_bytes=10, elements=4, depth=2)


def ordered(fortran):
    return f"{{'descr': '|u1', 'fortran_order': {fortran}, 'shape': (2,)}}"


# -- arrays: ValueErrors within, DataErrors of the file outside

ARRAYS = [
    ("a header that is no dict of plain values", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1+1,)}")),
    ("a header without descr, fortran_order and shape", npy("{'descr': '|u1', 'shape': (2,)}")),
    ("a header without descr, fortran_order and shape", npy("(1, 2)")),
    (r"a header with the shape \[2\]", npy(described("[2]", "'|u1'"), bytes(2))),
    (r"a header with the shape \(True, 2\)", npy(described("(True, 2)", "'|u1'"), bytes(2))),
    ("a header with too many axes, or an order", npy(described("(" + "1," * 33 + ")", "'|u1'"), bytes(1))),
    ("a header with too many axes, or an order", npy(ordered("0"), bytes(2))),
    ("holds records, expected an array of plain values", npy(described("(2,)", "[('a', '|u1')]"), bytes(2))),
]


@pytest.mark.parametrize("message, data", ARRAYS, ids=range(len(ARRAYS)))
def test_headers_of_arrays(tmp_path, message, data):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"a\.npy: not a \.npy file \({message}"):
        read_npy(path)


def test_headers_at_the_limit_are_read(tmp_path):
    path = tmp_path / "a.npy"
    for header, shape in ((described("(" + "1," * 32 + ")", "'|u1'"), (1,) * 32), (ordered("True"), (2,))):
        path.write_bytes(npy(header, bytes(int(np.prod(shape)))))
        assert read_npy(path).shape == shape


@pytest.mark.parametrize("missing, message", [(1, "ends after 7 of 8 bytes"), (-1, "more bytes than the header")])
def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch, missing, message):
    data = npy(described("(1,)"), bytes(8))
    changed = data[:-1] if missing > 0 else data + b"x"
    monkeypatch.setattr("minirram.files.arrays.open_file", lambda *_, **__: (io.BytesIO(changed), len(data)))
    with pytest.raises(DataError, match=message):
        read_npy(tmp_path / "a.npy")


def archive(path, *members):
    with zipfile.ZipFile(str(path), "w") as made:
        for name, data in members:
            made.writestr(name, data)
    return path


def test_members_of_archives(tmp_path, recwarn):
    one = npy(described("(1,)", "'|u1'"), b"x")
    twice = archive(tmp_path / "a.npz", ("x.npy", one), ("x.npy", one))
    with pytest.raises(DataError, match=r"a\.npz: not a readable .*two members are called 'x'"):
        read_npz(twice)
    with pytest.raises(DataError, match=r"a\.npz: not a readable .*'x' is not an array"):
        read_npz(archive(tmp_path / "a.npz", ("x", one)))


def test_the_number_of_members(tmp_path, monkeypatch):
    monkeypatch.setattr("minirram.files.arrays.MOST_MEMBERS", 2)
    members = [(f"{k}.npy", npy(described("(1,)", "'|u1'"), b"x")) for k in range(3)]
    assert len(read_npz(archive(tmp_path / "a.npz", *members[:2]))) == 2
    with pytest.raises(DataError, match=r"b\.npz: 3 members; at most 2 are read"):
        read_npz(archive(tmp_path / "b.npz", *members))


@pytest.mark.parametrize("said, right", [("1", True), ("0.99", False), ("1000", True), ("1001", False), ("x", False)])
def test_what_multiplies_the_budgets(tmp_path, monkeypatch, said, right):
    path = archive(tmp_path / "a.npz", ("x.npy", npy(described("(1,)", "'|u1'"), b"x")))
    monkeypatch.setenv(SCALE, said)
    if right:
        assert read_npz(path)["x"].tolist() == [ord("x")]
        return
    with pytest.raises(ConfigError, match=f"{SCALE} is '{said}'; it is a number, 1 to 1000"):
        read_npz(path)


# -- files of any kind


@pytest.mark.parametrize("read", [read_npy, read_npz, lambda path: read_bytes(path, SMALL)])
def test_the_time_of_a_file(tmp_path, monkeypatch, read):
    """It is named once, by its path; ten seconds, and one for each megabyte, are in time."""
    path = tmp_path / "a"
    path.write_bytes(b"12345678" if "lambda" in read.__name__ else npy(described("(1,)", "'|u1'"), b"x"))
    if read is read_npz:
        archive(path, ("x.npy", path.read_bytes()))
    for step_s, right in ((10.0, True), (10.1, False)):
        clock = itertools.count(0.0, step_s)
        monkeypatch.setattr("minirram.files.reading.time", types.SimpleNamespace(monotonic=clock.__next__))
        if right:
            read(path)
            continue
        with pytest.raises(DataError, match="not read within 10 s, the most for a file of its length") as told:
            read(path)
        assert str(told.value).count(str(path)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_what_is_no_file(tmp_path):
    (tmp_path / "file").write_text("{}")
    (tmp_path / "folder").mkdir()
    os.symlink("file", str(tmp_path / "link"))
    os.mkfifo(str(tmp_path / "pipe"))

    def free_descriptor():
        descriptor = os.open(os.devnull, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    free = free_descriptor()
    assert read_json(tmp_path / "link") == {} == read_json(tmp_path / "file", follow=False)
    for name, follow, kind, message in (
        ("link", False, DataError, "link: a symbolic link; links in such a folder are not followed"),
        ("file/x", True, MissingFileError, r"x: cannot be read \("),
        ("a\0b", True, MissingFileError, "no name of a file"),
        ("folder", True, MissingFileError, "folder: a folder, not a file$"),
        ("pipe", True, DataError, "pipe: a FIFO, not a file; save what it gives in a file first"),
        (os.devnull, True, DataError, "a device, not a file; save what it gives in a file first"),
    ):
        with pytest.raises(DataError, match=message) as told:
            read_json(os.path.join(str(tmp_path), name), follow=follow)
        assert type(told.value) is kind
    with pytest.raises(DataError, match="file: longer than 1 bytes"):
        read_bytes(tmp_path / "file", Budget("short", "files of one byte", most_bytes=1, elements=1, depth=1))
    assert free_descriptor() <= free  # what is refused is closed
    (tmp_path / "folder" / "program.xbp").write_text("")
    with pytest.raises(MissingFileError, match=r"did you mean .*program\.xbp\?"):
        read_json(tmp_path / "folder")


def test_the_length_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"1" * 10)
    assert read_bytes(path, SMALL) == b"1" * 10
    monkeypatch.setattr("minirram.files.reading.open_file", lambda *_, **__: (io.BytesIO(b"1" * 11), 10))  # it grew
    with pytest.raises(DataError, match=r"a: longer than 10 bytes, the most that is read of such a file \(11\)"):
        read_bytes(path, SMALL)


def test_a_disk_that_does_not_answer(tmp_path, monkeypatch):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("minirram.files.reading.open_file", lambda *_, **__: (Broken(), 10))
    with pytest.raises(MissingFileError, match=r"a: cannot be read \(Input/output error\)"):
        read_bytes(tmp_path / "a", SMALL)


def test_a_folder_that_cannot_be_locked(tmp_path, monkeypatch):
    def refused(descriptor):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("minirram.files.locks.lock_at_once", refused)
    with pytest.raises(ConfigError, match=r"files cannot be locked \(No locks available\); choose another folder"):
        with locked(tmp_path, "lock", what="another test"):
            pytest.fail("the body must not run")


def test_who_has_a_folder_is_named_where_locks_move_the_position(tmp_path, monkeypatch):
    """Windows locks bytes, those behind the text: a file that another process has is left at their place."""

    def refused(descriptor, mode, n_bytes):
        assert os.lseek(descriptor, 0, os.SEEK_CUR) > 1000 and (mode, n_bytes) == (2, 1)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(LK_NBLCK=2, locking=refused))
    (tmp_path / "lock").write_text("process 7 of a host\n")
    with pytest.raises(ConfigError, match=r"another test works in .* \(process 7 of a host\)$"):
        with locked(tmp_path, "lock", what="another test"):
            pytest.fail("the body must not run")


@pytest.mark.parametrize(
    "name, kept, left",
    [
        ("own", False, ["own"]),
        ("own", True, ["own", "own/half"]),
        ("a/b", False, []),
        ("a/b", True, ["a", "a/b", "a/b/half"]),
    ],
)
def test_what_an_error_leaves_of_a_folder(tmp_path, name, kept, left):
    """A folder that was there stays, without what was made in it; one that was not goes with its parents."""
    if name == "own":
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="of the work"):
        with alone(tmp_path / name, "lock", what="another test", kept=lambda folder: kept):
            (tmp_path / name / "half").write_text("")
            raise ValueError("of the work")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == left


# -- JSON

TEXTS = [
    ('{"a": NaN}', "NaN is no number of JSON"),
    ('{"a": -Infinity}', "-Infinity is no number of JSON"),
    ('{"a": ' + "9" * (MOST_DIGITS + 1) + "}", f"an integer of {MOST_DIGITS + 1} digits, at most {MOST_DIGITS}"),
    ('{"b": 1, "a": 1, "a": 1}', "the name 'a' stands twice"),
    ("[" * 66 + "]" * 66, "lists and objects of more than 64 deep"),
]


@pytest.mark.parametrize("text, message", TEXTS, ids=range(len(TEXTS)))
def test_texts_that_are_no_json_here(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=rf"a\.json: not a JSON file \({message}"):
        read_json(tmp_path / "a.json")


def test_a_text_too_deep_for_python():
    with pytest.raises(ValueError, match="lists and objects more than 2 deep"):
        json_of("[" * 100_000, SMALL)


def test_texts_at_the_limit_are_read():
    integer = "-" + "9" * MOST_DIGITS
    assert json_of(integer) == int(integer)
    for text in ("[[1]]", '{"a": {"b": 1}}', "[1, 2, 3]", '{"a": [1], "b": 1}'):
        assert json_of(text, SMALL) == json.loads(text)
    for text in ("[[[1]]]", '{"a": {"b": [1]}}'):
        with pytest.raises(ValueError, match="of more than 2 deep"):
            json_of(text, SMALL)
    for text in ("[1, 2, 3, 4]", '{"a": [1, 2], "b": 1}'):
        with pytest.raises(ValueError, match="of more than 4 values"):
            json_of(text, SMALL)

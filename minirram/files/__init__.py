"""Files: one door to read them, within budgets; written whole or not at all. Every room may use it."""

from .arrays import Arrays, archive_of, fill, part, prefixed, read_npy, read_npz
from .budgets import Budget
from .reading import Path, blaming, crc_of, json_of, open_file, read_bytes, read_json, refuse_links, sha256_of
from .writing import (
    append_line,
    atomic_writer,
    check_replaceable,
    check_writable,
    copy_file,
    open_to_append,
    rename_file,
    utf8,
    whole_folder,
    write_json,
    write_npz,
)

__all__ = [
    "Arrays",
    "Budget",
    "Path",
    "append_line",
    "archive_of",
    "atomic_writer",
    "blaming",
    "check_replaceable",
    "check_writable",
    "copy_file",
    "crc_of",
    "fill",
    "json_of",
    "open_file",
    "open_to_append",
    "part",
    "prefixed",
    "read_bytes",
    "read_json",
    "read_npy",
    "read_npz",
    "refuse_links",
    "rename_file",
    "sha256_of",
    "utf8",
    "whole_folder",
    "write_json",
    "write_npz",
]

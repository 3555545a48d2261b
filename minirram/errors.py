"""The exceptions that minirram raises on purpose. Each message says what was wrong, where, and what would be right."""

from typing import Iterable, Optional


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "; did you mean X?" where one of the `known` names is close to `name`, else "": the end of a message."""
    from difflib import get_close_matches

    close = get_close_matches(name.lower(), list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def how_to_install(extra: str) -> str:
    """The command that installs an extra: the end of a message. No registry has a package `minirram`."""
    return f"pip install '.[{extra}]' in the checkout (from wheels: docs/offline.md)"


class MinirramError(Exception):
    """Base of all errors that a user can cause; the command line turns them into one line and an exit code."""


class ConfigError(MinirramError):
    """An option or a parameter has a value that cannot be used."""


class DivergedError(ConfigError):
    """A learning rate was so high that the loss, or what is learned, is not finite any more."""


class ShapeError(MinirramError):
    """An array does not have the shape that the operation needs."""


class DataError(MinirramError):
    """The contents of a data set, a map or a run folder are missing, damaged or inconsistent."""


class MissingFileError(DataError):
    """A file that was named does not exist."""


class BenchError(MinirramError):
    """A bench does not answer, or does not do what it was asked for."""


class FormatError(MinirramError):
    """A program file breaks a rule of its format.

    `offset` is the byte at which the rule is broken; `kind` names the error class of export/SPEC.md (the same name in
    Python and in C); `record` is the number of the record, None in the file header and where no single one is at fault.
    """

    def __init__(self, message: str, offset: int, *, kind: str, record: Optional[int] = None) -> None:
        super().__init__(f"{message} (byte offset {offset}, {kind})")
        self.message = message
        self.offset = offset
        self.kind = kind
        self.record = record

    def of(self, file: str) -> "FormatError":
        """The same error, said of a file."""
        return FormatError(f"{file}: {self.message}", self.offset, kind=self.kind, record=self.record)

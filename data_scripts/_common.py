"""What the data scripts share: a folder or a zip as a source of files; errors as one line and an exit code."""

import bisect
import importlib
import io
import os
import sys
import weakref
import zipfile
import zlib

# The scripts also run from a source tree that is not installed.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from minirram import files  # noqa: E402
from minirram.errors import (
    ConfigError,  # noqa: E402
    DataError,  # noqa: E402
    MinirramError,  # noqa: E402
    how_to_install,  # noqa: E402
)
from minirram.files import archive_of, budgets  # noqa: E402

MAX_FILE_BYTES = 64_000_000  # no single file of these data sets comes near; a zip may claim anything


class Source:
    """The files of a folder (with its subfolders) or of a zip, by their paths with '/'."""

    def __init__(self, path):
        """DataError when there is no such folder or file, or when it is not a zip."""
        self.path = path
        self._zip = None
        if os.path.isdir(path):
            self.names = sorted(
                os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")
                for folder, _, names in os.walk(path)
                for name in names
            )
            return
        if not os.path.isfile(path):
            raise DataError(f"{path}: there is no such folder or file")
        try:
            handle, size = files.open_file(path, budgets.SOURCE)
            weakref.finalize(self, handle.close)  # a ZipFile closes only what it opened itself
            self._zip = archive_of(handle, size, budgets.SOURCE)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        except zipfile.BadZipFile as error:
            raise DataError(f"{path}: neither a folder nor a readable zip ({error})") from None
        names = (name for name in self._zip.namelist() if not name.endswith("/"))
        self.names = sorted(name for name in names if not name.startswith("__MACOSX/"))

    def holds(self, name):
        """Whether there is a file of that path."""
        at = bisect.bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name

    def where(self, name):
        """How messages call a file."""
        return os.path.join(self.path, *name.split("/"))

    def read(self, name):
        """Contents of one file; DataError naming it when it is missing, damaged or absurdly large."""
        if not self.holds(name):
            raise DataError(f"{self.where(name)}: there is no such file")
        size = self._zip.getinfo(name).file_size if self._zip else os.path.getsize(self.where(name))
        if size > MAX_FILE_BYTES:
            raise DataError(f"{self.where(name)}: {size} bytes, more than any file of this set")
        if not self._zip:
            return files.read_bytes(self.where(name), budgets.IMAGE)
        try:
            return self._zip.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{self.where(name)}: damaged in its zip ({error})") from None


def check_picture(data, where, kind):
    """DataError, before a pixel is decoded, for a picture of more pixels than are read. kind: of it, "PNG"."""
    image = optional("PIL.Image")
    try:
        with image.open(io.BytesIO(data)) as picture:  # the header alone
            width, height = picture.size
    except Exception as error:  # Pillow has errors of its own, and warnings for large pictures
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where}: cannot be read as {kind} ({reason})") from None
    if width * height > budgets.IMAGE.elements:
        raise DataError(f"{where}: {width} x {height} pixels; at most {budgets.IMAGE.elements} are read")


def optional(name):
    """An optional package, or a ConfigError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.split(".")[0]
        raise ConfigError(f"this script needs the package {package}: {how_to_install('data')}") from None


def warn(message):
    """Print a warning as one line."""
    print(f"warning: {message}", file=sys.stderr)


def run(main):
    """Call `main(arguments)`; on an expected error print one line and exit: 2 wrong option, 3 data or disk."""
    try:
        main(sys.argv[1:])
    except DataError as error:
        fail(error, 3)
    except MinirramError as error:
        fail(error, 2)
    except OSError as error:
        fail(f"cannot read or write {error.filename or 'the output file'}: {error.strerror or error}", 3)


def fail(error, code):
    """Print the error as one line and leave with the exit code."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(code)

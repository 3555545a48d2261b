"""What the data scripts share: errors become one line and an exit code."""

import os
import sys

# The scripts also run from a source tree that is not installed.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from minirram.errors import DataError, MinirramError  # noqa: E402


def run(main):
    """Call `main(arguments)`; on an expected error print one line and exit: 2 wrong option, 3 data or disk."""
    try:
        main(sys.argv[1:])
    except DataError as error:
        fail(error, 3)
    except MinirramError as error:
        fail(error, 2)
    except OSError as error:
        fail("cannot read or write {}: {}".format(error.filename or "the output file", error.strerror or error), 3)


def fail(error, code):
    """Print the error as one line and leave with the exit code."""
    print("error: {}".format(error), file=sys.stderr)
    sys.exit(code)

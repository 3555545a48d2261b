"""`minirram` and `python -m minirram`: one BLAS thread per Python thread, then the command line."""

import os
import sys


def main() -> int:
    """Run the command line on `sys.argv`; returns the exit code."""
    from .cli import stops

    # Loading takes some tenths of a second: a Ctrl-C meanwhile ends it without a traceback.
    stops.handle_by(stops.end_at_once)
    # Work is spread over Python threads; more BLAS threads below them would only fight for the same cores.
    # It must be settled before NumPy loads its BLAS, so the import stands below.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    from .cli.main import main as run_command

    return run_command()


if __name__ == "__main__":
    sys.exit(main())

"""IR drop of a 512 x 512 array: the nodal solve of minirram against scipy.sparse.linalg.spsolve on the same nodes.

1 ohm per segment, conductances log-uniform in 1..100 uS, one input. Needs SciPy (`pip install '.[data]'`).

    python benchmarks/wires.py --json
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main(arguments=None):
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--size", type=int, default=512, help="rows and columns; other sizes rename the fields")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(1)
    results = measure(options.size)
    if options.json:
        print(json.dumps(dict(results, machine=found), indent=2, sort_keys=True))
    else:
        for name in sorted(results):
            print(f"{name:24s} {results[name]:.4g}")


def measure(size):
    """Times, their ratio and the largest relative error of a column current, as a dict."""
    import numpy as np

    from minirram.crossbar.wires import Wires, attenuated_S, column_currents_A

    generator = np.random.default_rng(1)
    conductance_S = 10.0 ** generator.uniform(-6, -4, (size, size))
    inputs_V = generator.uniform(0, 1, (1, size))
    lines = Wires(1.0, 1.0)
    currents_A, times_s = timed(lambda: column_currents_A(conductance_S, inputs_V, wires=lines), 7)
    reference_A, spsolve_s = timed(lambda: sparse_solve(conductance_S, inputs_V[0], 1.0), 1)
    reduced_A, reduced_s = timed(lambda: inputs_V @ attenuated_S(conductance_S, lines), 3)
    ideal_A = inputs_V @ conductance_S
    return {
        f"seconds_{size}": times_s,
        "spsolve_seconds": spsolve_s,
        "spsolve_ratio": spsolve_s / times_s,
        f"error_{size}": float(np.max(np.abs(currents_A[0] / reference_A - 1))),
        "reduced_seconds": reduced_s,
        "reduced_error": float(np.max(np.abs(reduced_A[0] / reference_A - 1))),
        "current_lost": float(1 - currents_A.sum() / ideal_A.sum()),
    }


def timed(function, repetitions):
    """(result, median seconds of `repetitions` calls)."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return result, statistics.median(times)


def sparse_solve(conductance_S, inputs_V, segment_ohm):
    """Column currents from Kirchhoff's equations of all 2 m n nodes, assembled and solved by SciPy."""
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve

    m, n = conductance_S.shape
    row_node = np.arange(m * n).reshape(m, n)
    col_node = row_node + m * n
    wire = 1.0 / segment_ohm
    branches = [
        (row_node, col_node, conductance_S),
        (row_node[:, :-1], row_node[:, 1:], np.full((m, n - 1), wire)),
        (col_node[:-1], col_node[1:], np.full((m - 1, n), wire)),
    ]
    a, b, siemens = (np.concatenate([np.ravel(branch[k]) for branch in branches]) for k in range(3))
    ends = np.concatenate([row_node[:, 0], col_node[-1]])
    rows = np.concatenate([a, b, a, b, ends])
    cols = np.concatenate([a, b, b, a, ends])
    values = np.concatenate([siemens, siemens, -siemens, -siemens, np.full(m + n, wire)])
    source = np.zeros(2 * m * n)
    source[row_node[:, 0]] = inputs_V * wire
    potentials = spsolve(coo_matrix((values, (rows, cols))).tocsc(), source)
    return potentials[col_node[-1]] * wire


if __name__ == "__main__":
    main()

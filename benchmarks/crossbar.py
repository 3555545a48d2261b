"""How close the crossbar product comes to the bare matrix products that it consists of.

The limit is `gemm_limit`: the float32 products (batch, n) @ (n, n), one per bit plane and polarity, and nothing else,
with the same threads in the same process. The two are called in turn and the fastest call of each counts: what a busy
machine does in between is not what is measured.

    python benchmarks/crossbar.py --json            everything, about a minute
    python benchmarks/crossbar.py --json --quick    the ratios at 512 alone

The numbers are taken with one BLAS thread and two Python threads, as the command line of minirram runs: the variable
OPENBLAS_NUM_THREADS is set before NumPy starts. `--blas-threads 2 --threads 1` measures the other way.
"""

import argparse
import json
import os
import pathlib
import sys
import time
import tracemalloc

ROOT = pathlib.Path(__file__).resolve().parents[1]
BATCH, BITS = 256, 8


def main(arguments=None):
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="only the ratios at 512")
    parser.add_argument("--threads", type=int, default=2, help="Python threads over samples")
    parser.add_argument("--blas-threads", type=int, default=1)
    parser.add_argument("--cpu-time", action="store_true", help="processor time of all threads: for a shared machine")
    options = parser.parse_args(arguments)
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ[library + "_NUM_THREADS"] = str(options.blas_threads)
    sys.path.insert(0, str(ROOT))
    import machine

    found = machine.tell(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    results = measure(options.threads, options.quick, clock)
    results["blas_threads"] = options.blas_threads
    if options.json:
        print(json.dumps(dict(results, machine=found), indent=2, sort_keys=True))
    else:
        for name in sorted(results):
            print(f"{name:24s} {results[name]:.4g}")


def measure(threads, quick, clock):
    """All figures as a dict: ratios to the limit, memory, exponents. clock: gives seconds."""
    results = {"threads": threads}
    for n in (512,) if quick else (512, 1024, 4096):
        problem = Problem(n, threads)
        repetitions = 25 if n < 4096 else 8
        limit_s, ideal_s = interleaved(clock, problem.gemm_limit, problem.ideal, repetitions)
        results[f"ideal_{n}"] = ideal_s / limit_s
        results[f"limit_gflops_{n}"] = 4e-9 * BATCH * BITS * n * n / limit_s
        if n == 512:
            limit_s, noisy_s = interleaved(clock, problem.gemm_limit, problem.noisy, repetitions)
            results["noise_512"] = noisy_s / limit_s
            for bits in (4, 6, 8):
                fresh, held = Problem(n, threads, planes=bits), Problem(n, threads, planes=bits, held=True)
                fresh_s, held_s = interleaved(clock, fresh.noisy, held.noisy, repetitions)
                results[f"held_over_fresh_{bits}"] = held_s / fresh_s
    if not quick:
        results["extra_mb"] = max(Problem(512, threads, batch=4096).extra_mb(), Problem(4096, threads).extra_mb())
        sizes = {"tiles": [1, 2, 4, 8], "planes": [2, 4, 8], "batch": [256, 512, 1024, 2048]}
        for name, options in (("tiles", {}), ("planes", {"batch": 4096}), ("batch", {})):
            functions = [Problem(512, threads, **dict(options, **{name: size})).ideal for size in sizes[name]]
            results["exponent_" + name] = exponent(clock, sizes[name], functions)
    return results


class Problem:
    """Random operands: `tiles` row tiles of 512 or n rows by n pairs, converted per plane and polarity."""

    def __init__(self, n, threads, batch=BATCH, planes=BITS, tiles=None, held=False):
        import numpy as np

        from minirram.crossbar.converters import Adc, bounding_lsb
        from minirram.crossbar.product import multiply_tiles
        from minirram.crossbar.read_noise import ReadNoise, read_variance

        generator = np.random.default_rng(n)
        rows = n if tiles is None else 512 * tiles
        self.cells = np.rint(generator.lognormal(9.4, 0.147, (rows, 2 * n))).astype(np.float32)
        self.codes = generator.integers(0, 2**planes, (batch, rows)).astype(np.uint8)
        self.adc = Adc(8, bounding_lsb(self.cells[:512], 8, arrangement="polarity"), "polarity")
        self.noises = [ReadNoise(1, "bench", t, held=held) for t in range(-(-rows // 512))]
        self.variances = [read_variance(0.0065 * self.cells[t : t + 512]) for t in range(0, rows, 512)]
        self.plain = generator.random((batch, n)).astype(np.float32)
        self.matrix = generator.random((n, n)).astype(np.float32)
        self.threads, self.bits = threads, planes
        self.multiply = multiply_tiles

    def ideal(self):
        """The product without noise."""
        self.multiply(self.codes, self.cells, input_bits=self.bits, adc=self.adc, threads=self.threads)

    def noisy(self):
        """The product with read noise: fresh on every plane, or held by each cell over the planes of a sample."""
        self.multiply(
            self.codes,
            self.cells,
            input_bits=self.bits,
            adc=self.adc,
            noises=self.noises,
            variances=self.variances,
            threads=self.threads,
        )

    def gemm_limit(self):
        """The bare matrix products of the same reads, shared between the threads."""
        from concurrent.futures import ThreadPoolExecutor

        import numpy as np

        def share(k):
            out = np.empty(self.plain.shape, np.float32)
            for _ in range(k, 2 * self.bits, self.threads):
                np.matmul(self.plain, self.matrix, out=out)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(share, range(self.threads)))

    def extra_mb(self):
        """Largest memory in use during a noisy product beyond operands and result, MB."""
        result_bytes = 8 * len(self.codes) * self.cells.shape[1] // 2
        self.noisy()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        self.noisy()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return (peak - before - result_bytes) / 2**20


def seconds(clock, function):
    """Time of one call."""
    start = clock()
    function()
    return clock() - start


def interleaved(clock, first, second, repetitions):
    """Shortest times of two functions, called in turn."""
    first()
    second()
    pairs = [(seconds(clock, first), seconds(clock, second)) for _ in range(repetitions)]
    return tuple(min(times) for times in zip(*pairs))


def exponent(clock, sizes, functions):
    """Exponent p of the least-squares fit time ~ size^p; the functions, one per size, are measured in turn."""
    import numpy as np

    for function in functions:
        function()
    rounds = [[seconds(clock, function) for function in functions] for _ in range(25)]
    return float(np.polyfit(np.log(sizes), np.log(np.min(rounds, axis=0)), 1)[0])


if __name__ == "__main__":
    main()

"""Time and memory of a learning step: minirram against PyTorch on the CPU.

    python benchmarks/training.py [--json] [--tasks cnn crnn unet] [--rounds 5] [--threads 2] [--torch PYTHON]
                                  [--no-torch]

A step is: one noisy read of the weights, forward and backward with whole-batch batch norm, straight-through score
gradients, momentum, top-k masks, hysteresis. Both sides run it in processes of their own, in turn, `rounds` times;
the figures are ratios of median times, PyTorch over minirram (above 1: minirram is faster), with PyTorch in the
better of its memory formats. Gradients of both sides are compared first. `*_gemm` is the time of minirram's step over
that of the bare matrix products of the step (below 1: Winograd's form needs fewer of them), on as many threads as the
step takes, `gemm_threads`: a small batch is run by one. PyTorch (`pip install torch==2.13.0`) is needed for this
benchmark alone: `--torch` names an interpreter that has it, `--no-torch` leaves it out. On a busy machine only
`cpu_ratio` (the same from processor time) with `--threads 1` means something: PyTorch's threads wait by spinning.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

RECIPE = {
    "density": 0.5,
    "read_noise": 0.0065,
    "hysteresis": 0.01,
    "rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "score_step": 0.03,
}
TASKS = {"cnn": (240, 30), "crnn": (60, 60), "unet": (8, 4)}
RANGE = 3.0  # of every quantiser: about three standard deviations of a normalised activation
LARGEST_DIFFERENCE = 1e-4  # of the gradients of both sides, relative to the norm


def problem(task):
    """(network, weights, state, codes, labels) of a random batch, the same for both sides."""
    import numpy as np

    from minirram.nn.network import initial_state, matrices, output_shapes
    from minirram.tasks.fashion_mnist import fashion_mnist_cnn
    from minirram.tasks.retina import retina_unet
    from minirram.tasks.spoken_digits import spoken_digit_crnn

    builders = {"cnn": fashion_mnist_cnn, "crnn": spoken_digit_crnn, "unet": retina_unet}
    batch, _ = TASKS[task]
    network = builders[task]()
    generator = np.random.default_rng(0)
    weights = {}
    for name, shape in matrices(network):
        signs = generator.integers(0, 2, shape) * 2 - 1
        kept = signs * np.exp(0.147 * generator.standard_normal(shape)) * np.sqrt(4 / shape[0])
        weights[name] = kept.astype(np.float32)
    state = initial_state(network)
    for name in state:
        if name.endswith(".range"):
            state[name][...] = RANGE
    codes = generator.integers(0, 2**network.input_bits, (batch,) + network.input_shape).astype(np.uint8)
    output = output_shapes(network)[network.layers[-1].name]
    return network, weights, state, codes, generator.integers(0, output[-1], (batch,) + output[:-1])


class NumpyLearner:
    """The step with minirram's own functions."""

    def __init__(self, network, weights, state, threads):
        import numpy as np

        from minirram.learn.pruning import initial_scores, top_mask
        from minirram.nn.engine.engine import Engine
        from minirram.nn.network import affine_parameters
        from minirram.rng import stream

        self.engine = Engine(network, TASKS_BATCH[network.name], threads=threads)
        self.kept, self.state = weights, state
        self.weights = {name: np.empty_like(array) for name, array in weights.items()}
        self.generators = {name: stream(1, "read", name) for name in weights}
        self.scores = {
            name: initial_scores(stream(1, "scores", name), array.shape, fan_in=len(array))
            for name, array in weights.items()
        }
        self.velocity = {name: np.zeros_like(array) for name, array in weights.items()}
        self.masks = {name: top_mask(array, RECIPE["density"]) for name, array in self.scores.items()}
        self.affine_velocity = {name: np.zeros_like(state[name]) for name in affine_parameters(network)}

    def read(self, name):
        """Masked weights of one matrix with fresh read noise."""
        import numpy as np

        from minirram.nn.blocks import blocks

        for weights, kept, mask in blocks(self.weights[name], self.kept[name], self.masks[name]):
            self.generators[name].standard_normal(dtype=np.float32, out=weights)
            weights *= np.float32(RECIPE["read_noise"])
            weights += 1
            weights *= kept
            weights *= mask

    def learn(self, name, gradient):
        """Move the scores of one matrix and choose its mask anew."""
        from minirram.learn.optim import sgd_step
        from minirram.learn.pruning import initial_size, score_gradient, steady_mask, to_score_size, top_mask

        scores = self.scores[name]
        old = scores.copy()
        gradient = score_gradient(gradient, self.kept[name], scores=scores)
        to_score_size(gradient, RECIPE["score_step"] * initial_size(len(scores)))
        rate, momentum, decay = (RECIPE[key] for key in ("rate", "momentum", "weight_decay"))
        sgd_step(scores, self.velocity[name], gradient=gradient, rate=rate, momentum=momentum, weight_decay=decay)
        wanted = top_mask(scores, RECIPE["density"])
        self.masks[name] = steady_mask(
            wanted, self.masks[name], scores=scores, old_scores=old, limit=RECIPE["hysteresis"]
        )

    def step(self, codes, labels):
        """One learning step; returns the loss."""
        from minirram.learn.optim import sgd_step

        self.engine.share(self.read, self.kept)
        loss, _, gradients = self.engine.training_step(self.weights, self.state, x=codes, labels=labels)
        self.engine.share(lambda name: self.learn(name, gradients[name]), self.kept)
        for name, velocity in self.affine_velocity.items():
            sgd_step(
                self.state[name],
                velocity,
                gradient=gradients[name],
                rate=RECIPE["rate"],
                momentum=RECIPE["momentum"],
                weight_decay=0.0,
            )
        return loss


TASKS_BATCH = {"fashion-mnist-cnn": 240, "spoken-digit-crnn": 60, "retina-unet": 8}


def make(side, task, threads):
    """(learner, codes, labels) of one side: 'minirram', 'torch' or 'torch-channels-last'."""
    network, weights, state, codes, labels = problem(task)
    if side == "minirram":
        return NumpyLearner(network, weights, state, threads), codes, labels
    import torch
    from training_torch import TorchLearner

    torch.set_num_threads(threads)
    return TorchLearner(network, weights, state, RECIPE, side == "torch-channels-last"), codes, labels


def time_steps(step, count):
    """Median seconds of `count` calls after two to warm up, on the clock and of the processor."""
    times = []
    for _ in range(count + 2):
        start, work = time.perf_counter(), time.process_time()
        step()
        times.append((time.perf_counter() - start, time.process_time() - work))
    seconds, work = zip(*times[2:])
    return {"seconds": statistics.median(seconds), "cpu_seconds": statistics.median(work)}


def run_side(side, task, threads):
    """What one process reports: seconds per step and its peak memory."""
    count = TASKS[task][1]
    if side == "gemm":
        return time_steps(bare_products(task, threads), count)
    learner, codes, labels = make(side, task, threads)
    times = time_steps(lambda: learner.step(codes, labels), count)
    if side == "minirram":
        times["threads"] = learner.engine.threads
    return dict(times, peak_MB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def bare_products(task, threads):
    """A function that does the matrix products of a step and nothing else: forward, dW and, but for the first, dx.

    Direct products of patches with kernels, each thread half of the rows, into arrays that exist.
    """
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from minirram.nn.network import positions

    network, weights, _, codes, _ = problem(task)
    places = positions(network)
    arrays = []
    for name, weight in weights.items():
        rows = -(-places[name] * len(codes) // threads)
        inputs, outputs = (np.ones((rows, length), np.float32) for length in weight.shape)
        results = [[np.empty_like(a) for a in (inputs, outputs, weight)] for _ in range(threads)]
        arrays.append((inputs, outputs, weight, results))

    def work(thread):
        for index, (inputs, outputs, weight, results) in enumerate(arrays):
            dinputs, products, dweight = results[thread]
            np.matmul(inputs, weight, out=products)
            np.matmul(inputs.T, outputs, out=dweight)
            if index:
                np.matmul(outputs, weight.T, out=dinputs)

    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(work, range(threads)))


def run_check(task):
    """How far the gradients of both sides are apart, relative to their norm.

    `difference`: in float64. The quantisers get 8 bits and a range that nothing exceeds, because PyTorch's gradient
    ends half a step above the range and minirram's at the range. `*_float32`: each side's float32 from PyTorch's
    float64, without quantisers; a value within rounding of a ReLU's edge may fall on either side of it.
    """
    import numpy as np

    network, weights, state, codes, labels = problem(task)
    fine = (dataclasses.replace(layer, bits=8) if hasattr(layer, "bits") else layer for layer in network.layers)
    network = dataclasses.replace(network, layers=tuple(fine))
    ours, theirs = both_gradients(network, weights, with_range(state, 255 / 4), codes, labels, np.float64)
    result = {"difference": _largest(ours, theirs)}
    _, reference = both_gradients(network, weights, with_range(state, np.inf), codes, labels, np.float64)
    for side, found in zip(
        ("minirram", "torch"), both_gradients(network, weights, with_range(state, np.inf), codes, labels, np.float32)
    ):
        result[side + "_float32"] = _largest(found, reference)
    return result


def with_range(state, value):
    """A copy of `state` with all ranges set to `value`."""
    import numpy as np

    return {name: np.full_like(array, value) if name.endswith(".range") else array for name, array in state.items()}


def both_gradients(network, weights, state, codes, labels, dtype):
    """Loss and gradients of minirram and of PyTorch for one batch, as two dicts of arrays."""
    import numpy as np
    from training_torch import TorchLearner

    from minirram.nn.engine.engine import Engine

    weights, state = ({name: array.astype(dtype) for name, array in arrays.items()} for arrays in (weights, state))
    learner = TorchLearner(network, weights, state, RECIPE, False)
    loss, leaves = learner.gradients(codes, labels, noisy=False)
    theirs = {name: learner.matrix(name, leaf.grad).numpy() for name, leaf in leaves.items()}
    theirs.update({name: value.grad.numpy() for name, value in learner.affine.items()}, loss=np.array(loss))
    masked = {name: weights[name] * learner.matrix(name, learner.masks[name]).numpy() for name in weights}
    loss, _, ours = Engine(network, len(codes), dtype=dtype).training_step(masked, state, x=codes, labels=labels)
    return dict(ours, loss=np.array(loss)), theirs


def _largest(values, references):
    """The largest of the differences of arrays, relative to the norm of the reference."""
    import numpy as np

    pairs = [(values[name], reference) for name, reference in references.items()]
    return max(float(np.linalg.norm(value - reference) / np.linalg.norm(reference)) for value, reference in pairs)


def child(*arguments, threads, python):
    """Run this file in a process of its own; minirram's threads are Python's, PyTorch's are OpenMP's."""
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS=str(threads))
    command = [python, os.path.abspath(__file__), "--threads", str(threads), "--child", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def compare(task, rounds, *, threads, torch):
    """All figures of one task; torch: the interpreter of PyTorch's side, None leaves it out."""
    figures, theirs = {}, ("torch", "torch-channels-last") if torch else ()
    if torch:
        figures["gradient_difference"] = child("check", task, threads=threads, python=torch)
    sides = {side: [] for side in ("minirram", *theirs, "gemm")}
    for _ in range(rounds):
        for side, results in sides.items():
            used = sides["minirram"][0]["threads"] if side == "gemm" else threads
            results.append(child(side, task, threads=used, python=torch if side in theirs else sys.executable))
    seconds = {side: statistics.median(r["seconds"] for r in results) for side, results in sides.items()}
    work = {side: statistics.median(r["cpu_seconds"] for r in results) for side, results in sides.items()}
    figures.update(
        images_per_second=TASKS[task][0] / seconds["minirram"],
        gemm_threads=sides["minirram"][0]["threads"],
        gemm_cpu_ratio=work["minirram"] / work["gemm"],
        step_ms={side: 1e3 * value for side, value in seconds.items()},
        step_cpu_ms={side: 1e3 * value for side, value in work.items()},
        peak_MB={side: max(r["peak_MB"] for r in sides[side]) for side in ("minirram", *theirs)},
    )
    found = {task + "_gemm": seconds["minirram"] / seconds["gemm"], task + "_details": figures}
    if torch:
        best = min(theirs, key=seconds.get)
        found[task] = seconds[best] / seconds["minirram"]
        figures["torch_images_per_second"] = TASKS[task][0] / seconds[best]
        figures["torch_format"] = best
        figures["cpu_ratio"] = min(work[side] for side in theirs) / work["minirram"]
    return found


def main():
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--tasks", nargs="+", choices=sorted(TASKS), default=list(TASKS))
    parser.add_argument("--rounds", type=int, default=5, help="processes per side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch", metavar="PYTHON", default=sys.executable, help="interpreter that has PyTorch")
    parser.add_argument("--no-torch", dest="torch", action="store_const", const=None, help="bare products alone")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        side, task = options.child
        print(json.dumps(run_check(task) if side == "check" else run_side(side, task, options.threads)))
        return 0
    if options.torch and subprocess.run([options.torch, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode:
        print(f"{options.torch} has no PyTorch: --torch names one that has, --no-torch does without", file=sys.stderr)
        return 1
    import machine

    figures = {"threads": options.threads, "machine": machine.tell(options.threads)}
    for task in options.tasks:
        figures.update(compare(task, options.rounds, threads=options.threads, torch=options.torch))
        if not options.json:
            print(
                json.dumps({key: value for key, value in figures.items() if key.startswith(task)}, indent=2),
                flush=True,
            )
    if options.json:
        print(json.dumps(figures, indent=2))
    differences = [figures[task + "_details"].get("gradient_difference") for task in options.tasks]
    return int(any(one["difference"] > LARGEST_DIFFERENCE for one in differences if one))


if __name__ == "__main__":
    sys.exit(main())

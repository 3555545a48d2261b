"""Where the time of a learning step goes: the share of each kind of node, with its arithmetic and memory traffic.

    python benchmarks/shares.py [--json] [--tasks cnn crnn unet] [--steps 10]

The step is that of `training.py`, on one thread, in processor time. Each row is exclusive: matrix products, patches and
transforms inside a convolution have rows of their own. MB are what the operations read and write, counted on a step
of its own by arrays that count: a product its operands and result once, any other operation each operand and result.
GFLOP: 2 m n k for a product, 1 for an element of any other result. What the rows leave out is `rest`.
"""

import argparse
import collections
import functools
import json
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402  the threads of BLAS are settled first
import training  # noqa: E402

PRODUCTS = "matrix products of "
NODES = {
    "WinogradNode": "convolution",
    "PatchesNode": "convolution",
    "InputNode": "first convolution",
    "PatchMomentsNode": "first convolution",
    "ProductNode": "first convolution",
    "ActivationNode": "batch norm, ReLU, quantiser",
    "MomentsNode": "moments of batch norm",
    "LinearNode": "linear",
    "RnnNode": "recurrent",
    "MaxPoolNode": "max-pool",
    "UpsampleNode": "upsampling",
    "ConcatNode": "concatenation",
    "FlattenNode": "flatten and mean",
    "GlobalAverageNode": "flatten and mean",
}
"""class of nodes -> row"""
METHODS = {"forward": " forward", "backward": " backward", "prepare": ": kernels", "finish": ": kernels"}
"""of a node -> what its row ends with"""


class Rows:
    """Exclusive seconds, floating-point operations and bytes of each row, by a stack of the rows that are entered."""

    def __init__(self):
        self.seconds, self.flop, self.bytes = (collections.Counter() for _ in range(3))
        self._stack = []

    def watch(self, owner, name, row):
        """Let calls of owner.name count for a row; a row that begins with PRODUCTS gets the name of the one around."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def watched(*arguments, **named):
            own = row
            if row == PRODUCTS:
                around = next((entry[0] for entry in reversed(self._stack)), "")
                own = PRODUCTS + around.partition(" forward")[0].partition(" backward")[0]
            self._stack.append([own, 0.0])
            started = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                spent = time.thread_time() - started
                self.seconds[own] += spent - self._stack.pop()[1]
                if self._stack:
                    self._stack[-1][1] += spent

        setattr(owner, name, watched)

    def moved(self, flop, arrays):
        """Count an operation for the row that is entered."""
        row = self._stack[-1][0] if self._stack else "rest"
        self.flop[row] += flop
        self.bytes[row] += sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def counting(rows):
    """A class of arrays that tell `rows` of each operation on them."""

    def plain(value):
        if isinstance(value, Counted):
            return value.view(np.ndarray)
        if isinstance(value, (list, tuple)):
            return type(value)(plain(one) for one in value)
        return value

    class Counted(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, out=None, **named):
            operands = plain(inputs)
            if out is not None:
                named["out"] = plain(out)
            found = getattr(ufunc, method)(*operands, **named)
            product = ufunc.__name__ == "matmul" and method == "__call__"
            size = operands[0].size if method == "reduce" else np.size(found)
            rows.moved(2 * size * operands[0].shape[-1] if product else size, [*operands, found])
            if out is not None:
                return out[0]
            return found.view(Counted) if isinstance(found, np.ndarray) else found

        def __array_function__(self, function, types, arguments, named):
            found = function(*plain(arguments), **{key: plain(value) for key, value in named.items()})
            parts = [part for value in arguments for part in (value if isinstance(value, (list, tuple)) else [value])]
            rows.moved(np.size(found), [*parts, found])
            return found.view(Counted) if isinstance(found, np.ndarray) else found

        def __setitem__(self, key, value):
            target = plain(self)
            target[key] = plain(value)
            rows.moved(0, [target[key], value])

        def copy(self, order="C"):
            rows.moved(0, [self, self])
            return plain(self).copy(order).view(Counted)

    return Counted


def watch_all(rows):
    """Put rows on what a learning step calls."""
    import minirram.learn.optim as optim
    import minirram.learn.pruning as pruning
    from minirram.nn.engine import chunk, convolution_nodes, engine, first_layer_nodes, nodes, winograd, winograd_nodes

    def kinds(kind):
        return [kind, *(lower for child in kind.__subclasses__() for lower in kinds(child))]

    for kind in kinds(nodes.Node):
        for method, ending in METHODS.items():
            if method in vars(kind) and kind.__name__ in NODES:
                rows.watch(kind, method, NODES[kind.__name__] + ending)
    rows.watch(np, "matmul", PRODUCTS)
    for name in ("input_forward", "input_backward", "output_forward", "output_backward"):
        rows.watch(winograd, name, "Winograd transforms")
    for name in ("_add_shifted", "_shift_back", "_clear_ends", "_add_band"):
        rows.watch(winograd_nodes.WinogradNode, name, "Winograd shifts and bands")
    for name in ("_take", "_output_gradient"):
        rows.watch(winograd_nodes.WinogradNode, name, "Winograd output order and pool")
    for module, name in (
        (convolution_nodes, "im2col"),
        (convolution_nodes, "add_patches"),
        (convolution_nodes, "gather"),
        (first_layer_nodes, "gather"),
    ):
        rows.watch(module, name, "patches (im2col)")
    rows.watch(engine, "softmax_cross_entropy", "loss")
    rows.watch(engine.Engine, "_gradients", "sums of two lanes")
    rows.watch(engine.Engine, "_update", "ranges and running moments")
    rows.watch(chunk.Chunk, "sample", "ranges and running moments")
    rows.watch(chunk.Chunk, "skip_back", "concatenation backward")
    rows.watch(training.NumpyLearner, "read", "read noise")
    rows.watch(pruning, "score_gradient", "gradient of scores")
    rows.watch(pruning, "to_score_size", "gradient of scores")
    rows.watch(training.NumpyLearner, "learn", "gradient of scores")
    rows.watch(optim, "sgd_step", "optimiser")
    rows.watch(pruning, "top_mask", "masks: top-k")
    rows.watch(pruning, "steady_mask", "masks: hysteresis")


def counted(learner, kind):
    """Let the arrays of a learner count."""
    for arrays in (learner.kept, learner.state, learner.weights, learner.scores, learner.velocity, learner.masks):
        arrays.update({name: array.view(kind) for name, array in arrays.items()})


def allocate_counted(kind):
    """Let the arrays of an engine that is not begun yet count."""
    from minirram.nn.engine import activation_nodes, chunk, convolution_nodes, first_layer_nodes, nodes, winograd_nodes

    modules = (activation_nodes, chunk, convolution_nodes, first_layer_nodes, nodes, winograd_nodes)
    plain = chunk.aligned
    for module in modules:
        module.aligned = lambda shape, dtype: plain(shape, dtype).view(kind)

    def restore():
        for module in modules:
            module.aligned = plain

    return restore


def table(task, steps, rows):
    """{row: {"ms", "%", "GFLOP", "MB"}} of a step of a task, the largest first, and "step_ms"; rows: that watch it."""
    learner, codes, labels = training.make("minirram", task, 1)
    whole = []
    for step in range(steps + 2):
        if step == 2:
            rows.seconds.clear()
        started = time.thread_time()
        learner.step(codes, labels)
        whole.append(time.thread_time() - started)
    seconds, total = dict(rows.seconds), sum(whole[2:])
    kind = counting(rows)
    restore = allocate_counted(kind)
    learner, codes, labels = training.make("minirram", task, 1)
    counted(learner, kind)
    learner.step(codes, labels)
    rows.flop.clear()
    rows.bytes.clear()
    learner.step(codes, labels)
    restore()
    seconds["rest"] = total - sum(seconds.values())
    found = {
        name: {
            "ms": 1e3 * spent / steps,
            "%": 100 * spent / total,
            "GFLOP": rows.flop[name] / 1e9,
            "MB": rows.bytes[name] / 1e6,
        }
        for name, spent in sorted(seconds.items(), key=lambda pair: -pair[1])
    }
    return {"step_ms": 1e3 * total / steps, "rows": found}


def text(task, found):
    """The rows as a table."""
    lines = [f"{task}: {found['step_ms']:.1f} ms of processor time\n\n| | ms | % | GFLOP | MB |\n|---|---|---|---|---|"]
    for name, row in found["rows"].items():
        if row["%"] >= 0.2:
            figures = (f"{row[unit]:.{digits}f}" for unit, digits in (("ms", 2), ("%", 1), ("GFLOP", 3), ("MB", 1)))
            lines.append(f"| {name} | " + " | ".join(figures) + " |")
    total = [sum(row[unit] for row in found["rows"].values()) for unit in ("GFLOP", "MB")]
    return "\n".join([*lines, f"| all | {found['step_ms']:.1f} | 100 | {total[0]:.2f} | {total[1]:.0f} |", ""])


def main(arguments=None):
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--tasks", nargs="+", choices=sorted(training.TASKS), default=list(training.TASKS))
    parser.add_argument("--steps", type=int, default=10, help="that are timed")
    options = parser.parse_args(arguments)
    import machine

    figures, rows = {"machine": machine.tell(1)}, Rows()
    watch_all(rows)
    for task in options.tasks:
        figures[task] = table(task, options.steps, rows)
        if not options.json:
            print(text(task, figures[task]), flush=True)
    if options.json:
        print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

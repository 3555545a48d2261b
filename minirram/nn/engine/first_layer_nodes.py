"""The first convolution and its batch norm on one chunk of a batch, when few input channels make its patches short.

Batch norm after a product z = P W needs only moments of the patches P: mean(z) = mean(P) W, var(z) = W^T cov(P) W. So
the normalisation becomes part of the product, P [W scale] + shift, and on the way back sum(dy z) and P^T z follow
from P^T dy and P^T P. The wide output z is never stored and never passed over a second time.
"""

from typing import Any, Sequence

import numpy as np

from ..layers.base import Layer, Shape
from ..layers.convolution import Conv2d
from ..layers.norm import BATCH_NORM_EPSILON, BatchNorm
from .activation_nodes import ActivationNode
from .chunk import Chunk, aligned
from .convolution_nodes import gather
from .nodes import Node, Pass, rows

LEAST_CONTRAST = 1e-2
"""variance over mean square of a row of patches; below, the difference of two large sums would lose it"""


class PatchMomentsNode(Node):
    """First half: the patches and their moments; at the very end of the way back, the gradient of the weights.

    shift: subtracted from each row of patches before sums are taken, where their contrast is low; float64 (fan_in,).
    """

    layer: BatchNorm
    shift: Any = None
    patches_dy: Any = None  # patches^T dy, from the second half
    dbeta: Any = None  # sum of dy of this chunk, likewise

    def __init__(self, convolution: Conv2d, norm: BatchNorm, *, x: np.ndarray, shape: Shape, chunk: Chunk) -> None:
        super().__init__(norm, x, y=x, chunk=chunk)
        self.convolution = convolution
        self.fan_in = convolution.matrices()[0][1][0]
        # one row per kernel place and channel, and a last row of ones that carries the shift
        self.patches = aligned((self.fan_in + 1,) + shape[:2] + (chunk.size,), chunk.workspace.dtype)
        self.patches[-1] = 1

    def forward(self, run: Pass) -> None:
        """Fill the patches; the moments of z = patches^T W."""
        layer = self.convolution
        gather(layer, self.x, patches=self.patches[:-1])
        if not run.training:
            return
        flat = self.patches.reshape(self.fan_in + 1, -1)
        products = np.matmul(flat, flat.T).astype(np.float64)
        count = flat.shape[1]
        self.gram, self.sums = products[:-1, :-1], products[:-1, -1]
        weight: Any = run.weights[layer.name].astype(np.float64)
        mean = self.sums @ weight / count
        covariance = self.gram - np.outer(self.sums, self.sums) / count
        self.shift = None
        if np.any(np.diagonal(covariance) < LEAST_CONTRAST * np.diagonal(self.gram)):
            covariance = self._shift_by(self.sums / count, count)
            mean = (self.shift + self.sums / count) @ weight
        self.moments = count, mean, np.einsum("kj,kl,lj->j", weight, covariance, weight)

    def _shift_by(self, mean: np.ndarray, count: int) -> np.ndarray:
        """Take the sums of patches that lie around 0; returns their covariance times count."""
        self.shift = mean.astype(self.patches.dtype).astype(np.float64)
        flat = self.shifted()
        self.gram, self.sums = np.matmul(flat, flat.T).astype(np.float64), flat.sum(axis=1, dtype=np.float64)
        return self.gram - np.outer(self.sums, self.sums) / count

    def shifted(self) -> np.ndarray:
        """Patches less the shift, (fan_in, positions)."""
        flat = self.patches[:-1].reshape(self.fan_in, -1)
        return flat - self.shift.astype(flat.dtype)[:, np.newaxis]

    def _shifted_gradient(self, run: Pass) -> np.ndarray:
        """What `backward` adds, from patches less the shift: dW = (P - s)^T dz + s sum(dz)."""
        count, mean, var = run.statistics[self.layer.name]
        dbeta, dgamma = run.sums[self.layer.name]
        deviation = np.sqrt(var + BATCH_NORM_EPSILON)
        weight: Any = run.weights[self.convolution.name].astype(np.float64)
        rest, own = mean - self.shift @ weight, self.patches[0].size
        normalised = (self.gram @ weight - np.outer(self.sums, rest)) / deviation
        dweight = self.patches_dy - np.outer(self.sums, dbeta / count) - normalised * (dgamma / count)
        of_all = (self.sums @ weight - own * rest) / deviation
        return dweight + np.outer(self.shift, self.dbeta - dbeta * (own / count) - of_all * (dgamma / count))

    def backward(self, run: Pass, dy: np.ndarray) -> None:
        """dW = P^T dz with dz = scale * (dy - dbeta / count - normalised * dgamma / count) and P^T dy from the second
        half.
        """
        count, mean, var = run.statistics[self.layer.name]
        dbeta, dgamma = run.sums[self.layer.name]
        deviation = np.sqrt(var + BATCH_NORM_EPSILON)
        gamma = run.state[self.layer.name + ".gamma"] if self.layer.affine else 1
        if self.shift is None:
            weight: Any = run.weights[self.convolution.name].astype(np.float64)
            normalised = (self.gram @ weight - np.outer(self.sums, mean)) / deviation
            dweight = self.patches_dy - np.outer(self.sums, dbeta / count) - normalised * (dgamma / count)
        else:
            dweight = self._shifted_gradient(run)
        dweight *= gamma / deviation
        total = self.chunk.gradients[self.convolution.name]
        total[...] = dweight if self.chunk.begins else total + dweight


class ProductNode(ActivationNode):
    """Second half: product and normalisation in one, then ReLU and quantiser; backward, the sums that both halves
    need.
    """

    norm: BatchNorm

    def __init__(self, group: Sequence[Layer], patches: PatchMomentsNode, *, y: np.ndarray, chunk: Chunk) -> None:
        self.first_half = patches
        super().__init__(group, patches.x, y=y, chunk=chunk)

    def _argument(self, run: Pass, unit: float) -> np.ndarray:
        """(gamma * (patches^T W - mean) / sqrt(var + epsilon) + beta) / unit, in y."""
        name = self.norm.name
        _, mean, var = run.statistics[name]
        scale: Any = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
        shift: Any = 0
        if self.norm.affine:
            scale, shift = scale * run.state[name + ".gamma"], run.state[name + ".beta"]
        weight = run.weights[self.first_half.convolution.name]
        kernel = np.concatenate([weight * scale, [shift - mean * scale]]) / unit
        patches = self.first_half.patches
        np.matmul(patches.reshape(len(patches), -1).T, kernel.astype(weight.dtype), out=rows(self.y))
        return self.y

    def backward(self, run: Pass, dy: np.ndarray) -> None:
        """P^T dy, d beta and d gamma"""
        if self.passes is not None:
            np.multiply(dy, self.passes, out=dy)
        half = self.first_half
        products = np.matmul(half.patches.reshape(half.fan_in + 1, -1), rows(dy)).astype(np.float64)
        half.patches_dy, dbeta = products[:-1], products[-1]
        half.dbeta, shift = dbeta, half.shift
        if shift is not None:
            half.patches_dy = np.matmul(half.shifted(), rows(dy)).astype(np.float64)
        _, mean, var = run.statistics[self.norm.name]
        weight: Any = run.weights[half.convolution.name].astype(np.float64)
        rest = mean if shift is None else mean - shift @ weight
        dgamma = ((weight * half.patches_dy).sum(axis=0) - rest * dbeta) / np.sqrt(var + BATCH_NORM_EPSILON)
        self.sums = dbeta, dgamma

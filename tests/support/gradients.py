"""A checker of hand-written gradients: central differences along random directions, in float64.

One random direction sees an error in any element, at the price of two evaluations (HIPS/autograd checks its own so).
"""

import numpy as np

STEP = 1e-5  # of a direction with standard normal elements; central differences err by the order of STEP**2
SMALL_STEP = 1e-7  # for functions with kinks, which it hardly ever crosses
TOLERANCE = 1e-6  # of the gradient's norm; the tests of the checker ask that an error of 1e-3 is caught


class GradientError(AssertionError):
    """An analytic gradient does not agree with the differences."""


def check_gradient(loss, x, gradient, generator, directions=3, tolerance=TOLERANCE, step=STEP):
    """Compare `gradient` = d loss / d x (both like x, float64) with differences along random directions."""
    if x.dtype != np.float64:
        raise TypeError(f"check gradients in float64, not {x.dtype}")
    if gradient.shape != x.shape:
        raise GradientError(f"gradient of shape {gradient.shape} for an array of shape {x.shape}")
    for _ in range(directions):
        direction = generator.standard_normal(x.shape)
        difference = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
        product = float((gradient * direction).sum())
        if abs(difference - product) > tolerance * (np.linalg.norm(gradient) + 1e-3):
            raise GradientError(f"differences give {difference:.9g}, the gradient gives {product:.9g}")


def check_backward(forward, backward, inputs, generator, tolerance=TOLERANCE):
    """Check backward(dy, *inputs) -> one gradient per input against forward(*inputs) -> y, through a random dy."""
    y = forward(*inputs)
    dy = generator.standard_normal(y.shape)
    for k, gradient in enumerate(backward(dy, *inputs)):

        def loss(value, k=k):
            return float((forward(*inputs[:k], value, *inputs[k + 1 :]) * dy).sum())

        check_gradient(loss, inputs[k], gradient, generator, tolerance=tolerance)

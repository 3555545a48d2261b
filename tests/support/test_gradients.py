"""The checker of gradients: it passes what is right and catches an error of 0.1 % in one of many terms."""

import numpy as np
import pytest

from ..support.gradients import GradientError, check_backward, check_gradient


def cubic(x):
    return float((x**3).sum())


def test_right_gradient_passes(generator):
    x = generator.standard_normal((4, 5))
    check_gradient(cubic, x, 3 * x**2, generator)


def test_planted_error_is_caught(generator):
    x = generator.standard_normal((4, 5))
    with pytest.raises(GradientError, match="differences give"):
        check_gradient(cubic, x, 3.003 * x**2, generator)


def test_planted_error_in_one_row_is_caught(generator):
    x = generator.standard_normal((20, 5))
    wrong = 3 * x**2
    wrong[7] *= 1.001
    with pytest.raises(GradientError, match="differences give"):
        check_gradient(cubic, x, wrong, generator)


def test_wrong_shape_is_caught(generator):
    x = generator.standard_normal((4, 5))
    with pytest.raises(GradientError, match="shape"):
        check_gradient(cubic, x, (3 * x**2).T, generator)


def test_float32_is_refused(generator):
    x = generator.standard_normal((4, 5)).astype(np.float32)
    with pytest.raises(TypeError, match="float64"):
        check_gradient(cubic, x, 3 * x**2, generator)


def test_each_input_of_a_backward_is_checked(generator):
    x, w = generator.standard_normal((6, 3)), generator.standard_normal((3, 2))
    check_backward(np.matmul, lambda dy, x, w: (dy @ w.T, x.T @ dy), (x, w), generator)
    with pytest.raises(GradientError):
        check_backward(np.matmul, lambda dy, x, w: (dy @ w.T, 1.001 * x.T @ dy), (x, w), generator)


@pytest.fixture
def generator():
    return np.random.default_rng(2024)

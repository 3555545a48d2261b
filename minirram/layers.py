"""Layers of a network on plain arrays: each `*_forward` with its `*_backward` beneath. No physics.

Images are (n, height, width, channels), in any memory order; channels are the last axis everywhere. `out` takes the
result when given (same shape and dtype), else a new array is made. Gradients are named after what they belong to:
dy = d loss / d y.
"""

import numpy as np

from .errors import ShapeError

BATCH_NORM_EPSILON = 1e-5  # added to the variance, as in Ioffe and Szegedy 2015


def linear_forward(x, weight, out=None):
    """y = x @ weight. x (rows, fan_in), weight (fan_in, fan_out) -> (rows, fan_out)."""
    return np.matmul(x, weight, out=out)


def linear_backward(dy, x, weight, dx_out=None, dweight_out=None):
    """(dx, dweight) of y = x @ weight. dy (rows, fan_out)."""
    return np.matmul(dy, weight.T, out=dx_out), np.matmul(x.T, dy, out=dweight_out)


def relu_forward(x, out=None):
    """y = max(x, 0), any shape."""
    return np.maximum(x, 0, out=out)


def relu_backward(dy, y, out=None):
    """dx of y = max(x, 0): dy where y > 0, else 0."""
    return np.multiply(dy, y > 0, out=out)


def quantise_forward(x, step, bits, out=None):
    """y = step * clip(rint(x / step), 0, 2**bits - 1): x as the crossbar's input codes represent it. step > 0."""
    out = to_codes(np.multiply(x, x.dtype.type(1 / step), out=out), bits, out)
    out *= out.dtype.type(step)
    return out


def to_codes(x, bits, out=None):
    """clip(rint(x), 0, 2**bits - 1), for x in units of the step; still floats."""
    out = np.rint(x, out=out)
    return np.clip(out, 0, 2**bits - 1, out=out)


def quantise_backward(dy, x, step, bits, out=None):
    """Straight-through dx: dy where 0 <= x <= step * (2**bits - 1), 0 where x was clipped."""
    return np.multiply(dy, (x >= 0) & (x <= x.dtype.type(step * (2**bits - 1))), out=out)


def moments(x):
    """(count, mean, sum of squared deviations) over all axes but the last; float64 arrays (channels,)."""
    axes = tuple(range(x.ndim - 1))
    count = x.size // x.shape[-1]
    mean = x.mean(axis=axes, dtype=np.float64)
    centred = x - mean.astype(x.dtype)
    squares = np.square(centred).sum(axis=axes, dtype=np.float64)
    return count, mean, squares


def merge_moments(parts):
    """Moments of a whole from those of its parts, in the given order (Chan, Golub and LeVeque 1979)."""
    parts = iter(parts)
    count, mean, squares = next(parts)
    for more, other_mean, other_squares in parts:
        delta = other_mean - mean
        total = count + more
        squares = squares + other_squares + delta**2 * (count * more / total)
        mean = mean + delta * (more / total)
        count = total
    return count, mean, squares


def batch_norm_forward(x, mean, var, gamma=None, beta=None, out=None):
    """y = (x - mean) / sqrt(var + epsilon), then times gamma plus beta when given; all (channels,)."""
    out = np.subtract(x, mean.astype(x.dtype), out=out)
    scale = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
    out *= (scale if gamma is None else scale * gamma).astype(x.dtype)
    if beta is not None:
        out += beta.astype(x.dtype)
    return out


def batch_norm_sums(dy, normalised):
    """(sum of dy, sum of dy * normalised) over all axes but the last: d loss / d beta and d loss / d gamma."""
    axes = tuple(range(dy.ndim - 1))
    return dy.sum(axis=axes, dtype=np.float64), np.multiply(dy, normalised).sum(axis=axes, dtype=np.float64)


def batch_norm_backward(dy, normalised, var, count, dbeta, dgamma, gamma=None, out=None):
    """dx of the batch norm with the batch's own statistics.

    normalised: (x - mean) / sqrt(var + epsilon). count: values per channel in the whole batch; dbeta, dgamma: its
    `batch_norm_sums`.
    """
    scale = 1 / np.sqrt(var + BATCH_NORM_EPSILON)
    scale = scale if gamma is None else scale * gamma
    out = np.multiply(normalised, (-dgamma / count).astype(dy.dtype), out=out)
    out += dy
    out -= (dbeta / count).astype(dy.dtype)
    out *= scale.astype(dy.dtype)
    return out


def _windows(x, size):
    """The size * size views of x, one per place in a pooling window; what fills no window is left out."""
    height, width = x.shape[1] // size * size, x.shape[2] // size * size
    return [x[:, i:height:size, j:width:size] for i in range(size) for j in range(size)]


def largest(places, out, first=None):
    """Elementwise maximum of several arrays of one shape.

    first: optional bool (len(places), shape...), becomes True where that array is the first to hold the maximum.
    """
    out[...] = places[0]
    for place in places[1:]:
        np.maximum(out, place, out=out)
    if first is not None:
        for place, is_first in zip(places, first):
            np.equal(place, out, out=is_first)
        taken = first[0].copy()
        for is_first in first[1:]:
            np.greater(is_first, taken, out=is_first)
            taken |= is_first
    return out


def max_pool_forward(x, size=2, out=None, first=None):
    """Maximum over windows of size x size: (n, height, width, c) -> (n, height // size, width // size, c).

    first: optional bool (size * size, shape of the output), where each window's maximum lies (ties: the first, row by
    row).
    """
    places = _windows(x, size)
    return largest(places, np.empty(places[0].shape, x.dtype) if out is None else out, first)


def max_pool_backward(dy, first, shape, size=2, out=None):
    """dx, shape (n, height, width, c): dy goes to the window's first maximum, all else is 0."""
    if out is None:
        out = np.empty(shape, dy.dtype)
    out[:, dy.shape[1] * size :] = 0
    out[:, :, dy.shape[2] * size :] = 0
    for place, is_first in zip(_windows(out, size), first):
        np.multiply(dy, is_first, out=place)
    return out


def _between(length, dtype):
    """Weights of the neighbours in a linear x2 interpolation with aligned corners.

    Output 2k lies k / (2 length - 1) before input k, output 2k + 1 lies (length - 1 - k) / (2 length - 1) after it.
    """
    k = np.arange(length - 1)
    return ((k + 1) / (2 * length - 1)).astype(dtype), ((length - 1 - k) / (2 * length - 1)).astype(dtype)


def _stretch(x, out):
    """Linear interpolation to twice the length along axis 0, corners aligned."""
    before, after = (w.reshape((-1,) + (1,) * (x.ndim - 1)) for w in _between(len(x), x.dtype))
    rise = x[1:] - x[:-1]
    out[0::2] = x
    out[1::2] = x
    out[2::2] -= before * rise
    out[1:-1:2] += after * rise


def _shrink(dy, out):
    """The transpose of `_stretch`."""
    before, after = (w.reshape((-1,) + (1,) * (dy.ndim - 1)) for w in _between(len(out), dy.dtype))
    np.add(dy[0::2], dy[1::2], out=out)
    rise = after * dy[1:-1:2]
    rise -= before * dy[2::2]
    out[1:] += rise
    out[:-1] -= rise


def upsample_forward(x, out=None):
    """Bilinear interpolation to twice the height and width with aligned corners (the corner pixels stay corners)."""
    n, height, width, channels = x.shape
    if out is None:
        out = np.empty((n, 2 * height, 2 * width, channels), x.dtype)
    tall = np.empty((2 * height, width, n, channels), x.dtype)
    _stretch(x.transpose(1, 2, 0, 3), tall)
    _stretch(tall.transpose(1, 0, 2, 3), out.transpose(2, 1, 0, 3))
    return out


def upsample_backward(dy, out=None):
    """dx (n, height, width, channels) from dy (n, 2 height, 2 width, channels)."""
    n, height, width, channels = dy.shape
    if out is None:
        out = np.empty((n, height // 2, width // 2, channels), dy.dtype)
    tall = np.empty((height, width // 2, n, channels), dy.dtype)
    _shrink(dy.transpose(2, 1, 0, 3), tall.transpose(1, 0, 2, 3))
    _shrink(tall, out.transpose(1, 2, 0, 3))
    return out


def concat_forward(x, other, out=None):
    """Channels of x, then channels of `other`."""
    if x.shape[:-1] != other.shape[:-1]:
        raise ShapeError(f"cannot join the channels of {x.shape} and {other.shape}")
    return np.concatenate([x, other], axis=-1, out=out)


def concat_backward(dy, channels):
    """(dx, dother): views of dy, split after `channels` channels."""
    return dy[..., :channels], dy[..., channels:]


def mean_forward(x, out=None):
    """Mean over height and width (the steps of a sequence): (n, height, width, c) -> (n, c)."""
    return np.mean(x, axis=(1, 2), out=out)


def mean_backward(dy, shape, out=None):
    """dx of shape (n, height, width, c): each place gets its share of dy (n, c)."""
    if out is None:
        out = np.empty(shape, dy.dtype)
    out[...] = (dy / dy.dtype.type(shape[1] * shape[2]))[:, None, None, :]
    return out


def softmax_cross_entropy(logits, labels, weight=None, smoothing=0.0, total=None):
    """(loss, n_correct, dlogits) of a softmax over the last axis, summed over rows and divided by `total`.

    logits (..., classes); labels (...) integers 0..classes - 1; weight (...) >= 0 per row or pixel (0 leaves it out),
    ones by default. total: sum of all weights of the batch, default that of these rows. smoothing: share of the
    target that is spread evenly over all classes. n_correct counts rows of weight > 0. ShapeError when the shapes do
    not belong together.
    """
    if labels.shape != logits.shape[:-1]:
        raise ShapeError(f"labels of shape {labels.shape} for logits of shape {logits.shape}")
    if labels.size and not (0 <= labels.min() and labels.max() < logits.shape[-1]):
        raise ShapeError(f"labels lie in {labels.min()}..{labels.max()}, expected 0..{logits.shape[-1] - 1}")
    flat = logits.reshape(-1, logits.shape[-1])
    labels = labels.reshape(-1).astype(np.intp)
    weight = np.ones(len(labels), flat.dtype) if weight is None else weight.reshape(-1).astype(flat.dtype)
    total = float(weight.sum(dtype=np.float64)) if total is None else total
    shifted = flat - flat.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    log_p = shifted - np.log(sums)
    rows = np.arange(len(labels))
    n_correct = int(np.count_nonzero((flat.argmax(axis=1) == labels) & (weight > 0)))
    per_row = (smoothing - 1) * log_p[rows, labels] - smoothing * log_p.mean(axis=1)
    loss = float((per_row * weight).sum(dtype=np.float64)) / total
    dflat = exponentials / sums
    dflat -= flat.dtype.type(smoothing / flat.shape[1])
    dflat[rows, labels] -= flat.dtype.type(1 - smoothing)
    dflat *= (weight / flat.dtype.type(total))[:, None]
    return loss, n_correct, dflat.reshape(logits.shape)

"""Operators with windows on an image: convolutions, pools, borders, interpolation."""

from typing import Any, Iterable, List, Tuple

import numpy as np

from ..nn.layers.base import Layer
from ..nn.layers.convolution import Conv2d
from ..nn.layers.resample import AveragePool, GlobalAverage, MaxPool
from ..nn.layers.resize import Resize
from ..nn.layers.windows import AveragePool2d, Border, MaxPool2d, Pad
from .builder import Builder, Value
from .constants import axes_of
from .matrices import linear, with_bias
from .operands import Operands, constant, expect, image, needed, value_of

MOST_GROUPS = 2**14


def _sides(build: Builder, name: str, rank: int, default: int = 1) -> Tuple[int, int]:
    """An attribute with a number per side; a signal in time is an image of height 1."""
    found = build.node.attributes.get(name, (default,) * (rank - 2))
    if len(found) != rank - 2:
        build.fail(f"{name} {list(found)} of an image with {rank - 2} sides")
    return (1, int(found[0])) if rank == 3 else (int(found[0]), int(found[1]))


def _border(build: Builder, value: Value, *, kernel: Any, stride: Any, dilation: Any = (1, 1)) -> Border:
    """Padding above, left, below, right, as `pads` or `auto_pad` says."""
    auto, rank = build.node.attributes.get("auto_pad", "NOTSET"), value.rank
    if auto in ("NOTSET", "VALID"):
        pads = build.node.attributes.get("pads", (0,) * (2 * rank - 4)) if auto == "NOTSET" else (0,) * (2 * rank - 4)
        if len(pads) != 2 * (rank - 2):
            build.fail(f"pads {list(pads)} of an image with {rank - 2} sides")
        return (0, pads[0], 0, pads[1]) if rank == 3 else _four(pads)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        build.fail(f"auto_pad {auto!r}")
    before: List[int] = []
    after: List[int] = []
    for k in (0, 1):
        outputs = -(-value.shape[k] // stride[k])
        total = max((outputs - 1) * stride[k] + dilation[k] * (kernel[k] - 1) + 1 - value.shape[k], 0)
        less, more = total // 2, total - total // 2
        before.append(less if auto == "SAME_UPPER" else more)
        after.append(more if auto == "SAME_UPPER" else less)
    return _four((*before, *after))


def conv(build: Builder, operands: Operands) -> Value:
    """Conv: kernels (c_out, c_in / groups, kh, kw) or (c_out, c_in / groups, k), a constant."""
    value, kernels = value_of(build, operands), needed(build, operands, 1)
    if kernels.ndim != value.rank or kernels.ndim not in (3, 4):
        build.fail(
            f"kernels of shape {kernels.shape} for an input of {value.rank} axes; one or two sides are supported"
        )
    rank = value.rank
    kernels = kernels[:, :, None] if rank == 3 else kernels
    outputs, fan, *kernel = kernels.shape
    groups = int(build.node.attributes.get("group", 1))
    stride, dilation = _sides(build, "strides", rank), _sides(build, "dilations", rank)
    if "kernel_shape" in build.node.attributes and _sides(build, "kernel_shape", rank) != tuple(kernel):
        build.fail(f"kernel_shape {build.node.attributes['kernel_shape']} with kernels of shape {kernels.shape}")
    if groups > MOST_GROUPS:
        build.fail(f"{groups} groups; at most {MOST_GROUPS}, each is a matrix")
    if groups < 1 or outputs % groups or fan * groups != value.shape[-1]:
        build.fail(f"kernels of shape {kernels.shape} in {groups} groups for {value.shape[-1]} channels")
    if len(value.shape) == 1:  # a mean over the image was taken
        if tuple(kernel) != (1, 1) or groups != 1 or any(build.node.attributes.get("pads", ())):
            build.fail("a convolution of one pixel is supported where its kernel is 1 x 1")
        matrix = kernels.reshape(outputs, fan).T
        return with_bias(build, linear(build, value, matrix), constant(build, operands, 2))
    border = _border(build, value, kernel=kernel, stride=stride, dilation=dilation)
    value = build.codes_of(value)
    if border[:2] != border[2:]:
        value = build.emit(Pad(build.name(build.node.name + "_pad"), border), value, positive=value.positive)
        border = (0, 0, 0, 0)
    layer = Conv2d(build.name(), fan * groups, outputs, (kernel[0], kernel[1]), stride, border[:2], groups, dilation)
    for (name, shape), part in zip(layer.matrices(), np.split(kernels, groups)):
        build.hold(name, part.transpose(2, 3, 1, 0), shape)
    return with_bias(build, build.emit(layer, value), constant(build, operands, 2))


def _pool(build: Builder, operands: Operands, kind: str) -> Value:
    value = image(build, operands)
    expect(build, dilations=(1,) * (value.rank - 2), storage_order=0)
    if len([name for name in build.node.outputs if name]) > 1:
        build.fail("its second output, the places of the largest values, is not supported")
    kernel, stride = _sides(build, "kernel_shape", value.rank), _sides(build, "strides", value.rank)
    border = _border(build, value, kernel=kernel, stride=stride)
    counts = bool(build.node.attributes.get("count_include_pad", 0)) and any(border)
    if build.node.attributes.get("ceil_mode", 0):
        wider = _rounded_up(value, border, kernel=kernel, stride=stride)
        if counts and wider != border:
            build.fail("ceil_mode with count_include_pad")
        border = wider
    side = kernel[0]
    plain = kernel == stride == (side, side) and not any(border)
    name = build.name()
    layer: Layer
    if kind == "max":
        layer = MaxPool(name, side) if plain else MaxPool2d(name, kernel, stride, border)
    else:
        layer = AveragePool(name, side) if plain else AveragePool2d(name, kernel, stride, border, counts)
    return build.emit(layer, value, positive=value.positive)


def _four(border: Iterable[int]) -> Border:
    top, left, bottom, right = border
    return int(top), int(left), int(bottom), int(right)


def _rounded_up(value: Value, border: Border, *, kernel: Any, stride: Any) -> Border:
    """The border with which as many windows fit as begin in the image."""
    wider = list(border)
    for k in (0, 1):
        covered = value.shape[k] + border[k] + border[k + 2]
        windows = -(-(covered - kernel[k]) // stride[k]) + 1
        if (windows - 1) * stride[k] >= value.shape[k] + border[k]:
            windows -= 1
        wider[k + 2] += max((windows - 1) * stride[k] + kernel[k] - covered, 0)
    return _four(wider)


def max_pool(build: Builder, operands: Operands) -> Value:
    """MaxPool of an image."""
    return _pool(build, operands, "max")


def average_pool(build: Builder, operands: Operands) -> Value:
    """AveragePool of an image."""
    return _pool(build, operands, "average")


def global_average(build: Builder, operands: Operands) -> Value:
    """GlobalAveragePool of an image: (n, channels)."""
    value = image(build, operands)
    return build.emit(GlobalAverage(build.name()), value, positive=value.positive)


def reduce_mean(build: Builder, operands: Operands) -> Value:
    """ReduceMean over height and width."""
    value = image(build, operands)
    axes = axes_of(build.node, operands)
    if sorted(axis % value.rank for axis in axes or ()) != list(range(2, value.rank)):
        build.fail(f"the mean over the axes {axes}; that over height and width is supported")
    keeps = build.node.attributes.get("keepdims", 1)
    changes = {"positive": value.positive, "rank": value.rank if keeps else 2}
    return build.emit(GlobalAverage(build.name()), value, **changes)


def pad(build: Builder, operands: Operands) -> Value:
    """Pad with zeros around an image."""
    value = image(build, operands)
    expect(build, mode="constant")
    fill = constant(build, operands, 2)
    if float(build.node.attributes.get("value", 0)) or (fill is not None and fill.size and np.any(fill)):
        build.fail("a border of another number than 0")
    if constant(build, operands, 3) is not None:
        build.fail("its axes are stated; pads of all axes are supported")
    found = build.node.attributes.get("pads") if len(operands) < 2 else needed(build, operands, 1)
    pads = [int(length) for length in np.ravel(found if found is not None else ())]
    if len(pads) != 2 * value.rank or min(pads) < 0 or any(pads[:2] + pads[value.rank : value.rank + 2]):
        build.fail(f"pads {pads}; borders of height and width are supported")
    rows = (0, 0) if value.rank == 3 else (pads[2], pads[2 + value.rank])
    border = rows[0], pads[value.rank - 1], rows[1], pads[-1]
    return build.emit(Pad(build.name(), border), value, positive=value.positive)


def resize(build: Builder, operands: Operands) -> Value:
    """Resize and Upsample, bilinear."""
    value = image(build, operands)
    if value.rank != 4:
        build.fail("images of two sides are supported")
    expect(build, exclude_outside=0, antialias=0, axes=(0, 1, 2, 3), keep_aspect_ratio_policy="stretch")
    mode = build.node.attributes.get("mode", "nearest")
    if mode not in ("linear", "bilinear"):
        build.fail(f"mode {mode!r}; 'linear' is supported")
    old = build.node.kind == "Upsample" or len(operands) < 3  # before operator set 11: no regions, no modes
    scales = build.node.attributes.get("scales", constant(build, operands, 1 if old else 2))
    sizes = None if old else constant(build, operands, 3)
    if sizes is not None and np.size(sizes) == 4:
        wanted = np.array(sizes)[2:] / np.array(value.shape[:2])
        fixed = int(sizes[1]) == value.shape[2]
    elif scales is not None and np.size(scales) == 4:
        wanted, fixed = np.asarray(scales, np.float64)[2:], list(scales[:2]) == [1, 1]
    else:
        build.fail("states neither four scales nor four sizes")
    if not fixed:
        build.fail("batch and channels are to keep their size")
    modes = {"half_pixel": "half_pixel", "align_corners": "align_corners", "asymmetric": "asymmetric"}
    found = "asymmetric" if old else build.node.attributes.get("coordinate_transformation_mode", "half_pixel")
    rows, cols = (float(scale) for scale in wanted)
    if found == "pytorch_half_pixel" and min(value.shape[0] * rows, value.shape[1] * cols) >= 2:
        found = "half_pixel"  # they differ for one pixel alone
    whole = all(abs(n * scale - round(n * scale)) < 1e-6 for n, scale in zip(value.shape, (rows, cols)))
    if found == "align_corners" and not whole:
        build.fail(f"align_corners with scales {[rows, cols]} that leave a part of a pixel")
    if found not in modes:
        build.fail(f"coordinate_transformation_mode {found!r}; one of {', '.join(modes)} is supported")
    return build.emit(Resize(build.name(), (rows, cols), modes[found]), value, positive=value.positive)

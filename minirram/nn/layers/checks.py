"""Checks that the descriptions of layers share."""

from ...errors import ConfigError, ShapeError
from .base import Shape


def check_positive(name: str, **numbers: float) -> None:
    """ConfigError unless all numbers of layer `name` are integers of at least 1."""
    for field, value in numbers.items():
        if int(value) != value or value < 1:
            raise ConfigError(f"layer {name}: {field} = {value!r}, expected an integer of at least 1")


def check_bits(name: str, bits: int) -> None:
    """ConfigError unless bits lies in 1 to 8."""
    if bits not in range(1, 9):
        raise ConfigError(f"layer {name}: {bits!r} bits, expected 1 to 8")


def check_image(shape: Shape) -> None:
    """ShapeError unless a sample is (height, width, channels)."""
    if len(shape) != 3:
        raise ShapeError(f"its input is {shape}, expected (height, width, channels)")

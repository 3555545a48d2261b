"""Checks that the descriptions of layers share."""

from ...errors import ConfigError


def _check_positive(layer, **numbers):
    for field, value in numbers.items():
        if int(value) != value or value < 1:
            raise ConfigError(f"layer {layer.name}: {field} = {value!r}, expected an integer of at least 1")


def _check_bits(layer, bits):
    if bits not in range(1, 9):
        raise ConfigError(f"layer {layer.name}: {bits!r} bits, expected 1 to 8")

"""What the operators of a node have in common: their operands, and tensors seen in another shape."""

from typing import Any, List, Optional, Tuple

import numpy as np

from .builder import Builder, Value

Operands = List[Any]
"""a `Value` where activations come in, an array for a constant, None where something is left out"""


def value_of(build: Builder, operands: Operands, place: int = 0) -> Value:
    """The operand that must be activations."""
    if not isinstance(operands[place], Value):
        build.fail(f"its input {place} is a constant; activations are needed")
    return operands[place]


def constant(build: Builder, operands: Operands, place: int) -> Optional[np.ndarray]:
    """The operand that must be a constant; None: it is left out."""
    found = operands[place] if len(operands) > place else None
    if isinstance(found, Value):
        build.fail(f"its input {place} is computed from the data; a constant is needed")
    return found


def needed(build: Builder, operands: Operands, place: int) -> np.ndarray:
    """The operand that must be a constant and there."""
    found = constant(build, operands, place)
    if found is None:
        build.fail(f"its input {place} is missing")
    return found


def expect(build: Builder, **wanted: Any) -> None:
    """Fail unless the attributes that are stated have these values."""
    for name, value in wanted.items():
        found = build.node.attributes.get(name, value)
        if found != value:
            build.fail(f"{name} is {found!r}; {value!r} is supported")


def image(build: Builder, operands: Operands) -> Value:
    """The operand that must be an image."""
    value = value_of(build, operands)
    if len(value.shape) != 3 or value.rank not in (3, 4):
        build.fail(
            f"its input has {value.rank} axes with samples of {value.shape}; images of one or two sides are needed"
        )
    return value


def theirs(value: Value) -> Tuple[int, ...]:
    """Shape of a sample in the file: channels first."""
    if len(value.shape) == 1:
        return (value.shape[0],) + (1,) * (value.rank - 2)
    sides = value.shape[1:2] if value.rank == 3 else value.shape[:2]
    return (value.shape[2],) + tuple(sides)


def seen(build: Builder, value: Value, **changes: Any) -> Value:
    """The same numbers, seen in another shape."""
    return Value(**dict(vars(value), uses=max(build.uses, value.uses), **changes))

"""One file per family of layers. All families are loaded together, so that every class can be named by a run folder."""

from . import (  # noqa: F401
    activation,
    bias,
    convolution,
    join,
    linear,
    norm,
    recurrent,
    resample,
    resize,
    response_norm,
    windows,
)

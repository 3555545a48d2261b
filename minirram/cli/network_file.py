"""A network from an ONNX file, instead of a task's own."""

from typing import Optional, Union

from ..errors import ShapeError
from ..nn.network import Network
from ..tasks.task_file import NetworkPart
from .arguments import tell


def graph_of(path: Optional[str], own: Union[Network, NetworkPart]) -> Optional[Network]:
    """The graph in the ONNX file `path`, its masks to be learned, for the input codes of `own`; None without."""
    if path is None:
        return None
    from ..onnx_import import network_from_onnx

    zero, shape = own.zero if isinstance(own, NetworkPart) else own.input_zero, own.input_shape
    size = None if shape is None else shape[:2]
    imported = network_from_onnx(path, bits=own.input_bits, input_bits=own.input_bits, input_zero=zero, size=size)
    if shape is not None and imported.network.input_shape != shape:
        found = imported.network.input_shape
        raise ShapeError(f"{path}: takes inputs of {found}, the task has {shape}")
    for note in imported.notes:
        tell(f"{path}: {note}")
    return imported.network

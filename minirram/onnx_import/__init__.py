"""Networks from elsewhere: the graph of an ONNX file as a `Network`, its trained weights as those of our matrices."""

from .imported import Imported, network_from_onnx

__all__ = ["Imported", "network_from_onnx"]

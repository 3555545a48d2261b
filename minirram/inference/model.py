"""What inference needs beside the chip and the masks: how it is wired and read, and the network's digital state."""

import json
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from ..chip.placement import Placement, placement_from_json
from ..crossbar.converters import Adc
from ..errors import ConfigError, DataError
from ..files import json_of
from ..nn.network import Network, initial_state, input_zero_points, matrices, quantisers
from .compensation import Probe


@dataclass(frozen=True)
class Model:
    """A trained network without its masks."""

    placement: Placement
    """where each matrix lies"""
    signs: Dict[str, np.ndarray]
    """per matrix bool (fan_in, fan_out), True = the plus cell stays on (pair level)"""
    scales_S: Dict[str, float]
    """per matrix the conductance of weight 1"""
    adcs: Dict[str, Adc]
    """per matrix the converter as calibrated"""
    state: Dict[str, np.ndarray]
    """digital state of the network (see `network.initial_state`)"""
    probes: Dict[str, Probe] = field(default_factory=dict)
    """per matrix what tells how far it has drifted; empty in runs of older versions"""
    factors: Dict[str, float] = field(default_factory=dict)
    """per matrix what its products are multiplied by against drift; empty at programming. Never saved"""
    readback_sha256: str = ""
    """SHA-256 of the read-back file that the digital side was taken from; "": it is that of the simulated chip"""

    def to_arrays(self, network: Network) -> Dict[str, np.ndarray]:
        """A flat dict of arrays for `model.npz`.

        Per matrix `signs/`, `scale_S/`, `adc_lsb/`, `adc_shift/`, `zero_point/`, `probe/`, `probe_response_lsb/`; per
        quantiser `step/`; per batch norm `state/NAME.mean`, `.var` and, when affine, `.gamma`, `.beta`; `placement`
        as JSON text; `readback_sha256` when recalibrated.
        """
        zero_points = input_zero_points(network)
        arrays = {"placement": np.array(json.dumps(self.placement.to_json()))}
        for name in self.placement.names:
            adc = self.adcs[name]
            arrays["signs/" + name] = self.signs[name]
            arrays["scale_S/" + name] = np.array(self.scales_S[name], np.float64)
            arrays["adc_lsb/" + name] = np.array(adc.lsb, np.float64)
            arrays["adc_shift/" + name] = np.array(adc.shift, np.int64)
            arrays["zero_point/" + name] = np.array(zero_points[name], np.int64)
        for name, probe in self.probes.items():
            arrays["probe/" + name] = probe.codes
            arrays["probe_response_lsb/" + name] = probe.response_lsb
        if self.readback_sha256:
            arrays["readback_sha256"] = np.array(self.readback_sha256)
        for name, array in self.state.items():
            owner, kind = name.rsplit(".", 1)
            if kind == "range":
                arrays["step/" + owner] = np.array(np.float64(array) / (2 ** quantisers(network)[owner] - 1))
            else:
                arrays["state/" + name] = array
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], network: Network, *, adc_bits: int, adc_arrangement: str
    ) -> "Model":
        """The inverse of `to_arrays`; DataError names an array that is damaged or does not belong to `network`."""
        try:
            placement = placement_from_json(json_of(str(arrays["placement"])))
        except (KeyError, ValueError) as error:
            raise DataError(f"placement: {error}") from None
        if placement.shapes != matrices(network):
            expected = [name for name, _ in matrices(network)]
            raise DataError(f"holds the matrices {placement.names}, those of {network.name} are {expected}")
        signs, scales_S, adcs = {}, {}, {}
        for name, shape in placement.shapes:
            signs[name] = checked(arrays, "signs/" + name, dtype=bool, shape=shape)
            scales_S[name] = float(_positive(arrays, "scale_S/" + name))
            lsb = _positive(arrays, "adc_lsb/" + name)
            shift = checked(arrays, "adc_shift/" + name, dtype=np.int64, shape=())
            try:
                adcs[name] = Adc(adc_bits, float(lsb), adc_arrangement, int(shift))
            except ConfigError as error:
                raise DataError(f"adc_shift/{name}: {error}") from None
        return cls(
            placement,
            signs,
            scales_S,
            adcs,
            _read_state(arrays, network),
            probes=_read_probes(arrays, placement),
            readback_sha256=str(arrays.get("readback_sha256", "")),
        )


def _read_probes(arrays: Mapping[str, np.ndarray], placement: Placement) -> Dict[str, Probe]:
    """The probes of all matrices; none where the first one has none."""
    if "probe/" + placement.names[0] not in arrays:
        return {}
    probes = {}
    for name, (fan_in, fan_out) in placement.shapes:
        vectors = len(arrays.get("probe/" + name, ()))
        codes = checked(arrays, "probe/" + name, dtype=np.uint8, shape=(vectors, fan_in))
        response_lsb = checked(arrays, "probe_response_lsb/" + name, dtype=np.int64, shape=(vectors, fan_out))
        probes[name] = Probe(codes, response_lsb)
    return probes


def _read_state(arrays: Mapping[str, np.ndarray], network: Network) -> Dict[str, np.ndarray]:
    """The digital state, checked: finite, variances not negative, steps above 0."""
    state: Dict[str, Any] = {}
    for name, initial in initial_state(network).items():
        owner, kind = name.rsplit(".", 1)
        if kind == "range":
            range_ = _positive(arrays, "step/" + owner) * (2 ** quantisers(network)[owner] - 1)
            state[name] = np.array(range_, np.float32)  # an array, which training moves in place
            continue
        state[name] = checked(arrays, "state/" + name, dtype=np.float32, shape=initial.shape)
        if not np.isfinite(state[name]).all() or (kind == "var" and (state[name] < 0).any()):
            raise DataError(f"state/{name}: holds a value that is not finite, or a negative variance")
    return state


def checked(arrays: Mapping[str, np.ndarray], name: str, *, dtype: Any, shape: Tuple[int, ...]) -> np.ndarray:
    """`arrays[name]`; DataError unless it is there with this dtype and shape."""
    if name not in arrays:
        raise DataError(f"{name} is missing")
    array = arrays[name]
    if array.dtype != np.dtype(dtype) or array.shape != tuple(shape):
        raise DataError(f"{name}: {array.dtype} of shape {array.shape}, expected {np.dtype(dtype)} of {tuple(shape)}")
    return array


def _positive(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    value = checked(arrays, name, dtype=np.float64, shape=())
    if not (np.isfinite(value) and value > 0):
        raise DataError(f"{name} is {value}; it must be above 0")
    return value

"""Counts of networks by name, from their shapes alone."""

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from ..accounting import shapes
from ..accounting.account import shapes_account
from ..accounting.results import ShapesAccount
from ..chip.placement import Placement, place
from ..device.presets import technology
from ..errors import ConfigError, did_you_mean
from ..json_codec import Result
from ..tasks.registry import TASKS


@dataclass(frozen=True)
class NetworkCounts(Result):
    """What a network takes on macros, per inference."""

    name: str
    """of the network"""
    weights: int
    """weights of its matrices"""
    weights_by_layer: Dict[str, int]
    """weights of each matrix"""
    macs: int
    """multiply-accumulates"""
    pairs: int
    """pairs of cells in use"""
    macros: int
    """macros that they fill"""
    utilisation: float
    """share of those macros' pairs"""
    conversions_per_plane: int
    """conversions of one bit plane of all codes"""
    conversions: int
    """conversions of the ADCs"""
    account: Optional[ShapesAccount]
    """energy, latency and area, where one network was asked for"""


def describe_networks(
    name: Optional[str] = None, *, costs: str = "macro-40nm", adc_bits: int = 8
) -> Dict[str, NetworkCounts]:
    """Counts of the tasks' networks by name, or of one of them, "resnet50" or "vgg16" with an account.

    costs: named technology file, or the path of one.
    """
    if name is None:
        return {task_name: _counts(*_placed(task_name), account=None) for task_name in TASKS}
    network_shapes, placement = _placed(name)
    account = shapes_account(
        network_shapes, placement, cell_model=technology("taox-40nm"), costs=costs, adc_bits=adc_bits
    )
    return {name: _counts(network_shapes, placement, account=account)}


def _placed(name: str) -> Tuple[shapes.NetworkShapes, Placement]:
    """(shapes, placement) of a network by name."""
    if name in TASKS:
        network_shapes = shapes.of_network(TASKS[name].network)
    elif name in shapes.NETWORKS:
        network_shapes = shapes.of_products(name, shapes.NETWORKS[name]())
    else:
        known = ", ".join([*TASKS, *shapes.NETWORKS])
        close = did_you_mean(name, [*TASKS, *shapes.NETWORKS])
        raise ConfigError(f"no network {name!r}{close}; choose one of {known}")
    return network_shapes, place(network_shapes.matrices)


def _counts(network_shapes: shapes.NetworkShapes, placement: Any, *, account: Optional[ShapesAccount]) -> NetworkCounts:
    row_tiles = {name: len({tile.row_start for tile in placement.tiles_of(name)}) for name in placement.names}
    per_plane = {
        name: network_shapes.positions[name] * cols * row_tiles[name] for name, (_, cols) in network_shapes.matrices
    }
    return NetworkCounts(
        name=network_shapes.name,
        weights=network_shapes.weights,
        weights_by_layer={name: rows * cols for name, (rows, cols) in network_shapes.matrices},
        macs=network_shapes.macs,
        pairs=placement.n_pairs,
        macros=placement.n_macros,
        utilisation=placement.utilisation,
        conversions_per_plane=sum(per_plane.values()),
        conversions=sum(count * network_shapes.bits[name] for name, count in per_plane.items()),
        account=account,
    )

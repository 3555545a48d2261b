"""Counts of networks by name, from their shapes alone."""

from ..accounting import shapes
from ..accounting.account import shapes_account
from ..chip.placement import place
from ..device.presets import technology
from ..errors import ConfigError
from ..tasks.registry import TASKS


def describe_networks(name=None, technology_file="macro-40nm", adc_bits=8):
    """Counts of networks from their shapes alone: dict name -> weights, weights_by_layer, macs, pairs, macros,
    utilisation, conversions; of the tasks' networks, or of one (a task, "resnet50" or "vgg16") with `shapes_account`.
    """
    if name is None:
        return {task_name: _counts_of(*_placed(task_name)) for task_name in TASKS}
    network_shapes, placement = _placed(name)
    account = shapes_account(network_shapes, placement, technology("taox-40nm"), technology_file, adc_bits)
    return {name: dict(_counts_of(network_shapes, placement), **account)}


def _placed(name):
    """(NetworkShapes, Placement) of a network by name."""
    if name in TASKS:
        network_shapes = shapes.of_network(TASKS[name].network)
    elif name in shapes.NETWORKS:
        network_shapes = shapes.of_products(name, shapes.NETWORKS[name]())
    else:
        known = list(TASKS) + list(shapes.NETWORKS)
        raise ConfigError("no network {!r}; choose one of {}".format(name, ", ".join(known)))
    return network_shapes, place(network_shapes.matrices)


def _counts_of(network_shapes, placement):
    """Counts of a network on macros."""
    row_tiles = {name: len({tile.row_start for tile in placement.tiles_of(name)}) for name in placement.names}
    per_plane = {
        name: network_shapes.positions[name] * cols * row_tiles[name] for name, (_, cols) in network_shapes.matrices
    }
    return {
        "name": network_shapes.name,
        "weights": network_shapes.weights,
        "weights_by_layer": {name: rows * cols for name, (rows, cols) in network_shapes.matrices},
        "macs": network_shapes.macs,
        "pairs": placement.n_pairs,
        "macros": placement.n_macros,
        "utilisation": placement.utilisation,
        "conversions_per_plane": sum(per_plane.values()),
        "conversions": sum(count * network_shapes.bits[name] for name, count in per_plane.items()),
    }

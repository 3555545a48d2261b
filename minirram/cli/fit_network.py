"""minirram fit-network: a network that fills the live lines of small macros."""

import argparse
import os
from dataclasses import replace

from ..chip.dead_lines import ChipLines
from ..device.presets import load_cell_model
from ..errors import ConfigError
from ..files import check_replaceable, read_json, write_json
from ..json_codec import bare
from ..nn.layers.widths import widths
from ..nn.network import weights_by_layer
from ..runs.fit_network import FittedNetwork, fit_network, lines_of_maps
from ..tasks.registry import task
from ..tasks.task_file import TaskFile, read_task_file, task_document, with_network, write_task_file
from .arguments import (
    chip_files,
    chip_group,
    chip_lines,
    chip_options,
    positive,
    task_argument,
    technology_option,
)
from .counts import count_lines

RESULT = FittedNetwork
EXAMPLES = (
    (
        "minirram fit-network fashion-mnist --rows 128 --cols 128 --out small.json",
        "a network for one macro of 128 x 128 cells",
    ),
    (
        "minirram fit-network mine.json --map MAP.csv --unit uS --out small.json",
        "for the lines of a measured macro that are alive",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram fit-network` takes."""
    task_argument(parser)
    parser.add_argument("--out", metavar="FILE.json", help="write the task with the network, for minirram train")
    technology_option(parser, told=False)
    chip_group(parser).add_argument("--macros", type=positive, help="macros at hand; default: one for each map, else 1")
    chip_options(parser, planted=False)


def run(options: argparse.Namespace) -> FittedNetwork:
    """Propose, check, and write where a file is named."""
    if options.out is not None:
        check_replaceable(options.out)
    files = chip_files(options)
    maps_S = files.maps_S()
    stated = chip_lines(options)
    lines = lines_of_maps(stated, maps_S, load_cell_model(options.technology)) if maps_S else stated or ChipLines()
    if maps_S and options.macros is not None and options.macros > len(maps_S):
        raise ConfigError(f"--macros is {options.macros}, {len(maps_S)} map(s) were given: name a map for each")
    macros = options.macros or max(1, len(maps_S))
    lines.check_macros(macros)
    asked = read_task_file(options.task) if options.task.endswith(".json") else task(options.task)
    own = asked.own_network() if isinstance(asked, TaskFile) else asked.network
    network, placement = fit_network(own, lines, macros)
    found = FittedNetwork(
        task=asked.name,
        network=network.name,
        widths=widths(network),
        weights=placement.n_pairs,
        weights_by_layer=weights_by_layer(network),
        macros=placement.n_macros,
        live_rows=lines.logical_rows,
        live_cols=2 * lines.logical_pairs,
        filled=placement.n_pairs / (macros * lines.logical_rows * lines.logical_pairs),
        dead_rows=lines.dead_rows,
        dead_cols=lines.dead_cols,
        added=tuple(layer.name for layer in network.layers if layer.name not in {one.name for one in own.layers}),
        readings=files.readings,
        maps_left_out=max(0, len(maps_S) - macros),
    )
    if options.out is None:
        return found
    if isinstance(asked, TaskFile):
        document = with_network(read_json(options.task), network)
    else:
        document = task_document(replace(asked, name=network.name, network=network))
    write_task_file(options.out, document)
    if lines.dead_rows or lines.dead_cols:
        path = os.path.splitext(options.out)[0] + "-lines.json"
        write_json(path, bare(lines))
        found = replace(found, lines_file=path)
    return replace(found, file=options.out)


def text(found: FittedNetwork) -> str:
    """The network, the macros, and how it is trained."""
    chosen = ", ".join(f"{name} {width}" for name, width in found.widths.items())
    lines = [f"read         {one.line}" for one in found.readings]
    lines += [f"network      {found.network}: {found.weights} weights; channels: {chosen}"]
    lines.append(
        f"placed on    {found.macros} macro(s) of {found.live_rows} x {found.live_cols} live cells, "
        f"{found.filled:.1%} of the pairs filled"
    )
    if found.added:
        lines.append(f"added        {', '.join(found.added)}: widths alone would fill less than half of the pairs")
    if found.dead_rows or found.dead_cols:
        lines.append(f"dead         {len(found.dead_rows)} rows and {len(found.dead_cols)} columns")
    lines += count_lines("fit-network", found)
    if found.file is not None:
        lines.append(f"written      {found.file}")
    if found.lines_file is not None:
        lines.append(f"             {found.lines_file}: give it to train as --dead-lines")
    return "\n".join(lines)

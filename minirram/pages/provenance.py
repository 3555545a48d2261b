"""Where a run comes from: versions, seeds, checksums, and the command that makes it again."""

import platform
import re
import shlex
from dataclasses import fields
from typing import Any, List, Tuple

import numpy as np

from .. import __version__
from ..chip.dead_lines import ChipLines
from ..device.interface import Cell
from ..device.presets import TECHNOLOGIES, technology
from ..files import read_json
from ..learn.recipe import Recipe
from ..programming.manifest import sha256_of
from ..report.html import Markup, tag
from ..report.page import Facts, Part, Section, Table
from ..runs.config import RunConfig
from ..runs.folder import RunFolder
from ..runs.place import Placed
from ..runs.train import TrainingResults
from ..study.transfer import TransferResults
from ..tasks.registry import BUILT_IN, SYNTHETIC
from .outcome import Outcome

_NAMED = re.compile(r"(.*) [0-9a-f]{8}((?: \w+=\w+)*)", re.S)
"""a file as a run remembers it: its name, CRC-32, and what was done with cells without a conductance"""
FILES = ("config.json", "chip.npz", "model.npz", "masks.npz", "program.xbp", "targets.xbp", "digital.json", "data.npz")


def provenance_section(run: RunFolder, outcome: Outcome) -> Section:
    """Versions, seeds, data, the command, checksums of the files."""
    config, recipe = run.config, run.config.recipe
    results = outcome.results
    written = read_json(run.path("config.json")).get("version")
    items: List[Tuple[str, Any]] = [
        ("trained with minirram", written),
        ("this page with", f"minirram {__version__}, Python {platform.python_version()}, NumPy {np.__version__}"),
        ("data", results.data if isinstance(results, TrainingResults) else "those of the first run"),
        ("CRC-32 of the training data", f"{config.data_crc:08x}"),
        ("technology", config.cell_model.name),
        ("seed of learning", recipe.seed),
        ("seed of the chip", recipe.chip_seed),
        ("maps of the chip", ", ".join(config.maps) or "none, it was drawn"),
        ("stuck cells planted", config.faults or "none"),
    ]
    if isinstance(results, TrainingResults):
        items += [(f"map {k}", reading.line) for k, reading in enumerate(results.readings)]
        items += [("bench", results.driver or "none, a simulated chip")]
    items += [("warning", line) for line in getattr(results, "warnings", ())]
    line, assumed = command_of(run, outcome)
    parts: List[Part] = [Facts(tuple(items)), Markup("<h3>Command</h3>")]
    box = tag("pre", tag("code", line), tabindex="0", role="region", aria_label="Command to make the run again")
    parts.append(box)
    if assumed:
        parts.append(f"Words in capitals stand for what the run folder does not name: {', '.join(assumed)}.")
    sums = [(name, Markup(f"<code>{sha256_of(run.path(name))}</code>")) for name in FILES if run.has(name)]
    parts.append(Table("Checksums of the run's files", ("file", "SHA-256"), sums, texts=(1,)))
    return Section("Provenance", tuple(parts))


def command_of(run: RunFolder, outcome: Outcome) -> Tuple[str, Tuple[str, ...]]:
    """(command that makes a run again, what it leaves open)."""
    results = outcome.results
    if isinstance(results, TransferResults):
        words = ["minirram", "transfer", "FIRST_RUN", "--out", "RUN", "--chip-seed", str(results.chip_seed)]
        words += ["--epochs", str(results.epochs), "--learning-rate", f"{results.learning_rate:g}"]
        words += [] if results.faults_known is None else ["--know-faults"]
        return " ".join(words), ("FIRST_RUN", "the options of its chip")
    if isinstance(results, Placed):
        return "minirram place NETWORK.onnx --weights --data DATA --out RUN", ("NETWORK.onnx", "DATA", "options")
    if not isinstance(results, TrainingResults):
        return "minirram recalibrate FIRST_RUN --readback READBACK", ("FIRST_RUN", "READBACK")
    words, assumed = ["minirram", "train"], []
    config = run.config
    task = {one.name: one for one in BUILT_IN}.get(config.task)
    known = task is not None and task.layout == config.data_layout
    if known and task is not None:
        words.append(config.task)
        if task.network != config.network:
            words += ["--network", "NETWORK.onnx"]
            assumed.append("NETWORK.onnx")
    else:
        words.append("TASK.json")
        assumed.append("TASK.json, its layers and recipe stand in config.json")
    if config.data == SYNTHETIC:
        words += ["--data", SYNTHETIC]
    else:
        file = None if results.data_report is None else results.data_report.file
        words += ["--data", file or "DATA"]
        assumed += [] if file else ["DATA"]
    words += _recipe_words(config, task if known else None)
    words += _chip_words(config, assumed)
    words += ["--unit", results.readings[0].unit] if config.maps and results.readings else []
    if results.driver is not None:
        words += ["--driver", results.driver]
    return " ".join(shlex.quote(word) for word in [*words, "--out", "RUN"]), tuple(assumed)


def _recipe_words(config: RunConfig, task: Any) -> List[str]:
    """--preset and the options that differ from it."""
    base, words = Recipe(), []
    if task is not None:
        differing = {name: _differing(config.recipe, recipe) for name, recipe in task.recipes.items()}
        preset = min(differing, key=lambda name: (len(differing[name]), name != "full"))
        base = task.recipes[preset]
        words = [] if preset == "full" else ["--preset", preset]
    for name in _differing(config.recipe, base):
        value = getattr(config.recipe, name)
        if value is not None:
            words += ["--" + name.replace("_", "-"), f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def _differing(one: Recipe, other: Recipe) -> List[str]:
    return [field.name for field in fields(Recipe) if getattr(one, field.name) != getattr(other, field.name)]


def _chip_words(config: RunConfig, assumed: List[str]) -> List[str]:
    """Options of the chip, its cells, converters and lines."""
    words = _cell_words(config.cell_model, assumed)
    default = RunConfig("", "", config.network, config.recipe, config.cell_model, layout=config.layout)
    for name in ("adc_bits", "adc_arrangement"):
        if getattr(config, name) != getattr(default, name):
            words += ["--" + name.replace("_", "-"), str(getattr(config, name))]
    policies = ""
    for one in (*config.maps, config.faults):
        named = _NAMED.fullmatch(one)
        if named is not None:
            words += ["--faults" if one == config.faults else "--map", named.group(1)]
            policies = named.group(2) or policies
    for policy in policies.split():
        words += ["--" + policy.split("=")[0], policy.split("=")[1]]
    if config.wires is not None:
        words += ["--wire-ohm", f"{config.wires.row_ohm:g}"]
    lines = config.lines
    if lines is not None and (lines.dead_rows or lines.dead_cols):
        words += ["--dead-lines", "LINES.json"]
        assumed.append("LINES.json")
    elif lines is not None and lines != ChipLines():
        words += ["--rows", str(lines.rows), "--cols", str(2 * lines.pairs)]
    return words


def _cell_words(cell: Cell, assumed: List[str]) -> List[str]:
    """--technology, with the options that change its numbers."""
    if cell.name in TECHNOLOGIES:
        preset = technology(cell.name)
        changes = {
            n: getattr(cell, n) for n in ("read_noise", "re_set") if getattr(cell, n) != getattr(preset, n, None)
        }
        if preset.changed(**changes) == cell:
            words = [] if cell.name == "taox-40nm" else ["--technology", cell.name]
            for name, value in changes.items():
                words += ["--" + name.replace("_", "-"), str(value)]
            return words
    assumed.append("CELLS.json")
    return ["--technology", "CELLS.json"]

"""minirram: learn which connections of a random resistive-memory chip to keep.

`import minirram` loads nothing, not even NumPy, so the command line can settle the number of BLAS threads first. A
name of the public face is loaded when it is first used; docs/api.md has a table of all of them. What is not listed
here can be imported by its path, and may change.
"""

__version__ = "0.2.0"

TYPE_CHECKING = False  # editors and mypy take it for True; importing it from typing would load ten modules

_HOMES = {
    # one cell
    "technology": "device.presets",
    "CellModel": "device.cell",
    "fit_maps": "device.fit",
    # one array
    "Macro": "crossbar.macro",
    "Adc": "crossbar.converters",
    "InputCodes": "crossbar.converters",
    "Wires": "crossbar.wires",
    "Conditions": "crossbar.conditions",
    # many arrays
    "Chip": "chip.chip",
    "ChipLines": "chip.dead_lines",
    "place": "chip.placement",
    # networks, and what learns
    "nn": "",
    "Network": "nn.network",
    "Recipe": "learn.recipe",
    "MaskLearner": "learn.mask_learner",
    # data
    "Task": "tasks.task",
    "LabelledData": "tasks.labelled_data",
    "register_task": "tasks.registry",
    # a run
    "train": "runs.run",
    "evaluate": "runs.run",
    "energy": "runs.run",
    "export": "runs.run",
    "recalibrate": "runs.run",
    "Run": "runs.run",
    # the program file
    "read_program": "programming.readback",
    "verify": "programming.readback",
    "xbp": "",
    # the laws of the product as a kit
    "conformance": "",
    # what is raised on purpose
    "MinirramError": "errors",
}
"""public name -> the module that defines it; "": the name is that of a package"""

_MOVED = {
    "architectures": "tasks.fashion_mnist",
    "arms": "study.arms",
    "baselines": "study.weight_runs",
    "cells": "device.cell",
    "compare": "study.comparison",
    "compare_report": "study.report",
    "conditions": "crossbar.conditions",
    "converters": "crossbar.converters",
    "convolution": "nn.layers.convolution",
    "costs": "accounting.costs",
    "datasets": "tasks.datasets",
    "digital": "inference.digital_json",
    "dump": "programming.dump",
    "energy": "accounting.figures",
    "engine": "nn.engine.engine",
    "events": "accounting.events",
    "faults": "chip.faults",
    "features": "tasks.speech_features",
    "fundus": "tasks.fundus",
    "lanes": "nn.engine.lanes",
    "laws": "conformance.kit",
    "layers": "nn.layers",
    "learning": "learn.learner",
    "lines": "chip.dead_lines",
    "macro": "crossbar.macro",
    "mapping": "chip.placement",
    "maps": "labfiles.maps",
    "metrics": "tasks.metrics",
    "model": "inference.model",
    "networks": "nn.network",
    "nodes": "nn.engine.nodes",
    "optim": "learn.optim",
    "packbits": "xbp.packbits",
    "program": "programming.build",
    "pruning": "learn.pruning",
    "pulses": "device.pulses",
    "readback": "programming.readback",
    "recurrent": "nn.layers.recurrent",
    "shapes": "accounting.shapes",
    "synthetic": "tasks.drawn_garments",
    "synthetic_digits": "tasks.drawn_digits",
    "synthetic_retina": "tasks.drawn_vessels",
    "technologies": "device.presets",
    "training": "learn.mask_learner",
    "transfer": "study.transfer",
    "tuning": "study.settings_search",
    "wear": "chip.wear",
    "weights": "learn.written_weights",
    "winograd": "nn.engine.winograd",
    "wires": "crossbar.wires",
    "workflow": "inference.examine",
    "xbp_host": "xbp.host",
    "xbp_reader": "xbp.reader",
    "xbp_records": "xbp.records",
    "xbp_rules": "xbp.rules",
    "xbp_table": "xbp.table",
}
"""module of 0.1 at the root of the package -> where what it held is now"""

__all__ = [
    "Adc",
    "CellModel",
    "Chip",
    "ChipLines",
    "Conditions",
    "InputCodes",
    "LabelledData",
    "Macro",
    "MaskLearner",
    "MinirramError",
    "Network",
    "Recipe",
    "Run",
    "Task",
    "Wires",
    "conformance",
    "energy",
    "evaluate",
    "export",
    "fit_maps",
    "nn",
    "place",
    "read_program",
    "recalibrate",
    "register_task",
    "technology",
    "train",
    "verify",
    "xbp",
]

if TYPE_CHECKING:  # what editors and mypy see; a name that is not listed is an error to them
    from . import conformance, nn, xbp
    from .chip.chip import Chip
    from .chip.dead_lines import ChipLines
    from .chip.placement import place
    from .crossbar.conditions import Conditions
    from .crossbar.converters import Adc, InputCodes
    from .crossbar.macro import Macro
    from .crossbar.wires import Wires
    from .device.cell import CellModel
    from .device.fit import fit_maps
    from .device.presets import technology
    from .errors import MinirramError
    from .learn.mask_learner import MaskLearner
    from .learn.recipe import Recipe
    from .nn.network import Network
    from .programming.readback import read_program, verify
    from .runs.run import Run, energy, evaluate, export, recalibrate, train
    from .tasks.labelled_data import LabelledData
    from .tasks.registry import register_task
    from .tasks.task import Task
else:
    import sys

    def _moved(name: str) -> str:
        return f"minirram.{name} of version 0.1 is minirram.{_MOVED[name]} now; docs/api.md lists what keeps its name"

    class _OldPaths:
        """The last finder of modules: what no other finds, and 0.1 had, is told its new place."""

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            """None, or ModuleNotFoundError that names the new module."""
            package, _, module = name.partition(".")
            if package == __name__ and module in _MOVED:
                raise ModuleNotFoundError(_moved(module))

    sys.meta_path.append(_OldPaths)

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(_moved(name) if name in _MOVED else f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        home = _HOMES[name]
        value = getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)
        globals()[name] = value
        return value

    def __dir__() -> list:
        return sorted([*__all__, "__version__"])

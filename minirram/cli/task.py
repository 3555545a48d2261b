"""minirram task: a task as a JSON file: of a built-in one, drafted for data, or checked."""

import argparse
import os
from dataclasses import dataclass, fields, replace
from typing import Any, Dict, Iterator, Optional

from ..errors import ConfigError
from ..json_codec import bare
from ..runs.task_check import TaskCheck, check_file, check_given, summary_of
from ..tasks.data_files import DataRules, read_data
from ..tasks.data_report import data_report, report_lines
from ..tasks.draft import draft
from ..tasks.registry import TASKS, task
from ..tasks.task_file import document_text, read_task_file, task_document, write_task_file
from .arguments import CONTENTS, GOOD, given
from .field_options import field_options
from .network_file import graph_of


@dataclass(frozen=True)
class TaskShown(TaskCheck):
    """What `minirram task` gives."""

    document: Optional[str]
    """the JSON of the task's file as text; None: a file was checked"""


RESULT = TaskShown
EXAMPLES = (
    ("minirram task --data mine.csv --out mine.json", "draft a task for a table whose last column holds the labels"),
    ("minirram task mine.json --check --data mine.csv", "say what is wrong with it, before a training"),
)
RULES = tuple(field.name for field in fields(DataRules))
"""names of the options of `DataRules`"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram task` takes."""
    known = ", ".join(TASKS)
    parser.add_argument("task", nargs="?", metavar="TASK", help=f"one of {known}, a .json file, or a .py file")
    parser.add_argument(
        "--check", action="store_true", help="say what is wrong with the task, where, and what is right"
    )
    parser.add_argument("--data", help="with --check: its data; without TASK: file of data to draft a task for")
    parser.add_argument("--network", metavar="FILE.onnx", help="with --check: graph of an ONNX file, as in train")
    parser.add_argument("--out", metavar="FILE.json", help="write the JSON there")
    rules = parser.add_argument_group("how the data are read", "of a draft: fields of data in its JSON")
    field_options(rules, DataRules, defaults=True)


def run(options: argparse.Namespace) -> TaskShown:
    """Show, draft or check a task."""
    stated = given(options, RULES)
    if stated and (options.task is not None or options.data is None):
        flags = ", ".join("--" + name.replace("_", "-") for name in stated)
        raise ConfigError(f"{flags}: of a draft, --data without a TASK; a task's file states them in its field data")
    if options.check:
        if options.task is None or options.out is not None:
            raise ConfigError("--check takes a TASK and writes nothing; name the .json file to check")
        return TaskShown(**vars(_checked(options)), document=None)
    if options.network is not None:
        raise ConfigError("--network goes with --check")
    if options.task is not None:
        if options.data is not None:
            raise ConfigError("--data goes with --check, or without a TASK to draft one")
        if options.task.endswith(".json"):
            raise ConfigError(f"{options.task} is the JSON of a task already; --check checks it")
        chosen = task(options.task)
        return _written(summary_of(chosen), task_document(chosen), options.out)
    if options.data is None:
        raise ConfigError("name a TASK, or --data to draft one for a file of data")
    if "leave_out" in stated:  # argparse gives a list
        stated["leave_out"] = tuple(stated["leave_out"])
    rules = DataRules(**stated)
    data = read_data(options.data, rules)
    name = os.path.splitext(os.path.basename(options.out or options.data))[0]
    chosen = draft(name, data)
    report = data_report(data, chosen.layout, network=chosen.network)
    document = task_document(chosen)
    del document["layout"]  # the data say it
    document["data"] = bare(rules)
    return _written(summary_of(chosen, report=report), document, options.out)


def _checked(options: argparse.Namespace) -> TaskCheck:
    """The check of a file, or of a task that is known by its name."""
    if options.task.endswith(".json"):
        network = graph_of(options.network, read_task_file(options.task).network) if options.network else None
        return check_file(options.task, options.data, network=network)
    if options.network is not None:
        raise ConfigError("--network belongs to the check of a .json file")
    if os.path.isfile(options.task) and not options.task.endswith(".py"):
        raise ConfigError(f"--check takes the .json file of a task; {options.task} is none (data come with --data)")
    chosen = task(options.task)
    if options.data is None:
        return summary_of(chosen)
    return check_given(chosen, options.data, network=chosen.network)


def _written(shown: TaskCheck, document: Dict[str, Any], out: Optional[str]) -> TaskShown:
    if out is not None:
        write_task_file(out, document)
    return TaskShown(**vars(replace(shown, file=out)), document=document_text(document))


def text(shown: TaskShown) -> str:
    """The JSON itself; where it went into a file, or was checked, a line per thing that is said of it."""
    if shown.document is not None and shown.file is None:
        return shown.document
    return "\n".join(_lines(shown))


def _lines(shown: TaskShown) -> Iterator[str]:
    if shown.file is not None:
        yield f"{shown.file}: task {shown.name}"
    for layer in shown.layers:
        weights = f"   {layer.weights} weights" if layer.weights else ""
        yield f"  {layer.name:14s} {layer.kind:14s} {' x '.join(map(str, layer.output))}{weights}"
    if shown.weights is not None:
        yield f"network                 {shown.weights} weights, {shown.macros} macro(s)"
    if shown.data is not None:
        yield from report_lines(shown.data)
    for problem in shown.problems:
        said = problem.layer is None or f"layer {problem.layer}:" in problem.what
        named = "" if said else f" (layer {problem.layer})"
        yield f"wrong: {problem.where or 'the task'}{named}: {problem.what}"
    if not shown.problems and shown.file is None:
        yield "nothing is wrong"


def exit_code(shown: TaskShown) -> int:
    """Of contents where something is wrong."""
    return CONTENTS if shown.problems else GOOD

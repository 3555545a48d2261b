"""The JSON schemas of what each command prints with --json, and of a task's file, from their types.

`python -m minirram.cli.schemas docs/schemas` writes one file per command, and `task-file.json`; a test holds the files
against the types.
"""

import os
import sys
from typing import Any, Dict

from ..files import write_json
from ..json_codec import input_schema, schema
from ..nn.layers.base import Layer, shipped_layers
from ..tasks.task_file import TaskFile
from .main import COMMANDS, module_of

TASK_FILE = "task-file"
"""name of the schema of what `minirram train` and `minirram task` read; `task` is that of what the command prints"""


def schemas() -> Dict[str, Dict[str, Any]]:
    """{command, or "task-file": its JSON schema, draft 7}"""
    found = {command: schema(module_of(command).RESULT, f"minirram {command} --json") for command in COMMANDS}
    return dict(found, **{TASK_FILE: task_file_schema()})


def task_file_schema() -> Dict[str, Any]:
    """The JSON schema of a task's file, with the layers of the package."""
    return input_schema(TaskFile, "a task of minirram", kinds={Layer: shipped_layers()})


def write_schemas(folder: str) -> None:
    """Write `COMMAND.json` of every command, and `task-file.json`, into `folder`."""
    os.makedirs(folder, exist_ok=True)
    for command, described in schemas().items():
        write_json(os.path.join(folder, f"{command}.json"), described)


if __name__ == "__main__":
    write_schemas(*sys.argv[1:])

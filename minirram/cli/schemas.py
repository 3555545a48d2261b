"""The JSON schemas of what each command prints with --json, from the types of the results.

`python -m minirram.cli.schemas docs/schemas` writes one file per command; a test holds the files against the types.
"""

import os
import sys
from typing import Any, Dict

from ..files import write_json
from ..json_codec import schema
from .main import COMMANDS, module_of


def schemas() -> Dict[str, Dict[str, Any]]:
    """{command: its JSON schema, draft 7}"""
    return {command: schema(module_of(command).RESULT, f"minirram {command} --json") for command in COMMANDS}


def write_schemas(folder: str) -> None:
    """Write `COMMAND.json` of every command into `folder`."""
    os.makedirs(folder, exist_ok=True)
    for command, described in schemas().items():
        write_json(os.path.join(folder, f"{command}.json"), described)


if __name__ == "__main__":
    write_schemas(*sys.argv[1:])

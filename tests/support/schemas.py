"""The JSON of commands, held against their schemas in docs/schemas."""

import functools
import json
from typing import Any, Dict

from minirram import __version__

from .places import ROOT

try:
    import jsonschema
except ImportError:  # the oldest pair of CI has pytest and hypothesis alone
    jsonschema = None

FOLDER = ROOT / "docs" / "schemas"


@functools.lru_cache(None)
def validator(command: str) -> Any:
    """The validator of what a command prints."""
    described = json.loads((FOLDER / f"{command}.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(described)
    return jsonschema.Draft7Validator(described)


def checked_json(command: str, text: str) -> Dict[str, Any]:
    """What a command printed; fails where its schema does not allow it, or another version is stated."""
    value = json.loads(text)
    assert value.get("version", __version__) == __version__
    if jsonschema is not None:
        validator(command).validate(value)
    return value

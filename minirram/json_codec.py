"""Frozen dataclasses as JSON and back, their JSON schema, and the docstring lines of their fields."""

import ast
import inspect
import textwrap
from dataclasses import fields, is_dataclass
from typing import Any, Dict, Union, get_args, get_origin, get_type_hints


def plain(value):
    """Dataclasses as dicts that name their type, tuples as lists."""
    if is_dataclass(value):
        entries = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return dict(entries, type=type(value).__name__)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def _built(value, types):
    """The inverse of `plain`: dicts with a `type` become that dataclass, lists become tuples."""
    if isinstance(value, dict):
        known = {name: _built(item, types) for name, item in value.items() if name != "type"}
        return types[value["type"]](**known)
    return tuple(_built(item, types) for item in value) if isinstance(value, list) else value


class Result:
    """Base of the frozen dataclasses that hold what a step found.

    Every field is in the JSON, under its own name; one that does not apply is None there and null in the file. Each
    has a docstring line (unit, meaning): `schema` takes its description from it.
    """

    def to_json(self) -> Dict[str, Any]:
        """A JSON-ready dict; `schema` describes it."""
        return bare(self)


def bare(value: Any) -> Any:
    """Dataclasses as dicts of their fields, without a name of their type; tuples as lists."""
    if is_dataclass(value):
        return {field.name: bare(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(name): bare(item) for name, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, (tuple, list)) else value


def field_docs(kind: type) -> Dict[str, str]:
    """{field name: the docstring below it, on one line} of a dataclass and its bases."""
    found: Dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not is_dataclass(base):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = getattr(definition, "body", [])
        for entry, below in zip(body, body[1:]):
            text = getattr(getattr(below, "value", None), "value", None)
            if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and isinstance(text, str):
                found[entry.target.id] = " ".join(text.split())
    return found


def schema(kind: type, title: str) -> Dict[str, Any]:
    """The JSON schema (draft 7) of what `bare` gives of a value of type `kind`: no key more, none less."""
    definitions: Dict[str, Any] = {}
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": title}
    top = _object_schema(kind, definitions) if is_dataclass(kind) else _schema_of(kind, definitions)
    return dict(head, **top, **({"definitions": definitions} if definitions else {}))


_JSON_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}


def _schema_of(kind: Any, definitions: Dict[str, Any]) -> Dict[str, Any]:
    """The schema of one type; dataclasses go into `definitions` and are referred to."""
    if kind in _JSON_TYPES:
        return {"type": _JSON_TYPES[kind]}
    if is_dataclass(kind):
        return _reference(kind, definitions)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union and len(inner) == 2 and inner[1] is type(None):
        known = _schema_of(inner[0], definitions)
        return dict(known, type=[known["type"], "null"]) if "type" in known else {"anyOf": [known, {"type": "null"}]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(inner[1], definitions)}
    if origin is tuple and inner[1:] == (Ellipsis,):
        return {"type": "array", "items": _schema_of(inner[0], definitions)}
    if origin is tuple:
        items = [_schema_of(item, definitions) for item in inner]
        return {"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}
    raise TypeError(f"{kind} has no JSON schema; use dataclasses, dicts, tuples and plain values")


def _reference(kind: Any, definitions: Dict[str, Any]) -> Dict[str, Any]:
    """A reference to a dataclass's schema, which is put into `definitions`."""
    name = kind.__name__
    found = definitions.get(name)
    if found is None:
        found = definitions[name] = _object_schema(kind, definitions)
    elif list(found["properties"]) != [field.name for field in fields(kind)]:
        raise TypeError(f"two dataclasses are called {name}")
    return {"$ref": f"#/definitions/{name}"}


def _object_schema(kind: Any, definitions: Dict[str, Any]) -> Dict[str, Any]:
    """The schema of a dataclass: each field required and described."""
    types, docs = get_type_hints(kind), field_docs(kind)
    names = [field.name for field in fields(kind)]
    undescribed = [name for name in names if not docs.get(name)]
    if undescribed:
        raise TypeError(f"{kind.__name__}: no docstring line below {', '.join(undescribed)}")
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
        "properties": {name: _described(_schema_of(types[name], definitions), docs[name]) for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _described(entry: Dict[str, Any], text: str) -> Dict[str, Any]:
    """The entry with a description; draft 7 reads nothing beside a reference, so that is wrapped."""
    return dict({"allOf": [entry]} if "$ref" in entry else entry, description=text)

"""Frozen dataclasses as JSON and back, their JSON schema, and the docstring lines of their fields."""

import ast
import inspect
import re
import reprlib
import textwrap
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from .errors import DataError, MinirramError

Readers = Mapping[Any, Callable[[Any], Any]]


def plain(value: Any) -> Any:
    """Dataclasses as dicts of their fields that name their type, tuples as lists; `built` reads it."""
    if is_dataclass(value):
        entries = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return dict(entries, type=type(value).__name__)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def built(kind: Any, value: Any, *, where: str = "", readers: Optional[Readers] = None) -> Any:
    """The value of type `kind` that `plain` or `bare` wrote; DataError says what is wrong at which place.

    kind: a dataclass, a union of dataclasses that the JSON names by `type`, Optional, Tuple, List, Dict, bool, int,
    float, str or Any. where: place of `value`, e.g. "network.layers[2]". readers: {type: function of its JSON} for
    types that are read in a way of their own. A field that is not there takes its default, if it
    has one; one of a `Result` that may be None is None: an older version wrote it.
    """
    if readers and kind in readers:
        return _at(where, lambda: readers[kind](value))
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _built_dataclass(kind, value, where, readers)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union:
        return _built_union(inner, value, where, readers)
    if origin is dict:
        _check(isinstance(value, dict), where, value, "an object")
        return {name: built(inner[1], item, where=_below(where, name), readers=readers) for name, item in value.items()}
    if origin in (tuple, list):
        _check(isinstance(value, list), where, value, "a list")
        fixed = origin is tuple and inner[1:] != (Ellipsis,)
        _check(not fixed or len(value) == len(inner), where, value, f"a list of {len(inner)}")
        kinds = inner if fixed else (inner[0],) * len(value)
        items = [
            built(k, item, where=f"{where}[{i}]", readers=readers) for i, (k, item) in enumerate(zip(kinds, value))
        ]
        return tuple(items) if origin is tuple else items
    if kind not in _JSON_NAMES:
        raise TypeError(f"{kind} cannot be read from JSON; use dataclasses, dicts, tuples and plain values")
    # JSON knows one kind of number; but True is none.
    accepted = (int, float) if kind is float else (kind,)
    _check(type(value) in accepted, where, value, _JSON_NAMES[kind])
    return value


_JSON_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a text", type(None): "null"}


def _built_dataclass(kind: Any, value: Any, where: str, readers: Optional[Readers]) -> Any:
    """The dataclass `kind` from a dict of its fields."""
    _check(isinstance(value, dict), where, value, f"an object with the fields of a {kind.__name__}")
    named = value.get("type", kind.__name__)
    _check(named == kind.__name__, _below(where, "type"), named, repr(kind.__name__))
    own, types = {field.name: field for field in fields(kind)}, get_type_hints(kind)
    unknown = [name for name in value if name not in own and name != "type"]
    if unknown:
        known = ", ".join(own)
        raise DataError(f"{_below(where, unknown[0])} is not known; a {kind.__name__} has the fields {known}")
    for name, field in own.items():
        if name not in value and field.default is MISSING and field.default_factory is MISSING:
            if issubclass(kind, Result) and type(None) in get_args(types[name]):
                value = {**value, name: None}  # an older version wrote the result
                continue
            raise DataError(f"{_below(where, name)} is missing")
    items = {
        name: built(types[name], item, where=_below(where, name), readers=readers)
        for name, item in value.items()
        if name in own
    }
    return _at(where, lambda: kind(**items))


def _built_union(kinds: Tuple[Any, ...], value: Any, where: str, readers: Optional[Readers]) -> Any:
    """One of several types: None, the dataclass that `type` names, else the first that fits."""
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    classes: Dict[Any, Any] = {getattr(kind, "__name__", ""): kind for kind in others if is_dataclass(kind)}
    if len(classes) > 1 and isinstance(value, dict):
        named = value.get("type")
        _check(named in classes, _below(where, "type"), named, "one of " + ", ".join(classes))
        return built(classes[named], value, where=where, readers=readers)
    errors = []
    for kind in others:
        try:
            return built(kind, value, where=where, readers=readers)
        except DataError as error:
            errors.append(error)
    raise errors[0]


def _check(right: bool, where: str, value: Any, wanted: str) -> None:
    if not right:
        raise DataError(f"{where or 'the value'} is {reprlib.repr(value)}, not {wanted}")


def _at(where: str, make: Callable[[], Any]) -> Any:
    """make(), whose errors name the place."""
    try:
        return make()
    except (MinirramError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}" if where else str(error)) from None


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


class Result:
    """Base of the frozen dataclasses that hold what a step found.

    Every field is in the JSON, under its own name; one that does not apply is None there and null in the file. Each
    has a docstring line (unit, meaning): `schema` takes its description from it.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = _brief  # type: ignore[method-assign]  # which dataclass leaves: short at a prompt

    def to_json(self) -> Dict[str, Any]:
        """A JSON-ready dict; `schema` describes it."""
        return bare(self)


def _brief(result: Any) -> str:
    """Fields that hold plain values as they are, long ones cut, and of those that hold more how much it is."""
    shown = []
    for field in fields(result):
        value = getattr(result, field.name)
        if is_dataclass(value):
            shown.append(f"{field.name}={type(value).__name__}(...)")
        elif isinstance(value, (dict, list, tuple)) and len(value) > 4:
            shown.append(f"{field.name}={type(value).__name__} of {len(value)}")
        else:
            text = repr(value)
            shown.append(f"{field.name}={text if len(text) <= 80 else text[:77] + '...'}")
    return f"{type(result).__name__}({', '.join(shown)})"


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
        if is_dataclass(base):
            found.update(_own_docs(base))
    return found


@lru_cache(maxsize=None)
def _own_docs(kind: type) -> Dict[str, str]:
    """The same of the fields that a dataclass adds itself; its source is parsed once."""
    found: Dict[str, str] = {}
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = getattr(definition, "body", [])
    for entry, below in zip(body, body[1:]):
        text = getattr(getattr(below, "value", None), "value", None)
        if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and isinstance(text, str):
            found[entry.target.id] = " ".join(text.split())
    return found


def schema(kind: type, title: str) -> Dict[str, Any]:
    """The JSON schema (draft 7) of what `bare` gives of a value of type `kind`: no key more, none less."""
    return _headed(kind, title, _Definitions())


def input_schema(kind: type, title: str, *, kinds: Mapping[Any, Sequence[type]]) -> Dict[str, Any]:
    """The JSON schema (draft 7) of what `built` takes for type `kind`: fields with a default may be left out.

    kinds: {base class: the dataclasses that the JSON names by `type` where a value of that class stands}.
    """
    return _headed(kind, title, _Definitions(kinds))


class _Definitions(Dict[str, Any]):
    """Schemas of dataclasses by name. kinds: as in `input_schema`; None: schemas of what is written."""

    def __init__(self, kinds: Optional[Mapping[Any, Sequence[type]]] = None) -> None:
        super().__init__()
        self.kinds = kinds

    def needed(self, kind: type) -> List[str]:
        """Fields of a dataclass that must be there."""
        known = fields(kind)  # type: ignore[arg-type]
        return [entry.name for entry in known if self.kinds is None or _required(entry)]


def _required(entry: Any) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _headed(kind: type, title: str, definitions: _Definitions) -> Dict[str, Any]:
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": title}
    top = _object_schema(kind, definitions) if is_dataclass(kind) else _schema_of(kind, definitions)
    return dict(head, **top, **({"definitions": dict(definitions)} if definitions else {}))


_JSON_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}


def _schema_of(kind: Any, definitions: _Definitions) -> Dict[str, Any]:
    """The schema of one type; dataclasses go into `definitions` and are referred to."""
    if kind in _JSON_TYPES:
        return {"type": _JSON_TYPES[kind]}
    if definitions.kinds and kind in definitions.kinds:
        return {"oneOf": [_reference(named, definitions, named=True) for named in definitions.kinds[kind]]}
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


def _reference(kind: Any, definitions: _Definitions, *, named: bool = False) -> Dict[str, Any]:
    """A reference to a dataclass's schema, which is put into `definitions`. named: the JSON names it by `type`."""
    name = kind.__name__
    found = definitions.get(name)
    if found is None:
        found = _object_schema(kind, definitions)
        if named:
            found["properties"]["type"] = {"const": name, "description": "the class of the layer"}
            found["required"] = ["type", *found["required"]]
        definitions[name] = found
    elif [entry for entry in found["properties"] if entry != "type"] != [field.name for field in fields(kind)]:
        raise TypeError(f"two dataclasses are called {name}")
    return {"$ref": f"#/definitions/{name}"}


def _object_schema(kind: Any, definitions: _Definitions) -> Dict[str, Any]:
    """The schema of a dataclass: each field described, and required unless it is read and has a default."""
    types, docs = get_type_hints(kind), field_docs(kind)
    names = [field.name for field in fields(kind)]
    undescribed = [name for name in names if not docs.get(name)]
    if undescribed:
        raise TypeError(f"{kind.__name__}: no docstring line below {', '.join(undescribed)}")
    return {
        "type": "object",
        "description": _in_json(" ".join((kind.__doc__ or "").split("\n\n")[0].split())),
        "properties": {name: _described(_schema_of(types[name], definitions), docs[name]) for name in names},
        "required": definitions.needed(kind),
        "additionalProperties": False,
    }


def _in_json(text: str) -> str:
    """A docstring in the words of JSON."""
    return re.sub(r"\bNone\b", "null", text)


def _described(entry: Dict[str, Any], text: str) -> Dict[str, Any]:
    """The entry with a description; draft 7 reads nothing beside a reference, so that is wrapped."""
    return dict({"allOf": [entry]} if "$ref" in entry else entry, description=_in_json(text))

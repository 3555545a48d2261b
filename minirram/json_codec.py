"""Frozen dataclasses as JSON and back."""

from dataclasses import fields, is_dataclass


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

"""Results as JSON: every field is there, and the schema allows what was written and nothing else."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

import pytest

from minirram.json_codec import Result, bare, field_docs, schema


@dataclass(frozen=True)
class Part(Result):
    """A part."""

    joules_J: float
    """energy of
    the part"""


@dataclass(frozen=True)
class Whole(Part):
    """A whole.

    More about it.
    """

    name: str
    """of it"""
    parts: Dict[str, Part]
    """by name"""
    first: Part
    """the first of them"""
    spare: Optional[Part]
    """one more; None: none"""
    limit: Optional[int]
    """at most so many; None: any number"""
    pair: Tuple[int, str]
    """two"""
    rows: Tuple[Tuple[float, ...], ...]
    """many"""


WHOLE = Whole(1.0, "w", {"a": Part(2.0)}, Part(3.0), None, None, (1, "b"), ((1.0, 2.0), (3.0,)))


def test_every_field_is_in_the_json():
    assert WHOLE.to_json() == {
        "joules_J": 1.0,
        "name": "w",
        "parts": {"a": {"joules_J": 2.0}},
        "first": {"joules_J": 3.0},
        "spare": None,
        "limit": None,
        "pair": [1, "b"],
        "rows": [[1.0, 2.0], [3.0]],
    }


def test_docstring_lines_of_fields_come_from_bases_too():
    docs = field_docs(Whole)
    assert list(docs)[:2] == ["joules_J", "name"] and docs["joules_J"] == "energy of the part"


def test_the_schema_allows_results_and_nothing_else():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft7Validator(schema(Whole, "whole"))
    validator.check_schema(validator.schema)
    full = replace(WHOLE, spare=Part(1.0), limit=4).to_json()
    assert validator.is_valid(WHOLE.to_json()) and validator.is_valid(full)
    wrong: Tuple[Dict[str, Any], ...] = (
        {"unknown": 1},
        {"joules_J": "1"},
        {"limit": 1.5},
        {"first": None},
        {"first": {"joules_J": 1.0, "unknown": 2}},
        {"spare": {}},
        {"parts": {"a": 1.0}},
        {"pair": [1]},
        {"pair": ["b", 1]},
        {"rows": [1.0]},
    )
    for change in wrong:
        assert not validator.is_valid(dict(full, **change)), change
    for name in full:
        assert not validator.is_valid({key: value for key, value in full.items() if key != name}), name


def test_what_has_no_schema_is_refused():
    @dataclass(frozen=True)
    class Silent:
        """A field without a word."""

        number: int

    @dataclass(frozen=True)
    class Open:
        """Anything."""

        value: Any
        """whatever"""

    for kind, message in ((Silent, "no docstring line below number"), (Open, "no JSON schema")):
        with pytest.raises(TypeError, match=message):
            schema(kind, "x")


def test_two_types_of_one_name_are_refused():
    first = Part

    def other():
        @dataclass(frozen=True)
        class Part:
            """Another part."""

            seconds_s: float
            """of it"""

        return Part

    @dataclass(frozen=True)
    class Both:
        """Both."""

        one: first
        """the one"""
        two: other()  # noqa: F821
        """the other"""

    with pytest.raises(TypeError, match="two dataclasses are called Part"):
        schema(Both, "x")


def test_plain_values_pass():
    assert bare({1: (2, [3])}) == {"1": [2, [3]]}

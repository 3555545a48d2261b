"""JSON: every field of a result is there, its schema allows nothing else, and dataclasses come back as they were."""

import importlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Optional, Tuple, Union

import hypothesis
import pytest
from hypothesis import strategies as st

from minirram.errors import ConfigError, DataError
from minirram.json_codec import Result, bare, built, field_docs, plain, schema


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


def test_results_are_read_back():
    full = replace(WHOLE, spare=Part(1.0), limit=4)
    for whole in (WHOLE, full):
        assert built(Whole, whole.to_json()) == whole
    for change, message in (
        ({"parts": {"a": {}}}, r"results.json.parts.a.joules_J is missing"),
        ({"x": 1}, "x is not known"),
    ):
        with pytest.raises(DataError, match=message):
            built(Whole, dict(full.to_json(), **change), where="results.json")


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


@dataclass(frozen=True)
class Leaf:
    """One kind of part."""

    name: str
    on: bool = False
    size: Tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Twig:
    """Another."""

    name: str
    share: float = 0.5

    def __post_init__(self):
        if not 0 <= self.share <= 1:
            raise ConfigError(f"share is {self.share}; it must lie in 0..1")


@dataclass(frozen=True)
class Tree:
    """Parts of several kinds."""

    parts: Tuple[Union[Leaf, Twig], ...]
    best: Optional[Twig] = None
    label: Optional[str] = None
    counts: Dict[str, int] = field(default_factory=dict)
    seed: Optional[int] = None


leaves = st.builds(Leaf, st.text(), st.booleans(), st.tuples(st.integers(), st.integers()))
twigs = st.builds(Twig, st.text(), st.floats(0, 1))
trees = st.builds(
    Tree,
    st.lists(leaves | twigs).map(tuple),
    st.none() | twigs,
    st.none() | st.text(),
    st.dictionaries(st.text(), st.integers()),
    st.none() | st.integers(),
)


@hypothesis.given(trees)
def test_dataclasses_come_back(tree):
    assert built(Tree, json.loads(json.dumps(plain(tree)))) == tree
    assert built(Tree, plain(tree)) == tree


TREE = plain(Tree((Leaf("a"), Twig("b")), Twig("c")))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.pop("parts"), "^parts is missing"),
        (lambda t: t.update(colour=1), "^colour is not known; a Tree has the fields parts, best, label, counts, seed$"),
        (lambda t: t.update(type="Bush"), "^type is 'Bush', not 'Tree'"),
        (lambda t: t.update(parts={}), "^parts is {}, not a list"),
        (lambda t: t["parts"][0].pop("type"), r"^parts\[0\].type is None, not one of Leaf, Twig"),
        (lambda t: t["parts"][1].update(share="half"), r"^parts\[1\].share is 'half', not a number"),
        (lambda t: t["parts"][1].update(share=True), r"^parts\[1\].share is True, not a number"),
        (lambda t: t["parts"][1].update(share=2), r"^parts\[1\]: share is 2; it must lie in 0..1"),
        (lambda t: t["parts"][1].update(leaf=2), r"^parts\[1\].leaf is not known; a Twig has"),
        (lambda t: t["parts"][0].update(on=1), r"^parts\[0\].on is 1, not true or false"),
        (lambda t: t["parts"][0].update(size=[1]), r"^parts\[0\].size is \[1\], not a list of 2"),
        (lambda t: t["parts"][0].update(size=[1, 2.0]), r"^parts\[0\].size\[1\] is 2.0, not an integer"),
        (lambda t: t["parts"][0].update(name=None), r"^parts\[0\].name is None, not a text"),
        (lambda t: t.update(best=3), "^best is 3, not an object with the fields of a Twig"),
        (lambda t: t.update(label=3), "^label is 3, not a text"),
        (lambda t: t.update(counts={"a": "1"}), "^counts.a is '1', not an integer"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change, message):
    value = json.loads(json.dumps(TREE))
    change(value)
    with pytest.raises(DataError, match=message):
        built(Tree, value)


def test_fields_with_a_default_may_be_left_out_and_types_too():
    assert built(Twig, {"name": "a"}) == Twig("a") and built(Tree, {"parts": []}) == Tree(())
    with pytest.raises(TypeError, match="cannot be read from JSON"):
        built(complex, 1)


def test_some_types_are_read_in_a_way_of_their_own():
    def read(value):
        if "name" not in value:
            raise ConfigError("no name")
        return Twig(value["name"].upper())

    readers = {Twig: read}
    assert built(Tree, TREE, readers=readers).best == Twig("C")
    with pytest.raises(DataError, match="^tree.best: no name"):
        built(Tree, dict(TREE, best={}), where="tree", readers=readers)


def test_annotations_may_be_text(tmp_path, monkeypatch):
    """As they are below `from __future__ import annotations`."""
    lines = [
        "from __future__ import annotations",
        "from dataclasses import dataclass",
        "from typing import Optional, Tuple",
        "@dataclass(frozen=True)",
        "class Late:",
        "    on: bool",
        "    parts: Tuple[float, ...] = ()",
        "    limit: Optional[int] = None",
    ]
    (tmp_path / "late_annotations.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    late = importlib.import_module("late_annotations").Late(True, (1.0,), 3)
    assert built(type(late), plain(late)) == late
    with pytest.raises(DataError, match="limit is 'x', not an integer"):
        built(type(late), dict(plain(late), limit="x"))


def test_a_slip_at_the_class_of_a_result_is_refused():
    with pytest.raises(TypeError, match="keyword arg"):

        class Slip(Result, frozen=True):  # meant for @dataclass
            pass


def test_a_result_at_a_prompt_is_short():
    @dataclass(frozen=True)
    class Inner(Result):
        share: float

    @dataclass(frozen=True)
    class Outer(Result):
        name: str
        inner: Inner
        rows: Tuple[int, ...]
        few: Tuple[int, ...]

    shown = repr(Outer("x" * 200, Inner(0.5), tuple(range(9)), (1, 2)))
    assert shown == f"Outer(name='{'x' * 76}..., inner=Inner(...), rows=tuple of 9, few=(1, 2))"
    assert repr(Inner(0.5)) == "Inner(share=0.5)"

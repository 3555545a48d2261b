"""A release: one version everywhere, old paths that name the new ones, one way to install an extra."""

import configparser
import importlib
import re

import pytest

import minirram
from minirram.errors import how_to_install

from .support.places import ROOT


def text_of(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def test_one_version_and_one_date_everywhere():
    version, date = re.search(r"^## (\S+), (\d{4}-\d\d-\d\d)$", text_of("CHANGELOG.md"), re.M).groups()
    citation = text_of("docs", "CITATION.cff")
    assert version == minirram.__version__
    assert f"\nversion: {version}\n" in citation and f"\ndate-released: {date}\n" in citation


@pytest.mark.parametrize("old", sorted(minirram._MOVED))
def test_a_path_of_the_first_release_names_the_new_one(old):
    new = "minirram." + minirram._MOVED[old]
    importlib.import_module(new)
    with pytest.raises(ImportError, match=f"minirram.{old} of version 0.1 is {new} now"):
        importlib.import_module(f"minirram.{old}")
    if old not in minirram.__all__:
        with pytest.raises(AttributeError, match=f"is {new} now"):
            getattr(minirram, old)
        with pytest.raises(ImportError, match=f"is {new} now"):
            __import__("minirram", fromlist=[old])  # from minirram import ...


def test_a_name_that_never_was_is_an_error_as_ever():
    with pytest.raises(ModuleNotFoundError, match="No module named 'minirram.nothing'"):
        importlib.import_module("minirram.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from minirram import nothing  # noqa: F401


def test_messages_name_extras_that_are_there_and_no_package_of_a_registry():
    setup = configparser.ConfigParser()
    setup.read_string(text_of("setup.cfg"))
    extras, named = set(setup["options.extras_require"]), set()
    for path in [*ROOT.glob("minirram/**/*.py"), *ROOT.glob("data_scripts/*.py")]:
        source = path.read_text(encoding="utf-8")
        assert "minirram[" not in source, path
        named |= set(re.findall(r"how_to_install\([\"'](\w+)[\"']\)", source))
    assert {"lab", "report", "onnx", "data", "cluster", "conformance"} <= named <= extras | {"NAME"}
    assert how_to_install("lab") == "pip install '.[lab]' in the checkout (from wheels: docs/offline.md)"
    assert "--find-links wheelhouse 'minirram[lab,driver]'" in text_of("docs", "offline.md")

"""Which page belongs to what a command left."""

import os
from dataclasses import replace
from typing import Any

from ..errors import ConfigError, MissingFileError, how_to_install
from ..files import read_json
from ..report.page import Page
from ..report.svg import can_draw
from ..runs.fit_file import file_beside, load_fit
from ..study.summary import load_comparison
from .comparison import comparison_page
from .fit import fit_page
from .run import Wishes, run_page
from .sweep import sweep_page
from .words import with_words

NO_PICTURES = (
    f"Figures are left out: matplotlib is not installed. {how_to_install('report')}, then write the page anew."
)
PAGE = "report.html"


def make_page(what: str, wishes: Wishes) -> Page:
    """The page of a run folder, of the folder of a comparison or a sweep, or of a file that one of them left.

    ConfigError for what none of them left, MissingFileError for what is not there.
    """
    page = with_words(_page(what, wishes))
    return page if can_draw() else _noted(page)


def _noted(page: Page) -> Page:
    return replace(page, notes=(*page.notes, NO_PICTURES))


def _page(what: str, wishes: Wishes) -> Page:
    if os.path.isdir(what):
        if os.path.isfile(os.path.join(what, "config.json")):
            return run_page(what, wishes)
        if os.path.isfile(os.path.join(what, "comparison.json")):
            return _file_page(os.path.join(what, "comparison.json"))
        if os.path.isfile(os.path.join(what, "study.json")):
            return sweep_page(what)
        raise MissingFileError(f"{what}: no config.json of a run, comparison.json or study.json in it")
    if not os.path.exists(what):
        raise MissingFileError(f"{what}: there is no such folder or file")
    return _file_page(what)


def _file_page(path: str) -> Page:
    value: Any = read_json(path)
    keys = set(value) if isinstance(value, dict) else set()
    if {"arms", "every_weight_every_step"} <= keys:
        return comparison_page(load_comparison(value, path))
    beside = file_beside(path)
    if {"verdict", "states", "grid_max_S"} <= keys:
        return fit_page(load_fit(path))
    if os.path.isfile(beside):  # the model that a fit wrote
        return fit_page(load_fit(beside))
    raise ConfigError(f"{path}: not what compare, sweep or fit leaves")


def default_out(what: str) -> str:
    """Where the page goes when no file is named: report.html in a folder, FILE.html beside a file."""
    if os.path.isdir(what):
        return os.path.join(what, PAGE)
    beside, name = os.path.split(what)
    return os.path.join(beside, os.path.splitext(name)[0] + ".html")

"""Each option of each command has a test that sees it arrive; `--json` and `--version` are shown here."""

import argparse

import numpy as np
import pytest

from minirram import __version__

from ..support.options import SHOWN, call, figures, on_every_command, parsers
from . import (
    test_doctor,
    test_options_of_bench,
    test_options_of_driver,
    test_options_of_environments,
    test_options_of_files,
    test_options_of_fit_network,
    test_options_of_lab_files,
    test_options_of_paper,
    test_options_of_place,
    test_options_of_recalibrate,
    test_options_of_report,
    test_options_of_study,
    test_options_of_sweep,
    test_options_of_task,
    test_options_of_train,
    test_options_of_use,
    test_options_of_vectors,
    test_options_of_verify,
    test_what_is_told,
)

FOLLOWED = (
    test_doctor,
    test_options_of_bench,
    test_options_of_driver,
    test_options_of_environments,
    test_options_of_files,
    test_options_of_fit_network,
    test_options_of_lab_files,
    test_options_of_paper,
    test_options_of_place,
    test_options_of_recalibrate,
    test_options_of_report,
    test_options_of_study,
    test_options_of_sweep,
    test_options_of_task,
    test_options_of_train,
    test_options_of_use,
    test_options_of_vectors,
    test_options_of_verify,
    test_what_is_told,
)
"""modules whose tests follow options to their effect"""


def offered():
    """All (command, option) that argparse knows, an option by its first name and a position by its metavar."""
    for command, parser in parsers().items():
        for action in parser._actions:
            if not isinstance(action, argparse._HelpAction):
                yield command, (action.option_strings or [action.metavar or action.dest])[0]


def test_every_option_is_followed_by_a_test_and_every_test_follows_an_option():
    offers = set(offered())
    missing, gone = offers - set(SHOWN), set(SHOWN) - offers
    assert not missing, f"no test shows the effect of {sorted(missing)}: write one and mark it with @shows"
    assert not gone, f"tests follow options that no command has: {sorted(gone)}"
    for names in SHOWN.values():
        for name in names:
            assert any(hasattr(module, name) for module in FOLLOWED) or name in globals()


def test_an_option_without_a_test_is_found(monkeypatch):
    monkeypatch.delitem(SHOWN, ("train", "--wire-ohm"))
    with pytest.raises(AssertionError, match="wire-ohm"):
        test_every_option_is_followed_by_a_test_and_every_test_follows_an_option()


@pytest.mark.slow
@on_every_command("--json")
def test_json_is_one_object_and_text_is_none(runs, tmp_path):
    # `figures` reads the JSON of every command in the other tests; here is the text that stands without the option.
    file, chip = str(tmp_path / "program.xbp"), str(tmp_path / "chip.npy")
    for arguments in (
        ["export", runs.trained(), "--out", file],
        ["chip", runs.trained(), "--out", chip, "--state", "programmed"],
        ["evaluate", runs.trained()],
        ["energy", runs.trained()],
        ["networks"],
        ["task", "retina", "--out", str(tmp_path / "retina.json")],
        ["inspect", file],
        ["verify", file, chip],
        ["diff", file, file],
        ["dump", file, "--format", "csv", "--out", str(tmp_path / "dump.csv")],
        runs.arguments(runs.trained(), "--resume"),
    ):
        text = call(*arguments)
        assert text.code == 0 and text.out.strip() and not text.out.startswith("{"), arguments
        assert isinstance(figures(*arguments), dict)


@on_every_command("--traceback")
def test_traceback_shows_where_an_error_came_from(tmp_path):
    for command, path in (("evaluate", "run"), ("inspect", "no.xbp"), ("diff", "no.xbp no.xbp")):
        words = [command, *[str(tmp_path / name) for name in path.split()]]
        without, shown = call(*words), call(*words, "--traceback")
        assert (without.code, len(without.err.splitlines())) == (2, 1)
        assert shown.code == 2 and shown.err.startswith("Traceback") and shown.err.endswith(without.err)


def test_version_names_numpy_and_its_blas():
    code, found, told = call("--version")
    assert (code, told) == (0, "")
    assert found.startswith(f"minirram {__version__} (Python ") and len(found.splitlines()) == 1
    assert f"NumPy {np.__version__}," in found and "BLAS" in found.upper()

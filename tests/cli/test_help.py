"""Help: 80 columns, a text for every option that stands by itself, defaults, two examples that parse."""

import argparse
import re
import shlex

import pytest

from minirram.cli import main
from minirram.cli.parser import Formatter

from ..support.options import parsers

PARSERS = parsers()


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("command", main.COMMANDS)
def test_help_fits_80_columns_and_says_what_each_option_is(command):
    parser = PARSERS[command]
    assert max(map(len, parser.format_help().splitlines())) <= 80
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        name, text = (action.option_strings or [action.metavar])[0], action.help or ""
        assert len(text) >= 8 and "see " not in text.lower(), (name, text)
        assert not re.match(r"(of|instead|default|what if$)\b", text), (name, text)  # it says what it is
        assert "None" not in text, (name, text)


@pytest.mark.parametrize("command", main.COMMANDS)
def test_each_command_has_two_examples_that_are_commands(command):
    examples = main.module_of(command).EXAMPLES
    assert len(examples) >= 2
    shown = PARSERS[command].format_help()
    for words, text in examples:
        program, name, *rest = shlex.split(words)
        assert (program, name) == ("minirram", command) and text in " ".join(shown.replace("#", "").split())
        assert PARSERS[command].parse_args(rest)


def test_the_list_of_commands_fits_and_names_each_once(capsys):
    with pytest.raises(SystemExit):
        main.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for command in main.COMMANDS:
        assert sum(line.startswith(f"  {command} ") for line in lines) == 1


def test_defaults_are_shown_once():
    shown = PARSERS["evaluate"].format_help()
    assert "(default: validation)" in shown and "(default: 1)" in shown
    assert "default 8" in PARSERS["train"].format_help()


def takes_one_value(action):
    """Whether an option takes a value that need not be given."""
    return bool(action.option_strings) and action.nargs != 0 and not action.required


@pytest.mark.parametrize("command", main.COMMANDS)
def test_each_option_with_a_value_says_what_stands_without_it(command):
    for options in PARSERS[command]._action_groups:
        whole = options.description or ""  # what holds for all of them
        for action in filter(takes_one_value, options._group_actions):
            shown = Formatter("minirram")._get_help_string(action)
            said = (
                "default" in shown
                or "left out" in shown
                or "without it" in shown
                or re.search("in place of|not stated", whole + shown)
            )
            assert said or SAYS_ITSELF.search(shown), (action.option_strings[0], shown)


SAYS_ITSELF = re.compile(
    r"^(also )?write |^with |with --|^measured|: write only|^run nothing|^names of columns|^range of a sampled", re.I
)
"""what does something when it is given, and nothing when it is not"""

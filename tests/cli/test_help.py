"""Help: 80 columns, a text for every option that stands by itself, defaults, two examples that parse."""

import argparse
import dataclasses
import re
import shlex

import pytest

from minirram.cli import arguments, compare, field_options, main
from minirram.cli.parser import Formatter
from minirram.json_codec import field_docs
from minirram.study.arms import ARMS

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


def of_fields():
    """[(command, option, class, field)] of all options that are made for a field of a dataclass."""
    found, made = [], field_options.field_option

    def noted(parser, flag, kind, name, **how):
        made(parser, flag, kind, name, **how)
        found.append((flag, kind, name))

    with pytest.MonkeyPatch.context() as patch:
        for module in [field_options, arguments, *map(main.module_of, main.COMMANDS)]:
            if hasattr(module, "field_option"):
                patch.setattr(module, "field_option", noted)
        rows = []
        for command in main.COMMANDS:
            found.clear()
            main.module_of(command).add_options(argparse.ArgumentParser())
            rows += [(command, *one) for one in found]
    return rows


OF_FIELDS = of_fields()
NOT_THE_FIELD = {
    ("train", "--data"): "of a run, which may be elsewhere afterwards",
    ("train", "--network"): "the graph that an ONNX file holds",
    ("train", "--faults"): "file whose path the run keeps",
    ("compare", "--data"): "as in train",
    ("compare", "--faults"): "as in train",
    ("compare", "--out"): "said of a folder that may be there",
    ("compare", "--threads"): "said alike for all commands",
    ("place", "--data"): "inputs and labels",
    ("place", "--faults"): "file whose path the run keeps",
    ("energy", "--costs"): "names what there is",
    ("report", "--costs"): "names what there is",
    ("report", "--data"): "said alike for all commands",
    ("report", "--threads"): "said alike for all commands",
}
"""options with the name of a field of a class that the command takes, and why their help is their own"""


@pytest.mark.parametrize("command", sorted({row[0] for row in OF_FIELDS}))
def test_the_help_of_an_option_that_stands_for_a_field_is_its_docstring(command):
    by_flag = {flag: action for action in PARSERS[command]._actions for flag in action.option_strings}
    mine = [row[1:] for row in OF_FIELDS if row[0] == command]
    for flag, kind, name in mine:
        said = field_docs(kind)[name].replace("`", "").replace("None", "left out").replace("%", "%%")
        assert by_flag[flag].help.startswith(said[6:] if said.startswith("True: ") else said), (flag, kind, name)
    fields = {f.name for kind in {kind for _, kind, _ in mine} for f in dataclasses.fields(kind)}
    own = {flag for flag, action in by_flag.items() if action.dest in fields and not flag.startswith("--no-")}
    own -= {flag for flag, _, _ in mine} | {flag for name, flag in NOT_THE_FIELD if name == command}
    assert not own, "help of their own"


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


def test_the_schemes_of_compare_name_every_arm():
    kinds = {re.sub(r"-(free|budget)-[\d.]+$", "", name) for name in ARMS if name.startswith("wo-")}
    words = re.findall(r"[\w.-]+", compare.SCHEMES)
    assert kinds | {name for name in ARMS if not name.startswith("wo-")} <= set(words)
    assert {name.rsplit("-", 1)[1] for name in ARMS if re.search(r"\d$", name)} <= {word.lstrip("-") for word in words}

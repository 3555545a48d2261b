"""The command line's start: what a command loads, how long it takes, which options it refuses."""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from typing import Optional

import pytest

from minirram.cli import arguments, field_options, main
from minirram.cli.report import Report
from minirram.errors import ConfigError
from minirram.json_codec import field_docs
from minirram.learn.recipe import Recipe
from minirram.pages.run import Wishes
from minirram.runs.demo import DemoResults

from ..support.filled import filled
from ..support.places import ROOT

TRAINERS = ("minirram.learn.mask_learner", "minirram.nn.engine", "minirram.study", "minirram.runs.train")


def loaded(*command):
    """Names of the modules that a command has loaded when it ends."""
    script = (
        "import json, sys\n"
        "from minirram.cli.main import main\n"
        "try:\n"
        f"    main({list(command)!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    output = subprocess.run([sys.executable, "-c", script], cwd=str(ROOT), stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output.decode().splitlines()[-1])


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_needs_no_numpy_loads_none(option):
    assert not [name for name in loaded(option) if name.split(".")[0] == "numpy"]


@pytest.mark.parametrize("command", [["networks"], ["networks", "--network", "resnet50"]])
def test_networks_loads_no_trainer(command):
    names = loaded(*command)
    assert "minirram.runs.networks" in names
    assert not [name for name in names if name.startswith(TRAINERS)]


@pytest.mark.parametrize("command", ["evaluate", "energy", "export", "chip"])
def test_what_looks_at_a_run_loads_no_trainer(command):
    names = loaded(command, "--help")
    assert "minirram.runs.folder" in names
    assert not [name for name in names if name.startswith(TRAINERS)]


@pytest.mark.parametrize("command", ["inspect", "verify", "diff", "dump", "fit"])
def test_commands_on_files_load_no_trainer_and_no_task(command):
    names = loaded(command, "--help")
    assert f"minirram.cli.{command}" in names
    assert not [name for name in names if name.startswith(TRAINERS + ("minirram.tasks",))]


def processor_seconds(*arguments):
    """Least processor time of a few starts: what the machine does beside them is not what is measured."""
    seconds = []
    for _ in range(9):
        before = os.times()
        subprocess.run([sys.executable, *arguments], cwd=str(ROOT), stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))  # of children, user and system
    return min(seconds)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows tells no processor time of children")
def test_the_version_costs_at_most_a_tenth_of_a_second_over_bare_python():
    assert processor_seconds("-m", "minirram", "--version") - processor_seconds("-c", "pass") < 0.1


def test_every_command_has_help_and_json(capsys):
    for command in main.COMMANDS:
        with pytest.raises(SystemExit) as stop:
            main.main([command, "--help"])
        assert stop.value.code == 0 and "--json" in capsys.readouterr().out


def test_the_recipe_s_fields_are_described_by_their_docstrings(capsys):
    with pytest.raises(SystemExit):
        main.main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, text in field_docs(Recipe).items():
        assert "--" + name.replace("_", "-") in shown
        assert text.replace("None", "left out").replace("- ", "-") in shown.replace("- ", "-"), name


@dataclasses.dataclass(frozen=True)
class Choices:
    """One field of each type."""

    count: int = 1
    """so many, at most 100 %"""
    share: Optional[float] = None
    """of them"""
    quick: bool = False
    """whether it hurries"""
    name: str = ""
    """of it"""


@pytest.mark.parametrize(
    "words, expected",
    [
        ([], {}),
        (["--quick"], {"quick": True}),
        (["--no-quick", "--count", "3"], {"quick": False, "count": 3}),
        (["--share", "0.5", "--name", "x"], {"share": 0.5, "name": "x"}),
    ],
)
def test_options_of_fields_take_their_type(words, expected):
    parser = argparse.ArgumentParser()
    field_options.field_options(parser, Choices)
    names = [field.name for field in dataclasses.fields(Choices)]
    assert arguments.given(parser.parse_args(words), names) == expected
    assert "at most 100 %" in parser.format_help()


@pytest.mark.parametrize(
    "words, message",
    [
        (["evaluate", "RUN", "--wire-model", "reduced"], "--wire-ohm"),
        (["verify", "FILE", "READBACK", "--data", "synthetic"], "--run"),
        (["networks", "--adc-bits", "6"], "--network"),
        (["networks", "--costs", "paper-board"], "--network"),
        (["train", "fashion-mnist", "--data", "synthetic", "--out", "OUT", "--unit", "uS"], "--map"),
        (["compare", "retina", "--data", "synthetic", "--out", "OUT", "--arms", "pair", "--rates", "1"], "--rates"),
        (["evaluate", "RUN", "--celsius", "85"], "age"),
        (["evaluate", "RUN", "--draw", "2"], "unknown option --draw; did you mean --draws?"),
        (["fit", "MAP", "--unit", "uS", "--repeated"], "two maps"),
    ],
)
def test_an_option_that_does_nothing_is_an_error(words, message, capsys):
    try:
        code = main.main(words)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2 and message in captured.err and captured.out == ""


def test_an_error_is_one_line_whatever_a_file_is_called(tmp_path, capsys):
    path = tmp_path / "a\nb.csv"
    path.write_text("")
    assert main.main(["import", str(path), "--out", str(tmp_path / "map.npy")]) == 3
    assert main.main(["task", "--data", str(path)]) == 3
    assert [line[:16] for line in capsys.readouterr().err.splitlines()] == ["minirram: error:"] * 2


def test_the_demo_hands_its_options_on(tmp_path, monkeypatch):
    seen = {}

    def demo(out, config, **named):
        seen.update(named, out=out, seed=config.recipe.seed, adc_bits=config.adc_bits)
        raise ConfigError("seen")

    pages = []
    monkeypatch.setattr("minirram.cli.demo.demo", demo)
    given = {"out": str(tmp_path / "d"), "seed": 5, "adc_bits": 11, "threads": 3, "resume": True}
    words = ["demo", "--out", given["out"], "--seed", "5", "--adc-bits", "11", "--threads", "3", "--resume"]
    assert main.main(words) == 2
    assert {name: seen[name] for name in given} == given
    monkeypatch.setattr("minirram.cli.demo.demo", lambda *_, **__: filled(DemoResults, full=True))
    monkeypatch.setattr("minirram.cli.demo.write_report", lambda *of, **named: pages.append((of, named)) or written)
    written = filled(Report, full=True)
    assert main.main(words) == 0 and pages == [((given["out"],), {"wishes": Wishes(threads=3)})]

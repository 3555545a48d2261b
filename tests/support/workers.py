"""Two processes for the tests where pytest-xdist is installed and there are two cores; one process elsewhere."""

import os

import pytest

WORKERS = 2


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_one_file(arguments) -> bool:
    """Whether the command line names a single test file, or tests in one: a second process would hardly help."""
    files = {str(argument).split("::")[0] for argument in arguments}
    return len(files) == 1 and all(name.endswith(".py") for name in files)


def wanted(config) -> bool:
    """Whether to share the tests out: xdist is there, and the user asked for nothing that speaks against it."""
    option = config.option
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return False
    chosen = option.numprocesses is not None or option.dist != "no"
    watched = option.collectonly or option.usepdb or option.trace or option.capture == "no"
    return not (chosen or watched or is_one_file(config.args)) and cores() >= WORKERS


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config) -> None:
    """Before xdist looks at its options: as if `-n 2 --dist worksteal` had been given."""
    if wanted(config):
        config.option.numprocesses, config.option.dist = WORKERS, "worksteal"

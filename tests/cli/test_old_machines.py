"""What a PC of a lab has: long names with spaces and umlauts, a home that cannot be written, one core and 1 GB."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ..support import own_task
from ..support.places import ROOT

pytestmark = pytest.mark.slow
LONG = 260
"""characters of a path, the most that old Windows takes"""
ONE_EPOCH = """
import sys
from dataclasses import replace
from minirram.cli import main
from minirram.tasks.registry import TASKS
for name, task in list(TASKS.items()):
    TASKS[name] = replace(task, recipes={key: replace(recipe, epochs=1) for key, recipe in task.recipes.items()})
sys.exit(main.main(sys.argv[1:]))
"""
"""the command line, whose trainings end after one epoch; networks and data are those of users"""
GIGABYTE = 1 << 30


def run(arguments, *, program=("-m", "tests.support.short_minirram"), folder, limits=None, **variables):
    """What a command prints; fails when it does."""
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=str(folder),
        env=dict(os.environ, PYTHONPATH=str(ROOT), **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limits,
    )
    assert done.returncode == 0, (arguments, done.stdout[-500:], done.stderr[-2000:])
    return done.stdout


@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_names_may_be_long_and_hold_spaces_and_umlauts(variables, tmp_path):
    folder = tmp_path
    while len(str(folder)) < LONG:
        folder = folder / "Messplatz 3, Prüfstand für Öfen und Übergänge (Straße)"
    folder.mkdir(parents=True)
    inputs, labels = own_task.blobs(300, 95, 6)
    own_task.save_table(str(folder / "meine Daten, März.csv"), inputs, [f"Größe {label}" for label in labels])
    np.savetxt(str(folder / "Leitwerte µS.csv"), np.random.default_rng(0).lognormal(2.5, 0.15, (64, 64)), delimiter=",")
    for line in (
        "task|--data|meine Daten, März.csv|--out|Größen.json",
        "train|Größen.json|--data|meine Daten, März.csv|--out|Läufe/erster Lauf",
        "import|Leitwerte µS.csv|--unit|uS|--out|Karte 1.npy",
        "fit|Leitwerte µS.csv|--unit|uS|--out|Modell für Öfen.json",
        "evaluate|Läufe/erster Lauf|--split|test",
        "energy|Läufe/erster Lauf",
        "export|Läufe/erster Lauf",
        "bench|Läufe/erster Lauf|--driver|simulated",
        "verify|Läufe/erster Lauf/bench/program.xbp|Läufe/erster Lauf/bench/readback.npy",
        "recalibrate|Läufe/erster Lauf|--readback|Läufe/erster Lauf/bench/readback.npy",
        "report|Läufe/erster Lauf",
    ):
        assert run(line.split("|"), folder=folder, **variables)
    assert (folder / "Läufe" / "erster Lauf" / "report.html").stat().st_size > 10000


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc, in which not even root can write")
def test_a_home_that_cannot_be_written_is_not_asked_for(tmp_path):
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"), "/proc")
    assert b"report.html" in run(["demo", "--out", "run", "--quiet"], folder=tmp_path, **homes)
    assert run(["report", "run", "--out", "again.html"], folder=tmp_path, **homes)


@pytest.mark.parametrize("arguments", ["demo --out run", "train spoken-digits --data synthetic --out run"])
def test_one_core_and_a_gigabyte_are_enough(arguments, tmp_path):
    resource = pytest.importorskip("resource")
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system pins no process to a core")

    def limits():
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))

    threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    run([*arguments.split(), "--quiet"], program=("-c", ONE_EPOCH), folder=tmp_path, limits=limits, **threads)
    assert (tmp_path / "run" / "results.json").exists()

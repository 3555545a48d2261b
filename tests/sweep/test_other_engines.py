"""The same rows by MPI, by a cluster that grows and shrinks, and arms of a comparison on each engine."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from ..support.places import ROOT
from ..support.tiny import save_garments
from .test_stops import ENVIRONMENT, cluster, rows, run, study, swept  # noqa: F401

pytestmark = pytest.mark.slow


def test_the_example_of_mpi_gives_the_same_rows(run, tmp_path):  # noqa: F811
    pytest.importorskip("mpi4py", reason="needs mpi4py")
    mpiexec = shutil.which("mpiexec", path=f"{sys.prefix}/bin") or shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("needs mpiexec")
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(from mpi4py.*?)```", page, re.DOTALL)
    study(tmp_path, run, 5, 2)
    (tmp_path / "example.py").write_text(example)
    command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", "example.py"]
    made = subprocess.run(command, cwd=str(tmp_path), env=ENVIRONMENT, stderr=subprocess.PIPE, timeout=300)
    assert made.returncode == 0, made.stderr.decode()
    assert swept(str(tmp_path / "study.json"), tmp_path / "serial")["run"] == 10
    assert rows(tmp_path / "studies" / "noise") == rows(tmp_path / "serial")


def test_an_adaptive_cluster_gives_the_same_rows_and_its_dashboard_is_named(run, tmp_path):  # noqa: F811
    distributed = pytest.importorskip("distributed", reason="a real cluster: extra 'cluster'")
    path = study(tmp_path, run, 6, 4)
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0") as workers:
        workers.adapt(minimum=0, maximum=2, interval="100 ms")
        words = [sys.executable, "-m", "minirram", "sweep", path, "--out", str(tmp_path / "dask")]
        words += ["--dask", workers.scheduler_address]
        made = subprocess.run(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        assert made.returncode == 0, made.stderr.decode()
        assert f"dashboard {workers.dashboard_link}" in made.stderr.decode()
    swept(path, tmp_path / "serial")
    assert rows(tmp_path / "dask") == rows(tmp_path / "serial") and len(rows(tmp_path / "serial")) == 24


def without_clock(value):
    """A tree of JSON without what depends on the clock."""
    if isinstance(value, dict):
        return {name: without_clock(one) for name, one in value.items() if "second" not in name}
    return value


def kept(folder):
    """The results of every trial of a comparison, without what depends on the clock."""
    found = {}
    for path in sorted(folder.glob("**/results.json")):
        found[str(path.relative_to(folder))] = without_clock(json.loads(path.read_text()))
    masks = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("**/masks.npz"))}
    return found, masks


def test_arms_are_the_same_on_every_engine(tmp_path):
    pytest.importorskip("distributed", reason="a real cluster: extra 'cluster'")
    save_garments(tmp_path / "data", train=260, validation=20, test=20)
    words = [sys.executable, "-m", "minirram", "compare", "fashion-mnist", "--data", str(tmp_path / "data")]
    words += ["--arms", "pair", "float", "--seeds", "0", "1", "--preset", "quick", "--epochs", "1", "--rates", "0.02"]
    found = {}
    with cluster(tmp_path) as (file, _, _):
        for name, options in (("serial", ()), ("processes", ("--processes", "2")), ("dask", ("--dask", file))):
            command = [*words, "--out", str(tmp_path / name), *options]
            made = subprocess.run(command, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=600)
            assert made.returncode == 0, made.stderr.decode()
            found[name] = kept(tmp_path / name)
    assert found["serial"] == found["processes"] == found["dask"] and len(found["serial"][0]) >= 4

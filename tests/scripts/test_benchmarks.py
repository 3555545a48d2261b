"""The benchmarks run, and print the fields that their pages and the release checks rely on."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

import minirram as mr
from minirram.accounting import shapes
from minirram.nn.network import macs, matrices, positions
from minirram.tasks.spoken_digits import spoken_digit_crnn

from ..support.places import ROOT
from ..support.tiny import save_garments


def run(script, *arguments):
    """The JSON object that a benchmark prints."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), "--json", *arguments]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    assert answer.returncode == 0, answer.stderr.decode()
    return json.loads(answer.stdout.decode())


@pytest.mark.slow
def test_crossbar():
    results = run("crossbar.py", "--quick")
    assert {"ideal_512", "noise_512", "limit_gflops_512", "threads"} <= set(results)
    assert 0.3 < results["ideal_512"] < results["noise_512"]


@pytest.mark.slow
def test_wires():
    pytest.importorskip("scipy")
    results = run("wires.py", "--size", "48")
    assert results["error_48"] < 1e-4 and results["current_lost"] > 0
    assert {"seconds_48", "spsolve_ratio", "reduced_error"} <= set(results)


@pytest.mark.slow
def test_examine():
    results = run("examine.py", "--height", "40", "--width", "36", "--threads", "1")
    assert {"unet_s_per_megapixel", "cnn_images_per_s", "batch1_ms"} <= set(results)
    assert results["unet_gemm"] > 0.5 and 1 <= results["unet_pixels_computed"] < 1.8
    assert {"processor", "python", "numpy", "blas", "kernel", "blas_threads", "threads"} <= set(results["machine"])


@pytest.mark.slow
def test_growth():
    results = run("growth.py", "--cpu-time")
    assert {"exponent_macros", "exponent_width", "exponent_images", "image_MB", "read_s_per_macro"} <= set(results)
    assert results["macro_used_MB"] > results["macro_MB"] > 5 and "evaluate" in results["start_s"]


@pytest.mark.slow
def test_a_small_resnet50():
    results = run("resnet50.py", "--size", "32", "--channels", "8", "--threads", "1")
    assert results["macros"] == 4 and results["noisy_s"] > 0
    assert len(results["saturated_share"]) == 1 + 16 * 3 + 4 + 1


def test_the_benchmark_of_resnet50_has_its_macros():
    network = imported("resnet50").resnet50(224, 64)
    products = shapes.of_products("resnet50", shapes.resnet50())
    assert dict(matrices(network)) == dict(products.matrices) and positions(network) == products.positions


def test_ratios_that_became_worse_are_named():
    compared = imported("all")
    before, after = (
        {
            "one.py": {"found": {"noise_512": noise, "unet": unet, "noisy_s": noise, "exponent_batch": 1.0}},
            "two.py": {"failed": "no such module"},
        }
        for noise, unet in ((2.0, 1.2), (2.4, 1.0))
    )
    assert compared.worse(before, after) == ["one.py: noise_512 2 -> 2.4", "one.py: unet 1.2 -> 1"]
    assert not compared.worse(after, before) and not compared.worse(before, before)
    del after["one.py"]["found"]["unet"]
    assert "one.py: unet was 1.2, now there is none" in compared.worse(before, after)
    named = {
        "ideal_512": 1,
        "ideal_s": 0,
        "noisy_peak_MB": 0,
        "unet_gemm": 1,
        "unet_gemm_s_per_megapixel": 0,
        "cnn": -1,
    }
    assert {name: compared.direction(name) for name in named} == named


def test_what_failed_leaves_what_was_found(capsys):
    compared = imported("all")
    found = {"one.py": {"found": {"unet": 1.0}}, "two.py": {"failed": "of old"}}
    for command, new in (("one.py", {"failed": "no time"}), ("two.py", {"failed": "again"}), ("six.py", {"found": {}})):
        compared.merge(found, new, command)
    assert found == {"one.py": {"found": {"unet": 1.0}}, "two.py": {"failed": "again"}, "six.py": {"found": {}}}
    assert "one.py: no time" in capsys.readouterr().err


def test_all_writes_each_benchmark_into_the_file_of_before(tmp_path, monkeypatch, capsys):
    compared, out = imported("all"), tmp_path / "results.json"
    calls = []

    def entry(command, words=(), *, most_s):
        calls.append((command, list(words), most_s))
        return {"found": {"noise_512": 2.0}} if command.startswith("cross") else {"failed": "none"}

    monkeypatch.setattr(compared, "entry", entry)
    before = {"growth.py --cpu-time": {"found": {"exponent_width": 1.0}}, "gone.py": {"found": {}}}
    before["crossbar.py"] = {"found": {"noise_512": 1.0}}
    out.write_text(json.dumps(before))
    words = ["--out", str(out), "--against", str(out), "--only", "cross", "growth", "train", "--minutes", "2"]
    assert compared.main([*words, "--torch", "P"]) == 0
    left = json.loads(out.read_text())
    assert left["growth.py --cpu-time"] == before["growth.py --cpu-time"] and "gone.py" not in left
    assert left["crossbar.py"] == {"found": {"noise_512": 2.0}} and len(calls) == 5
    assert [words for command, words, _ in calls if command == compared.TRAINING] == [["--torch", "P"]]
    assert all(0 < most_s <= 120 for _, _, most_s in calls)
    assert "crossbar.py: noise_512 1 -> 2" in capsys.readouterr().err


SLEEPS = """
import os, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
path = os.path.join(os.path.dirname(__file__), "pid")
with open(path + ".part", "w") as file:
    file.write(str(other.pid))
os.replace(path + ".part", path)
time.sleep(60)
"""
"""a benchmark that starts another process"""


@pytest.fixture
def sleeps(tmp_path):
    """The folder of benchmarks that holds all.py and one that sleeps."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    shutil.copy(ROOT / "benchmarks" / "all.py", folder)
    (folder / "shares.py").write_text(SLEEPS)
    return folder


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes here")
def test_a_benchmark_is_ended_with_what_it_started(sleeps, monkeypatch):
    compared = imported("all")
    monkeypatch.setattr(compared, "ROOT", sleeps.parent)
    started = time.monotonic()
    assert compared.entry("shares.py", most_s=1)["failed"] == "not done after 1 s"
    assert time.monotonic() - started < 30
    assert not (sleeps / "pid").exists() or not is_running(int((sleeps / "pid").read_text()))
    assert compared.entry("shares.py", most_s=0.5)["failed"] == "no time was left for it"


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes here")
def test_who_ends_all_ends_its_benchmark(sleeps):
    process = subprocess.Popen([sys.executable, str(sleeps / "all.py"), "--only", "shares"], stderr=subprocess.DEVNULL)
    for _ in range(600):
        if (sleeps / "pid").exists():
            break
        time.sleep(0.05)
    process.terminate()
    assert process.wait(30) == 143
    assert not is_running(int((sleeps / "pid").read_text()))


def is_running(process):
    """Whether a process runs, after a second to end; one that waits to be collected does not."""
    for _ in range(20):
        try:
            state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
def test_shares():
    results = run("shares.py", "--tasks", "crnn", "--steps", "2")["crnn"]
    rows, network = results["rows"], spoken_digit_crnn()
    assert sum(row["%"] for row in rows.values()) == pytest.approx(100)
    products = sum(row["GFLOP"] for name, row in rows.items() if name.startswith("matrix products of "))
    whole = 60 * 2e-9 * 3 * macs(network)  # forward, weights, inputs; the first layer needs no gradient of its inputs
    assert 0.85 * whole < products <= whole
    assert all(row["MB"] > 0 for name, row in rows.items() if row["%"] > 2 and name != "rest")


@pytest.mark.slow
def test_training_without_pytorch():
    results = run("training.py", "--no-torch", "--tasks", "crnn", "--rounds", "1")
    assert results["crnn_gemm"] > 1 and "crnn" not in results
    assert results["crnn_details"]["gemm_threads"] == 1


@pytest.mark.slow
def test_training_beside_pytorch():
    """With PyTorch of this interpreter, or of the one that the variable MINIRRAM_TORCH names."""
    python = os.environ.get("MINIRRAM_TORCH", sys.executable)
    if subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs PyTorch: an interpreter that has it in MINIRRAM_TORCH")
    results = run("training.py", "--threads", "1", "--tasks", "crnn", "--rounds", "1", "--torch", python)
    details = results["crnn_details"]
    assert details["gradient_difference"]["difference"] < 1e-12  # in float64, where masks and codes are the same
    assert results["crnn"] == details["step_ms"][details["torch_format"]] / details["step_ms"]["minirram"] > 0


def imported(name):
    """A benchmark as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_" + name, str(ROOT / "benchmarks" / (name + ".py")))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plain_baseline_goes_on_where_the_same_command_was_stopped(tmp_path, monkeypatch, capsys):
    """What is kept is not run again; a command that differs begins anew."""
    script, asked, files, out = imported("plain_baseline"), [], [], tmp_path / "kept.json"

    def looks(arm, task, *, seed, updates, checkpoint, **how):
        if len(asked) == stop:
            raise KeyboardInterrupt
        asked.append((arm, seed))
        files.append(checkpoint)
        return [(number, 0.5, 1.0) for number in updates]

    def call(updates="3", *more):
        options = ["--data", "data", "--arms", "a", "b", "--seeds", "0", "1", "--updates", updates, "--out", str(out)]
        monkeypatch.setattr(sys, "argv", ["plain_baseline.py", "spoken-digits", *options, *more])
        script.main()

    monkeypatch.setattr(script, "looks", looks)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    stop = 3
    with pytest.raises(KeyboardInterrupt):
        call()
    assert asked == [("a", 0), ("b", 0), ("a", 1)]
    stop = -1
    call("3", "--checkpoints", "be gun", "--processes=1")
    assert asked[3:] == [("b", 1)] and files == [None] * 3 + [os.path.join("be gun", "spoken-digits-b-1.npz")]
    assert [(row["arm"], row["seed"]) for row in json.loads(out.read_text())["found"]["rows"]] == asked
    call("4")
    assert len(asked) == 8 and {row["updates"] for row in json.loads(out.read_text())["found"]["rows"]} == {4}


@pytest.mark.slow
def test_the_plain_baseline_is_the_same_on_two_processes(tmp_path):
    """The same numbers under the same command, so that a stopped call goes on with either."""
    kept = []
    for processes in "1", "2":
        out = tmp_path / processes / "kept.json"
        script = str(ROOT / "benchmarks" / "plain_baseline.py")
        asked = ["--data", "synthetic", "--seeds", "0", "1", "--arms", "wo-plain-free-0.15", "--updates", "1", "3"]
        words = [sys.executable, script, "spoken-digits", *asked, "--processes", processes, "--out", str(out)]
        subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
        one = json.loads(out.read_text())
        rows = sorted((row["arm"], row["seed"], row["updates"], row["validation"]) for row in one["found"]["rows"])
        kept.append((rows, one["command"].replace(f"/{processes}/", "/")))
    assert kept[0] == kept[1] and "--processes" not in kept[0][1] and len(kept[0][0]) == 4


@pytest.mark.slow
def test_energy():
    results = run("energy.py", "--repetitions", "5")
    assert {"overhead", "overhead_cpu", "inference_s", "accounted_s"} <= set(results)
    assert 0 < results["inference_s"] and 0 < results["accounted_s"]


@pytest.mark.slow
def test_program():
    results = run("program.py", "--macros", "1")
    assert {"encode_mb_s", "decode_mb_s", "c_mb_s", "zlib_crc32_mb_s"} <= set(results)
    assert results["encode_mb_s"] > 5 and results["decode_mb_s"] > 5


@pytest.mark.slow
def test_sweep():
    results = run("sweep.py", "--points", "20", "--samples", "40")
    assert results["same"] is True and results["processes"] > 0
    assert {"dask", "seconds_per_point", "worker_mb"} <= set(results) and results["limit"] > 0
    assert 0 < results["overhead_ms_per_point"] < 200  # a machine at work; docs/scaling.md has figures of an idle one


@pytest.mark.slow
def test_drift(tmp_path):
    """Two runs over time on data drawn for the test: one technology drifts, the other does not."""
    save_garments(tmp_path, train=60, validation=40, test=20)
    folders = []
    for cell in ("taox-40nm", "pcm"):
        folders.append(str(tmp_path / cell))
        mr.train("fashion-mnist", tmp_path, mr.Recipe(epochs=1, batch_size=20), out=folders[-1], cell=cell, threads=1)
    found = run("drift.py", *folders, "--ages", "1 day", "10 years")
    still, moving = found["taox-40nm"], found["pcm"]
    assert list(still) == ["0", "1 day", "10 years"] == list(moving)
    assert len({figure for pair in still.values() for figure in pair}) == 1
    use = mr.Conditions(age_s=86400.0, compensated=True)
    expected = mr.evaluate(folders[1], conditions=use).value
    assert moving["1 day"][1] == expected and moving["0"][0] == moving["0"][1]

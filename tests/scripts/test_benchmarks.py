"""The benchmarks run, and print the fields that their pages and the release checks rely on."""

import importlib.util
import json
import subprocess
import sys

import pytest

import minirram as mr
from minirram.accounting import shapes
from minirram.nn.network import matrices, positions

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


def imported(name):
    """A benchmark as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_" + name, str(ROOT / "benchmarks" / (name + ".py")))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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

"""`--driver` and its options: a run behind the simulated driver has the bits of a run without one."""

import json
import os
import shutil

import numpy as np
import pytest

from minirram.device.presets import TAOX_40NM, save_cell_model
from minirram.driver.serial_driver import SerialDriver
from minirram.driver.simulated import SimulatedDriver
from minirram.runs.config import config_from_json
from minirram.runs.driven import pristine_chip

from ..support.benches import RECIPES, served, two_ends
from ..support.options import PAIRS, ROWS, call, figures, shows

FILES = ("chip.npz", "model.npz", "masks.npz", "checkpoint.npz")
TIMES = ("seconds", "samples_per_second", "training_seconds", "driver")
MADE = []
"""the benches that the tests' own driver classes made"""


def own_config(port):
    with open(port) as handle:
        return config_from_json(json.load(handle))


class OnTheBench(SimulatedDriver):
    """A class of a user's own: the chip of the run whose config.json is the port."""

    def __init__(self, port):
        super().__init__(pristine_chip(own_config(port), faults=None).macros)
        self.reads = self.closed = 0
        MADE.append(self)

    def read(self, macro, mask, recipe=None):
        self.reads += 1
        return super().read(macro, mask, recipe)

    def close(self):
        self.closed += 1


class Unsaid(OnTheBench):
    """The same, but as hardware is: it does not give its state away."""

    state = restore = property()


class Kept(Unsaid):
    """The chip outlives the process that pulsed it."""

    def __init__(self, port):
        super().__init__(port)
        kept = [bench.macros for bench in MADE if isinstance(bench, Kept)]
        self.macros = kept[0]


class StopsEarly(Unsaid):
    """The bench fails with its third RESET of the first start; the chip outlives it."""

    kept = None

    def __init__(self, port):
        super().__init__(port)
        self.left = 2 if StopsEarly.kept is None else 10**9
        StopsEarly.kept = self.macros = StopsEarly.kept or self.macros

    def reset(self, macro, mask, recipe, *, verify=None):
        self.left -= 1
        if self.left < 0:
            raise OSError("the cable")
        return super().reset(macro, mask, recipe, verify=verify)


class Slow(OnTheBench):
    """Answers late."""

    def read(self, macro, mask, recipe=None):
        import time

        time.sleep(0.3)
        return super().read(macro, mask, recipe)


def must_be_equal(one, two, files=FILES):
    """All arrays of two run folders, but for times; of their results all figures but times."""
    for file in files:
        with np.load(os.path.join(one, file)) as a, np.load(os.path.join(two, file)) as b:
            names = [name for name in a.files if not name.endswith(TIMES)]
            assert names == [name for name in b.files if not name.endswith(TIMES)]
            assert [name for name in names if not np.array_equal(a[name], b[name])] == []
    results = []
    for folder in (one, two):
        with open(os.path.join(folder, "results.json")) as handle:
            results.append(json.load(handle))
    for found in results:
        for score in (found, found["validation"], found["test"]):
            for name in TIMES:
                score.pop(name, None)
    assert results[0] == results[1]


@shows("train", "--driver")
@pytest.mark.parametrize(
    "options",
    [
        (),
        pytest.param(("--level", "cell", "--epochs", "2"), marks=pytest.mark.slow),
        pytest.param(("--technology", "pcm"), marks=pytest.mark.slow),
    ],
)
def test_behind_the_simulated_driver_a_run_has_the_same_bits(runs, options):
    plain = runs.trained(*options)
    behind = runs.trained(*options, "--driver", "simulated")
    must_be_equal(plain, behind)
    assert runs.results(*options, "--driver", "simulated")["driver"].startswith("simulated")
    assert runs.results(*options)["driver"] is None
    with open(os.path.join(behind, "driver.log")) as handle:
        calls = [json.loads(line)["call"] for line in handle]
    assert {"read", "reset", "set", "close"} <= set(calls)
    assert figures("evaluate", plain)["confusion"] == figures("evaluate", behind)["confusion"]


@shows("train", "--port")
def test_a_class_of_ones_own_is_called_with_the_port(runs):
    port, measured = os.path.join(runs.trained(), "config.json"), runs.path("measured.npy")
    np.save(measured, np.full((ROWS, 2 * PAIRS), 12.0))
    behind = runs.trained("--driver", f"{__name__}:OnTheBench", "--port", port)
    assert MADE[-1].reads > 10 and MADE[-1].closed == 1
    must_be_equal(runs.trained(), behind)
    for refused, text in (
        (("--port", port), "--port and --timeout belong to a driver"),
        (("--driver", "simulated", "--port", port), "not a readable .npz"),
        (("--driver", "serial"), "needs a port"),
        (("--driver", "simulated", "--wire-ohm", "2"), "reads its own chip"),
        (("--driver", "simulated", "--map", measured, "--unit", "uS"), "reads its own chip"),
        (("--driver", "nothing"), "known are"),
    ):
        answer = call(*runs.arguments(runs.path("refused"), *refused))
        assert answer.code in (2, 3) and text in answer.err


def test_what_hardware_does_not_say_changes_no_figure(runs):
    """Without the state of a simulation, what was read is what the run folder keeps."""
    port = os.path.join(runs.trained(), "config.json")
    behind = runs.trained("--driver", f"{__name__}:Unsaid", "--port", port)
    must_be_equal(runs.trained(), behind, files=("model.npz", "masks.npz"))
    assert figures("evaluate", behind)["confusion"] == figures("evaluate", runs.trained())["confusion"]


@shows("train", "--timeout")
def test_a_bench_that_is_too_slow_ends_the_run(runs):
    port = os.path.join(runs.trained(), "config.json")
    slow = ("--driver", f"{__name__}:Slow", "--port", port)
    answer = call(*runs.arguments(runs.path("slow"), *slow, "--timeout", "0.05"))
    assert answer.code == 4 and "longer than 0.05 s" in answer.err


def stopped(runs, name, *options):
    """A copy of a run of one epoch, with the epochs of its configuration set to two: it goes on."""
    out = runs.path(name)
    shutil.copytree(runs.trained(*options), out)
    for file in ("results.json", "model.npz", "masks.npz", "chip.npz", "test-openings.jsonl"):
        os.remove(os.path.join(out, file))
    path = os.path.join(out, "config.json")
    with open(path) as handle:
        config = json.load(handle)
    config["recipe"]["epochs"] = 2
    with open(path, "w") as handle:
        json.dump(config, handle)
    return out


@pytest.mark.slow
def test_a_run_goes_on_behind_its_driver_and_behind_no_other(runs):
    plain = stopped(runs, "behind-none")
    assert call(*runs.arguments(plain, "--epochs", "2", "--resume")).code == 0
    port = os.path.join(runs.trained(), "config.json")
    for driver, files in (
        (("--driver", "simulated"), FILES),
        (("--driver", f"{__name__}:Unsaid", "--port", port), ("model.npz", "masks.npz")),
    ):
        out = stopped(runs, "behind" + driver[1].split(":")[-1], *driver)
        assert call(*runs.arguments(out, "--epochs", "2", "--resume")).code == 2
        go_on = ("--resume", "--epochs", "2", *driver)
        if files == FILES:
            assert call(*runs.arguments(out, *go_on)).code == 0
            must_be_equal(plain, out, files)
        else:  # a chip that was never formed is not the one that the run was started on
            answer = call(*runs.arguments(out, *go_on))
            assert answer.code == 4 and "not the chip" in answer.err
    out = stopped(runs, "without")
    answer = call(*runs.arguments(out, "--epochs", "2", "--resume", "--driver", "simulated"))
    assert answer.code == 2 and "leave out --driver" in answer.err


@pytest.mark.slow
def test_a_chip_that_was_pulsed_on_is_brought_back_before_a_run_goes_on(runs):
    exact = exact_technology(runs)
    port = os.path.join(runs.trained(*exact), "config.json")
    driver = (*exact, "--driver", f"{__name__}:Kept", "--port", port)
    plain, behind = stopped(runs, "kept-none", *exact), stopped(runs, "kept", *driver)
    MADE[-1].reset(0, np.ones(MADE[-1].capabilities.shape, bool), RECIPES["RESET"])
    for out, options in ((plain, exact), (behind, driver)):
        assert call(*runs.arguments(out, "--epochs", "2", "--resume", *options)).code == 0
    with np.load(os.path.join(plain, "masks.npz")) as a, np.load(os.path.join(behind, "masks.npz")) as b:
        assert all(np.array_equal(a[name], b[name]) for name in a.files)
    again = figures("evaluate", behind)
    assert again["confusion"] == figures("evaluate", plain)["confusion"]


def test_a_run_that_stopped_before_its_first_checkpoint_forms_no_cell_twice(runs):
    exact = exact_technology(runs)
    out, port = runs.path("early"), os.path.join(runs.trained(*exact), "config.json")
    driver = (*exact, "--driver", f"{__name__}:StopsEarly", "--port", port)
    assert call(*runs.arguments(out, *driver)).code == 4 and not os.path.exists(os.path.join(out, "checkpoint.npz"))
    pulses = MADE[-1].macros[0].pulses
    formed = pulses["form"]
    assert formed > 0 and pulses["reset"] > 0
    assert call(*runs.arguments(out, "--resume", *driver)).code == 0
    assert MADE[-1].macros[0].pulses["form"] == formed
    with np.load(os.path.join(runs.trained(*exact), "masks.npz")) as a, np.load(os.path.join(out, "masks.npz")) as b:
        assert all(np.array_equal(a[name], b[name]) for name in a.files)


def exact_technology(runs):
    """The option for cells whose writes are exact: a SET that is cut into rows draws other write noise."""
    path = runs.path("exact.json")
    save_cell_model(path, TAOX_40NM.changed(write_noise=0.0))
    return "--technology", path


@pytest.mark.slow
def test_over_a_line_a_run_has_the_same_bits(runs, monkeypatch):
    """The board's chip is the run's, its reads travel as integers: nothing is lost on the way."""
    technology = exact_technology(runs)
    config = own_config(os.path.join(runs.trained(*technology), "config.json"))
    bench = SimulatedDriver(pristine_chip(config, faults=None).macros)
    with two_ends() as (host, board), served(bench, board):
        monkeypatch.setattr(f"{__name__}.LINE", host)
        behind = runs.trained(*technology, "--driver", f"{__name__}:OverALine")
    must_be_equal(runs.trained(*technology), behind, files=("model.npz", "masks.npz"))
    assert bench.macros[0].pulses["reset"] > 0


LINE = None


class OverALine(SerialDriver):
    """The serial driver on the line of the test."""

    def __init__(self, port):
        super().__init__(port, line=LINE)

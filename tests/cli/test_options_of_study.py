"""Every option of `compare` and `transfer`, changed, and its effect seen where it is predicted."""

import json
import math
import os

import numpy as np
import pytest

from minirram import Run
from minirram.cli import main
from minirram.device.presets import PCM
from minirram.engines.pool import WorkerPool
from minirram.nn.engine import engine

from ..support import own_task
from ..support.options import MATRICES, PAIRS, ROWS, call, figures, pools_made, products_shared, save_spots, shows
from ..support.tiny import save_garments

# -- compare -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def many(runs) -> str:
    """A data set of 260 training samples: one batch of the full recipe, two of the quick one."""
    folder = runs.path("many")
    save_garments(folder, train=260, validation=20, test=20)
    return folder


@pytest.fixture(scope="session")
def compared(runs, many):
    """(folder, summary, pools made) of a comparison with every option changed that masks and weights share."""
    out = runs.path("compared")
    arguments = ["--seeds", "3", "4", "--preset", "quick", "--epochs", "2", "--technology", "pcm", "--threads", "3"]
    arms = ["--arms", "pair", "float", "--score-step", "0.03", "--rates", "0.02", "0.04", "--tuning-epochs", "1"]
    with pools_made() as made:
        summary = figures("compare", "fashion-mnist", "--data", many, "--out", out, *arguments, *arms)
    return out, summary, made


@pytest.mark.slow
@shows("compare", "TASK", "--out", "--data", "--arms", "--seeds", "--threads")
def test_a_comparison_runs_the_arms_on_the_seeds(compared, many):
    out, summary, made = compared
    assert summary["data"] == many and summary["task"] == "fashion-mnist" and summary["seeds"] == [3, 4]
    assert [row["arm"] for row in summary["arms"]] == ["pair", "float"]
    assert sorted(name for name in os.listdir(out) if os.path.isdir(os.path.join(out, name))) == ["float", "pair"]
    for seed in (3, 4):
        with open(os.path.join(out, "pair", f"seed{seed}", "results.json")) as handle:
            results = json.load(handle)
        assert results["seed"] == results["chip_seed"] == seed
        assert results["test"]["accuracy"] == summary["arms"][0]["by_seed"][str(seed)]
    assert ("crossbar", 2) in made


def test_the_data_of_a_comparison_are_told_before_its_arms(tmp_path):
    own_task.features(str(tmp_path))
    arguments = [str(tmp_path / "mine.json"), "--data", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "out")]
    told = call("compare", *arguments, "--arms", "pair", "--seeds", "0", "--epochs", "1").err.splitlines()
    assert told[0].startswith("data ") and told[1].split()[:4] == ["samples", "102", "train,", "24"]
    assert "beyond the range of the codes" in told[2] and told[3].startswith("trainings")


@pytest.mark.slow
@pytest.mark.parametrize("arm, shared", [("float", False), ("wo-ideal", True), ("pair", True)])
def test_threads_reach_the_learner_of_each_arm_and_its_examination(runs, many, arm, shared, monkeypatch):
    monkeypatch.setattr(engine, "WORTH_TWO", 0)
    arguments = ["--data", many, "--out", runs.path("threads-" + arm), "--arms", arm, "--seeds", "0", "--epochs", "1"]
    rates = [] if arm == "pair" else ["--rates", "0.05"]
    with pools_made() as made:
        figures("compare", "fashion-mnist", *arguments, *rates, "--threads", "3")
    assert made[("nn", 1)] == 1 and made[("crossbar", 2)] % 2 == 0  # two sets of one size are examined
    assert (made[("crossbar", 2)] > 0) == shared


@pytest.mark.slow
@shows("compare", "--preset", "--epochs")
def test_steps_are_the_epochs_times_the_batches_of_the_preset(runs, compared, many):
    _, summary, _ = compared
    assert (summary["epochs"], summary["steps"]) == (2, 2 * (260 // 120))
    arguments = ["--data", many, "--out", runs.path("full"), "--arms", "float", "--seeds", "0", "--rates", "0.05"]
    full = figures("compare", "fashion-mnist", *arguments, "--epochs", "3")
    assert (full["epochs"], full["steps"]) == (3, 3 * (260 // 240))


@shows("compare", "--rates", "--tuning-epochs")
def test_rates_are_tried_in_short_trainings(compared):
    out, summary, _ = compared
    found = summary["arms"][1]
    rates = {float(name.split("-")[0][len("rate") :]) for name in found["tried"]}
    assert summary["tuning_epochs"] == 1 and {0.02, 0.04} <= rates and not rates & {0.025, 0.1}  # not the arm's own
    assert found["settings"]["learning_rate"] in rates
    short = os.path.join(out, "float", "tuning-1-epochs")
    assert len(os.listdir(short)) == len(found["tried"])
    for name in os.listdir(short):
        with open(os.path.join(short, name, "history.csv")) as handle:
            assert len(handle.read().splitlines()) == 1 + 1  # its head and one epoch


@shows("compare", "--score-step", "--technology")
def test_masks_learn_with_the_score_step_on_cells_of_the_technology(compared):
    out, _, _ = compared
    folder = os.path.join(out, "pair", "seed3")
    figures("chip", folder, "--out", os.path.join(out, "chip.npy"))
    formed_S = np.load(os.path.join(out, "chip.npy"))
    assert np.median(formed_S[formed_S > 10e-6]) == pytest.approx(PCM.lrs_median_S, rel=0.02)
    with open(os.path.join(folder, "config.json")) as handle:
        assert json.load(handle)["recipe"]["score_step"] == 0.03
    with np.load(os.path.join(folder, "checkpoint.npz")) as archive:
        # Four steps of one size, the earlier ones less by the momentum 0.9: between that of one and their sum.
        for name in MATRICES:
            array = archive["velocity/" + name]
            size = math.sqrt(np.mean(np.square(array, dtype=np.float64))) * math.sqrt(3 * array.shape[0])
            assert 0.03 <= size <= 0.03 * (1 + 0.9 + 0.81 + 0.729) * 1.05


@pytest.mark.slow
@shows("compare", "--samples-per-epoch")
def test_crops_of_an_epoch_in_a_comparison(runs):
    data = save_spots(runs.path("spots"))
    arguments = ["--data", data, "--out", runs.path("crops"), "--arms", "float", "--rates", "0.05", "--seeds", "0"]
    summary = figures("compare", "retina", *arguments, "--epochs", "2", "--samples-per-epoch", "17")
    assert summary["steps"] == 2 * (17 // 8)


@pytest.mark.slow
@shows("compare", "--adc-bits")
def test_arms_are_examined_with_the_adcs_asked_for(runs, many):
    arguments = ["--data", many, "--arms", "pair", "--seeds", "0", "--epochs", "1"]
    for bits in ((), ("--adc-bits", "5")):
        out = runs.path("adcs" + "".join(bits))
        figures("compare", "fashion-mnist", *arguments, "--out", out, *bits)
        assert Run(os.path.join(out, "pair", "seed0")).results.adc_bits == int(bits[-1] if bits else 8)


@pytest.mark.slow
@shows("compare", "--writes-per-weight")
def test_a_stated_budget_pays_for_whole_updates_without_masks(runs, many):
    arguments = ["--data", many, "--seeds", "0", "--epochs", "3", "--writes-per-weight", "2.5"]
    name = "wo-plain-budget-0.15"
    summary = figures("compare", "fashion-mnist", *arguments, "--arms", name, "--out", runs.path("stated"))
    found, weights = summary["arms"][0], summary["every_weight_every_step"] // summary["steps"]
    assert found["budgets"] == {"0": int(2.5 * weights)} and found["budget_spent_at_step"] == {"0": 2}
    assert 2 * weights <= found["programs"]["total"] < 2.2 * weights and found["writing"]["realisation"] == "pair"
    for wrong, arm in (("2.5", "float"), ("-1", name)):
        wrong = ["--writes-per-weight", wrong, "--arms", arm, "--out", runs.path("stated-wrong")]
        assert main.main(["compare", "fashion-mnist", "--data", many, "--seeds", "0", *wrong]) == 2


@shows("compare", "--processes")
def test_processes_start_a_pool_of_their_number(runs, many, monkeypatch):
    asked = []

    def watched(self, processes):
        asked.append(processes)
        raise OSError("no process here")

    monkeypatch.setattr(WorkerPool, "__init__", watched)
    arguments = ["--data", many, "--out", runs.path("processes"), "--arms", "float", "--seeds", "0", "--rates", "0.05"]
    assert call("compare", "fashion-mnist", *arguments, "--epochs", "1", "--processes", "3").code == 2
    assert asked == [3]


# -- transfer ----------------------------------------------------------------------------------------------------------


def on_share(folder):
    """Share of the cells in use of a run's chip that conduct once it is programmed."""
    out = os.path.join(folder, "chip.npy")
    figures("chip", folder, "--out", out, "--state", "programmed")
    conducts = np.load(out) > 4.1e-6
    used = np.zeros(conducts.shape, bool)
    for tile in figures("export", folder)["tiles"]:
        rows, cols = (slice(tile[a], tile[a] + tile[n]) for a, n in (("row0", "n_row"), ("col0", "n_col")))
        used[tile["macro"], rows, cols] = True
    return np.count_nonzero(conducts & used) / np.count_nonzero(used)


SOURCE = ("--learning-rate", "0.2", "--seed", "5", "--chip-seed", "7")


@pytest.mark.slow
@shows("transfer", "RUN", "--out", "--chip-seed", "--epochs", "--learning-rate", "--threads")
def test_masks_go_to_the_other_chip_and_stay_without_a_learning_rate(runs, monkeypatch):
    monkeypatch.setattr(engine, "WORTH_TWO", 0)
    source, out = runs.trained(*SOURCE), runs.path("transferred")
    arguments = ["--chip-seed", "3", "--epochs", "2", "--learning-rate", "0"]
    with pools_made() as made:
        results = figures("transfer", source, "--out", out, *arguments, "--threads", "3")
    # Before and after, on both sets, as many products as an examination of the run itself.
    examined = [products_shared("evaluate", out, "--split", split) for split in ("validation", "test")]
    assert made[("nn", 1)] == 1 and made[("crossbar", 2)] == 2 * sum(examined)
    assert len(results["after"]) == results["epochs"] == results["steps_share"] == 2 and results["pulses"] == [0, 0]
    assert (results["from_chip_seed"], results["chip_seed"], results["seed"]) == (7, 3, 5)
    assert results["home"] == max(runs.history(*SOURCE)["validation"])
    masks = runs.arrays("masks.npz", "", *SOURCE)
    with np.load(os.path.join(out, "masks.npz")) as archive:
        assert all(np.array_equal(archive[name], masks[name]) for name in MATRICES)
    maps_S = []
    for folder in (out, runs.trained("--chip-seed", "3")):  # on macros as large as those of the source
        figures("chip", folder, "--out", os.path.join(folder, "formed.npy"))
        maps_S.append(np.load(os.path.join(folder, "formed.npy")))
    assert np.array_equal(*maps_S)
    history = np.genfromtxt(os.path.join(out, "history.csv"), delimiter=",", names=True)
    assert (history["hysteresis"] == 0.0007).all()  # the limit it fell to in the first training


@pytest.mark.slow
@shows("transfer", "--match")
def test_bits_are_matched_before_anything_is_learned(runs):
    source, out = runs.trained(*SOURCE), runs.path("matched")
    arguments = ["--out", out, "--chip-seed", "3", "--epochs", "1", "--learning-rate", "0"]
    first = call("transfer", source, *arguments, "--match")
    results = figures("transfer", source, *arguments, "--match")  # it has ended: read again
    matched = results["matched"]
    masks = runs.arrays("masks.npz", "", *SOURCE)
    assert 0 < matched["flips"] <= matched["pulses"] < 0.3 * sum(mask.size for mask in masks.values())
    assert f"matched on {matched['samples']} inputs, {matched['flips']} bits in {matched['pulses']} pulses" in first.out
    gap = results["home"] - results["before"]
    won = matched["validation"] - results["before"]
    assert matched["recovered"] == (pytest.approx(won / gap) if gap > 0 else None)
    assert results["pulses"] == [0]
    with np.load(os.path.join(out, "masks.npz")) as archive:
        assert sum(np.count_nonzero(archive[name] != masks[name]) for name in MATRICES) == matched["flips"]
    other = call("transfer", source, *arguments)
    assert other.code == 2 and "or matched otherwise" in other.err


@pytest.mark.slow
@shows("transfer", "--stuck-lrs", "--stuck-hrs", "--know-faults", "--learning-rate")
def test_cells_stick_in_the_shares_asked_for(runs):
    source, stuck, known = runs.trained(*SOURCE), runs.path("stuck"), runs.path("known")
    arguments = ["--chip-seed", "4", "--epochs", "1", "--stuck-lrs", "0.2", "--stuck-hrs", "0.1"]
    results = figures("transfer", source, "--out", stuck, *arguments, "--learning-rate", "0.25")
    assert (results["stuck_lrs"], results["stuck_hrs"], results["learning_rate"]) == (0.2, 0.1, 0.25)
    assert results["faults_known"] is None and results["pulses"][0] > 0
    # One cell in four is kept on, but where it cannot be.
    assert on_share(stuck) == pytest.approx(0.2 + 0.7 * 0.25, abs=0.03)
    results = figures("transfer", source, "--out", known, *arguments, "--know-faults")
    cells = 2 * sum(mask.size for mask in runs.arrays("masks.npz", "").values())
    assert sorted(results["faults_known"]) == pytest.approx([0.1 * cells, 0.2 * cells], rel=0.15)
    assert results["learning_rate"] == pytest.approx(0.05 * 0.2)
    own = runs.arrays("model.npz", "signs/", *SOURCE)
    for folder, moved in ((stuck, False), (known, True)):
        with np.load(os.path.join(folder, "model.npz")) as archive:
            assert any(not np.array_equal(archive["signs/" + name], own[name]) for name in MATRICES) == moved


@shows("transfer", "--data")
def test_a_transfer_reads_the_data_it_is_given(runs, many):
    arguments = ["--out", runs.path("elsewhere"), "--chip-seed", "3", "--epochs", "1", "--data", many]
    refused = call("transfer", runs.trained(), *arguments)
    assert refused.code == 2 and many in refused.err and "not those that the run was learned from" in refused.err


# -- a measured chip ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def measured(runs):
    """{letter: options} of two measured chips of two small macros, each with lines that are dead and stuck cells."""
    chips = {}
    for number, letter in enumerate("ab"):
        generator, options = np.random.default_rng(number), ["--unit", "uS"]
        for k in range(2):
            map_uS = generator.normal(12.2, 1.8, (ROWS, 2 * PAIRS)).clip(8, 16)
            map_uS[number + 3] = map_uS[:, 7] = 0  # what the dead lines read does not matter
            np.save(runs.path(f"{letter}-{k}.npy"), map_uS)
            options += ["--map", runs.path(f"{letter}-{k}.npy")]
        lines, faults = runs.path(f"{letter}-dead.json"), runs.path(f"{letter}-faults.txt")
        dead = [[k, number + 3] for k in range(2)], [[k, 7] for k in range(2)]
        with open(lines, "w") as handle:
            json.dump({"rows": ROWS, "pairs": PAIRS, "dead_rows": dead[0], "dead_cols": dead[1]}, handle)
        with open(faults, "w") as handle:
            handle.write(f"0 {number + 8} 1 stuck_off\n0 {number + 8} 2 stuck_on\n")
        chips[letter] = [*options, "--dead-lines", lines, "--faults", faults]
    return chips


def formed_S(folder):
    """The as-formed map of a run's chip, siemens (macros, rows, columns)."""
    figures("chip", folder, "--out", os.path.join(folder, "formed.npy"))
    return np.load(os.path.join(folder, "formed.npy"))


def as_measured(runs, letter, number, folder):
    """True when the live cells of a run's first macro conduct what map 0 says; its dead ones count for nothing."""
    there_S, map_S = formed_S(folder)[0], 1e-6 * np.load(runs.path(f"{letter}-0.npy"))
    alive = np.ones(map_S.shape, bool)
    alive[number + 3] = alive[:, 6:8] = False
    alive[number + 8, 1:3] = False  # stuck cells
    used = alive & (there_S > 0)
    return used.sum() > 1000 and np.allclose(there_S[used], map_S[used], rtol=0, atol=0.6e-9)


@pytest.mark.slow
@shows("transfer", "--map", "--unit", "--dead-lines", "--faults")
def test_a_measured_chip_is_source_and_target(runs, measured, tmp_path):
    """Masks of one measured chip go to another and from there to a drawn one, through dead lines and stuck cells."""
    source = runs.trained(*measured["a"])
    assert as_measured(runs, "a", 0, source)
    refused = call("transfer", source, "--out", str(tmp_path / "none"), "--epochs", "1")
    assert refused.code == 2 and "name the other chip by its maps" in refused.err
    other, drawn = str(tmp_path / "other"), str(tmp_path / "drawn")
    results = figures("transfer", source, "--out", other, "--epochs", "1", "--know-faults", *measured["b"])
    assert as_measured(runs, "b", 1, other) and results["stuck_cells"] == 2 and results["faults_known"] == [1, 1]
    names = [[name.split()[0] for name in results[key]["maps"]] for key in ("from_chip", "chip")]
    assert names == [[f"{letter}-{k}.npy" for k in range(2)] for letter in "ab"]
    assert results["chip"]["faults"].startswith("b-faults.txt ") and results["chip"]["dead_rows"] == 2
    assert {line["physical"] for line in results["moved"] if line["line"] == "row"} >= {5, ROWS - 1}
    assert results["maps_left_out"] == 0
    again = call("transfer", source, "--out", other, "--epochs", "1", "--know-faults", *measured["b"])
    assert "other chip   maps b-0.npy" in again.out and "moved off dead lines" in again.out
    wrong = call("transfer", source, "--out", other, "--epochs", "1", "--know-faults", *measured["a"])
    assert wrong.code == 2 and "is a run with faults" in wrong.err
    results = figures("transfer", source, "--out", drawn, "--epochs", "1", "--chip-seed", "3")
    assert (results["chip"]["rows"], results["chip"]["cols"]) == (ROWS, 2 * PAIRS) and not results["moved"]
    for folder in (other, drawn):
        figures("export", folder)
        read = str(tmp_path / "read.npy")
        figures("chip", folder, "--out", read, "--state", "programmed")
        stuck = {(0, 9, 1), (0, 9, 2)} if folder == other else set()
        verified = json.loads(call("verify", os.path.join(folder, "program.xbp"), read, "--json").out)
        assert verified["checked"] > 4000
        assert {(cell["macro"], cell["row"], cell["col"]) for cell in verified["cells"]} <= stuck


@pytest.mark.slow
@shows("transfer", "--rows", "--cols")
def test_macros_of_the_other_chip_have_the_size_asked_for(runs, tmp_path):
    arguments = ["--chip-seed", "3", "--epochs", "1", "--rows", "96", "--cols", "80"]
    results = figures("transfer", runs.trained(), "--out", str(tmp_path / "out"), *arguments)
    assert (results["chip"]["rows"], results["chip"]["cols"]) == (96, 80)
    assert formed_S(str(tmp_path / "out")).shape[1:] == (96, 80)


@pytest.mark.slow
def test_a_run_is_compared_on_its_own_network_data_and_chip(runs, tmp_path):
    """The arm that learns as the run did gives the run's own figures."""
    run, out = runs.trained(), str(tmp_path / "out")
    command = ["compare", run, "--data", runs.data, "--out", out, "--arms", "pair", "--seeds", "0"]
    found, own = figures(*command), runs.results()
    assert found["arms"][0]["by_seed"] == {"0": own["test"]["accuracy"]}
    assert found["arms"][0]["validation"] == own["validation"]["accuracy"]
    assert found["run"]["learned"] == "masks" and found["run"]["value"] == own["test"]["accuracy"]
    assert f"the masks of the run {os.path.basename(run)} itself: test accuracy" in call(*command).out
    told = call("compare", "fashion-mnist", "--out", str(tmp_path / "none"), "--arms", "pair")
    assert told.code == 2 and "a task needs data" in told.err
    earlier = json.loads((tmp_path / "out" / "comparison.json").read_text())
    del earlier["run"], earlier["arms"][0]["chip"]["unformed_lines"]
    (tmp_path / "earlier.json").write_text(json.dumps(earlier))
    figures("report", str(tmp_path / "earlier.json"), "--out", str(tmp_path / "page.html"))


@pytest.mark.slow
@shows("compare", "--map", "--unit", "--dead-lines", "--faults")
def test_all_arms_share_the_measured_chip(runs, many, measured, tmp_path):
    arms = ["--arms", "pair", "wo-ideal", "--seeds", "0", "--epochs", "1", "--rates", "0.05"]
    arguments = ["--data", many, "--out", str(tmp_path / "out"), *arms, *measured["a"]]
    summary = figures("compare", "fashion-mnist", *arguments)
    assert [name.split()[0] for name in summary["maps"]] == [f"a-{k}.npy" for k in range(2)]
    assert len(summary["lines"]["dead_rows"]) == 2 and summary["faults"].startswith("a-faults.txt ")
    assert as_measured(runs, "a", 0, str(tmp_path / "out" / "pair" / "seed0"))
    (folder,) = [name for name in os.listdir(tmp_path / "out" / "wo-ideal") if name.startswith("seed0")]
    with np.load(str(tmp_path / "out" / "wo-ideal" / folder / "checkpoint-chip.npz")) as archive:
        written = archive["chip/macro0/lrs_grid"]
    assert written.shape == (ROWS - 1, 2 * PAIRS - 2)
    assert np.array_equal(written[0, :6], np.rint(1e3 * np.load(runs.path("a-0.npy"))[0, :6]).astype(np.float32))
    assert "one measured chip: a-0.npy" in call("compare", "fashion-mnist", *arguments).out


@pytest.mark.slow
@shows("compare", "--rows", "--cols")
def test_macros_of_a_comparison_have_the_size_asked_for(runs, many, tmp_path):
    size = ["--rows", "96", "--cols", "80"]
    arguments = ["--data", many, "--out", str(tmp_path / "out"), "--arms", "pair", "--seeds", "0", "--epochs", "1"]
    summary = figures("compare", "fashion-mnist", *arguments, *size)
    assert (summary["lines"]["rows"], summary["lines"]["pairs"]) == (96, 40)
    assert formed_S(str(tmp_path / "out" / "pair" / "seed0")).shape[1:] == (96, 80)


@pytest.mark.slow
def test_a_transfer_counts_the_maps_beyond_those_needed(runs, tmp_path):
    maps = [str(tmp_path / f"{k}.npy") for k in range(3)]
    for k, path in enumerate(maps):
        np.save(path, np.random.default_rng(k).normal(12.2, 1.8, (ROWS, 2 * PAIRS)).clip(8, 16))
    options = [word for path in maps for word in ("--map", path)] + ["--unit", "uS", "--dead-lines", runs.lines]
    arguments = [runs.trained(), "--out", str(tmp_path / "out"), "--epochs", "1", *options]
    assert figures("transfer", *arguments)["maps_left_out"] == 1
    # A folder of an earlier version did not count them.
    path = tmp_path / "out" / "results.json"
    found = json.loads(path.read_text())
    for name in ("maps_left_out", "signs_given", "readings"):
        del found[name]
    path.write_text(json.dumps(found))
    assert figures("transfer", *arguments)["maps_left_out"] == 0


def test_a_transfer_reads_its_maps_before_it_makes_its_folder(runs, tmp_path):
    (tmp_path / "map.csv").write_text("12.5,13.5\n12.5,high\n")
    for files, code in ((["--map", str(tmp_path / "map.csv"), "--unit", "uS"], 3), (["--faults", "none.txt"], 2)):
        out = str(tmp_path / "out")
        refused = call("transfer", runs.trained(), "--out", out, "--epochs", "1", "--chip-seed", "3", *files)
        assert refused.code == code and refused.err.count("\n") == 1 and not os.path.exists(out)

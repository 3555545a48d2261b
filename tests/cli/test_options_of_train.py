"""Every option of `minirram train` and `minirram demo`, changed, and its effect seen where it is predicted."""

import json
import math
import os
import re
import shutil

import numpy as np
import pytest

from minirram.device.presets import PCM, TAOX_40NM
from minirram.nn.engine import engine

from ..support.options import (
    MATRICES,
    PAIRS,
    ROWS,
    TEST,
    TRAIN,
    VALIDATION,
    call,
    figures,
    pools_made,
    products_shared,
    save_spots,
    shows,
)
from ..support.tiny import save_garments

STILL = ("--learning-rate", "0", "--read-noise", "0")  # nothing moves: the masks are the initial ones
ONE_STEP = ("--batch-size", str(TRAIN), "--read-noise", "0", "--momentum", "0", "--weight-decay", "0")
"""an epoch of one step, on all samples: the same gradient whatever the learning rate"""


def same(a, b):
    """Whether two dicts of arrays hold the same."""
    return all(np.array_equal(a[name], b[name]) for name in MATRICES)


# -- where a run comes from and goes to --------------------------------------------------------------------------------


@pytest.mark.slow
@shows("train", "TASK", "--samples-per-epoch")
def test_crops_of_an_epoch_for_the_task_that_trains_on_crops(runs):
    out, data = runs.path("retina"), save_spots(runs.path("retina-data"))
    arguments = ["train", "retina", "--data", data, "--out", out, "--dead-lines", runs.lines]
    results = figures(*arguments, "--epochs", "1", "--batch-size", "3", "--samples-per-epoch", "7")
    row = np.genfromtxt(os.path.join(out, "history.csv"), delimiter=",", names=True)
    assert row["samples_per_second"] * row["seconds"] == pytest.approx(2 * 3)  # two whole batches of three
    assert results["task"] == "retina" and results["test"]["primary"] == "roc_auc"
    refused = call(*runs.arguments(runs.path("no-crops"), "--samples-per-epoch", "7"))
    assert refused.code == 2 and "samples_per_epoch applies to tasks that train on crops" in refused.err


@shows("train", "--data", "--out")
def test_data_come_from_the_folder_and_the_run_goes_to_the_folder(runs):
    folder = runs.path("other-data")
    save_garments(folder, train=40, validation=7, test=5)
    results = figures(*runs.arguments(runs.path("from-other-data"), "--data", folder))
    assert (results["validation"]["samples"], results["test"]["samples"]) == (7, 5)
    assert os.path.exists(os.path.join(runs.path("from-other-data"), "results.json"))
    base = runs.results()
    assert (base["validation"]["samples"], base["test"]["samples"]) == (VALIDATION, TEST)


@pytest.mark.slow
@shows("train", "--preset")
def test_the_preset_is_the_recipe_to_start_from(runs):
    full, quick = runs.history(), runs.history("--preset", "quick", "--batch-size", str(TRAIN))
    assert full["hysteresis"][0] == 0.001 and quick["hysteresis"][0] == 0.01
    out = runs.path("preset-epochs")
    train = runs.arguments(out, "--preset", "quick")
    at = train.index("--epochs")
    assert figures(*train[:at], *train[at + 2 :])["epochs"] == 8
    other = call(*runs.arguments(runs.trained(), "--resume", "--preset", "quick"))
    assert other.code == 2 and "hysteresis" in other.err  # not the recipe of the run, in silence


@shows("train", "--resume")
def test_resume_goes_on_from_the_checkpoint(runs):
    out = runs.path("stopped")
    shutil.copytree(runs.trained(), out)
    for name in ("results.json", "model.npz", "masks.npz", "chip.npz", "test-openings.jsonl"):
        os.remove(os.path.join(out, name))
    before = os.stat(os.path.join(out, "checkpoint.npz")).st_mtime_ns
    assert call(*runs.arguments(out)).code == 2
    found, whole = figures(*runs.arguments(out, "--resume")), runs.results()
    assert os.stat(os.path.join(out, "checkpoint.npz")).st_mtime_ns == before  # no epoch was learned again
    assert found["test"]["confusion"] == whole["test"]["confusion"] and found["pulses"] == whole["pulses"]


# -- the chip ----------------------------------------------------------------------------------------------------------


@shows("train", "--technology", "--read-noise")
def test_the_cells_are_those_of_the_technology(runs):
    for options, model in (((), TAOX_40NM), (("--technology", "pcm"), PCM)):
        formed_S = runs.chip("formed", *options)
        median_S = np.median(formed_S[formed_S > 2e-6])
        assert median_S == pytest.approx(model.lrs_median_S, rel=0.01)
        assert runs.results(*options)["read_noise"] == model.read_noise
    assert runs.results(*STILL)["read_noise"] == 0


@pytest.mark.slow
@shows("train", "--map", "--unit")
def test_the_chip_is_that_of_the_maps_in_their_unit_and_order(runs):
    generator = np.random.default_rng(3)
    maps_uS = np.round(generator.lognormal(np.log(12), 0.2, (3, ROWS, 2 * PAIRS)), 3)
    files = {}
    for unit, factor in (("uS", 1), ("mS", 1e-3)):
        files[unit] = [runs.path(f"map{k}-{unit}.npy") for k in range(len(maps_uS))]
        for path, map_uS in zip(files[unit], maps_uS):
            np.save(path, map_uS * factor)
    for unit, paths in files.items():
        options = [word for path in paths for word in ("--map", path)] + ["--unit", unit]
        formed_uS = runs.chip("formed", *options) * 1e6
        assert np.allclose(formed_uS, maps_uS[: len(formed_uS)], rtol=0, atol=0.6e-3)  # a step of the grid is 1 nS
        assert len(formed_uS) == 2 and runs.results(*options)["maps_left_out"] == len(maps_uS) - 2


@pytest.mark.slow
def test_lines_of_a_map_that_never_formed_are_named_unless_they_are_stated_as_dead(runs):
    map_uS = np.random.default_rng(4).lognormal(np.log(12), 0.2, (ROWS, 2 * PAIRS))
    map_uS[[3, 4, 8]] = 0
    map_uS[:, 5] = 0.01  # pristine
    np.save(runs.path("lines.npy"), map_uS)
    with open(runs.path("stated.json"), "w") as handle:
        dead_rows = [[macro, row] for macro in (0, 1) for row in (3, 4, 8)]
        json.dump({"rows": ROWS, "pairs": PAIRS, "dead_rows": dead_rows}, handle)
    options = ["--map", runs.path("lines.npy")] * 3 + ["--unit", "uS"]
    told = call(*runs.arguments(runs.path("unstated"), *options)).out
    line = re.search(r"lines that never formed +8: (.*)", told)
    assert line and line[1] == "; ".join(f"rows 3, 4, 8 of macro {k}; column 5 of macro {k}" for k in (0, 1))
    stated = runs.results(*options, "--dead-lines", runs.path("stated.json"))
    found = {(one["macro"], one["line"], one["number"]) for one in stated["unformed_lines"]}
    assert {(0, "column", 5), (1, "column", 5)} <= found and "row" not in {line for _, line, _ in found}


@shows("train", "--dead-lines")
def test_dead_lines_carry_no_cell(runs):
    lines = runs.path("dead.json")
    with open(lines, "w") as handle:
        json.dump({"rows": ROWS, "pairs": PAIRS, "dead_rows": [[0, 3]], "dead_cols": [[1, 9]]}, handle)
    formed_S = runs.chip("formed", "--dead-lines", lines)
    assert (formed_S[0, 3] == 0).all() and (formed_S[1, :, 8:10] == 0).all()
    assert np.count_nonzero(formed_S[0] == 0) < 5 * 2 * ROWS and (runs.chip("formed")[0, 3] > 0).all()
    assert runs.results("--dead-lines", lines)["moved"]


@shows("train", "--faults")
def test_stuck_cells_are_as_the_file_says(runs):
    formed_S, programmed_S = runs.chip("formed"), runs.chip("programmed")
    used, on = formed_S > 6e-6, programmed_S > 6e-6
    off_cell, on_cell = np.argwhere(used & ~on)[5], np.argwhere(on)[5]
    path = runs.path("faults.txt")
    with open(path, "w") as handle:
        handle.write("{} {} {} stuck_on\n".format(*off_cell) + "{} {} {} stuck_off\n".format(*on_cell))
    stuck_S = runs.chip("programmed", "--faults", path)
    assert stuck_S[tuple(off_cell)] > 6e-6 > stuck_S[tuple(on_cell)]
    assert runs.results("--faults", path)["stuck_cells"] == 2 and runs.results()["stuck_cells"] == 0


@shows("train", "--formed-share")
def test_the_forming_voltage_forms_the_share(runs):
    for options, share in ((("--formed-share", "0.9"), 0.9), ((), 0.9999)):
        results = runs.results(*options)
        pairs = sum(mask.size for mask in runs.arrays("masks.npz", "", *options).values())
        spread = 5 * math.sqrt(0.19 * 0.81 / pairs)
        assert results["unformed_pairs"] / pairs == pytest.approx(1 - share**2, abs=spread)


@shows("train", "--chip-seed", "--seed")
def test_one_seed_is_the_chip_s_the_other_that_of_learning(runs):
    base, other_chip, other_seed = STILL, STILL + ("--chip-seed", "5"), STILL + ("--seed", "5")
    masks, signs = (
        [runs.arrays(file, start, *options) for options in (base, other_chip, other_seed)]
        for file, start in (("masks.npz", ""), ("model.npz", "signs/"))
    )
    formed_S = [runs.chip("formed", *options) for options in (base, other_chip, other_seed)]
    assert np.array_equal(formed_S[0], formed_S[2]) and not np.array_equal(formed_S[0], formed_S[1])
    assert same(masks[0], masks[1]) and not same(masks[0], masks[2])
    assert same(signs[0], signs[1]) and not same(signs[0], signs[2])
    shown = [runs.results(*options) for options in (base, other_chip, other_seed)]
    assert [(found["seed"], found["chip_seed"]) for found in shown] == [(0, 0), (0, 5), (5, 0)]


@shows("train", "--re-set")
def test_a_cell_set_again_returns_to_its_value_or_draws_a_new_one(runs):
    largest = {}
    for law in ("replay", "redraw"):
        options = ("--re-set", law, "--learning-rate", "0.3", "--hysteresis", "0", "--hysteresis-end", "0")
        formed_S, programmed_S = runs.chip("formed", *options), runs.chip("programmed", *options)
        on = programmed_S > 6e-6
        largest[law] = np.max(np.abs(programmed_S[on] / formed_S[on] - 1))
        assert runs.results(*options)["pulses"]["set"] > 50
    assert largest["replay"] < 2.1 * TAOX_40NM.write_noise and largest["redraw"] > TAOX_40NM.lrs_sigma_ln


# -- reading and converting --------------------------------------------------------------------------------------------


@shows("train", "--read-noise")
def test_learning_reads_with_noise_and_so_does_the_examination(runs):
    quiet, noisy = STILL, STILL[:2] + ("--read-noise", "1")
    losses = [runs.history(*options)["loss"][0] for options in (quiet, noisy)]
    assert losses[1] > losses[0] + 0.05
    examined = [runs.results(*options)["validation"] for options in (quiet, noisy)]
    assert examined[0]["accuracy"] == examined[0]["ideal"]["accuracy"]
    saturated = [sum(sum(tiles) for tiles in found["saturated"].values()) for found in examined]
    assert saturated[1] > 100 * (saturated[0] + 1)


@pytest.mark.slow
@shows("train", "--wire-ohm")
def test_learning_and_its_examination_go_through_the_wires(runs):
    ideal, wired = STILL, STILL + ("--wire-ohm", "300")
    losses = [runs.history(*options)["loss"][0] for options in (ideal, wired)]
    assert losses[0] > math.log(10) + 0.1  # initial masks guess, and are sure of it
    assert losses[1] == pytest.approx(math.log(10), abs=5e-3)  # hardly a signal arrives: all classes are as likely
    own, without = (figures("evaluate", runs.trained(*wired), *options) for options in ((), ("--wire-ohm", "0")))
    assert own["confusion"] == runs.results(*wired)["validation"]["confusion"] != without["confusion"]


@pytest.mark.slow
@shows("train", "--wire-gradient", "--wire-steps")
def test_the_gradient_goes_through_the_wires_and_they_are_solved_every_so_many_steps(runs):
    wired = ONE_STEP + ("--wire-ohm", "300", "--learning-rate", "0")
    straight, reduced, exact = (
        gradient_of(runs, *wired, *options)
        for options in ((), ("--wire-gradient", "reduced"), ("--wire-gradient", "exact"))
    )
    for name in MATRICES:  # three directions; the two of the same weights are of one size
        sizes = [np.linalg.norm(gradient[name]) for gradient in (straight, reduced, exact)]
        assert sizes[1] == pytest.approx(sizes[0], rel=1e-3) and min(sizes) > 0
        for one, other in ((straight, reduced), (straight, exact), (reduced, exact)):
            assert np.sum(one[name] * other[name]) < 0.99 * np.linalg.norm(one[name]) * np.linalg.norm(other[name]), (
                name
            )
    free = ("--hysteresis", "0", "--hysteresis-end", "0")
    rare, often = (
        runs.history("--wire-ohm", "300", *free, *options)["loss"] for options in ((), ("--wire-steps", "1"))
    )
    assert rare != often
    refused = call(*runs.arguments(runs.path("no-wires"), "--wire-gradient", "reduced"))
    assert refused.code == 2 and "give wire_ohm, too" in refused.err


@shows("train", "--adc-bits")
def test_the_lsb_halves_with_every_bit_of_the_adc(runs):
    lsb = {}
    for bits in (14, 8):
        folder = runs.trained("--adc-bits", str(bits))
        figures("export", folder)
        with open(os.path.join(folder, "digital.json")) as handle:
            adcs = [matrix["adc"] for matrix in json.load(handle)["matrices"]]
        assert [adc["bits"] for adc in adcs] == [bits] * len(MATRICES)
        lsb[bits] = np.array([adc["lsb_A"] for adc in adcs])
    assert np.allclose(lsb[8] / lsb[14], 2**6, rtol=0.1)


@shows("train", "--adc-arrangement")
def test_a_converter_per_polarity_converts_twice(runs):
    pair, polarity = (
        runs.results("--adc-arrangement", name)["validation"]["conversions"] for name in ("pair", "polarity")
    )
    assert polarity == {name: 2 * count for name, count in pair.items()}


# -- the recipe --------------------------------------------------------------------------------------------------------


@shows("train", "--epochs", "--batch-size")
def test_epochs_and_batches_are_counted(runs):
    history = runs.history("--epochs", "2", "--batch-size", "25")
    assert list(history["epoch"]) == [1, 2]
    samples = history["samples_per_second"] * history["seconds"]
    assert np.allclose(samples, TRAIN // 25 * 25) and TRAIN % 25


@pytest.mark.slow
@shows("train", "--learning-rate")
def test_a_step_is_the_rate_times_the_gradient(runs):
    still, small, large = (ONE_STEP + ("--learning-rate", rate) for rate in ("0", "0.1", "0.25"))
    before, gradient = runs.arrays("checkpoint.npz", "scores/", *still), gradient_of(runs, *still)
    for options, rate in ((small, 0.1), (large, 0.25)):
        after = runs.arrays("checkpoint.npz", "scores/", *options)
        for name in MATRICES:
            moved, expected = after[name] - before[name], -np.float32(rate) * gradient[name]
            assert np.abs(expected).max() > 1e-4 and np.allclose(moved, expected, rtol=1e-4, atol=1e-7)


def gradient_of(runs, *options):
    """What moved the scores last: dict matrix name -> array."""
    return runs.arrays("checkpoint.npz", "velocity/", *options)


@shows("train", "--weight-decay")
def test_weight_decay_pulls_scores_towards_zero(runs):
    still = ONE_STEP + ("--learning-rate", "0")
    scores, free = runs.arrays("checkpoint.npz", "scores/", *still), gradient_of(runs, *still)
    pulled = gradient_of(runs, *still, "--weight-decay", "0.5")
    for name in MATRICES:
        assert np.allclose(pulled[name] - free[name], 0.5 * scores[name], rtol=1e-4, atol=1e-6)


@shows("train", "--momentum")
def test_momentum_carries_the_last_step_on(runs):
    still = ONE_STEP + ("--learning-rate", "0")
    first, second = gradient_of(runs, *still), gradient_of(runs, *still, "--epochs", "2")
    carried = gradient_of(runs, *still, "--epochs", "2", "--momentum", "0.5")
    for name in MATRICES:
        assert np.allclose(carried[name] - second[name], 0.5 * first[name], rtol=1e-4, atol=1e-6)


@shows("train", "--score-step")
def test_a_score_step_sets_the_size_of_the_gradient(runs):
    gradient = gradient_of(runs, *ONE_STEP, "--score-step", "0.03")
    for name, array in gradient.items():
        size = math.sqrt(np.mean(np.square(array, dtype=np.float64)))
        assert size == pytest.approx(0.03 / math.sqrt(3 * array.shape[0]), rel=1e-5), name


@shows("train", "--density")
def test_the_density_is_kept(runs):
    for options, density in ((STILL, 0.5), (STILL + ("--density", "0.3"), 0.3)):
        masks = runs.arrays("masks.npz", "", *options)
        kept = {name: np.count_nonzero(mask) for name, mask in masks.items()}
        assert kept == {name: round(density * mask.size) for name, mask in masks.items()}
        results = runs.results(*options)
        assert results["density"] == density and results["kept_fraction"] == pytest.approx(density, abs=1e-3)


@shows("train", "--level")
def test_at_cell_level_a_weight_has_two_bits(runs):
    pair, cell = (runs.arrays("masks.npz", "", "--level", level) for level in ("pair", "cell"))
    assert {name: mask.shape for name, mask in cell.items()} == {name: (2,) + pair[name].shape for name in MATRICES}
    results = runs.results("--level", "cell")
    assert results["level"] == "cell" and results["pulses"]["partner_reset"] == 0


@pytest.mark.slow
@shows("train", "--hysteresis", "--hysteresis-end", "--hysteresis-steps")
def test_the_hysteresis_falls_from_its_start_by_steps_to_its_end(runs):
    start, end = 0.4, 0.1
    for steps, expected in ((3, [0.4, 0.3]), (1, [0.4, 0.1])):
        options = ("--hysteresis", str(start), "--hysteresis-end", str(end), "--hysteresis-steps", str(steps))
        # Without a learning rate each epoch validates as the first and counts as the best.
        assert np.allclose(runs.history(*STILL, "--epochs", "2", *options)["hysteresis"], expected)
    frozen = runs.results("--hysteresis", "1e9", "--hysteresis-end", "1e9")["flips_per_weight"]
    free = runs.results("--hysteresis", "0", "--hysteresis-end", "0")["flips_per_weight"]
    assert frozen == pytest.approx(0.5, abs=1e-3) and free > frozen + 0.01  # the initial masks reset half of the cells


@shows("train", "--threads")
def test_threads_reach_the_engine_and_the_examination(runs, monkeypatch):
    monkeypatch.setattr(engine, "WORTH_TWO", 0)
    with pools_made() as made:
        results = figures(*runs.arguments(runs.path("threads3"), "--threads", "3"))
    assert made[("nn", 1)] == 1  # one thread beside the first
    examined = [products_shared("evaluate", runs.trained(), "--split", split) for split in ("validation", "test")]
    assert made[("crossbar", 2)] == sum(examined) and all(examined)
    with pools_made() as made:
        figures(*runs.arguments(runs.path("threads1"), "--threads", "1"))
    assert not made
    assert results["test"]["confusion"] == runs.results()["test"]["confusion"]


@shows("train", "--resume")
def test_a_finished_run_takes_more_epochs(runs):
    out = runs.path("longer")
    figures(*runs.arguments(out))
    short, before = figures(*runs.arguments(out, "--resume")), read_history(out)
    told = call(*runs.arguments(out, "--resume", "--epochs", "3"))
    assert told.code == 0 and "1 epoch(s) become 3" in told.err
    longer, after = figures(*runs.arguments(out, "--resume", "--epochs", "3")), read_history(out)
    assert (short["epochs"], longer["epochs"], longer["test_openings"]) == (1, 3, 2)
    assert after[: len(before)] == before and len(after) == len(before) + 2
    with open(os.path.join(out, "results-1-epochs.json")) as handle:
        assert json.load(handle) == short
    refused = call(*runs.arguments(out, "--resume", "--epochs", "5", "--density", "0.3"))
    assert refused.code == 2 and "become" not in refused.err  # nothing is told of what does not come
    fewer = call(*runs.arguments(out, "--resume", "--epochs", "2"))
    assert fewer.code == 2 and "recipe.epochs = 3, not 2" in fewer.err


def read_history(folder):
    """The lines of history.csv."""
    with open(os.path.join(folder, "history.csv")) as handle:
        return handle.read().splitlines()


# -- demo --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@shows("demo", "--out", "--seed", "--threads", "--adc-bits", "--resume")
def test_the_demo_is_a_training_of_the_quick_preset_with_its_seed(runs):
    out, beside = runs.path("demo"), runs.path("demo-by-hand")
    with pools_made() as made:
        demo = figures("demo", "--out", out, "--seed", "5", "--threads", "3", "--adc-bits", "9")
        assert ("crossbar", 2) in made
        train = ["train", "fashion-mnist", "--data", "synthetic", "--preset", "quick", "--out", beside]
        by_hand = figures(*train, "--seed", "5", "--threads", "1", "--adc-bits", "9")
    assert demo["seed"] == 5 and os.path.exists(os.path.join(out, "program.xbp"))
    for split in ("validation", "test"):
        assert demo[split]["confusion"] == by_hand[split]["confusion"]
    assert call("demo", "--out", out, "--seed", "5", "--adc-bits", "9").code == 2
    again = figures("demo", "--out", out, "--seed", "5", "--adc-bits", "9", "--resume")
    assert again == demo and again["test_openings"] == 1
    os.unlink(os.path.join(out, "beside.json"))  # a stop came between training and what stands beside it
    third = figures("demo", "--out", out, "--seed", "5", "--adc-bits", "9", "--resume")
    assert dict(third, test_openings=1) == demo and third["test_openings"] == 2


@shows("train", "--rows", "--cols")
def test_macros_have_the_size_asked_for(runs):
    assert runs.chip("formed", "--rows", "40", "--cols", "26").shape[1:] == (40, 26)
    odd = call(*runs.arguments(runs.path("odd"), "--cols", "27"))
    assert odd.code == 2 and "--cols is 27; columns come in pairs: it must be even" in odd.err

"""Every option of `evaluate`, `energy`, `networks`, `export` and `chip`, changed, and its effect as predicted."""

import json
import math
import os
import shutil

import numpy as np
import pytest

from minirram.device.presets import HFOX_1T1R

from ..support.options import (
    MATRICES,
    PAIRS,
    ROWS,
    TEST,
    VALIDATION,
    call,
    figures,
    pools_made,
    save_spots,
    shows,
)
from ..support.places import ROOT

LEARNED = ("--epochs", "12", "--learning-rate", "0.2")


def seen(score):
    """What an examination shows of the products behind it."""
    return score["confusion"], score["saturated"], score["clipped"]


def saturated(score):
    """Saturated conversions of an examination."""
    return sum(sum(tiles) for tiles in score["saturated"].values())


# -- evaluate ----------------------------------------------------------------------------------------------------------


@shows("evaluate", "RUN", "--split")
def test_the_run_and_the_split_are_those_asked_for(runs, tmp_path):
    folder = str(tmp_path / "copy")
    shutil.copytree(runs.trained(), folder)
    results, before = runs.results(), figures("evaluate", folder)["test_openings"]
    for split, n in (("validation", VALIDATION), ("test", TEST)):
        score = figures("evaluate", folder, "--split", split)
        assert score["samples"] == n and seen(score) == seen(results[split])
    assert score["test_openings"] == before + 1
    other = figures("evaluate", runs.trained("--seed", "5"))
    assert seen(other) == seen(runs.results("--seed", "5")["validation"]) != seen(results["validation"])


@pytest.mark.slow
@shows("evaluate", "--ideal")
def test_whole_images_are_answered_with_ideal_reads_where_asked(runs):
    folder = runs.path("spots-run")
    arguments = ["--data", save_spots(runs.path("spots")), "--out", folder, "--threads", "1"]
    results = figures("train", "retina", *arguments, "--epochs", "1", "--samples-per-epoch", "8")
    assert results["test"]["ideal"] is None
    assert "ideal reads" not in call("evaluate", folder).out
    quiet = figures("evaluate", folder, "--ideal", "--read-noise", "0")
    assert quiet["ideal"]["roc_auc"] == quiet["roc_auc"]


@shows("evaluate", "--data")
def test_other_labels_turn_the_confusion_matrix(runs, other_answers):
    own, other = (
        figures("evaluate", runs.trained(), "--data", data)["confusion"] for data in (runs.data, other_answers)
    )
    assert other == own[-1:] + own[:-1] != own


@shows("evaluate", "--read-noise", "--draws")
def test_read_noise_is_drawn_anew_for_each_repetition(runs):
    one, many = (figures("evaluate", runs.trained(), "--read-noise", "0.8", "--draws", n) for n in ("1", "6"))
    assert len(many["by_draw"]) == 6 and many["by_draw"][0] == one["accuracy"] and len(set(many["by_draw"])) > 1
    assert many["accuracy"] == pytest.approx(np.mean(many["by_draw"]))
    assert many["standard_error"] == pytest.approx(np.std(many["by_draw"], ddof=1) / math.sqrt(6))
    quiet = figures("evaluate", runs.trained(), "--read-noise", "0", "--draws", "3")
    assert quiet["by_draw"] == [quiet["ideal"]["accuracy"]] * 3 and quiet["read_noise"] == 0
    assert saturated(one) > saturated(quiet) + 50


@pytest.mark.slow
@shows("evaluate", "--held-noise")
def test_noise_that_is_held_over_the_planes_adds_up(runs):
    # 4 planes: a standard deviation of 15 for the held noise, of sqrt(85) for the fresh one.
    folder, noisy = runs.trained(*LEARNED), ("--read-noise", "0.7", "--draws", "20")
    fresh, held = (figures("evaluate", folder, *noisy, *options)["accuracy"] for options in ((), ("--held-noise",)))
    assert held < fresh - 0.02


@pytest.mark.slow
@shows("evaluate", "--wire-ohm")
def test_no_signal_comes_through_lines_that_resist(runs):
    free = np.array(figures("evaluate", runs.trained(), "--wire-ohm", "0")["confusion"])
    wired = np.array(figures("evaluate", runs.trained(), "--wire-ohm", "1e4")["confusion"])
    assert wired[:, 0].sum() == VALIDATION > free[:, 0].sum()  # all outputs are 0: the first class has the largest


@pytest.mark.slow
@shows("evaluate", "--wire-model")
def test_the_model_of_the_wires_is_the_one_asked_for(runs, tmp_path):
    resisting, scores = ("--wire-ohm", "40"), {}
    for model in ("solve", "reduced"):
        folder = tmp_path / model
        shutil.copytree(runs.trained(*resisting), str(folder))
        config = json.loads((folder / "config.json").read_text())
        config["wires"]["model"] = model
        (folder / "config.json").write_text(json.dumps(config))
        scores[model] = seen(figures("evaluate", runs.trained(*resisting), *resisting, "--wire-model", model))
        assert scores[model] == seen(figures("evaluate", str(folder)))  # a run's own wires, and their model
    assert scores["solve"] != scores["reduced"]


@shows("evaluate", "--adc-offset", "--adc-gain")
def test_converters_that_are_off(runs):
    ideal = figures("evaluate", runs.trained(), "--adc-offset", "0", "--adc-gain", "0")
    assert seen(ideal) == seen(runs.results()["validation"])
    offset = figures("evaluate", runs.trained(), "--adc-offset", "1e5")
    conversions = sum(offset["conversions"].values())
    assert saturated(offset) > 0.5 * conversions > saturated(ideal)
    assert np.count_nonzero(np.sum(offset["confusion"], axis=0)) == 1  # whatever the image, one answer
    gain = figures("evaluate", runs.trained(), "--adc-gain", "3")
    assert sum(gain["clipped"].values()) > sum(ideal["clipped"].values()) + 100
    assert saturated(gain) < 0.5 * conversions


@shows("evaluate", "--age", "--celsius")
def test_time_and_heat_act_by_the_law_of_arrhenius(runs):
    folder = runs.trained("--technology", "hfox-1t1r")
    kelvin, reference_K = 273.15 + 100, HFOX_1T1R.reference_K
    faster = math.exp(HFOX_1T1R.activation_eV / 8.617333262e-5 * (1 / reference_K - 1 / kelvin))
    young, hot, old, tepid = (
        seen(figures("evaluate", folder, *options))
        for options in (
            (),
            ("--age", "3000", "--celsius", "100"),
            ("--age", repr(3000 * faster)),
            ("--age", "3000"),
        )
    )
    assert faster > 3 and hot == old != tepid != young != hot
    refused = call("evaluate", runs.trained(), "--age", "3000")
    assert refused.code == 2 and "nothing would age" in refused.err


@pytest.mark.slow
@shows("evaluate", "--adc-bits", "--input-bits")
def test_other_converters_and_codes_answer_as_the_account_of_their_energy_says(runs):
    own = figures("evaluate", runs.trained(*LEARNED))
    assert (own["adc_bits"], own["input_bits"]) == (8, 4)
    for option, field, bits in (("--adc-bits", "adc_bits", 4), ("--input-bits", "input_bits", 2)):
        changed = figures("evaluate", runs.trained(*LEARNED), option, str(bits))
        account = figures("energy", runs.trained(*LEARNED), option, str(bits))
        assert changed[field] == account[field] == bits and changed["samples"] == own["samples"] == VALIDATION
        assert changed["accuracy"] == account["accuracy"] and changed["saturated"] == account["saturated"]
        assert seen(changed) != seen(own) and changed["test_openings"] == own["test_openings"]


@pytest.mark.slow
@shows("evaluate", "--threads")
@shows("energy", "--threads")
def test_threads_share_the_products(runs):
    counts = []
    for command in ("evaluate", "energy"):
        with pools_made() as made:
            shared = figures(command, runs.trained(), "--threads", "3")
        counts.append(made[("crossbar", 2)])
        with pools_made() as made:
            alone = figures(command, runs.trained(), "--threads", "1")
        assert not made and shared["accuracy"] == alone["accuracy"]
    assert counts[0] == counts[1] > 0
    solved = []
    for threads in (3, 1):
        with pools_made() as made:
            figures("evaluate", runs.trained(), "--wire-ohm", "1", "--threads", str(threads))
        solved.append(made[("crossbar", threads)])
    assert solved[0] > 0 == solved[1]  # the lines of each tile are shared out too


# -- energy ------------------------------------------------------------------------------------------------------------


def cost_file(runs, **changed):
    """Path of the costs of the 40 nm macro with some of their three numbers replaced by one."""
    (source,) = (ROOT / "minirram").rglob("macro-40nm.json")
    table = json.loads(source.read_text())
    for name, value in changed.items():
        table["costs"][name] = {case: [value, "a test"] for case in ("low", "typical", "high")}
        if name.startswith("adc_") and name.endswith("_J"):
            table["costs"][name]["typical"].append(1e9)  # samples per second
    path = runs.path("costs-{}.json".format("-".join(changed)))
    with open(path, "w") as handle:
        json.dump(table, handle)
    return path


@shows("energy", "RUN", "--data")
def test_energy_and_accuracy_are_those_of_the_run_on_the_data(runs, other_answers):
    for options in ((), ("--seed", "5")):
        account = figures("energy", runs.trained(*options))
        assert account["accuracy"] == runs.results(*options)["validation"]["accuracy"]
        assert account["training"]["pulses"] == runs.results(*options)["pulses"]
    moved = figures("energy", runs.trained(), "--data", other_answers)
    assert moved["accuracy"] == figures("evaluate", runs.trained(), "--data", other_answers)["accuracy"]


@pytest.mark.slow
@shows("energy", "--costs", "--adc-bits")
def test_a_conversion_costs_what_the_file_says_for_the_bits(runs):
    costs = cost_file(runs, adc_8b_J=2e-12, adc_5b_J=3e-12)
    for options, bits, each_J in (((), 8, 2e-12), (("--adc-bits", "5"), 5, 3e-12)):
        account = figures("energy", runs.trained(), "--costs", costs, *options)
        total = account["total"]
        assert account["adc_bits"] == bits and total["adc_J"] == pytest.approx(total["conversions"] * each_J)
    for bits in ("4", "8"):  # calibrated and examined anew
        energy, evaluate = (
            figures(name, runs.trained(*LEARNED), "--adc-bits", bits) for name in ("energy", "evaluate")
        )
        assert energy["accuracy"] == evaluate["accuracy"]


@shows("energy", "--input-bits")
def test_every_input_bit_is_a_plane_to_convert(runs):
    four, two = (figures("energy", runs.trained(), "--input-bits", bits) for bits in ("4", "2"))
    assert (four["input_bits"], two["input_bits"]) == (4, 2)
    assert two["total"]["conversions"] == four["total"]["conversions"] / 2
    for name in MATRICES:
        assert len(two["by_matrix"][name]["by_plane"]["conversions"]) == 2
    assert four["total"] == figures("energy", runs.trained())["total"]


@shows("energy", "--read-voltage", "--read-time")
def test_the_array_takes_voltage_squared_times_time(runs):
    base, volts, seconds = (
        figures("energy", runs.trained(), *options)
        for options in ((), ("--read-voltage", "0.5"), ("--read-time", "3e-7"))
    )
    array_J = base["total"]["array_J"]
    assert volts["read_voltage_V"] == 0.5 and seconds["read_time_s"] == 3e-7
    assert volts["total"]["array_J"] == pytest.approx(array_J * (0.5 / base["read_voltage_V"]) ** 2)
    assert seconds["total"]["array_J"] == pytest.approx(array_J * 3e-7 / base["read_time_s"])
    assert seconds["total"]["latency_s"] > base["total"]["latency_s"] == volts["total"]["latency_s"]


@shows("energy", "--density")
def test_a_sweep_over_densities_moves_the_array_alone(runs):
    account = figures("energy", runs.trained(), "--density", "0.9", "--density", "0.1")
    dense, sparse = account["density_sweep"]
    assert (dense["density"], sparse["density"]) == (0.9, 0.1)
    assert dense["adc_J"] == sparse["adc_J"] == account["total"]["adc_J"]
    assert dense["array_J"] > account["total"]["array_J"] > sparse["array_J"]
    assert figures("energy", runs.trained())["density_sweep"] == []


@shows("energy", "--macros")
def test_fewer_macros_are_written_in_turn(runs):
    one, two = (figures("energy", runs.trained(), "--adc-bits", "14", "--macros", count) for count in ("1", "2"))
    assert runs.results()["macros"] == 2 == one["reprogramming"]["macros_written"]
    assert one["area_um2"]["total_um2"] < 0.8 * two["area_um2"]["total_um2"]
    assert one["reprogramming"]["macros"] == 1 and one["total"]["reprogramming_J"] > 0
    assert two["reprogramming"]["macros_written"] == 0 and two["accuracy"] is not None and one["accuracy"] is None


# -- networks ----------------------------------------------------------------------------------------------------------


@shows("networks", "--network", "--adc-bits", "--costs")
def test_a_network_by_name_with_the_costs_of_its_conversions(runs):
    costs = cost_file(runs, adc_8b_J=2e-12, adc_6b_J=5e-12)
    for bits, each_J in (("8", 2e-12), ("6", 5e-12)):
        arguments = ["--network", "vgg16", "--costs", costs, "--adc-bits", bits]
        ((name, entry),) = figures("networks", *arguments).items()
        assert (name, entry["account"]["adc_bits"]) == ("vgg16", int(bits))
        assert entry["account"]["energy_terms_J"]["adc_J"] == pytest.approx(entry["conversions"] * each_J)
    assert {"fashion-mnist", "retina"} <= set(figures("networks"))


# -- export and chip ---------------------------------------------------------------------------------------------------


@shows("export", "RUN", "--out", "--code-bits", "--with-targets")
def test_the_program_of_the_run_with_codes_of_the_bits(runs, tmp_path):
    masks = runs.arrays("masks.npz", "")
    kept = sum(np.count_nonzero(mask) for mask in masks.values())
    for bits in (0, 8, 16):
        file = str(tmp_path / f"codes{bits}.xbp")
        shown = figures("export", runs.trained(), "--out", file, "--code-bits", str(bits))
        assert shown["file"] == file and shown["bytes"] == os.path.getsize(file)
        assert {tile["code_bits"] for tile in shown["tiles"]} == {0} and shown["maps"] == ["mask", "pulses"]
        assert (shown["targets"] is not None) == (bits > 0)
        if bits:
            targets = figures("inspect", shown["targets"])
            assert {tile["code_bits"] for tile in targets["tiles"]} == {bits} and not targets["pulses"]["RESET"]
            assert targets["new_state"] == shown["new_state"] and targets["bytes"] == shown["targets_bytes"]
        assert shown["cells_on"] + shown["not_formed"] == kept
    default = figures("export", runs.trained())
    assert default["file"] == os.path.join(runs.trained(), "program.xbp")
    assert {tile["code_bits"] for tile in figures("inspect", default["targets"])["tiles"]} == {8}
    tuned = figures("export", runs.trained(), "--out", str(tmp_path / "tuned.xbp"), "--with-targets")
    assert {tile["code_bits"] for tile in tuned["tiles"]} == {8} and tuned["bytes"] > default["bytes"]
    assert tuned["new_state"] == default["new_state"]


@shows("export", "--from")
def test_from_an_old_program_only_what_differs_is_pulsed(runs, tmp_path):
    old = str(tmp_path / "old.xbp")
    figures("export", runs.trained(), "--out", old)
    moved = ("--learning-rate", "0.2")
    step = figures("export", runs.trained(*moved), "--out", str(tmp_path / "step.xbp"), "--from", old)
    on = [runs.chip("programmed", *options) > 6e-6 for options in ((), moved)]
    assert step["pulses"]["FORM"] == 0 and step["state_before"] == "programmed"
    assert step["base_state"] == figures("inspect", old)["new_state"] and step["maps"] == ["pulses"]
    assert step["pulses"]["SET"] == np.count_nonzero(on[1] & ~on[0]) > 0
    assert step["pulses"]["RESET"] == np.count_nonzero(on[0] & ~on[1]) > 0


@shows("chip", "RUN", "--out", "--state")
def test_the_chip_as_formed_and_as_programmed(runs):
    formed_S, programmed_S, other_S = (
        runs.chip("formed"),
        runs.chip("programmed"),
        runs.chip("formed", "--chip-seed", "5"),
    )
    assert formed_S.shape == other_S.shape == (2, ROWS, 2 * PAIRS) and not np.array_equal(formed_S, other_S)
    kept = sum(np.count_nonzero(mask) for mask in runs.arrays("masks.npz", "").values())
    unformed = runs.results()["unformed_pairs"]
    assert kept - unformed <= np.count_nonzero(programmed_S > 4.1e-6) <= kept
    assert np.count_nonzero(formed_S > 4.1e-6) > 3.9 * kept  # both cells of every pair

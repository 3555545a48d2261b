"""Accounts of a run and of shapes: sums agree, what-ifs change what they should and nothing else."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.accounting.account import at_density, reprogramming_account
from minirram.accounting.costs import load_costs
from minirram.accounting.figures import JOULES
from minirram.chip.chip import PULSES
from minirram.chip.dead_lines import ChipLines
from minirram.cli import main
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.inference.calibration import calibrate_adcs
from minirram.inference.forward import predict
from minirram.inference.product import ChipProduct
from minirram.learn.recipe import Recipe
from minirram.nn.network import input_bits, requantised
from minirram.rng import stream
from minirram.runs import train
from minirram.runs.config import RunConfig
from minirram.runs.energy import WhatIf
from minirram.runs.folder import RunFolder, open_training
from minirram.runs.networks import describe_networks
from minirram.study.transfer import transfer
from minirram.tasks.fashion_mnist import fashion_mnist_cnn
from minirram.tasks.registry import TASKS

from ..support.schemas import checked_json
from ..support.tiny import save_garments


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder after one short epoch."""
    folder = tmp_path_factory.mktemp("energy")
    save_garments(folder, train=120, validation=20, test=20)
    out = str(folder / "run")
    options = ["--epochs", "1", "--batch-size", "40"]
    assert main.main(["train", "fashion-mnist", "--data", str(folder), "--out", out] + options) == 0
    return out


def account(capsys, trained, *options):
    """What `minirram energy` prints."""
    capsys.readouterr()
    code = main.main(["energy", trained, "--json"] + list(options))
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return checked_json("energy", captured.out)


@pytest.mark.slow
def test_the_total_is_the_sum_of_its_rows(trained, capsys):
    found = account(capsys, trained)
    rows = list(found["by_matrix"].values()) + list(found["digital_layers"].values())
    total = found["total"]
    for key, value in total.items():
        if key != "range":
            assert value == pytest.approx(sum(row.get(key, 0.0) for row in rows), rel=1e-9), key
    assert total["total_J"] == pytest.approx(sum(total[key] for key in JOULES))
    for row in rows + [total]:
        for key, values in row["range"].items():
            assert values["low"] <= values["typical"] <= values["high"] and values["typical"] == row[key]
    for row in found["by_matrix"].values():
        for key, planes in row["by_plane"].items():
            assert len(planes) == 4 and sum(planes) == pytest.approx(row[key])
    for key in "by_matrix total digital_hardware adc_bits accuracy training area_um2".split():
        assert key in found
    assert 0 < found["activity"] < 1 and all(0 < row["activity"] < 1 for row in found["by_matrix"].values())
    assert found["total"]["conversions"] == 50216 and found["inferences"] == found["samples"] == 20
    gpu = found["digital_hardware"]["gpu_int8"]
    assert gpu["saved_fraction"]["typical"] == pytest.approx(1 - total["total_J"] / gpu["typical"])


@pytest.mark.slow
def test_energy_and_accuracy_at_the_same_adc_bits(trained, capsys):
    """The ADCs are calibrated anew for the bits asked for, and those bits are paid for and evaluated."""
    found = account(capsys, trained, "--adc-bits", "5")
    macro = load_costs()
    assert found["adc_bits"] == 5 and found["total"]["adc_J"] == pytest.approx(50216 * macro.adc(5, "J")[1])
    run = RunFolder.open(trained)
    chip, model, _ = run.load_trained()
    data = open_training(run.config)
    adcs = calibrate_adcs(
        run.config.network,
        model.state,
        codes=data.calibration_codes(),
        chip=chip,
        scales_S=model.scales_S,
        adc_bits=5,
        arrangement="pair",
    )
    bits = input_bits(run.config.network)
    noise_seed = int(stream(run.config.recipe.seed, "read", "validation", 0).integers(2**32))
    product = ChipProduct(chip, adcs, input_bits=bits, scales_S=model.scales_S, noise_seed=noise_seed)
    figures = data.validation.figures(
        lambda codes: predict(run.config.network, model.state, codes=codes, product=product)
    )
    assert found["accuracy"] == figures["accuracy"]
    assert account(capsys, trained, "--adc-bits", "14")["total"]["adc_J"] > 50 * found["total"]["adc_J"]


def test_input_bits_change_planes_and_conversions(trained, capsys):
    four, two = account(capsys, trained), account(capsys, trained, "--input-bits", "2")
    assert two["input_bits"] == 2 and two["total"]["conversions"] == four["total"]["conversions"] / 2
    assert len(two["by_matrix"]["conv1"]["by_plane"]["array_J"]) == 2
    assert two["total"]["bits_written"] == four["total"]["bits_written"] / 2


def test_a_read_pulse_that_is_given_has_no_range(trained, capsys):
    base = account(capsys, trained)["total"]
    total = account(capsys, trained, "--read-voltage", "0.1", "--read-time", "2e-8")["total"]
    assert total["array_J"] == pytest.approx(base["array_J"] / 4 * 2 / 5)
    assert len(set(total["range"]["array_J"].values())) == 1 < len(set(base["range"]["array_J"].values()))
    assert total["adc_J"] == base["adc_J"]


def test_density_moves_the_array_and_not_the_conversions(trained, capsys):
    found = account(capsys, trained, "--density", "1", "--density", "0.5", "--density", "0.1")
    rows = found["density_sweep"]
    assert [row["density"] for row in rows] == [1.0, 0.5, 0.1]
    arrays = [row["array_J"] for row in rows]
    assert arrays[0] > 1.5 * arrays[1] > 1.5 * arrays[2]
    for key in ("adc_J", "drive_J", "lines_J", "digital_J", "buffer_J"):
        assert {row[key] for row in rows} == {found["total"][key]}
    assert rows[1]["array_J"] == pytest.approx(found["total"]["array_J"], rel=0.05)
    assert rows[0]["total_J"] == pytest.approx(sum(rows[0][key] for key in JOULES))
    assert (
        found["training"]["pulses"] == account(capsys, trained)["training"]["pulses"]
    )  # the sweep's own pulses are not the run's


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.floats(0.05, 0.95), st.integers(0, 9))
def test_masks_at_a_density_are_nested_and_of_that_density(first, second, kept, seed):
    mask = np.random.default_rng(99).random((60, 50)) < kept
    low, high = sorted((first, second))
    thin, full = (at_density(mask, d, generator=np.random.default_rng(seed)) for d in (low, high))
    assert not np.any(thin & ~full)
    for masks, density in ((thin, low), (full, high)):
        assert abs(masks.mean() - density) < 5 * 0.5 / np.sqrt(mask.size)
    assert at_density(mask, 1.0, generator=np.random.default_rng(0)).all()


@pytest.mark.slow
def test_other_technologies_and_files_of_ones_own(trained, capsys, tmp_path):
    board = account(capsys, trained, "--costs", "paper-board", "--adc-bits", "14")
    assert board["total"]["adc_J"] == pytest.approx(50216 * 50e-9)
    assert account(capsys, trained, "--costs", "adc-survey")["costs"]["name"] == "adc-survey"
    for arguments, message in (
        (
            ["--costs", "paper-board"],
            "paper-board has no cost 'adc_8b_J': its ADCs have 14 bits; state that, --adc-bits 14",
        ),
        (["--costs", "board"], "choose one of macro-40nm"),
        (["--costs", str(tmp_path / "none.json")], "none.json"),
        (["--density", "0"], "above 0 and at most at 1"),
        (["--macros", "0"], "at least 1"),
        (["--input-bits", "9"], "9 bits, expected 1 to 8"),
        (["--adc-bits", "3"], "choose 4 to 24"),
        (["--read-time", "-1"], "above 0"),
    ):
        capsys.readouterr()
        assert main.main(["energy", trained] + arguments) == 2
        captured = capsys.readouterr()
        assert message in captured.err and captured.out == ""
    bad = tmp_path / "bad.json"
    bad.write_text('{"format": "minirram-costs", "version": 1, "name": "x", "about": "y", "costs": {"adc": {}}}')
    assert main.main(["energy", trained, "--costs", str(bad)]) == 3
    assert "no event costs 'adc'" in capsys.readouterr().err


def test_training_pays_for_reads_and_pulses(trained, capsys):
    found = account(capsys, trained)
    training = found["training"]
    pulses = training["pulses"]
    assert training["steps"] == 3 and training["read_outs"] == 3 + 1 + 1
    assert training["cell_reads"] == 5 * 2 * 62272 and training["conversions"] == 5 * 62272
    assert training["form_J"] == pulses["form"] * 4e-9 and training["set_J"] == pytest.approx(pulses["set"] * 6e-12)
    assert training["host_macs"] == 3 * 1057024 * 3 * 40
    assert set(training["host"]) == set(found["digital_hardware"])
    assert training["host"]["microcontroller"]["typical"] == pytest.approx(training["host_macs"] * 0.7e-9)
    reads = ("read_array", "read_lines", "read_drive", "read_adc")
    assert training["total_J"] == pytest.approx(sum(training[kind + "_J"] for kind in PULSES + reads))
    assert training["adc_bits"] == found["adc_bits"] == 8 and "without an ADC" in training["assumed"]
    assert account(capsys, trained, "--adc-bits", "14")["training"]["adc_bits"] == 14
    chip, _, _ = RunFolder.open(trained).load_trained()
    one_read_J = 0.2**2 * 50e-9 * chip.conductance_S()[chip.used].sum()
    assert training["read_array_J"] == pytest.approx(5 * one_read_J)


def test_macros_programmed_in_turn_are_paid_for(trained):
    chip, _, _ = RunFolder.open(trained).load_trained()
    chip.macros, chip.used = [*chip.macros, *chip.macros], np.concatenate([chip.used, chip.used])
    other = chip.macros[0].on ^ (np.arange(512) == 7)  # the second macro differs in one column
    chip.macros[1] = type("Turned", (), {"on": other, "formed": chip.macros[0].formed})()
    turns = reprogramming_account(chip, 1, costs=load_costs())
    flips = turns.pulses
    expected = int(np.count_nonzero(chip.used[0][:, 7] & chip.macros[0].formed[:, 7]))
    assert flips["set"] == flips["reset"] == expected and turns.macros_written == 2
    assert turns.cycles_of_one_cell == 1 and turns.inferences_until_worn == 10_000
    assert turns.cycles_per_cell == pytest.approx(expected / 512**2)
    assert turns.reprogramming_J == turns.range["reprogramming_J"].typical == pytest.approx(expected * 10.1e-12)
    assert turns.range["reprogramming_J"].high == pytest.approx(20 * expected * 10.1e-12)
    assert turns.reprogramming_s == pytest.approx(2 * expected * 50e-9)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A run on two macros at cell level, a conversion per polarity, whose stuck cells were looked for."""
    folder = tmp_path_factory.mktemp("wide")
    save_garments(folder, train=80, validation=10, test=10)
    recipe = Recipe(epochs=1, batch_size=40, level="cell")
    network = fashion_mnist_cnn(conv1=8, conv2=12, hidden=32)
    lines = ChipLines(rows=160, pairs=64)
    config = RunConfig("fashion-mnist", str(folder), network, recipe, TAOX_40NM, 8, "polarity", lines=lines)
    out = str(folder / "run")
    train.train(out, config)
    transfer(
        out,
        str(folder / "known"),
        changes={"epochs": 1},
        cell_model=replace(TAOX_40NM, stuck_lrs=0.01),
        know_faults=True,
        lines=lines,
    )
    return str(folder / "known")


@pytest.mark.slow
def test_the_account_of_a_run_at_cell_level(wide, capsys):
    """Two conversions per pair and read-out; the sweep moves cells; the search for stuck cells is paid for."""
    found = account(capsys, wide, "--density", "0.9", "--density", "0.2")
    chip, _, masks = RunFolder.open(wide).load_trained()
    assert chip.placement.n_macros == 2 and next(iter(masks.values())).shape[0] == 2
    training, pairs = found["training"], chip.placement.n_pairs
    assert training["read_outs"] == 2 + 1 + 1 + 2 and training["conversions"] == 6 * 2 * pairs
    assert training["read_adc_J"] == pytest.approx(6 * 2 * pairs * 2.6e-12)
    assert training["pulses"]["partner_reset"] == 0
    assert training["pulses"]["probe_set"] == training["pulses"]["probe_reset"] == 2 * pairs
    for kind, each_J in (("probe_set", 6e-12), ("probe_reset", 4.1e-12)):
        assert training[kind + "_J"] == pytest.approx(2 * pairs * each_J)
    full, thin = found["density_sweep"]
    assert full["array_J"] > 2.5 * thin["array_J"] and full["adc_J"] == thin["adc_J"] == found["total"]["adc_J"]


@pytest.mark.slow
def test_no_accuracy_for_macros_that_take_turns(wide, capsys):
    """The accuracy of a run is that of its own macros; on fewer of them it would be another one."""
    whole, shared = account(capsys, wide, "--macros", "2"), account(capsys, wide, "--macros", "1")
    assert whole["accuracy"] is not None and whole["assumed"] is None and whole["reprogramming"]["macros_written"] == 0
    assert shared["accuracy"] is None and "conductances" in shared["assumed"]
    assert shared["reprogramming"]["inferences_until_worn"] == 10_000  # some cell is SET once per inference
    assert (
        shared["total"]["latency_s"] > whole["total"]["latency_s"]
        and shared["total"]["adc_J"] == whole["total"]["adc_J"]
    )
    swept = account(capsys, wide, "--macros", "1", "--density", "0.9", "--density", "0.001")["density_sweep"]
    assert swept[0]["reprogramming_J"] > 4 * swept[1]["reprogramming_J"] > 0  # cells are pulsed that differ
    for row in swept:
        assert row["total_J"] == pytest.approx(sum(row[key] for key in JOULES) + row["reprogramming_J"])
    assert main.main(["energy", wide, "--macros", "1"]) == 0
    text = capsys.readouterr().out
    assert "no accuracy" in text and "first cell wears out after 1e+04" in text


def test_data_that_changed_are_refused_and_data_that_moved_are_not(trained, capsys, tmp_path):
    config = RunFolder.open(trained).config
    assert config.data_crc != 0
    shutil.copy(os.path.join(config.data, "fashion-mnist.npz"), str(tmp_path))
    moved = account(capsys, trained, "--data", str(tmp_path), "--input-bits", "3")
    assert moved == account(capsys, trained, "--input-bits", "3")
    save_garments(tmp_path, train=121, validation=20, test=20)
    assert main.main(["energy", trained, "--data", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "not those that the run was learned from" in captured.err and captured.out == ""
    assert f"not {config.data_crc:08x}" in " ".join(captured.err.split())


def test_requantised_networks_keep_their_ranges():
    network = TASKS["spoken-digits"].network
    changed = requantised(network, 5)
    assert set(input_bits(changed).values()) == {5} and changed.input_bits == 5
    assert requantised(changed, 3) == network


def test_networks_from_shapes(capsys):
    table = describe_networks()
    assert set(table) == set(TASKS) >= {"fashion-mnist", "spoken-digits", "retina"}
    assert table["fashion-mnist"].conversions == 50216 and table["spoken-digits"].conversions == 45534
    assert main.main(["networks", "--network", "resnet50", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["resnet50"]
    assert found["weights"] == 23_659_712 and found["macros"] == -(-found["weights"] // 131072) == 181
    assert 0.99 < found["utilisation"] <= 1 and found["conversions"] == 8 * found["conversions_per_plane"]
    shapes = found["account"]
    for key in ("total_J", "latency_s", "area_um2"):
        assert 0 < shapes[key]["low"] < shapes[key]["typical"] < shapes[key]["high"]
    assert sum(shapes["energy_terms_J"].values()) == pytest.approx(shapes["total_J"]["typical"])
    for arguments in (["--network", "vgg16"], []):
        assert main.main(["networks"] + arguments) == 0
        assert len(capsys.readouterr().out.splitlines()) > 3
    assert main.main(["networks", "--network", "vgg19"]) == 2
    assert "choose one of fashion-mnist" in capsys.readouterr().err


def test_text_of_an_account(trained, capsys):
    assert main.main(["energy", trained, "--adc-bits", "8", "--density", "0.3", "--macros", "1"]) == 0
    out = capsys.readouterr().out
    for part in "conv1,bn1,total,low,high,density 0.3,gpu_int8,reprogramming,area,training".split(","):
        assert part in out


def test_what_if_checks_itself():
    for options in ({"densities": (0.5, 1.2)}, {"densities": (0.0,)}, {"macros": 0}):
        with pytest.raises(ConfigError):
            WhatIf(**options)

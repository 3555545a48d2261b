"""What cannot be done with a run, beside what can: on one small run, and on values alone."""

import os
import shutil
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

import minirram as mr
from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.crossbar.conditions import Conditions
from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError, DataError, MissingFileError, ShapeError
from minirram.files import read_npz, write_npz
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.network import Network, matrices
from minirram.programming.readback import read_program
from minirram.runs import evaluate as evaluating
from minirram.runs import own_data
from minirram.runs.bench import bench
from minirram.runs.chip_files import DRAWN, ChipFiles
from minirram.runs.config import RunConfig, config_from_json
from minirram.runs.driven import open_session
from minirram.runs.evaluate import AsIf, evaluate, expected
from minirram.runs.export import chip_map, export, simulated_readback
from minirram.runs.fit_network import fit_network, lines_of_maps
from minirram.runs.folder import RunFolder
from minirram.runs.made_chip import checked_chip
from minirram.runs.recalibrate import recalibrate
from minirram.runs.reconfigured import check_learned, reconfigured
from minirram.runs.repair import read_conductances, repair
from minirram.study.weight_runs import weight_config_from_json
from minirram.tasks.task_file import LayoutPart, NetworkPart, TaskFile
from minirram.xbp import codec

from ..support.hostile_files import whole_run
from ..support.tiny import tiny_network

CONFIG = RunConfig("fashion-mnist", "synthetic", tiny_network(), mr.Recipe(), TAOX_40NM)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run of two classes of 4 x 4 pixels, with its program."""
    return whole_run(str(tmp_path_factory.mktemp("refusals") / "run"))


@pytest.fixture
def run(whole, tmp_path):
    """A copy of it."""
    return shutil.copytree(whole, str(tmp_path / "run"))


def rewritten(path, change):
    """Write the arrays of a file as `change` gives them."""
    write_npz(path, change(dict(read_npz(path))))


# -- evaluate and export -----------------------------------------------------------------------------------------------


def test_splits_and_draws(whole):
    assert evaluate(whole, "validation", draws=1).samples
    with pytest.raises(ConfigError, match="^split 'train': choose 'validation' or 'test'"):
        evaluate(whole, "train")
    with pytest.raises(ConfigError, match="^draws is 0; it must be at least 1"):
        evaluate(whole, draws=0)


def test_labels_of_pixels_have_no_covariances(whole, monkeypatch):
    monkeypatch.setattr(evaluating, "_first", lambda examination, samples: SimpleNamespace(primary="roc_auc"))
    with pytest.raises(ConfigError, match="^noise covariances are carried to one label per sample; these answers are"):
        expected(whole)


def test_drift_is_compensated_by_probes(run):
    own, conditions = RunFolder.open(run).config, Conditions(age_s=10.0, compensated=True)
    as_if = AsIf(replace(own, cell_model=own.cell_model.changed(drift_exponent=0.01)))
    assert evaluate(run, conditions=conditions, as_if=as_if).samples
    rewritten(run + "/model.npz", lambda arrays: {k: v for k, v in arrays.items() if not k.startswith("probe")})
    with pytest.raises(ConfigError, match="run stores no probe vectors .an older version made it.: train the run anew"):
        evaluate(run, conditions=conditions, as_if=as_if)


def test_an_increment_has_no_targets(whole, tmp_path):
    for options in (dict(code_bits=0), dict(old=whole + "/program.xbp")):
        with pytest.raises(ConfigError, match="^with_targets: an increment holds pulses alone, and code_bits 0 leaves"):
            export(whole, tmp_path / "new.xbp", with_targets=True, **options)
    assert os.listdir(str(tmp_path)) == []


def test_states_of_a_chip_map(whole, tmp_path):
    with pytest.raises(ConfigError, match="^state 'pristine': choose 'formed' or 'programmed'"):
        chip_map(whole, tmp_path / "map.npy", state="pristine")
    assert chip_map(whole, tmp_path / "map.npy", state="formed").shape == (1, 16, 16)


# -- read-backs --------------------------------------------------------------------------------------------------------


def test_a_read_back_of_another_chip_or_in_other_units(whole, tmp_path):
    path = str(tmp_path / "seen.npy")
    seen_S = simulated_readback(whole)
    np.save(path, seen_S)
    assert repair(whole, path, tmp_path / "repair.xbp").cells >= 0
    np.save(path, seen_S[:, :-1])
    with pytest.raises(DataError, match=r"seen.npy: a map of \(1, 15, 16\) cells, the chip of .*run has \(1, 16, 16\)"):
        repair(whole, path)
    np.save(path, np.ones((16, 16), np.int64))
    with pytest.raises(DataError, match="seen.npy: expected floats in siemens"):
        read_conductances(path)


def test_a_program_of_another_chip_or_read_back(whole, tmp_path):
    def dry(**options):
        return bench(whole, "simulated", dry_run=True, out=str(tmp_path / "bench"), **options)

    own = read_program(whole + "/program.xbp")
    other = str(tmp_path / "other.xbp")
    with open(other, "wb") as handle:
        handle.write(codec.write(replace(own, chip_id=own.chip_id ^ 1)))
    assert dry(program=whole + "/program.xbp").pulses == 0
    with pytest.raises(
        DataError, match=f"^chip_id of the program is {own.chip_id ^ 1:08x}, that of the run {own.chip_id:08x}"
    ):
        dry(program=other)
    first, second = str(tmp_path / "first.npy"), str(tmp_path / "second.npy")
    np.save(first, np.full((1, 16, 16), 1e-8))
    np.save(second, np.full((1, 16, 16), 2e-8))
    made = repair(whole, first, tmp_path / "repair.xbp")
    assert dry(program=made.file, readback=first).pulses == 0
    with pytest.raises(DataError, match=f"second.npy: read-back .*, the program was made from {made.readback_id}"):
        dry(program=made.file, readback=second)


def test_masks_learn_on_from_their_checkpoint_and_their_signs(run, tmp_path):
    path = str(tmp_path / "seen.npy")
    np.save(path, simulated_readback(run))
    rewritten(run + "/model.npz", lambda arrays: dict(arrays, **{"signs/fc": ~arrays["signs/fc"]}))
    with pytest.raises(ConfigError, match="run was learned around known faults; masks cannot learn on from there"):
        recalibrate(run, path, relearn_steps=1)
    os.unlink(run + "/checkpoint.npz")
    with pytest.raises(MissingFileError, match="run: masks learn on from checkpoint.npz, which is missing"):
        recalibrate(run, path, relearn_steps=1)


# -- configurations ----------------------------------------------------------------------------------------------------


def test_a_configuration_and_its_document():
    for name, value, said in (
        ("adc_bits", "8", "adc_bits is '8', not a int"),
        ("maps", ["a.npy"], "maps is .'a.npy'., not a tuple"),
        ("lines", (1, 2), r"lines is \(1, 2\), not a ChipLines or NoneType"),
    ):
        with pytest.raises(ConfigError, match=f"^{said}"):
            replace(CONFIG, **{name: value})
    assert config_from_json(CONFIG.to_json()).network == CONFIG.network
    with pytest.raises(DataError, match="^not the configuration of a run"):
        config_from_json([])
    with pytest.raises(DataError, match="^not the configuration of a run of weights"):
        weight_config_from_json([])


def test_what_training_decided():
    wider = replace(CONFIG, network=Network("wide", (6, 6, 1), 4, (Flatten("f"), Linear("fc", 36, 3))))
    check_learned(CONFIG, replace(CONFIG, adc_bits=6))
    with pytest.raises(ConfigError, match="^the widths of the network were decided in training; train a run for each"):
        check_learned(CONFIG, wider)
    measured = RunFolder("run", replace(CONFIG, maps=("map.npy",)))
    other = replace(measured.config, recipe=replace(CONFIG.recipe, chip_seed=1))
    with pytest.raises(
        ConfigError, match="^run was learned on a measured chip; what decides the chip cannot be changed"
    ):
        reconfigured(measured, other, training=list, files=DRAWN)


def test_faults_are_those_of_a_simulated_chip(tmp_path):
    (tmp_path / "stuck.txt").write_text("0 0 0 stuck_on\n")
    files = ChipFiles(faults=str(tmp_path / "stuck.txt"))
    config = replace(CONFIG, **files.names())
    assert open_session("simulated", config, port=None, files=files).capabilities.macros
    with pytest.raises(ConfigError, match="^--faults plants stuck cells into a simulated chip; a bench has its own"):
        open_session("loopback", config, port=None, files=files)


# -- chips -------------------------------------------------------------------------------------------------------------


def test_a_network_and_maps_that_fit_no_macro():
    lines = ChipLines(rows=16, pairs=8)
    with pytest.raises(ConfigError, match="^no width of network one can be chosen"):
        fit_network(Network("one", (1, 1, 4), 4, (Flatten("f"), Linear("fc", 4, 2))), lines)
    map_S = np.full((16, 16), 12e-6)
    assert lines_of_maps(lines, [map_S, map_S], TAOX_40NM) == lines
    for maps in ([map_S, map_S[:, :-2]], [map_S[:-1]]):
        with pytest.raises(ShapeError, match="^maps of .*, macros of 16 x 16: they must be of one size"):
            lines_of_maps(lines, maps, TAOX_40NM)


def test_a_chip_with_too_few_cells():
    chip = Chip.sample(TAOX_40NM, matrices(tiny_network()), level="pair", seed=0, lines=ChipLines(rows=96, pairs=16))
    pairs = chip.placement.n_pairs
    with pytest.raises(ConfigError, match=f"^{pairs} of the {pairs} pairs that the network needs have no formed cell"):
        checked_chip(chip)
    chip.form(TAOX_40NM.forming_voltage_V(0.9999))
    assert checked_chip(chip) is chip


# -- data of one's own -------------------------------------------------------------------------------------------------

LAYERS = (Flatten("f"), Linear("fc", 2, 3))
MINE = TaskFile("mine", NetworkPart(input_shape=(1, 1, 2), layers=LAYERS))


def drawn_points(seed):
    inputs = np.random.default_rng(seed).normal(size=(30, 2)).astype(np.float32)
    return mr.LabelledData.split(inputs, np.arange(30) % 3)


def test_a_task_and_its_data(tmp_path):
    with pytest.raises(ConfigError, match="^a network of its own belongs to a task that is a .json file"):
        own_data.given("fashion-mnist", "synthetic", network=tiny_network())
    with pytest.raises(ConfigError, match="^task mine has no built-in data; name a file of data, or drawn in its JSON"):
        own_data.given(MINE, "synthetic")
    with pytest.raises(
        MissingFileError, match="mine.npz: there is no such file; a folder per class becomes one by: py"
    ):
        own_data.given(MINE, str(tmp_path))
    points = drawn_points(0)
    np.savez(str(tmp_path / "mine.npz"), inputs=points.training.inputs, labels=points.training.labels)
    assert own_data.given(MINE, str(tmp_path)).task.name == "mine"
    layout, other = MINE.complete(points).layout, replace(MINE.own_network(), name="another")
    stated = replace(MINE, layout=LayoutPart(**{one.name: getattr(layout, one.name) for one in fields(LayoutPart)}))
    for mine in (MINE, stated):  # its layout is read from the data, or all in the file
        assert own_data.given(mine, str(tmp_path), network=other).task.network == other


def test_a_folder_carries_the_data_of_its_runs(tmp_path):
    points = drawn_points(0)
    config = replace(CONFIG, task="mine", layout=MINE.complete(points).layout, network=MINE.own_network())
    assert own_data.carried(config, tmp_path, points).data == str(tmp_path)
    assert own_data.carried(config, tmp_path, points).data == str(tmp_path)
    with pytest.raises(ConfigError, match="carries other data than those given; choose another folder"):
        own_data.carried(config, tmp_path, drawn_points(1))

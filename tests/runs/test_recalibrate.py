"""Masks that learn on a chip as it was read back: where their learning begins, how it goes, and what it leaves."""

import os
from dataclasses import replace

import numpy as np
import pytest

import minirram as mr
from minirram.errors import FormatError
from minirram.learn.mask_learner import MaskLearner
from minirram.learn.optim import cosine_rate
from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.join import Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.programming.readback import read_program
from minirram.rng import stream
from minirram.runs.folder import RunFolder, open_training
from minirram.runs.recalibrate import RELEARNING_RATE, recalibrate

STEPS = 30
RECIPE = mr.Recipe(epochs=2, batch_size=10, learning_rate=10.0, seed=3)
LAYERS = (Flatten("flat"), Linear("fc", 16, 6), BatchNorm("bn", 6), Relu("relu"), Quantize("act", 4))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(run behind wires, of no default recipe; file of its chip read back with worse cells; what that holds)."""
    folder, labels = tmp_path_factory.mktemp("recalibrate"), np.arange(400) % 2
    images = np.random.default_rng(3).integers(0, 13, (400, 4, 4)) + 2 * labels[:, None, None]  # hard to tell apart
    network = mr.nn.Network("small", (4, 4, 1), 4, (*LAYERS, Linear("out", 6, 2)))
    data = mr.LabelledData.split(images.astype(np.uint8), labels, validation=0.4)
    where = dict(wires=mr.Wires(20.0, 20.0), lines=mr.ChipLines(rows=16, pairs=8))
    mr.train(network, data, RECIPE, out=str(folder / "run"), threads=1, **where).export()
    chip = RunFolder.open(folder / "run").load_trained()[0]
    cells_S = chip.physical(chip.conductance_S())
    readback_S = cells_S * np.random.default_rng(1).uniform(0.05, 1.5, cells_S.shape)
    np.save(folder / "seen.npy", readback_S)
    return str(folder / "run"), str(folder / "seen.npy"), readback_S


@pytest.fixture
def steps(monkeypatch):
    """(learner with what it held, rate) of each step of masks that learn on."""
    found, step, begin = [], MaskLearner.step, MaskLearner.__init__

    def begun(self, network, chip, **how):
        begin(self, network, chip, **how)
        self.threads = how["threads"]

    def seen(self, codes, labels, *, rate, **options):
        held = dict(
            state={name: array.copy() for name, array in self.state.items()},
            masks={name: array.copy() for name, array in self.masks.items()},
            conductance_S=self.chip.physical(self.chip.conductance_S()),
            shares=[behind.share.copy() for behind in self.chip.attenuated],
            borders=set(self.borders),
            labels=labels,
        )
        if not found:
            self.apply_wires()  # of the chip as it is: nothing changes
            held["solved"] = [behind.share.copy() for behind in self.chip.attenuated]
        found.append((self, held, rate))
        taken = step(self, codes, labels, rate=rate, **options)
        if len(found) == STEPS:  # every bit flips and flips back: nothing of it is to be left
            self.chip.program({name: ~mask for name, mask in self.masks.items()}, self.signs)
            self.chip.program(self.masks, self.signs)
        return taken

    monkeypatch.setattr(MaskLearner, "__init__", begun)
    monkeypatch.setattr(MaskLearner, "step", seen)
    return found


def test_masks_learn_on_from_where_the_digital_side_left_off(run, steps, tmp_path):
    folder, seen, readback_S = run
    alone, out = str(tmp_path / "alone"), str(tmp_path / "out")
    before = recalibrate(folder, seen, out=alone)
    found = recalibrate(folder, seen, out=out, relearn_steps=STEPS, threads=2)
    assert found.recalibrated.confusion == before.recalibrated.confusion and before.relearned is None
    (own, _, masks), (chip, model, learned) = (RunFolder.open(place).load_trained() for place in (folder, out))
    learner, first, _ = steps[0]
    # How it learns.
    assert [rate for *_, rate in steps] == [
        cosine_rate(RELEARNING_RATE * RECIPE.learning_rate, step, n_steps=STEPS) for step in range(STEPS)
    ]
    assert learner.threads == 2 and learner.recipe == replace(
        RECIPE, hysteresis=0.0, hysteresis_end=0.0, learning_rate=RELEARNING_RATE * RECIPE.learning_rate
    )
    # Where it begins: the digital side taken anew, the masks of the run, the chip as read back behind its wires.
    state = RunFolder.open(alone).load_model().state
    assert all(np.array_equal(first["state"][name], state[name]) for name in state)
    assert all(np.array_equal(first["masks"][name], masks[name]) for name in masks) and first["borders"] == set(masks)
    used = chip.physical(chip.used & chip.formed())
    shown_S = np.rint(readback_S * 1e9) * 1e-9
    np.testing.assert_allclose(first["conductance_S"][used], shown_S[used], rtol=1e-12)
    assert first["shares"] and all((share < 1).any() for share in first["shares"])
    assert all(map(np.array_equal, first["shares"], first["solved"]))
    config = RunFolder.open(folder).config
    batches = open_training(config, folder).batches(stream(RECIPE.seed, "relearning"), RECIPE)
    assert np.array_equal(first["labels"], next(iter(batches))[1])
    # What it leaves: pulsed cells alone are others, and every flip is a pulse.
    wanted, was = (each.wanted_on(kept, model.signs) for each, kept in ((chip, learned), (own, masks)))
    pulsed, cells_S = chip.physical(wanted != was), chip.physical(chip.conductance_S())
    np.testing.assert_allclose(cells_S[used & ~pulsed], shown_S[used & ~pulsed], rtol=1e-12)
    assert 0 < sum(found.relearned.pulses.values()) == np.count_nonzero(used & pulsed)
    assert (cells_S != first["conductance_S"])[used & pulsed].all()
    assert all(np.array_equal(learner.masks[name], learned[name]) for name in learned)
    assert sum(chip.pulses.values()) - sum(own.pulses.values()) == np.count_nonzero(wanted != was)
    # What is said of it.
    beyond = (found.relearned.score.value - found.recalibrated.value) / found.lost
    assert found.relearned.steps == STEPS and found.relearned.beyond == beyond != 0
    assert found.relearned.score.confusion == mr.Run(out).evaluate().confusion
    assert read_program(found.relearned.program).base_state == read_program(folder + "/program.xbp").new_state


def test_a_program_that_is_none_is_said_before_anything_is_learned(run, tmp_path):
    folder, seen, _ = run
    (tmp_path / "broken.xbp").write_bytes(b"no program")
    with pytest.raises(FormatError, match="broken.xbp"):
        recalibrate(folder, seen, out=tmp_path / "out", relearn_steps=1, program=tmp_path / "broken.xbp")
    assert os.listdir(str(tmp_path)) == ["broken.xbp"]

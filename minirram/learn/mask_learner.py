"""Mask learning through a chip: every step reads the chip anew, and every flipped bit is a pulse on it."""

import numpy as np

from ..chip.faults import forced_bits, signs_around
from ..chip.levels import draw_signs, kept_weights, mask_shape, weight_scale_S
from ..errors import ConfigError
from ..files import fill, part, prefixed
from ..nn.network import matrices
from ..rng import stream
from .learner import Learner
from .optim import sgd_step
from .pruning import initial_scores, initial_size, score_gradient, steady_mask, to_score_size, top_mask


class MaskLearner(Learner):
    """The state of mask learning: a formed chip, the scores of its connections, and the network's digital state.

    `masks`, `scores`, `velocity`: dicts name -> array in the shape of `chip.mask_shape`. `signs`, `scales_S`: how
    cells become weights (see `chip`). faults: `faults.Faults` of the chip where they are known: signs avoid them, at
    cell level stuck cells have no bit to choose (`forced`).
    wires: `wires.Wires` whose IR drop the weights are to include; None: ideal wires. programs: whether the chip gets
    the masks of the initial scores; without, `adopt` is to give it others.
    """

    learned = ("masks",)
    moving = ("scores", "velocity")

    def __init__(self, network, chip, recipe, threads=1, faults=None, wires=None, programs=True):
        if chip.placement.shapes != matrices(network) or chip.level != recipe.level:
            raise ConfigError(
                f"the chip was placed for {chip.placement.shapes} at {chip.level} level; the network "
                f"{network.name} at {recipe.level} level needs {matrices(network)}"
            )
        super().__init__(network, recipe, threads)
        self.chip = chip
        self.faults = faults
        self.wires = wires
        self._wire(chip.read_out(stream(recipe.chip_seed, "read-out")))
        if recipe.level == "pair":
            chip.reset_partners(self.signs)
        by_cell = recipe.level == "cell" and faults is not None
        self.forced = forced_bits(faults, chip.placement) if by_cell else {}
        self.scores, self.velocity, self.masks = {}, {}, {}
        for name, shape in matrices(network):
            generator = stream(recipe.seed, "scores", name)
            self.scores[name] = initial_scores(generator, mask_shape(recipe.level, shape), shape[0])
            self.velocity[name] = np.zeros_like(self.scores[name])
            self.masks[name] = self._best_mask(name)
        if programs:
            chip.program(self.masks, self.signs)
        self.hysteresis = recipe.hysteresis

    def _wire(self, read_out_S):
        """From the read-out of the formed chip: signs, scales, the weight of every connection when kept."""
        recipe, placement = self.recipe, self.chip.placement
        self.read_out_S = read_out_S
        self.signs = draw_signs(recipe.seed, placement)
        if self.faults is not None:
            self.signs = signs_around(self.signs, self.faults, placement)
        self.scales_S, self.kept = {}, {}
        for name in placement.names:
            plus_S, minus_S = placement.gather(name, read_out_S)
            kept_S = kept_weights(recipe.level, plus_S, minus_S, self.signs[name])
            self.scales_S[name] = weight_scale_S(recipe.level, kept_S, recipe.density)
            self.kept[name] = (kept_S / self.scales_S[name]).astype(np.float32)

    def read_weights(self, generators=None):
        """One fresh read of every mapped cell as weights, dict name -> float32; noiseless without `generators`."""
        return self.read_chip(self.chip, self.scales_S, generators)

    def epoch(self, data):
        """One pass over `data`; the IR drop is that of the masks at its start."""
        self._feel_wires()
        return super().epoch(data)

    def _feel_wires(self):
        if self.wires is not None:
            self.chip.feel_wires(self.wires)

    def update(self, gradients, rate):
        """Move the scores against d_loss/d_weight and pulse the bits that flip."""
        recipe = self.recipe

        def new_mask(name):
            scores = self.scores[name]
            gradient = score_gradient(gradients[name], self.kept[name], scores)
            if recipe.score_step is not None:
                to_score_size(gradient, recipe.score_step * initial_size(self.kept[name].shape[-2]))
            old_scores = scores.copy()
            sgd_step(scores, self.velocity[name], gradient, rate, recipe.momentum, recipe.weight_decay)
            wanted = self._best_mask(name)
            if self.hysteresis:
                wanted = steady_mask(wanted, self.masks[name], scores, old_scores, self.hysteresis)
            return wanted

        self.masks = self.by_matrix(new_mask)
        self.chip.program(self.masks, self.signs)

    def _best_mask(self, name):
        """The mask of the largest |scores|; bits that faults decide are as those say."""
        if name not in self.forced:
            return top_mask(self.scores[name], self.recipe.density)
        forced = self.forced[name]
        return forced.on(top_mask(forced.among(self.scores[name]), self.recipe.density))

    def pulse_counts(self):
        """(SET, RESET) pulses that the masks asked for so far."""
        return self.chip.pulses["set"], self.chip.pulses["reset"]

    def columns(self):
        """Further columns of the history."""
        return {"kept_fraction": self.kept_fraction(), "hysteresis": self.hysteresis}

    def keep_best(self, validation):
        """Remember masks and state as the best so far, and tighten the hysteresis."""
        super().keep_best(validation)
        fall = (self.recipe.hysteresis - self.recipe.hysteresis_end) / self.recipe.hysteresis_steps
        self.hysteresis = max(self.hysteresis - fall, self.recipe.hysteresis_end)

    def kept_fraction(self):
        """Kept connections over all connections, now: hysteresis lets it drift from the recipe's density."""
        kept = sum(int(np.count_nonzero(mask)) for mask in self.masks.values())
        return kept / sum(mask.size for mask in self.masks.values())

    def adopt(self, masks, state, scores=None):
        """Take over what was learned on another chip: masks and digital state, and the scores to learn on from."""
        fill(self.masks, {name: mask.copy() for name, mask in masks.items()}, "masks")
        fill(self.state, {name: np.array(array) for name, array in state.items()}, "state")
        if scores is not None:
            fill(self.scores, {name: array.copy() for name, array in scores.items()}, "scores")
        self.chip.program(self.masks, self.signs)
        self._feel_wires()

    def take_best(self):
        """Programme the best validation epoch's masks onto the chip and take its digital state."""
        super().take_best()
        self.chip.program(self.masks, self.signs)
        self._feel_wires()

    def checkpoint(self):
        """Everything that `restore` needs, as a flat dict of arrays."""
        arrays = dict(super().checkpoint(), hysteresis=np.float64(self.hysteresis), read_out_S=self.read_out_S)
        arrays.update(prefixed("chip", self.chip.state()))
        return arrays

    def restore_parts(self, arrays):
        """What `restore` does; KeyError for what is missing."""
        self._wire(arrays["read_out_S"])
        super().restore_parts(arrays)
        self.hysteresis = float(arrays["hysteresis"])
        self.chip.restore(part(arrays, "chip"))

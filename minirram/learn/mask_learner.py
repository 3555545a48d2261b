"""Mask learning through a chip: every step reads the chip anew, and every flipped bit is a pulse on it."""

from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np

from ..chip.chip import Chip
from ..chip.faults import Faults, Forced, forced_bits, signs_around
from ..chip.forming import free_to_keep, half_formed, unformed
from ..chip.levels import draw_signs, kept_weights, mask_shape, weight_scale_S
from ..errors import ConfigError
from ..files import fill, part, prefixed
from ..nn.network import Network, matrices
from ..rng import stream
from .learned import Arrays, Groups, Learned, copies
from .learner import Generators, Learner, TrainingData
from .pruning import initial_scores, initial_size, score_gradient, steady_mask, to_score_size, top_mask, top_mask_among
from .recipe import Recipe

MARGIN = 0.02
"""relative distance from the border of the masks at which scores on its wrong side are put"""


class MaskLearner(Learner):
    """The state of mask learning: a formed chip, the scores of its connections, and the network's digital state.

    `masks`, `scores`, `velocity`: dicts name -> array in the shape of `chip.mask_shape`. `signs`, `scales_S`: how
    cells become weights (see `chip`). On a half-formed chip signs follow what formed, and masks choose among the
    connections whose cell formed (`free`). signs: those to begin with, instead of drawn ones. faults: those of the chip
    where they are known: signs avoid them, at cell level stuck cells have no bit to choose (`forced`).
    wires: those whose IR drop the weights are to include; None: ideal wires. programs: whether the chip gets the masks
    of the initial scores; without, `adopt` is to give it others.
    """

    recipe: Recipe

    def __init__(
        self,
        network: Network,
        chip: Chip,
        *,
        recipe: Recipe,
        threads: int = 1,
        faults: Optional[Faults] = None,
        signs: Optional[Mapping[str, np.ndarray]] = None,
        wires: Any = None,
        programs: bool = True,
    ) -> None:
        if chip.placement.shapes != matrices(network) or chip.level != recipe.level:
            raise ConfigError(
                f"the chip was placed for {chip.placement.shapes} at {chip.level} level; the network "
                f"{network.name} at {recipe.level} level needs {matrices(network)}"
            )
        super().__init__(network, recipe, threads=threads)
        self.chip = chip
        self.faults = faults
        self.wires = wires
        self._steps_since_solve = 0
        self.first_signs = draw_signs(recipe.seed, chip.placement) if signs is None else dict(signs)
        self._wire(chip.read_out(stream(recipe.chip_seed, "read-out")), follows_forming=half_formed(chip))
        if recipe.level == "pair":
            chip.reset_partners(self.signs)
        self.forced: Dict[str, Forced] = {}
        if recipe.level == "cell" and faults is not None:
            self.forced = forced_bits(faults, chip.placement)
        self.borders: Dict[str, np.float32] = {}
        self.scores: Arrays = {}
        self.velocity: Arrays = {}
        self.masks: Arrays = {}
        for name, shape in matrices(network):
            generator = stream(recipe.seed, "scores", name)
            self.scores[name] = initial_scores(generator, mask_shape(recipe.level, shape), fan_in=shape[0])
            self.velocity[name] = np.zeros_like(self.scores[name])
            self.masks[name] = self._best_mask(name)
        if programs:
            chip.program(self.masks, self.signs)
        self.hysteresis = recipe.hysteresis

    def learned_groups(self) -> Groups:
        """The masks."""
        return {"masks": self.masks}

    def moving_groups(self) -> Groups:
        """Scores and their velocity."""
        return {"scores": self.scores, "velocity": self.velocity}

    def _wire(self, read_out_S: np.ndarray, *, follows_forming: bool) -> None:
        """From the read-out of the formed chip: signs, scales, the weight of every connection when kept."""
        recipe, placement = self.recipe, self.chip.placement
        self.read_out_S = read_out_S
        self.signs, avoided = self.first_signs, self.faults
        if avoided is None and follows_forming:
            avoided = unformed(self.chip)
        if avoided is not None:
            self.signs = signs_around(self.signs, avoided, placement=placement)
        self.free = free_to_keep(self.chip, self.signs) if follows_forming else {}
        self.scales_S: Dict[str, float] = {}
        self.kept: Arrays = {}
        for name in placement.names:
            plus_S, minus_S = placement.gather(name, read_out_S)
            kept_S = kept_weights(recipe.level, plus_S, minus=minus_S, sign=self.signs[name])
            self.scales_S[name] = weight_scale_S(recipe.level, kept_S, density=recipe.density)
            self.kept[name] = (kept_S / self.scales_S[name]).astype(np.float32)

    def signs_given(self) -> int:
        """Pairs in use whose sign is that of their only formed cell; 0 where signs do not follow what formed."""
        if not self.free or self.recipe.level != "pair":
            return 0
        return self.chip.unformed_pairs() - self.chip.dead_pairs()

    def read_weights(self, generators: Optional[Generators] = None) -> Arrays:
        """One fresh read of every mapped cell as weights, dict name -> float32; noiseless without `generators`."""
        return self.read_chip(self.chip, self.scales_S, generators=generators)

    def epoch(self, data: TrainingData, *, on_step: Optional[Callable[[], None]] = None) -> Dict[str, Any]:
        """One pass over `data`; the IR drop is solved for the masks at its start, and after each `wire_steps`."""
        self.apply_wires()
        return super().epoch(data, on_step=on_step)

    def apply_wires(self) -> None:
        """Let reads of weights include the IR drop of the masks as they are now."""
        if self.wires is not None:
            self.chip.update_ir_drop(self.wires, exact=self.recipe.wire_gradient == "exact")
            self._steps_since_solve = 0

    def _through_wires(self, gradients: Arrays) -> Arrays:
        """d_loss/d_weight as each connection's own cell has it behind the wires, in the shape of masks or of weights.

        Each matrix's is scaled to the size that it has without wires, for which rate and hysteresis are set.
        """
        placement = self.chip.placement
        d_cells: np.ndarray = np.zeros(self.chip.used.shape, np.float32)
        for name, gradient in gradients.items():
            per_S = gradient / np.float32(self.scales_S[name])
            placement.scatter(name, (per_S, -per_S), cells=d_cells)
        d_conductance = self.chip.through_wires(d_cells)
        found: Arrays = {}
        for name, gradient in gradients.items():
            plus, minus = placement.gather(name, d_conductance)
            own = kept_weights(self.recipe.level, plus, minus=minus, sign=self.signs[name])
            size = np.linalg.norm(own * self.kept[name])
            found[name] = own * np.float32(np.linalg.norm(gradient * self.kept[name]) / size if size else 0.0)
        return found

    def update(self, gradients: Arrays, rate: float) -> None:
        """Move the scores against d_loss/d_weight and pulse the bits that flip."""
        recipe = self.recipe
        if self.wires is not None and recipe.wire_gradient != "straight":
            gradients = self._through_wires(gradients)

        def new_mask(name: str) -> np.ndarray:
            scores = self.scores[name]
            gradient = score_gradient(gradients[name], self.kept[name], scores=scores)
            if recipe.score_step is not None:
                to_score_size(gradient, recipe.score_step * initial_size(self.kept[name].shape[-2]))
            old_scores = scores.copy()
            self.descend(scores, self.velocity[name], gradient=gradient, rate=rate)
            wanted = self._best_mask(name)
            if self.hysteresis:
                wanted = steady_mask(
                    wanted, self.masks[name], scores=scores, old_scores=old_scores, limit=self.hysteresis
                )
            return wanted

        self.masks = self.by_matrix(new_mask)
        self.chip.program(self.masks, self.signs)
        self._steps_since_solve += 1
        if self._steps_since_solve == recipe.wire_steps:
            self.apply_wires()

    def _best_mask(self, name: str) -> np.ndarray:
        """The mask of the largest |scores|, of free connections where some are not; bits that faults decide are so."""
        if name in self.borders:
            return self._held_mask(name)
        forced = self.forced.get(name)
        scores = self.scores[name] if forced is None else forced.among(self.scores[name])
        if name in self.free:
            mask = top_mask_among(scores, self.recipe.density, free=self.free[name])
        else:
            mask = top_mask(scores, self.recipe.density)
        return mask if forced is None else forced.on(mask)

    def _held_mask(self, name: str) -> np.ndarray:
        """The mask of the |scores| at or above the border, see `hold_masks`."""
        mask = np.abs(self.scores[name]) >= self.borders[name]
        if name in self.free:
            mask &= self.free[name]
        return self.forced[name].on(mask) if name in self.forced else mask

    def pulse_counts(self) -> Tuple[int, int]:
        """(SET, RESET) pulses that the masks asked for so far."""
        return self.chip.pulses["set"], self.chip.pulses["reset"]

    def columns(self) -> Dict[str, float]:
        """Further columns of the history."""
        return {"kept_fraction": self.kept_fraction(), "hysteresis": self.hysteresis}

    def keep_best(self) -> None:
        """Remember masks and state as the best so far, and tighten the hysteresis."""
        super().keep_best()
        fall = (self.recipe.hysteresis - self.recipe.hysteresis_end) / self.recipe.hysteresis_steps
        self.hysteresis = max(self.hysteresis - fall, self.recipe.hysteresis_end)

    def kept_fraction(self) -> float:
        """Kept connections over all connections, now: hysteresis lets it drift from the recipe's density."""
        kept = sum(int(np.count_nonzero(mask)) for mask in self.masks.values())
        return kept / sum(mask.size for mask in self.masks.values())

    def adopt(self, learned: Learned) -> None:
        """Program masks that were learned before, on this chip or another one, and take their digital state."""
        super().adopt(learned)
        self.chip.program(self.masks, self.signs)
        self.apply_wires()

    def learn_on_from(self, scores: Mapping[str, np.ndarray]) -> None:
        """Take these scores, dict name -> float32: what was learned before goes on from them."""
        fill(self.scores, copies(scores), what="scores")

    def hold_masks(self) -> None:
        """Let a bit flip only where its |score| crosses the border of the present masks, which is fixed from now on.

        The masks of a best epoch are not those of the last scores, nor do they keep the share that the recipe says. So
        scores on the wrong side of the border are put beside it, MARGIN away.
        """
        for name, mask in self.masks.items():
            scores, kept = self.scores[name], int(np.count_nonzero(mask))
            magnitude = np.abs(scores)
            border = np.partition(magnitude, mask.size - kept, axis=None)[mask.size - kept] if kept else np.inf
            self.borders[name] = np.float32(border)
            inside, outside = np.float32(border * (1 + MARGIN)), np.float32(border * (1 - MARGIN))
            held = np.where(mask, np.maximum(magnitude, inside), np.minimum(magnitude, outside))
            scores[...] = np.copysign(held, scores)

    def checkpoint(self) -> Arrays:
        """Everything that `restore` needs, as a flat dict of arrays."""
        arrays = dict(
            super().checkpoint(), hysteresis=np.array(self.hysteresis, np.float64), read_out_S=self.read_out_S
        )
        arrays.update(prefixed("chip", self.chip.state()))
        if self.free:  # else signs are the first ones, as in runs of earlier versions
            arrays["follows_forming"] = np.bool_(True)
        return arrays

    def restore_parts(self, arrays: Mapping[str, np.ndarray]) -> None:
        """What `restore` does; KeyError for what is missing."""
        self._wire(arrays["read_out_S"], follows_forming="follows_forming" in arrays)
        super().restore_parts(arrays)
        self.hysteresis = float(arrays["hysteresis"])
        self.chip.restore(part(arrays, "chip"))

"""Float weights under the same schedule: what the network can do without a chip."""

from typing import Optional

import numpy as np

from ..nn.network import Network, matrices
from ..rng import stream
from .learned import Arrays, Groups
from .learner import Generators, Learner
from .recipe import Schedule


class FloatLearner(Learner):
    """Free float32 weights on ideal hardware: no chip, no noise; activations quantised as on a chip.

    `weights`, `velocity`: dicts matrix name -> float32 (fan_in, fan_out). Initial weights are normal with variance
    2 / fan_in (He et al., arXiv 1502.01852).
    """

    def __init__(self, network: Network, recipe: Schedule, *, threads: int = 1) -> None:
        super().__init__(network, recipe, threads=threads)
        self.weights: Arrays = {}
        self.velocity: Arrays = {}
        for name, (fan_in, fan_out) in matrices(network):
            normal = stream(recipe.seed, "weights", name).standard_normal((fan_in, fan_out), dtype=np.float32)
            self.weights[name] = normal * np.float32(np.sqrt(2 / fan_in))
            self.velocity[name] = np.zeros_like(self.weights[name])

    def learned_groups(self) -> Groups:
        """The weights."""
        return {"weights": self.weights}

    def moving_groups(self) -> Groups:
        """Their velocity."""
        return {"velocity": self.velocity}

    def read_weights(self, generators: Optional[Generators] = None) -> Arrays:
        """The weights as they are; there is nothing to read."""
        return self.weights

    def update(self, gradients: Arrays, rate: float) -> None:
        """One step of gradient descent."""
        for name, weights in self.weights.items():
            self.descend(weights, self.velocity[name], gradient=gradients[name], rate=rate)

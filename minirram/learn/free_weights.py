"""Float weights under the same schedule: what the network can do without a chip."""

import numpy as np

from ..nn.network import matrices
from ..rng import stream
from .learner import Learner
from .optim import sgd_step


class FloatLearner(Learner):
    """Free float32 weights on ideal hardware: no chip, no noise; activations quantised as on a chip.

    `weights`, `velocity`: dicts matrix name -> float32 (fan_in, fan_out). Initial weights are normal with variance
    2 / fan_in (He et al., arXiv 1502.01852).
    """

    learned = ("weights",)
    moving = ("velocity",)

    def __init__(self, network, schedule, threads=1):
        super().__init__(network, schedule, threads)
        self.weights, self.velocity = {}, {}
        for name, (fan_in, fan_out) in matrices(network):
            normal = stream(schedule.seed, "weights", name).standard_normal((fan_in, fan_out), dtype=np.float32)
            self.weights[name] = normal * np.float32(np.sqrt(2 / fan_in))
            self.velocity[name] = np.zeros_like(self.weights[name])

    def read_weights(self, generators=None):
        """The weights as they are; there is nothing to read."""
        return self.weights

    def update(self, gradients, rate):
        """One step of gradient descent."""
        recipe = self.recipe
        for name, weights in self.weights.items():
            sgd_step(weights, self.velocity[name], gradients[name], rate, recipe.momentum, recipe.weight_decay)

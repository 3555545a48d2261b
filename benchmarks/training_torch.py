"""The same learning steps in PyTorch, as fast as PyTorch does them: what `training.py` measures minirram against.

Weights are leaves that autograd differentiates; masks, scores and momentum are plain tensors beside them.
"""

import torch
from torch.nn import functional as F

from minirram.nn.layers.activation import Quantize, Relu
from minirram.nn.layers.convolution import Conv2d
from minirram.nn.layers.join import Concat, Flatten
from minirram.nn.layers.linear import Linear
from minirram.nn.layers.norm import BatchNorm
from minirram.nn.layers.recurrent import Rnn
from minirram.nn.layers.resample import GlobalAverage, Upsample
from minirram.nn.network import affine_parameters, matrices


class TorchLearner:
    """One network, its scores and masks. channels_last: the memory format of images and kernels."""

    def __init__(self, network, weights, state, recipe, channels_last):
        self.network = network
        self.recipe = recipe
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.kept = {name: self._kernel(name, torch.from_numpy(array)) for name, array in weights.items()}
        self.dtype = next(iter(self.kept.values())).dtype
        self.generator = torch.Generator().manual_seed(1)
        self.scores, self.velocity, self.masks, self.sizes = {}, {}, {}, {}
        for name, weight in self.kept.items():
            bound = 1 / dict(matrices(network))[name][0] ** 0.5
            self.sizes[name] = bound / 3**0.5
            score = torch.empty(weight.shape).uniform_(-bound, bound, generator=self.generator)
            score = torch.empty_like(weight).copy_(score)
            self.scores[name], self.velocity[name] = score, torch.zeros_like(score)
            self.masks[name] = self._top_mask(score)
        self.state = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
        self.affine = {name: self.state[name].requires_grad_() for name in affine_parameters(network)}
        self.affine_velocity = {name: torch.zeros_like(value) for name, value in self.affine.items()}

    def _kernel(self, name, matrix):
        """(fan_in, fan_out) -> (out, in), or for a convolution (out, in, kh, kw) in the memory format."""
        layer = next((layer for layer in self.network.layers if layer.name == name), None)
        if not isinstance(layer, Conv2d):
            return matrix.t().contiguous()
        kernel = matrix.reshape(layer.kernel + (layer.in_channels, layer.out_channels)).permute(3, 2, 0, 1)
        return kernel.contiguous(memory_format=self.format)

    def matrix(self, name, kernel):
        """The inverse of `_kernel`."""
        if kernel.ndim == 2:
            return kernel.t()
        return kernel.permute(2, 3, 1, 0).reshape(-1, kernel.shape[0])

    def _top_mask(self, score):
        """Mask of the largest |scores|: kthvalue, which is faster here than topk."""
        magnitude = score.abs().flatten()
        drop = magnitude.numel() - round(self.recipe["density"] * magnitude.numel())
        return score.abs() > magnitude.kthvalue(drop).values

    def images(self, codes):
        """uint8 codes (n, height, width, channels) -> float (n, channels, height, width) in the memory format."""
        x = torch.from_numpy(codes).permute(0, 3, 1, 2).to(self.dtype) * self.network.input_step
        return x.contiguous(memory_format=self.format)

    def forward(self, x, weights):
        """Logits (n, classes) or (n, classes, height, width)."""
        outputs = {}
        for layer in self.network.layers:
            x = outputs[layer.name] = self._layer(layer, x, weights, outputs)
        return x

    def _layer(self, layer, x, weights, outputs):
        name = layer.name
        if isinstance(layer, Conv2d):
            return F.conv2d(x, weights[name], stride=layer.stride, padding=layer.padding)
        if isinstance(layer, Linear):
            return F.linear(x, weights[name])
        if isinstance(layer, Rnn):
            return self._rnn(layer, x, weights)
        if isinstance(layer, BatchNorm):
            gamma, beta = self.state.get(name + ".gamma"), self.state.get(name + ".beta")
            return F.batch_norm(x, self.state[name + ".mean"], self.state[name + ".var"], gamma, beta, True, 0.1)
        if isinstance(layer, Quantize):
            return self._quantise(layer, x)
        if isinstance(layer, Flatten):
            return x.permute(0, 2, 3, 1).flatten(1)
        if isinstance(layer, Concat):
            return torch.cat([x, outputs[layer.other]], dim=1)
        if isinstance(layer, GlobalAverage):
            return x.mean(dim=(2, 3))
        if isinstance(layer, Upsample):
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return F.relu(x) if isinstance(layer, Relu) else F.max_pool2d(x, layer.size)

    def _quantise(self, layer, x):
        step = float(self.state[layer.name + ".range"]) / (2**layer.bits - 1)
        if step == float("inf"):
            return x
        return torch.fake_quantize_per_tensor_affine(x, step, 0, 0, 2**layer.bits - 1)

    def _rnn(self, layer, x, weights):
        w_input, w_hidden = weights[layer.name + ".input"], weights[layer.name + ".hidden"]
        hidden, h = [], None
        for t in range(x.shape[3]):
            total = F.linear(x[:, :, 0, t], w_input)
            if h is not None:
                total = total + F.linear(self._quantise(layer, h), w_hidden)
            h = F.relu(total)
            hidden.append(h)
        return torch.stack(hidden, dim=2)[:, :, None]

    def gradients(self, codes, labels, noisy=True):
        """(loss, {matrix or affine parameter: gradient}) of one batch through one noisy read."""
        weights = {}
        for name, kept in self.kept.items():
            read = kept
            if noisy:
                read = (
                    torch.randn(kept.shape, generator=self.generator, dtype=kept.dtype)
                    .mul_(self.recipe["read_noise"])
                    .add_(1)
                    * kept
                )
                read = read.contiguous(memory_format=self.format) if read.ndim == 4 else read
            weights[name] = (read * self.masks[name]).requires_grad_()
        for value in self.affine.values():
            value.grad = None
        logits = self.forward(self.images(codes), weights)
        loss = F.cross_entropy(logits, torch.from_numpy(labels))
        loss.backward()
        return float(loss.detach()), weights

    def step(self, codes, labels):
        """One learning step; returns the loss."""
        loss, weights = self.gradients(codes, labels)
        recipe = self.recipe
        with torch.no_grad():
            for name, score in self.scores.items():
                gradient = weights[name].grad.mul_(self.kept[name]).mul_(score.sign())
                gradient.mul_(recipe["score_step"] * self.sizes[name] / gradient.square().mean().sqrt())
                old_magnitude = score.abs()
                gradient.add_(score, alpha=recipe["weight_decay"])
                velocity = self.velocity[name].mul_(recipe["momentum"]).add_(gradient)
                score.sub_(velocity, alpha=recipe["rate"])
                may_change = (score.abs() - old_magnitude).abs_() >= old_magnitude.mul_(recipe["hysteresis"])
                self.masks[name] = torch.where(may_change, self._top_mask(score), self.masks[name])
            for name, value in self.affine.items():
                velocity = self.affine_velocity[name].mul_(recipe["momentum"]).add_(value.grad)
                value.sub_(velocity, alpha=recipe["rate"])
        return loss

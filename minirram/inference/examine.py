"""A run's answers to an examination on its macros."""

import time
from collections import Counter

import numpy as np

from ..crossbar.conditions import Conditions
from ..nn.network import input_bits
from ..rng import stream
from .forward import predict
from .product import ChipProduct


def examine(
    config,
    chip,
    model,
    examination,
    split,
    threads=1,
    draws=1,
    observer=None,
    conditions=None,
):
    """How a run answers an examination (see `tasks`) on its macros with everything on, and with ideal reads beside it.

    The figures are means over `draws` of the read noise (the confusion matrix is that of the last one); `by_draw` lists
    the primary figure of each, `ideal` holds the figures of ideal reads, `ideal_accuracy` their accuracy. `saturated`
    counts per tile, `conversions` per matrix, `clipped` per quantiser, in the last draw. observer: sees the codes of
    the first draw. conditions: `conditions.Conditions` of use; None: the run's wires, all else ideal. split: what is
    examined; its name, the run's seed and the draw name the read noise.
    """
    network, bits = config.network, input_bits(config.network)
    own = Conditions(wires=config.wires)
    conditions = own if conditions is None else conditions
    answers, started = [], time.perf_counter()
    for draw in range(draws):
        noise_seed = int(stream(config.recipe.seed, "read", split, draw).integers(2**32))
        product = ChipProduct(
            chip, model.adcs, bits, model.scales_S, noise_seed, threads, observer if draw == 0 else None, conditions
        )
        clipped: Counter = Counter()
        answers.append(_answer(examination, network, model, product, clipped))
    seconds = time.perf_counter() - started
    noiseless = ChipProduct(chip, model.adcs, bits, model.scales_S, None, threads, conditions=own)
    ideal = _answer(examination, network, model, noiseless, None)
    figures = dict(answers[-1])
    figures.update({key: float(np.mean([answer[key] for answer in answers])) for key in figures if key != "confusion"})
    return dict(
        figures,
        primary=examination.primary,
        by_draw=[answer[examination.primary] for answer in answers],
        ideal={key: value for key, value in ideal.items() if key != "confusion"},
        ideal_accuracy=ideal["accuracy"],
        saturated=dict(product.saturated),
        conversions=dict(product.conversions),
        clipped=dict(clipped),
        images=len(examination),
        images_per_second=draws * len(examination) / seconds,
    )


def _answer(examination, network, model, product, clipped):
    """The examination's figures for one way to multiply."""
    return examination.figures(lambda codes: predict(network, model.state, codes, product, clipped=clipped))

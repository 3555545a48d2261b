"""The arms: what each one asks for, and that budgets are matched."""

from dataclasses import replace

import pytest

from minirram.arms import ARMS, DEFAULT_ARMS, candidates, choose
from minirram.baselines import WeightConfig
from minirram.errors import ConfigError
from minirram.networks import fashion_mnist_cnn
from minirram.runs import RunConfig
from minirram.technologies import TAOX_40NM
from minirram.training import Recipe

BASE = RunConfig("fashion-mnist", "synthetic", fashion_mnist_cnn(), Recipe(), TAOX_40NM)


def test_names_are_those_of_the_arms():
    assert all(arm.name == name for name, arm in ARMS.items()) and set(DEFAULT_ARMS) <= set(ARMS)
    assert {arm.tuning_error for arm in ARMS.values() if arm.budgeted} == {0.0015, 0.01, 0.05, 0.15}
    assert [arm.name for arm in choose(["float", "pair", "float"])] == ["float", "pair"]


@pytest.mark.parametrize("name", list(ARMS))
def test_all_arms_share_seed_chip_and_schedule(name):
    arm = ARMS[name]
    for config in candidates(arm, BASE, 7, 1000, budget=10**6):
        run = config.run if isinstance(config, WeightConfig) else config
        assert run.recipe.seed == run.recipe.chip_seed == 7 and run.recipe.epochs == BASE.recipe.epochs
        assert run.network == BASE.network
        assert run.cell_model == (BASE.cell_model if arm.read_noise else replace(BASE.cell_model, read_noise=0.0))
        if arm.level is not None:
            assert run.recipe.level == arm.level and (run.recipe.hysteresis > 0) == arm.hysteresis
            continue
        assert (config.writing is None) == (arm.tuning_error is None)
        if config.writing is not None:
            assert config.writing.tuning_error == arm.tuning_error
            assert (config.writing.threshold_S > 0) == arm.thresholded
            assert config.writing.budget == (10**6 if arm.budgeted else None)


def test_whole_array_updates_spread_over_the_budget():
    """37 programs per weight: 37 updates, each from the gradients of a 37th of the steps."""
    budget = 37 * 62272
    (config, *_) = candidates(ARMS["wo-every-budget-1"], BASE, 0, 6870, budget)
    assert config.writing.interval == 186
    assert 6870 // config.writing.interval * 62272 <= budget
    assert all(config.writing.interval == 1 for config in candidates(ARMS["wo-every-free-1"], BASE, 0, 6870))


def test_given_rates_replace_the_arms_own():
    rates = [config.learning_rate for config in candidates(ARMS["float"], BASE, 0, 100, rates=(0.3, 0.4))]
    assert rates == [0.3, 0.4]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ConfigError, match="no arm 'wo'; choose from pair"):
        choose(["wo"])
    with pytest.raises(ConfigError, match="take it from the arm 'pair'"):
        choose(["wo-step-budget-1"])
    with pytest.raises(ConfigError, match="not enough to write 62272 weights once"):
        candidates(ARMS["wo-every-budget-1"], BASE, 0, 100, budget=1000)

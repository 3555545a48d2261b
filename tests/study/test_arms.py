"""The arms: what each one asks for, and that budgets are matched."""

from dataclasses import replace

import pytest

from minirram.device.presets import TAOX_40NM
from minirram.errors import ConfigError
from minirram.learn.recipe import Recipe
from minirram.runs.config import RunConfig
from minirram.study.arms import ARMS, DEFAULT_ARMS, FEWEST_UPDATES, begin_search, choose, mask_config, weight_config
from minirram.study.settings_search import Settings
from minirram.tasks.fashion_mnist import fashion_mnist_cnn

BASE = RunConfig("fashion-mnist", "synthetic", fashion_mnist_cnn(), Recipe(), TAOX_40NM)


def test_names_are_those_of_the_arms():
    assert all(arm.name == name for name, arm in ARMS.items()) and set(DEFAULT_ARMS) <= set(ARMS)
    assert {arm.tuning_error for arm in ARMS.values() if arm.budgeted} == {0.0015, 0.01, 0.05, 0.06, 0.15}
    assert [arm.name for arm in choose(["float", "pair", "float"], budget_given=False)] == ["float", "pair"]


SETTINGS = Settings(0.3, 0.5, 0.0, 1e-4)
N_WEIGHTS = 62272


def test_masks_are_learned_by_four_arms_and_weights_by_the_others():
    masks = {name: (arm.level, arm.hysteresis, arm.read_noise) for name, arm in ARMS.items() if arm.level is not None}
    assert masks == {
        "pair": ("pair", True, True),
        "pair-free": ("pair", False, True),
        "pair-quiet": ("pair", True, False),
        "cell": ("cell", True, True),
    }
    assert all(name == "float" or name.startswith("wo-") for name in set(ARMS) - set(masks))


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.level is not None])
def test_masks_differ_in_what_the_arm_says_alone(name):
    arm, run = ARMS[name], mask_config(ARMS[name], BASE, seed=7)
    limits = {} if arm.hysteresis else {"hysteresis": 0.0, "hysteresis_end": 0.0}
    assert run.recipe == replace(BASE.recipe, seed=7, chip_seed=7, level=arm.level, **limits)
    assert run.cell_model == (BASE.cell_model if arm.read_noise else replace(BASE.cell_model, read_noise=0.0))
    assert begin_search(arm, BASE, rates=None, optimum=None) is None


COPIED = [name for name, arm in ARMS.items() if arm.level is None and arm.realisation is None]


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.realisation is not None])
def test_plain_weights_have_the_authors_recipe(name):
    """Nothing is searched, nothing is spread: as many whole updates as the budget pays for, of the authors' batch."""
    arm = ARMS[name]
    search = begin_search(arm, BASE, rates=(0.3, 0.4), optimum=None)
    assert list(search.rounds()) == [] and search.best == Settings(0.1, 0.0, 0.9, 5e-4)
    config = weight_config(arm, BASE, seed=7, settings=search.best, n_steps=1000, budget=10**6, updates=None)
    assert (config.schedule.batch_size, config.schedule.learning_rate, config.schedule.momentum) == (60, 0.1, 0.9)
    assert config.schedule.weight_decay == 5e-4 and config.schedule.epochs == BASE.recipe.epochs
    writing = config.writing
    assert (writing.realisation, writing.interval, writing.threshold_S, writing.budget_steps) == (
        "one" if "-one-" in name else "pair",
        1,
        0.0,
        None,
    )
    assert writing.tuning_error == arm.tuning_error == float(name.rsplit("-", 1)[1]) / 100
    assert writing.budget == (10**6 if "-budget-" in name else None) and name not in DEFAULT_ARMS
    assert arm.whole_updates(BASE.network, 10**9) is None


def test_the_batch_of_plain_weights_is_that_of_the_task():
    for task, batch in (("spoken-digits", 30), ("retina", BASE.recipe.batch_size)):
        arm, base = ARMS["wo-plain-free-1"], replace(BASE, task=task)
        config = weight_config(
            arm,
            base,
            seed=0,
            settings=begin_search(arm, base, rates=None, optimum=None).best,
            n_steps=9,
            budget=None,
            updates=None,
        )
        assert config.schedule.batch_size == batch


@pytest.mark.parametrize("name", COPIED)
def test_weights_share_seed_chip_and_schedule(name):
    arm = ARMS[name]
    settings = SETTINGS if arm.thresholded else replace(SETTINGS, threshold=0.0)
    config = weight_config(arm, BASE, seed=7, settings=settings, n_steps=1000, budget=10**6, updates=None)
    assert config.run.recipe == replace(BASE.recipe, seed=7, chip_seed=7, level="cell", momentum=0.0, weight_decay=1e-4)
    assert config.learning_rate == 0.3 and config.run.cell_model == BASE.cell_model
    assert (config.writing is None) == (arm.tuning_error is None)
    if config.writing is not None:
        assert config.writing.tuning_error == arm.tuning_error
        # Half a standard deviation of the difference of two cells of 12.34 uS, log-normal with sigma 0.147.
        assert config.writing.threshold_S == pytest.approx(1.272e-6 if arm.thresholded else 0.0, rel=0.01)
        limits = (config.writing.budget, config.writing.budget_steps)
        assert limits == ((10**6, 1000) if arm.budgeted else (None, None))


def test_whole_array_updates_spread_over_the_budget():
    """37 programs per weight: 37 updates, each from the gradients of a 37th of the steps, and no write left over."""
    arm = ARMS["wo-every-budget-1"]
    assert arm.whole_updates(BASE.network, 38 * N_WEIGHTS - 1) == 37
    for n_steps, updates in ((6870, 37), (9160, 21), (1000, 600), (1000, 999), (1000, 5000)):
        writing = weight_config(
            arm, BASE, seed=0, settings=SETTINGS, n_steps=n_steps, budget=updates * N_WEIGHTS, updates=updates
        ).writing
        n_updates = n_steps // writing.interval
        assert n_updates >= min(updates, n_steps) and n_steps - n_updates * writing.interval < writing.interval
        available = [updates * k * writing.interval // n_steps for k in range(1, n_updates + 1)]
        assert available[-1] >= updates - 1
    assert (
        weight_config(
            ARMS["wo-every-free-1"], BASE, seed=0, settings=SETTINGS, n_steps=6870, budget=None, updates=None
        ).writing.interval
        == 1
    )


@pytest.mark.parametrize("budget", [0, N_WEIGHTS // 2, FEWEST_UPDATES * N_WEIGHTS - 1])
def test_a_budget_for_too_few_whole_updates_is_spent_in_parts_at_every_step(budget):
    arm = ARMS["wo-every-budget-1"]
    writing = weight_config(arm, BASE, seed=0, settings=SETTINGS, n_steps=1000, budget=budget, updates=None).writing
    assert arm.whole_updates(BASE.network, budget) is None
    assert (writing.interval, writing.budget, writing.budget_steps) == (1, budget, 1000)
    for n_steps, interval in ((1000, 50), (7, 1)):
        budget = FEWEST_UPDATES * N_WEIGHTS
        config = weight_config(arm, BASE, seed=0, settings=SETTINGS, n_steps=n_steps, budget=budget, updates=20)
        assert config.writing.interval == interval


def test_searches_begin_where_the_arm_and_the_caller_say():
    search = begin_search(ARMS["float"], BASE, rates=None, optimum=None)
    assert search.start == Settings(0.025, 0.0, 0.9, 5e-4) and search.rates == (0.025, 0.05, 0.1)
    search = begin_search(ARMS["wo-step-free-1"], BASE, rates=(0.3, 0.4), optimum=None)
    assert search.start == Settings(0.3, 0.25, 0.9, 5e-4) and (search.rates, search.momentum) == ((0.3, 0.4), 0.0)
    follower = begin_search(ARMS["wo-step-free-5"], BASE, optimum=SETTINGS, rates=None)
    assert follower.start == SETTINGS and sorted(follower.rates) == [0.15, 0.3, 0.6] and follower.momentum is None


@pytest.mark.parametrize(
    "name, threshold, rates",
    [
        ("wo-every-budget-1", 0.0, (0.5, 1.0, 2.0)),
        ("wo-step-budget-1", 0.25, (0.25, 0.5, 1.0)),
    ],
)
def test_what_is_written_seldom_begins_without_momentum(name, threshold, rates):
    """At the rates that move as far as the recipe's momentum would."""
    search = begin_search(ARMS[name], BASE, rates=None, optimum=None)
    assert search.rates == pytest.approx(rates) and search.momentum == 0.9
    assert (search.start.momentum, search.start.threshold) == (0.0, threshold)
    assert begin_search(ARMS[name], BASE, rates=(0.2, 0.4), optimum=None).rates == pytest.approx((2.0, 4.0))


def test_one_rate_stays_as_it_is():
    for optimum, start in ((None, Settings(0.2, 0.25, 0.9, 5e-4)), (SETTINGS, replace(SETTINGS, learning_rate=0.2))):
        search = begin_search(ARMS["wo-step-budget-5"], BASE, rates=[0.2], optimum=optimum)
        assert search.rates == [0.2] and search.start == start and search.momentum is None


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ConfigError, match="no arm 'wo'; choose from pair"):
        choose(["wo"], budget_given=False)
    with pytest.raises(ConfigError, match="take it from the arm 'pair'"):
        choose(["wo-step-budget-1"], budget_given=False)
    assert choose(["wo-step-budget-1"], budget_given=True) == [ARMS["wo-step-budget-1"]]


def test_an_arm_of_masks_changes_what_its_name_says_and_nothing_else():
    recipe = dict(seed=3, chip_seed=3)
    quiet = replace(TAOX_40NM, read_noise=0.0)
    for name, changed, cells in (
        ("pair", {}, TAOX_40NM),
        ("pair-free", {"hysteresis": 0.0, "hysteresis_end": 0.0}, TAOX_40NM),
        ("pair-quiet", {}, quiet),
        ("cell", {"level": "cell"}, TAOX_40NM),
    ):
        expected = replace(BASE, recipe=replace(BASE.recipe, **recipe, **changed), cell_model=cells)
        assert mask_config(ARMS[name], BASE, seed=3) == expected, name

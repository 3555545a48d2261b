"""The search for free settings finds the best of a landscape with few trials, and says where it ended at an edge."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.study.settings_search import BOUNDS, LESS_DECAY, Search, Settings

START = Settings(0.1, 0.0, 0.9, 1e-3)


def run(search, score):
    """Finish a search on a landscape; returns the numbers of trials of its rounds."""
    counts = []
    for wanted in search.rounds():
        assert wanted and not set(wanted) & set(search.scores)
        counts.append(len(wanted))
        search.scores.update({settings: score(settings) for settings in wanted})
    return counts


def hill(rate, threshold=0.0, momentum=0.9, decay=1e-3):
    """A landscape with one top."""

    def score(settings):
        off = abs(math.log2(settings.learning_rate * (0.1 / (1 - settings.momentum)) / rate))
        off += abs(math.log2(settings.threshold / threshold)) if threshold else 0.0
        return -off - 0.1 * (settings.momentum != momentum) - 0.1 * (settings.weight_decay != decay)

    return score


def test_a_top_inside_the_grid_takes_the_grid_and_two_alternatives():
    search = Search(START, (0.05, 0.1, 0.2), thresholded=False, momentum=0.0)
    assert run(search, hill(0.1)) == [3, 2]
    assert search.best == START and search.at_edge() == []


@pytest.mark.parametrize("rate, rounds", [(0.8, [3, 1, 1, 1, 2]), (0.0125, [3, 1, 1, 1, 2])])
def test_the_grid_goes_on_while_the_best_is_at_its_end(rate, rounds):
    search = Search(START, (0.05, 0.1, 0.2), thresholded=False, momentum=0.0)
    assert run(search, hill(rate)) == rounds
    assert search.best.learning_rate == pytest.approx(rate) and search.at_edge() == []


def test_a_threshold_is_searched_with_the_best_rate():
    search = Search(replace(START, threshold=0.5), (0.05, 0.1, 0.2), thresholded=True, momentum=0.0)
    assert run(search, hill(0.2, threshold=2.0)) == [3, 1, 2, 1, 1, 2, 2]
    assert search.best == Settings(0.2, 2.0, 0.9, 1e-3) and search.at_edge() == []


def test_an_alternative_that_wins_has_its_rate_searched_again():
    search = Search(START, (0.05, 0.1, 0.2), thresholded=False, momentum=0.0)
    assert run(search, hill(0.1, momentum=0.0)) == [3, 2, 2]
    assert search.best.momentum == 0 and search.best.learning_rate == pytest.approx(1.0)
    search = Search(replace(START, momentum=0.0), (0.5, 1.0, 2.0), thresholded=False, momentum=0.9)
    assert run(search, hill(0.1, momentum=0.9)) == [3, 2, 2]
    assert search.best.momentum == 0.9 and search.best.learning_rate == pytest.approx(0.1)
    search = Search(START, (0.05, 0.1, 0.2), thresholded=False, momentum=0.0)
    run(search, hill(0.1, decay=LESS_DECAY))
    assert search.best == replace(START, weight_decay=LESS_DECAY)


def test_without_another_momentum_the_rate_alone_is_searched():
    search = Search(replace(START, momentum=0.0), (0.5, 1.0, 2.0), thresholded=False)
    assert run(search, hill(0.1, momentum=0.9, decay=LESS_DECAY)) == [3] and search.best.learning_rate == 1.0


def test_one_rate_is_taken_as_it_is():
    search = Search(START, (0.3,), thresholded=False, momentum=0.0)
    assert run(search, hill(0.1)) == [] and search.best == replace(START, learning_rate=0.3)
    search = Search(replace(START, threshold=0.5), (0.3,), thresholded=True, momentum=0.0)
    assert run(search, hill(0.1, threshold=0.25)) == [1, 2, 1]
    assert search.best == Settings(0.3, 0.25, 0.9, 1e-3) and search.at_edge() == ["learning_rate"]


def test_diverged_trials_lose_and_edges_are_named():
    search = Search(START, (0.05, 0.1, 0.2), thresholded=False, momentum=0.0)
    run(search, lambda settings: -math.inf if settings.learning_rate > 0.04 else settings.learning_rate)
    assert search.best.learning_rate == 0.025 and search.at_edge() == []
    search = Search(START, (0.05, 0.1, 0.2), thresholded=False, momentum=0.0)
    run(search, lambda settings: -settings.learning_rate)
    assert BOUNDS["learning_rate"][0] <= search.best.learning_rate < 2 * BOUNDS["learning_rate"][0]
    assert search.at_edge() == ["learning_rate"]


@given(rate=st.floats(1e-3, 10), threshold=st.floats(0.06, 3.9), momentum=st.booleans(), decay=st.booleans())
def test_any_hill_is_climbed_within_a_factor_of_two(rate, threshold, momentum, decay):
    search = Search(replace(START, threshold=0.5), (0.05, 0.1, 0.2), thresholded=True, momentum=0.0)
    run(search, hill(rate, threshold, 0.9 if momentum else 0.0, 1e-3 if decay else LESS_DECAY))
    best = search.best
    assert 0.5 <= best.learning_rate * (0.1 / (1 - best.momentum)) / rate <= 2
    assert 0.5 <= best.threshold / threshold <= 2
    assert search.scores[best] == max(search.scores.values()) and len(search.scores) < 30

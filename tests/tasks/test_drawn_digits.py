"""The synthetic digits: what a clip is, that clips vary, and that digits can be told apart from their features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirram import rng
from minirram.runs.demo import linear_predict, softmax_regression
from minirram.tasks import drawn_digits, speech_features
from minirram.tasks.metrics import accuracy


@given(st.integers(0, 25), st.integers(0, 2**31))
@settings(max_examples=10)
def test_clips_are_audible_bounded_and_balanced(n, seed):
    clips, labels = drawn_digits.spoken_digits(rng.stream(seed, "digits"), n)
    assert len(clips) == n and labels.shape == (n,) and labels.dtype == np.int64
    counts = np.bincount(labels.astype(np.intp), minlength=10)
    assert counts.max() - counts.min() <= 1
    for clip in clips:
        assert clip.dtype == np.float64 and clip.ndim == 1
        assert 0.1 < len(clip) / drawn_digits.RATE_Hz < 1.2
        assert 0.09 < np.abs(clip).max() <= 1


def test_same_stream_same_clips():
    first, again = (drawn_digits.spoken_digits(rng.stream(1, "digits"), 12) for _ in range(2))
    np.testing.assert_array_equal(first[1], again[1])
    assert all((a == b).all() for a, b in zip(first[0], again[0]))


def test_speakers_differ_in_pitch_and_speed():
    clips, labels = drawn_digits.spoken_digits(rng.stream(2, "digits"), 200)
    seconds = np.array([len(clip) for clip in clips])[labels == 9] / drawn_digits.RATE_Hz
    assert seconds.std() / seconds.mean() > 0.1
    pulses = [drawn_digits._pulse_train(rng.stream(seed, "pitch"), 4000) for seed in range(40)]
    pitch_Hz = np.array([np.count_nonzero(train) / 0.5 for train in pulses])
    assert pitch_Hz.min() < 120 and pitch_Hz.max() > 190 and pitch_Hz.max() < 340


def test_a_vowel_peaks_at_its_formants():
    response = drawn_digits._resonances(np.array([[700.0, 1200.0, 2500.0]]), 0.5)[0]
    bin_Hz = drawn_digits.RATE_Hz / (2 * (len(response) - 1))
    peaks = [k for k in range(1, len(response) - 1) if response[k - 1] < response[k] > response[k + 1]]
    np.testing.assert_allclose(np.array(peaks) * bin_Hz, [700, 1200, 2500], atol=bin_Hz)


@pytest.mark.slow
def test_digits_are_told_apart_by_their_features():
    sets = []
    for part, n in (("train", 600), ("test", 200)):
        clips, labels = drawn_digits.spoken_digits(rng.stream(3, "digits", part), n)
        codes = np.rint(7 * np.stack([speech_features.speech_features(clip) for clip in clips])) / 7
        sets.append((codes, labels))
    (train, train_labels), (test, test_labels) = sets
    weights = softmax_regression(train, train_labels, classes=10, generator=rng.stream(3, "linear"))
    assert accuracy(linear_predict(weights, test), test_labels) > 0.8

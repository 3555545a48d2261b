"""Speech features: against their definition, invariances, the scale of the real clips, bad clips."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram import rng
from minirram.errors import DataError
from minirram.tasks import speech_features

from ..support.places import data_folder


def clip(seed=0, n=3000):
    return rng.stream(seed, "clip").standard_normal(n)


def slow_features(waveform):
    """The same figures frame by frame and band by band, with a direct Fourier sum."""
    waveform = [
        sample / max(abs(waveform[: speech_features.SAMPLES])) for sample in waveform[: speech_features.SAMPLES]
    ]
    emphasised = [waveform[0]] + [now - 0.95 * before for before, now in zip(waveform, waveform[1:])]
    emphasised = np.array(emphasised + [0.0] * (speech_features.SAMPLES - len(emphasised)))
    n, bins = speech_features.WINDOW, speech_features.WINDOW // 2 + 1
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)
    phases = np.exp(-2j * np.pi * np.outer(np.arange(bins), np.arange(n)) / n)
    power = np.array(
        [
            np.abs(phases @ (window * emphasised[start : start + n])) ** 2
            for start in range(0, speech_features.FRAMES * speech_features.HOP, speech_features.HOP)
        ]
    )

    def decibels(bands):
        def mel_to_Hz(mel):
            return 700 * (10 ** (mel / 2595) - 1)

        low, high = (2595 * np.log10(1 + f / 700) for f in (60.0, 3900.0))
        corner = [mel_to_Hz(low + (high - low) * k / (bands + 1)) for k in range(bands + 2)]
        energy = np.zeros((bands, speech_features.FRAMES))
        for band in range(bands):
            for k in range(bins):
                f = k * speech_features.RATE_Hz / n
                up = (f - corner[band]) / (corner[band + 1] - corner[band])
                down = (corner[band + 2] - f) / (corner[band + 2] - corner[band + 1])
                if min(up, down) > 0:
                    energy[band] += min(up, down) * power[:, k]
        return 10 * np.log10(np.maximum(energy / energy.max(), 1e-6))

    fine = decibels(26)
    rows = [row / 60 + 1 for row in decibels(10)]
    for c in range(13):
        basis = np.cos(np.pi * c * (np.arange(26) + 0.5) / 26) * np.sqrt((1 if c == 0 else 2) / 26)
        low = speech_features.CEPSTRAL_MEAN[c] - 2 * speech_features.CEPSTRAL_STD[c]
        rows.append((basis @ fine - low) / (4 * speech_features.CEPSTRAL_STD[c]))
    result = np.clip(rows, 0, 1)
    result[:, [k for k in range(speech_features.FRAMES) if k * speech_features.HOP >= len(waveform)]] = 0
    return result


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 700, 3000, 6000])
def test_features_agree_with_their_definition(n):
    wave = clip(n, n)
    found = speech_features.speech_features(wave)
    assert found.shape == (23, 20) and found.dtype == np.float32
    np.testing.assert_allclose(found, slow_features(wave), rtol=0, atol=1e-6)


@given(st.integers(1, 6000), st.integers(0, 2**31), st.floats(1e-4, 1e4))
def test_features_lie_in_range_and_ignore_the_recording_level(n, seed, gain):
    wave = clip(seed, n)
    found = speech_features.speech_features(wave)
    assert 0 <= found.min() and found.max() <= 1
    np.testing.assert_allclose(speech_features.speech_features(gain * wave), found, rtol=0, atol=1e-5)
    live = -(-n // speech_features.HOP)  # rounded up
    assert not found[:, live:].any()


def test_what_lies_behind_the_last_frame_is_cut():
    wave = clip(1, 9000)
    np.testing.assert_array_equal(
        speech_features.speech_features(wave), speech_features.speech_features(wave[: speech_features.SAMPLES])
    )


@pytest.mark.parametrize("tone_Hz", [200, 700, 1500, 3000])
def test_a_tone_peaks_in_its_mel_band(tone_Hz):
    wave = np.sin(2 * np.pi * tone_Hz * np.arange(4000) / speech_features.RATE_Hz)
    log_mel = speech_features.speech_features(wave)[: speech_features.LOG_MEL_ROWS, 3]
    filters = speech_features.mel_filters(speech_features.LOG_MEL_ROWS)
    nearest = filters[:, int(round(tone_Hz * speech_features.WINDOW / speech_features.RATE_Hz))].argmax()
    assert log_mel.argmax() == nearest
    assert log_mel[nearest] > 0.95


def test_cosine_matrix_is_orthonormal():
    matrix = speech_features.cosine_matrix(26, 26)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(26), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "wave, message",
    [
        (np.zeros(1000), "silent in its first 0.672 s"),
        (np.concatenate([np.zeros(6000), np.ones(10)]), "silent in its first"),
        (np.zeros(0), "at least one sample"),
        (np.ones((100, 2)), "one channel"),
        (np.array([0.1, np.nan]), "NaN or infinite"),
        (np.array([0.1, np.inf]), "NaN or infinite"),
    ],
)
def test_bad_clips_are_refused(wave, message):
    with pytest.raises(DataError, match=message):
        speech_features.speech_features(wave)


def test_the_scale_of_the_coefficients_is_that_of_the_real_training_clips():
    """A tenth of the training clips: the constants are what they are said to be (test clips are left alone)."""
    soundfile = pytest.importorskip("soundfile")
    values = []
    with zipfile.ZipFile(data_folder("fsdd.zip")) as archive:
        for name in archive.namelist():
            number = name[:-4].split("_")[-1]
            if not name.endswith(".wav") or int(number) < 5 or int(number) % 10 != 7:
                continue
            wave, rate_Hz = soundfile.read(io.BytesIO(archive.read(name)))
            assert rate_Hz == speech_features.RATE_Hz
            spectra = speech_features.power_spectra(
                wave[: speech_features.SAMPLES] / np.abs(wave[: speech_features.SAMPLES]).max()
            )
            coefficients = speech_features.cosine_matrix(13, 26) @ speech_features.band_decibels(spectra, 26)
            values.append(coefficients[:, : -(-len(wave) // speech_features.HOP)])
    values = np.concatenate(values, axis=1)
    np.testing.assert_allclose(values.std(1), speech_features.CEPSTRAL_STD, rtol=0.08)
    assert (np.abs(values.mean(1) - speech_features.CEPSTRAL_MEAN) < 0.12 * speech_features.CEPSTRAL_STD).all()

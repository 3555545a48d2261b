"""Spoken digits synthesised by code: sums of formants driven by a glottal pulse train and by noise.

A digit is a row of speech sounds, each with a length, the loudness of voice and breath, and three formants. Between
sounds everything glides. A source (pulses + noise) passes frame by frame through the sum of the formants' resonance
curves and the frames are added up again. Speakers differ in pitch, vocal tract length and spectral tilt; every clip
in speed, melody, formants, loudness and background noise. (Formants of vowels: Peterson and Barney 1952; consonants
rounded from textbooks.)
"""

from typing import List, Tuple

import numpy as np

RATE_Hz = 8000
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_FRAME, _HOP = 256, 64  # samples: 32 ms, 8 ms
_BANDWIDTH_Hz = np.array([90.0, 130.0, 220.0])

# sound: length in s, voice, breath, formants in Hz
_SOUNDS = {
    "iy": (0.15, 1.0, 0.0, 270, 2290, 3010),
    "ih": (0.09, 1.0, 0.0, 390, 1990, 2550),
    "ey": (0.12, 1.0, 0.0, 480, 2000, 2600),
    "eh": (0.10, 1.0, 0.0, 530, 1840, 2480),
    "ah": (0.12, 1.0, 0.0, 640, 1190, 2390),
    "aa": (0.12, 1.0, 0.0, 730, 1090, 2440),
    "ao": (0.13, 1.0, 0.0, 570, 840, 2410),
    "ow": (0.14, 1.0, 0.0, 480, 800, 2350),
    "uw": (0.18, 0.9, 0.0, 300, 870, 2240),
    "ax": (0.06, 0.7, 0.0, 500, 1500, 2500),
    "er": (0.10, 0.8, 0.0, 490, 1350, 1690),
    "r": (0.06, 0.6, 0.0, 310, 1060, 1380),
    "w": (0.07, 0.6, 0.0, 290, 610, 2150),
    "n": (0.08, 0.4, 0.0, 250, 1500, 2500),
    "v": (0.05, 0.3, 0.06, 300, 1100, 2300),
    "z": (0.09, 0.25, 0.25, 280, 2900, 3700),
    "s": (0.11, 0.0, 0.35, 2700, 3300, 3750),
    "f": (0.09, 0.0, 0.10, 1300, 2200, 3400),
    "th": (0.08, 0.0, 0.07, 1500, 2600, 3500),
    "t": (0.03, 0.0, 0.40, 2000, 2900, 3600),
    "k": (0.03, 0.0, 0.35, 1300, 2100, 2600),
    ".": (0.05, 0.0, 0.0, 400, 1600, 2600),  # the closure before a plosive
}
_DIGITS = (
    ("z", "ih", "r", "ow"),
    ("w", "ah", "n"),
    ("t", "uw"),
    ("th", "r", "iy"),
    ("f", "ao", "er"),
    ("f", "aa", "ih", "v"),
    ("s", "ih", ".", "k", "s"),
    ("s", "eh", "v", "ax", "n"),
    ("ey", "ih", ".", "t"),
    ("n", "aa", "ih", "n"),
)


def spoken_digits(generator: np.random.Generator, n: int) -> Tuple[List[np.ndarray], np.ndarray]:
    """Speak `n` digits, equally frequent as far as n allows, in random order, each by another speaker.

    generator: numpy.random.Generator. Returns (clips, labels): a list of n float64 arrays (samples,) within -1..1 at
    `RATE_Hz`, about 0.2 to 0.7 s long, and int64 (n,), the digit.
    """
    labels = generator.permutation(np.arange(n, dtype=np.int64) % 10)
    return [_speak(generator, int(digit)) for digit in labels], labels


def _speak(generator: np.random.Generator, digit: int) -> np.ndarray:
    """One clip, float64 (samples,)."""
    times_s, tracks = _score(generator, digit)
    n_frames = int(times_s[-1] * RATE_Hz / _HOP)
    frame_s = np.arange(n_frames) * (_HOP / RATE_Hz)
    voice, breath, *formants_Hz = (np.interp(frame_s, times_s, track) for track in tracks)
    length = (n_frames - 1) * _HOP + _FRAME
    pulses = _frames(_pulse_train(generator, length), n_frames)
    noise = _frames(generator.standard_normal(length), n_frames)
    response = _resonances(np.stack(formants_Hz, axis=1), generator.uniform(0.3, 1.2))
    spectra = np.fft.rfft(voice[:, None] * pulses + breath[:, None] * noise) * response
    clip = np.zeros(length)
    for frame, start in zip(np.fft.irfft(spectra, _FRAME), range(0, length, _HOP)):
        clip[start : start + _FRAME] += frame
    clip /= np.abs(clip).max()
    background = 10 ** generator.uniform(-2.7, -1.0)
    clip += background * generator.standard_normal(length)
    return generator.uniform(0.1, 1.0) * clip / np.abs(clip).max()


def _score(generator: np.random.Generator, digit: int) -> Tuple[np.ndarray, np.ndarray]:
    """In time: (times_s (points,), tracks (5, points)), the tracks being voice, breath and three formants (Hz)."""
    speed = generator.uniform(0.65, 1.35)
    tract = generator.uniform(0.84, 1.2)  # a shorter vocal tract raises all formants
    rows, times_s, now_s = [], [], generator.uniform(0.005, 0.12)  # a clip is not trimmed exactly
    for sound in _DIGITS[digit]:
        length_s, voice, breath, *formants_Hz = _SOUNDS[sound]
        length_s *= generator.uniform(0.7, 1.35) / speed
        loudness = generator.uniform(0.45, 1.55)
        heard_Hz = tract * np.array(formants_Hz) * generator.uniform(0.9, 1.1, 3)
        steady = min(0.25, 0.012 / length_s)  # the glide to the next sound takes at least this share of the sound
        for share in (steady, 1 - steady):
            times_s.append(now_s + share * length_s)
            rows.append([voice * loudness, breath * loudness] + heard_Hz.tolist())
        now_s += length_s
    silent = [0.0, 0.0]
    rows = [silent + rows[0][2:]] + rows + [silent + rows[-1][2:]]
    return np.array([0.0] + times_s + [now_s]), np.array(rows).T


def _pulse_train(generator: np.random.Generator, length: int) -> np.ndarray:
    """Unit pulses at a gliding pitch with a little jitter, float64 (length,), of the power of white noise of one."""
    start_Hz = np.exp(generator.uniform(np.log(85), np.log(260)))
    end_Hz = start_Hz * generator.uniform(0.7, 1.15)
    pitch_Hz = np.linspace(start_Hz, end_Hz, length) * (
        1 + 0.02 * np.repeat(generator.standard_normal(-(-length // 160)), 160)[:length]
    )
    cycles = np.floor(np.cumsum(pitch_Hz) / RATE_Hz)
    pulses = np.diff(cycles, prepend=0.0)
    return pulses * np.sqrt(RATE_Hz / start_Hz)


def _frames(signal: np.ndarray, n_frames: int) -> np.ndarray:
    """Overlapping frames under a Hann window, (n_frames, _FRAME)."""
    starts = _HOP * np.arange(n_frames)
    return signal[starts[:, None] + np.arange(_FRAME)] * np.hanning(_FRAME)


def _resonances(formants_Hz: np.ndarray, tilt: float) -> np.ndarray:
    """Amplitude response (n_frames, bins) of a sum of three resonances; higher formants are weaker by `tilt`."""
    frequency_Hz = np.fft.rfftfreq(_FRAME, 1 / RATE_Hz)
    detuning = (frequency_Hz - formants_Hz[:, :, None]) / _BANDWIDTH_Hz[:, None]
    strength = (formants_Hz / formants_Hz[:, :1]) ** -tilt
    return np.sum(strength[:, :, None] / np.sqrt(1 + detuning**2), axis=1)

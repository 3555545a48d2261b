"""Speech features of the spoken-digit network: 10 log-mel and 13 MFCC rows x 20 frames in 0..1, in plain NumPy.

Loudness is relative to the clip: rows 0..9 are the energies of ten mel bands in decibels below the clip's loudest
band, rows 10..22 the mel-frequency cepstral coefficients c0..c12 of a finer filter bank. Frames that begin behind
the end of the clip are 0 in every row; a longer clip is cut. (Mel scale: O'Shaughnessy 1987; cepstral coefficients:
Davis and Mermelstein 1980; rows, frames and hop: Li et al., arXiv 2311.07164.)
"""

import numpy as np

from ..errors import DataError

RATE_Hz = 8000
FRAMES = 20
HOP = 256  # samples, 32 ms
WINDOW = 512  # samples, 64 ms
LOG_MEL_ROWS = 10
MFCC_ROWS = 13
ROWS = LOG_MEL_ROWS + MFCC_ROWS
SAMPLES = WINDOW + (FRAMES - 1) * HOP  # what the frames cover; the rest of a longer clip is cut

_FINE_BANDS = 26
_LOW_Hz, _HIGH_Hz = 60.0, 3900.0
_PRE_EMPHASIS = 0.95
_FLOOR_dB = -60.0

# Mean and standard deviation of c0..c12 over the frames of the Free Spoken Digit Dataset's 2,700 training clips (dB);
# mean +- 2 deviations span 0..1. Constants, so that a clip's features depend on that clip alone.
CEPSTRAL_MEAN = np.array([-157.8, -8.2, 3.5, -2.9, -9.2, -4.9, -2.4, -0.8, -0.9, 0.4, 0.8, -0.7, -0.6])
CEPSTRAL_STD = np.array([67.3, 22.5, 16.1, 12.7, 10.3, 10.0, 7.1, 6.7, 4.8, 5.2, 4.5, 4.9, 4.0])


def mel_filters(bands: int) -> np.ndarray:
    """Triangular filters float64 (bands, WINDOW // 2 + 1), their corners equally spaced on the mel scale."""
    mel = 2595 * np.log10(1 + np.array([_LOW_Hz, _HIGH_Hz]) / 700)
    corners_Hz = 700 * (10 ** (np.linspace(mel[0], mel[1], bands + 2) / 2595) - 1)
    frequency_Hz = np.fft.rfftfreq(WINDOW, 1 / RATE_Hz)
    rise = (frequency_Hz - corners_Hz[:-2, None]) / np.diff(corners_Hz)[:-1, None]
    fall = (corners_Hz[2:, None] - frequency_Hz) / np.diff(corners_Hz)[1:, None]
    return np.clip(np.minimum(rise, fall), 0, None)


def cosine_matrix(rows: int, bands: int) -> np.ndarray:
    """The first `rows` rows of the orthonormal discrete cosine transform (type II), float64 (rows, bands)."""
    place = (np.arange(bands) + 0.5) / bands
    matrix = np.sqrt(2 / bands) * np.cos(np.pi * np.arange(rows)[:, None] * place)
    matrix[0] /= np.sqrt(2)
    return matrix


def power_spectra(waveform: np.ndarray) -> np.ndarray:
    """Power of each Hann-windowed frame: waveform float64, at most `SAMPLES` long -> (FRAMES, WINDOW // 2 + 1)."""
    padded = np.zeros(SAMPLES)
    padded[: len(waveform)] = waveform
    padded[1 : len(waveform)] -= _PRE_EMPHASIS * waveform[:-1]
    starts = HOP * np.arange(FRAMES)
    window = np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW) ** 2  # nowhere 0: the shortest clip is heard
    frames = padded[starts[:, None] + np.arange(WINDOW)] * window
    return np.abs(np.fft.rfft(frames, axis=1)) ** 2


def band_decibels(spectra: np.ndarray, bands: int) -> np.ndarray:
    """Mel band energies in dB below the clip's loudest, at least -60 dB: (FRAMES, bins) -> (bands, FRAMES)."""
    energy = mel_filters(bands) @ spectra.T
    return 10 * np.log10(np.maximum(energy / energy.max(), 10 ** (_FLOOR_dB / 10)))


def speech_features(waveform: np.ndarray) -> np.ndarray:
    """Features float32 (ROWS, FRAMES) in 0..1 of one clip.

    waveform: float (samples,) at `RATE_Hz`, any loudness. DataError when it is empty, not finite or silent.
    """
    waveform = np.asarray(waveform, np.float64)
    if waveform.ndim != 1 or not waveform.size:
        raise DataError(f"a clip must be one channel of at least one sample, not {waveform.shape}")
    if not np.isfinite(waveform).all():
        raise DataError("the clip holds NaN or infinite samples")
    peak = np.abs(waveform[:SAMPLES]).max()
    if peak == 0:
        raise DataError(f"the clip is silent in its first {SAMPLES / RATE_Hz:g} s")
    spectra = power_spectra(waveform[:SAMPLES] / peak)
    log_mel = band_decibels(spectra, LOG_MEL_ROWS) / -_FLOOR_dB + 1
    cepstrum = cosine_matrix(MFCC_ROWS, _FINE_BANDS) @ band_decibels(spectra, _FINE_BANDS)
    cepstrum = 0.5 + (cepstrum - CEPSTRAL_MEAN[:, None]) / (4 * CEPSTRAL_STD[:, None])
    features = np.clip(np.concatenate([log_mel, cepstrum]), 0, 1)
    features[:, HOP * np.arange(FRAMES) >= len(waveform)] = 0
    return features.astype(np.float32)

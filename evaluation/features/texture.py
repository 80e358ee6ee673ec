"""Statistics of sound texture: what the ear is thought to keep of rain, fire or a crowd. Nothing here is trained.

After McDermott and Simoncelli, "Sound texture perception via statistics of the auditory periphery", Neuron 71 (2011):
moments of the compressed envelopes of bands that are spaced as the ear's, the power of each envelope's modulation in
octaves, and the correlations between envelopes. Theirs are of seven seconds of a sound that stays the same; here they
are of every second, so that a set of clips gives more rows than a row has numbers.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy.fft
import torch

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.storage.hashing import content_hash
from evaluation.features.extractor import Features, require_length
from evaluation.features.mel import log_mel

NUM_BANDS = 24
LOWEST, HIGHEST = 50.0, 7600.0  # Hz, where the first band begins and the last one ends
COMPRESSION = 0.3  # exponent of the amplitude
FLOOR = 1e-3  # amplitude: what is 60 dB below full scale counts as silence
ENVELOPE_RATE = 400  # Hz
WINDOW, HOP = 400, 200  # samples of an envelope: 1 s, and half of that
OCTAVES = (2, 4, 8, 16, 32, 64, 128)  # Hz, where octaves of modulation begin; the last one ends at 200 Hz
OFFSETS = (1, 2, 4, 8)  # bands between those that are correlated
SPREADS = {
    "level": 0.4, "variation": 1.1, "skew": 0.85, "kurtosis": 1.0, "modulation": 1.3, "correlation": 0.32,
}  # fmt: skip
"""What each kind of statistic is divided by: its standard deviation on folds 1 to 3 of ESC-10."""
_BASEBAND = 4000  # Hz: wider than any band
_STEADY = 1e-4  # variance of an envelope over its squared mean: with less it stands still
_VERSION = "texture-v1"  # change it with anything that can change the features


class Texture:
    """The statistics as an extractor.

    ``embedding`` (windows, 345): of windows of 1 s that begin every 0.5 s, each kind of statistic over its spread.
    ``deviation`` (1,): see ``frame_deviation``.

    Args:
        device: of torch; all of it runs on the CPU whatever it is.
    """

    name = "texture"
    sample_rate = SAMPLE_RATE
    is_embedded = False

    def __init__(self, device: str = "cpu") -> None:
        self.identity = content_hash([_VERSION])

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return the features of each waveform (samples,).

        Raises:
            UserError: when a waveform is shorter than a window.
        """
        require_length(waveforms, WINDOW * SAMPLE_RATE // ENVELOPE_RATE, self.sample_rate, self.name)
        return [
            {"embedding": _row(statistics(cochleagram(wave))), "deviation": frame_deviation(wave)}
            for wave in waveforms
        ]


def _row(found: dict[str, np.ndarray]) -> np.ndarray:
    scaled = [found[kind].reshape(len(found[kind]), -1) / spread for kind, spread in SPREADS.items()]
    return np.concatenate(scaled, axis=1).astype(np.float32)


def frame_deviation(waveform: np.ndarray) -> np.ndarray:
    """Return (1,), the root mean square over bands and time of the change of a log-mel in 20 ms, in nepers of power.

    The log-mel is that of the embedded evaluator: on the grid of the models' own mel a sound could be smooth by design.
    """
    mel = log_mel(torch.from_numpy(waveform.astype(np.float32, copy=False))[None])
    return mel.diff(dim=-1).square().mean().sqrt().numpy()[None]


def cochleagram(waveform: np.ndarray) -> np.ndarray:
    """Return the compressed envelopes (24, samples at 400 Hz) of a waveform (samples,)."""
    step = SAMPLE_RATE // ENVELOPE_RATE
    waveform = waveform[: len(waveform) // step * step].astype(np.float32, copy=False)
    spectrum = scipy.fft.rfft(waveform)
    bands = np.zeros((NUM_BANDS, len(waveform) * _BASEBAND // SAMPLE_RATE), np.complex64)
    for band, (first, gains) in zip(bands, filters(len(waveform)), strict=True):
        # Moved down to 0 Hz a band has the same amplitude, and far fewer samples hold it.
        band[: len(gains)] = spectrum[first : first + len(gains)] * gains
    amplitude = np.abs(scipy.fft.ifft(bands, axis=1)) * (2 * _BASEBAND / SAMPLE_RATE)
    envelopes = np.power(amplitude**2 + FLOOR**2, COMPRESSION / 2)
    return envelopes.reshape(NUM_BANDS, -1, _BASEBAND // ENVELOPE_RATE).mean(-1)


@lru_cache(maxsize=8)  # sounds of one data set have few lengths
def filters(num_samples: int) -> list[tuple[int, np.ndarray]]:
    """Return for each band its first bin of a spectrum and the gains from there on: half cosines on the ERB scale.

    Neighbors overlap by half, and the squares of all sum to one between the first band's center and the last one's.
    """
    erbs = _erb_number(np.arange(num_samples // 2 + 1) * SAMPLE_RATE / num_samples)
    lowest, highest = _erb_number(np.array([LOWEST, HIGHEST]))
    edges = np.linspace(lowest, highest, NUM_BANDS + 2)
    found = []
    for low, center, high in np.lib.stride_tricks.sliding_window_view(edges, 3):
        first, end = np.searchsorted(erbs, [low, high])
        gains = np.cos(np.pi * (erbs[first:end] - center) / (high - low))
        found.append((int(first), gains.astype(np.float32)))
    return found


def _erb_number(hertz: np.ndarray) -> np.ndarray:
    """Return how many equivalent rectangular bandwidths lie below (Glasberg and Moore, 1990)."""
    return 21.4 * np.log10(1 + 0.00437 * hertz)


def statistics(envelopes: np.ndarray) -> dict[str, np.ndarray]:
    """Return each kind of statistic, (windows, ...), of the windows of envelopes (bands, samples).

    ``level``: ln of the mean m.  ``variation``: ln of the deviation over the mean.  ``skew``: asinh of it.
    ``kurtosis``: ln of 1 and it.  ``modulation`` (windows, bands, octaves): ln of the octave's share of the variance.
    ``correlation``: of envelopes that are 1, 2, 4 and 8 bands apart.
    """
    windows = np.lib.stride_tricks.sliding_window_view(envelopes, WINDOW, axis=1)[:, ::HOP].transpose(1, 0, 2)
    windows = windows.astype(np.float64)
    mean = windows.mean(-1)
    relative = windows / mean[..., None] - 1
    variance = np.square(relative).mean(-1) + _STEADY
    unit = relative / np.sqrt(variance)[..., None]
    octaves = (modulation_power(relative) + _STEADY / 10) / variance[..., None]
    together = unit @ unit.transpose(0, 2, 1) / WINDOW
    return {
        "level": np.log(mean),
        "variation": np.log(variance) / 2,
        "skew": np.arcsinh((unit**3).mean(-1)),
        "kurtosis": np.log1p((unit**4).mean(-1)),
        "modulation": np.log(octaves),
        "correlation": np.concatenate([np.diagonal(together, offset, 1, 2) for offset in OFFSETS], axis=1),
    }


def modulation_power(envelopes: np.ndarray) -> np.ndarray:
    """Return the power (..., octaves) in each octave of modulation of envelopes (..., 400) whose mean is 0.

    Of a stationary envelope all octaves sum to its variance, but for what is slower than 2 Hz.
    """
    taper = np.hanning(WINDOW + 1)[:-1]
    power = np.abs(scipy.fft.rfft(envelopes * taper, axis=-1)) ** 2 * (2 / WINDOW / np.sum(taper**2))
    return np.add.reduceat(power, [octave * WINDOW // ENVELOPE_RATE for octave in OCTAVES], axis=-1)

"""The mel of the evaluator's network and of the features that need no network."""

import functools

import torch
from torch import Tensor

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.types import Mel, Waveform
from evaluation.htk_mels import htk_filters

NUM_BANDS = 64
LOG_FLOOR = 1e-5  # added to the power: ln(1e-5) = -11.5 is silence
WINDOW = 512  # samples
HOP = 320  # samples


@functools.cache
def _front_end() -> tuple[Tensor, Tensor]:
    """Return the window, (512,), and the filters, (257, 64)."""
    filters = htk_filters(WINDOW // 2 + 1, NUM_BANDS, SAMPLE_RATE, min_frequency=50.0, max_frequency=8000.0)
    return torch.hann_window(WINDOW), filters


@torch.no_grad()
def log_mel(waveforms: Waveform) -> Mel:
    """Return ln(mel power + 1e-5), (batch, 64, samples // 320 + 1): 32 ms windows every 20 ms, HTK mel scale.

    It differs from the mel of the models in bands, scale, window, hop and logarithm, so that a sound does not score
    well merely for being smooth on the grid on which it was generated.
    """
    window, filters = (part.to(waveforms.device) for part in _front_end())
    with torch.autocast(waveforms.device.type, enabled=False):
        spectrum = torch.stft(waveforms.float(), WINDOW, HOP, window=window, return_complex=True)
        power = spectrum.abs().square()
        return ((power.transpose(1, 2) @ filters).transpose(1, 2) + LOG_FLOOR).log()

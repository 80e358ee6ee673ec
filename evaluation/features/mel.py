"""The mel of the evaluator's network and of the features that need no network."""

import functools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.types import Mel, Waveform

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


def htk_filters(
    num_bins: int, num_mels: int, rate: int, min_frequency: float, max_frequency: float
) -> Float[Tensor, "bins mels"]:
    """Return triangles of height one, evenly spaced in HTK's mels, over the bins of a spectrum at ``rate`` Hz.

    Bit for bit those of torchaudio; librosa rounds otherwise.
    """
    frequencies = torch.linspace(0, rate // 2, num_bins)
    corners = _hertz(torch.linspace(_mels(min_frequency), _mels(max_frequency), num_mels + 2))
    widths = corners[1:] - corners[:-1]
    above = corners[None] - frequencies[:, None]  # (bins, mels + 2)
    rising, falling = -above[:, :-2] / widths[:-1], above[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp(min=0.0)


def _mels(hertz: float) -> float:
    return 2595.0 * math.log10(1.0 + hertz / 700.0)


def _hertz(mels: Tensor) -> Tensor:
    return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)

"""The one definition of the log-mel spectrogram that every stage of AudioLCM shares.

16 kHz mono, 1024-point periodic Hann window, hop 256, 80 Slaney mel bands from 0 to 8000 Hz, magnitude (not power),
base-10 logarithm floored at 1e-5. The autoencoder is trained on exactly these values, without further normalization.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from audiolcm.audio.slaney import slaney_filters
from audiolcm.errors import UserError
from audiolcm.types import Mel, Waveform

SAMPLE_RATE = 16000
N_FFT = 1024
HOP_LENGTH = 256
NUM_MELS = 80
F_MIN = 0.0
F_MAX = 8000.0
LOG_MEL_MIN = -5.0
"""Value of silence: log10 of the floor 1e-5. Mels are padded with it."""

LOG_MEL_MAX = 2.0
"""Above any sound within +-1, whose largest value is near 1.5: generated mels of our models are kept below it."""

Magnitude = Float[Tensor, "batch bins frames"]

_PADDING = (N_FFT - HOP_LENGTH) // 2  # 384 a side: frames == samples // HOP_LENGTH
_INVERSION_STEPS = 4
_POWER_FLOOR = 1e-9  # under the square root: keeps the gradient of silence finite


@lru_cache(maxsize=1)
def _filterbank() -> Tensor:
    return torch.from_numpy(slaney_filters(SAMPLE_RATE, N_FFT, NUM_MELS, F_MIN, F_MAX))


def mel_filterbank() -> Tensor:
    """Return Slaney-scaled, Slaney-normalized triangular filters, (80, 513) float32; a fresh copy at every call."""
    return _filterbank().clone()


def approximate_magnitude(mel: Mel) -> Magnitude:
    """Return the linear STFT magnitude (batch, 513, frames), never negative, of a log10 mel (batch, 80, frames).

    Spreads every band over its filter, then sharpens by multiplicative updates for nonnegative data under the
    Kullback-Leibler divergence (Lee and Seung, 2001). On 27 real clips its mel is within 0.006 (log10, mean) of the
    one given, and it is nearer to the true magnitude (13% of the energy off) than a clipped pseudo-inverse (14%).
    Eighty numbers cannot fix 513: harmonics closer than the bands are lost. Differentiable.
    """
    filters = _filterbank().to(mel.device)
    bands = filters.sum(1, keepdim=True)
    bins = filters.sum(0).unsqueeze(1).clamp(min=1e-8)  # 0 Hz and 8 kHz lie in no filter: they stay 0
    with torch.autocast(mel.device.type, enabled=False):
        target = torch.pow(10.0, mel.float())
        magnitude = filters.T @ (target / bands) / bins
        for _ in range(_INVERSION_STEPS):
            magnitude = magnitude * (filters.T @ (target / (filters @ magnitude).clamp(min=1e-9))) / bins
    return magnitude


class MelSpectrogram(nn.Module):
    """Waveform (batch, samples) in [-1, 1] -> log10 mel (batch, 80, samples // 256), about [-5, 1.5].

    Always computed in float32, also under autocast; differentiable. Samples outside [-1, 1] are clipped first, as in
    the released front end. The window is not centered: 384 samples of reflection at each end.
    """

    window: Tensor
    filterbank: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT, periodic=True), persistent=False)
        self.register_buffer("filterbank", mel_filterbank(), persistent=False)

    def forward(self, waveform: Waveform) -> Mel:
        """Return the log10 mel (batch, 80, samples // 256) of a waveform (batch, samples).

        Raises:
            UserError: when the waveform has 384 samples (24 ms) or fewer: it cannot be reflected at its ends.
        """
        if waveform.shape[-1] <= _PADDING:
            raise UserError(
                f"A waveform of {waveform.shape[-1]} samples is too short for a mel spectrogram: "
                f"pad it to at least {_PADDING + 1} samples at {SAMPLE_RATE} Hz."
            )
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float().clamp(-1.0, 1.0), (_PADDING, _PADDING), mode="reflect")
            spectrum = torch.stft(
                padded, N_FFT, HOP_LENGTH, window=self.window, center=False, return_complex=True
            )
            magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + _POWER_FLOOR)
            return torch.log10(torch.matmul(self.filterbank, magnitude).clamp(min=10.0**LOG_MEL_MIN))

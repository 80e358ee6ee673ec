"""The short-time Fourier transform that the mels are made with, and its inverse, for the vocoders."""

import torch
from jaxtyping import Complex
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import HOP_LENGTH, N_FFT
from audiolcm.types import Waveform

Spectrum = Complex[Tensor, "batch bins frames"]

OVERLAP = N_FFT // HOP_LENGTH
PADDING = (N_FFT - HOP_LENGTH) // 2


class Stft(nn.Module):
    """Analysis and synthesis on the frames of the mel spectrogram: n frames stand for n * 256 samples exactly.

    Both run in float32, also under autocast, and are differentiable.
    """

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT, periodic=True), persistent=False)

    def analyze(self, waveform: Waveform) -> Spectrum:
        """Waveform (batch, frames * 256) -> spectrum (batch, 513, frames), zeros beyond the ends."""
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (PADDING, PADDING))
            return torch.stft(
                padded, N_FFT, HOP_LENGTH, window=self.window, center=False, return_complex=True
            )

    def synthesize(self, spectrum: Spectrum) -> Waveform:
        """Spectrum (batch, 513, frames) -> waveform (batch, frames * 256) nearest to it in the least-squares sense.

        The estimate of Griffin and Lim (1984), Eq. 6: windowed overlap-add over the sum of the squared windows.
        """
        with torch.autocast(spectrum.device.type, enabled=False):
            frames = torch.fft.irfft(spectrum.transpose(1, 2), n=N_FFT) * self.window
            envelope = self.window.square().expand(1, frames.shape[1], N_FFT)
            return overlap_add(frames) / overlap_add(envelope)


def overlap_add(frames: Tensor) -> Tensor:
    """Add (batch, n, 1024) frames at hops of 256 and cut the 384 samples at each end: (batch, n * 256)."""
    batch, count, _ = frames.shape
    blocks = frames.reshape(batch, count, OVERLAP, HOP_LENGTH)
    total = sum(F.pad(blocks[:, :, i], (0, 0, i, OVERLAP - 1 - i)) for i in range(OVERLAP))
    return total.flatten(1)[:, PADDING : PADDING + count * HOP_LENGTH]

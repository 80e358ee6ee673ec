"""The short-time Fourier transform whose frames tile a waveform exactly, and its inverse, for the vocoders."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import N_FFT
from audiolcm.types import Waveform

Spectrum = Complex[Tensor, "batch bins frames"]

OVERLAP = 4


class Stft(nn.Module):
    """Analysis and synthesis with a Hann window of ``n_fft`` samples at hops of a quarter of it.

    At the default of 1024 these are the frames of the mel spectrogram: n frames stand for n * 256 samples. Both
    directions run in float32, also under autocast, and are differentiable. The bins of a frame lie side by side.
    """

    window: Tensor

    def __init__(self, n_fft: int = N_FFT) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, n_fft // OVERLAP
        self.padding = (n_fft - self.hop) // 2
        self.register_buffer("window", torch.hann_window(n_fft, periodic=True), persistent=False)

    def analyze(self, waveform: Waveform) -> Spectrum:
        """Waveform (batch, frames * hop) -> spectrum (batch, n_fft / 2 + 1, frames), zeros beyond the ends."""
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (self.padding, self.padding))
            return torch.stft(
                padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True
            )

    def synthesize(self, spectrum: Spectrum) -> Waveform:
        """Spectrum (batch, n_fft / 2 + 1, frames) -> the waveform (batch, frames * hop) nearest to it.

        Nearest in the least-squares sense: windowed overlap-add over the sum of the squared windows (Griffin and
        Lim, 1984, Eq. 6).
        """
        with torch.autocast(spectrum.device.type, enabled=False):
            frames = torch.fft.irfft(spectrum.mT, n=self.n_fft) * self.window
            blocks = frames.unflatten(2, (OVERLAP, self.hop))
            # The squared windows are those of any frame: they are not laid out for each
            squared = self.window.square().reshape(1, 1, OVERLAP, self.hop).expand(1, blocks.shape[1], -1, -1)
            return self._overlap_add(blocks) / self._overlap_add(squared)

    def _overlap_add(self, blocks: Float[Tensor, "batch frames overlap hop"]) -> Waveform:
        """Add frames at their hops and cut the padding: (batch, frames * hop)."""
        batch, count, _, hop = blocks.shape
        total = blocks.new_zeros(batch, count + OVERLAP - 1, hop)
        for i in range(OVERLAP):
            total[:, i : i + count] += blocks[:, :, i]
        return total.flatten(1)[:, self.padding : self.padding + count * hop]


def absolute(spectrum: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the magnitudes; faster than ``abs``, which guards against numbers beyond float32's half exponent."""
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag).sqrt()

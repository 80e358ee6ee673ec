"""Griffin-Lim: a vocoder without parameters."""

import math

import torch
from torch import Tensor, nn

from audiolcm.audio.mel import approximate_magnitude
from audiolcm.errors import UserError
from audiolcm.models.stft import Stft, absolute
from audiolcm.types import Mel, Waveform

_SILENCE = 1e-8  # below this magnitude a bin has no phase


class GriffinLim(nn.Module):
    """Fast Griffin-Lim (Perraudin, Balazs and Sondergaard, 2013) on the magnitude that a mel stands for.

    Starts from a random phase of a fixed seed, so that a mel always gives the same waveform. Few iterations suit
    the sounds of this project: every further one makes tones cleaner and turns rain and waves into chirps, because
    the magnitude recovered from 80 mels is too smooth for noise. ``momentum=0`` is the algorithm of 1984.

    Args:
        num_iterations: projections after the start; 0 leaves the random phase.
        momentum: acceleration in [0, 1); 0.99 converges fastest.
        seed: of the random phase.

    Raises:
        UserError: when an argument is out of its range.
    """

    def __init__(self, num_iterations: int = 4, momentum: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        if num_iterations < 0 or not 0.0 <= momentum < 1.0:
            raise UserError(
                f"vocoder.model: num_iterations={num_iterations}, momentum={momentum}. "
                "Give num_iterations of 0 or more and a momentum from 0 to below 1 (for example 0.99)."
            )
        self.num_iterations, self.momentum, self.seed = num_iterations, momentum, seed
        self.stft = Stft()

    @torch.no_grad()
    def forward(self, mel: Mel) -> Waveform:
        """Log10 mel (batch, 80, frames) -> waveform (batch, frames * 256)."""
        magnitude = approximate_magnitude(mel)
        generator = torch.Generator().manual_seed(self.seed)
        phase = 2.0 * math.pi * torch.rand(magnitude.shape[1:], generator=generator)
        start = torch.polar(torch.ones_like(phase), phase).to(magnitude.device)
        return griffin_lim(self.stft, magnitude, start, self.num_iterations, self.momentum)


def griffin_lim(
    stft: Stft, magnitude: Tensor, start: Tensor, num_iterations: int, momentum: float = 0.0
) -> Waveform:
    """Return a waveform whose spectrum approaches ``magnitude`` (batch, bins, frames), from the phase of ``start``.

    One iteration is analysis of the synthesis; ``momentum`` extrapolates it along the change since the last one.
    """
    magnitude = magnitude.mT.contiguous().mT  # the bins of a frame side by side, as the spectra have them
    waveform = stft.synthesize(with_magnitude(start, magnitude))
    previous = None
    for _ in range(num_iterations):
        consistent = extrapolated = stft.analyze(waveform)
        if previous is not None:
            extrapolated = torch.add(consistent, previous, alpha=-momentum / (1.0 + momentum))
        waveform = stft.synthesize(with_magnitude(extrapolated, magnitude))
        previous = consistent
    return waveform


def with_magnitude(spectrum: Tensor, magnitude: Tensor) -> Tensor:
    """Return a spectrum of another magnitude and the same phase; zero where it is silent."""
    return spectrum * (magnitude / absolute(spectrum).clamp(min=_SILENCE))

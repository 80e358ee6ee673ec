"""Reconstruction terms of the autoencoder: how far a mel is from its reconstruction, per mel bin."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.types import Mel


class LearnedVarianceL1(nn.Module):
    """|x' - x| / exp(s) + s with one learned scalar s, which tends to the logarithm of the mean error.

    It is the negative log-likelihood of a Laplace distribution whose scale is learned, up to a constant. The released
    code has the scalar too, but gives it to no optimizer: ``FixedVarianceL1``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logvar = nn.Parameter(torch.zeros(()))

    def forward(self, reconstruction: Mel, mel: Mel) -> Tensor:
        """Return the mean over all bins of all examples."""
        return (reconstruction - mel).abs().mean() / self.logvar.exp() + self.logvar


class FixedVarianceL1(nn.Module):
    """|x' - x| / exp(s) + s with a constant s; with 0, as the released autoencoder was trained, the plain L1.

    Args:
        logvar: s.
    """

    def __init__(self, logvar: float = 0.0) -> None:
        super().__init__()
        self.logvar = logvar

    def forward(self, reconstruction: Mel, mel: Mel) -> Tensor:
        """Return the mean over all bins of all examples."""
        return (reconstruction - mel).abs().mean() / math.exp(self.logvar) + self.logvar


class SpectralL1(nn.Module):
    """L1 on the mel, on its slopes over bands and frames, and on its loudness.

    The slopes are harmonics and onsets, which a plain L1 gives up first; the loudness term, an L1 on
    10^(x / 2), spends the latent's few numbers on what is loud.

    Args:
        slope_weight: weight of the slopes beside the plain L1.
        loudness_weight: weight of the loudness term.
    """

    def __init__(self, slope_weight: float = 0.0, loudness_weight: float = 0.0) -> None:
        super().__init__()
        self.slope_weight = slope_weight
        self.loudness_weight = loudness_weight

    def forward(self, reconstruction: Mel, mel: Mel) -> Tensor:
        """Return the weighted sum of the three means."""
        error = reconstruction - mel
        slopes = error.diff(dim=1).abs().mean() + error.diff(dim=2).abs().mean()
        loudness = F.l1_loss(10.0 ** (0.5 * reconstruction), 10.0 ** (0.5 * mel))
        return error.abs().mean() + self.slope_weight * slopes + self.loudness_weight * loudness

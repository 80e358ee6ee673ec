"""The mel scale of HTK and its triangular filters, bit for bit those of torchaudio (librosa rounds otherwise)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def htk_filters(
    num_bins: int, num_mels: int, rate: int, min_frequency: float, max_frequency: float
) -> Float[Tensor, "bins mels"]:
    """Return triangles of height one, evenly spaced in mels, over the bins of a spectrum at ``rate`` Hz."""
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

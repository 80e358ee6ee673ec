"""Resampling by windowed sinc interpolation, sample for sample as torchaudio 2's default does it.

Published figures were measured on sounds that torchaudio had resampled; torchaudio itself is no longer developed and
does not come with every Python. The method is Smith's band-limited interpolation (ccrma.stanford.edu/~jos/resample).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

ZERO_CROSSINGS = 6  # of the sinc on either side
ROLLOFF = 0.99  # of the lower Nyquist frequency is kept


def resample(waveform: Float[Tensor, " samples"], rate: int, wanted: int) -> Float[Tensor, " resampled"]:
    """Return the waveform at ``wanted`` Hz, ceil(samples * wanted / rate) long."""
    if rate == wanted:
        return waveform
    divisor = math.gcd(rate, wanted)
    before, after = rate // divisor, wanted // divisor
    filters, width = _filters(before, after, waveform.dtype)
    padded = F.pad(waveform[None, None], (width, width + before))
    # (1, after, steps): output sample j is phase j % after
    phases = F.conv1d(padded, filters[:, None], stride=before)
    return phases[0].T.reshape(-1)[: math.ceil(after * len(waveform) / before)]


def _filters(before: int, after: int, dtype: torch.dtype) -> tuple[Tensor, int]:
    """Return one filter for each phase of the output, (after, taps), and the samples that they reach back.

    In the precision of the waveform and in torchaudio's order of operations: every bit of published protocols.
    """
    cutoff = min(before, after) * ROLLOFF
    width = math.ceil(ZERO_CROSSINGS * before / cutoff)
    taps = torch.arange(-width, width + before, dtype=dtype) / before
    times = (torch.arange(0, -after, -1, dtype=dtype)[:, None] / after + taps) * cutoff
    times = times.clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(times * math.pi / ZERO_CROSSINGS / 2) ** 2
    angles = times * math.pi
    sinc = torch.where(angles == 0, torch.ones_like(angles), angles.sin() / angles)
    return sinc * (window * (cutoff / before)), width

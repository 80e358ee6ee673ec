"""From one sample rate to another: soxr, or torchaudio's windowed sinc, with which published figures were made."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from audiolcm.errors import UserError

DEFAULT_RESAMPLER = "soxr"
_SOXR_QUALITY = "HQ"  # 20-bit precision, linear phase: its error lies under that of 16-bit storage
ZERO_CROSSINGS = 6  # of the sinc on either side
_MOST_TAPS = 100_000_000  # 400 MB
ROLLOFF = 0.99  # of the lower Nyquist frequency is kept


def resample(waveform: Float[Tensor, " samples"], rate: int, wanted: int) -> Float[Tensor, " resampled"]:
    """Return the waveform at ``wanted`` Hz, ceil(samples * wanted / rate) long, by windowed sinc interpolation.

    Sample for sample as torchaudio 2's default does it (Smith's band-limited interpolation,
    ccrma.stanford.edu/~jos/resample): published figures were measured on sounds that torchaudio had resampled, which is
    no longer developed and does not come with every Python.
    """
    if rate == wanted:
        return waveform
    divisor = math.gcd(rate, wanted)
    before, after = rate // divisor, wanted // divisor
    filters, width = _filters(before, after, waveform.dtype)
    padded = F.pad(waveform[None, None], (width, width + before))
    # (1, after, steps): output sample j is phase j % after
    phases = F.conv1d(padded, filters[:, None], stride=before)
    return phases[0].T.reshape(-1)[: math.ceil(after * len(waveform) / before)]


@lru_cache(maxsize=8)
def _filters(before: int, after: int, dtype: torch.dtype) -> tuple[Tensor, int]:
    """Return one filter for each phase of the output, (after, taps), and the samples that they reach back.

    In the precision of the waveform and in torchaudio's order of operations: every bit of published protocols.
    """
    cutoff = min(before, after) * ROLLOFF
    width = math.ceil(ZERO_CROSSINGS * before / cutoff)
    if after * (2 * width + before) > _MOST_TAPS:
        raise UserError(
            f"Rates of {before} to {after} have no common divisor, which takes a filter of {after} phases: resample "
            "that file to a usual rate first, or choose another resampler, dataset.resampler=soxr."
        )
    taps = torch.arange(-width, width + before, dtype=dtype) / before
    times = (torch.arange(0, -after, -1, dtype=dtype)[:, None] / after + taps) * cutoff
    times = times.clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(times * math.pi / ZERO_CROSSINGS / 2) ** 2
    angles = times * math.pi
    sinc = torch.where(angles == 0, torch.ones_like(angles), angles.sin() / angles)
    return sinc * (window * (cutoff / before)), width


def _soxr(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    return soxr.resample(waveform, rate, wanted, quality=_SOXR_QUALITY)


def _torchaudio(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    return resample(torch.from_numpy(waveform.copy()), rate, wanted).numpy()


RESAMPLERS: Mapping[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    DEFAULT_RESAMPLER: _soxr,
    "torchaudio": _torchaudio,
}
"""Of float32 (samples,), by name; the released code prepares its data with ``torchaudio``."""

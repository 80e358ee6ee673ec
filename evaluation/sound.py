"""How a protocol listens: which channel, which resampler, how long; published numbers depend on each of them."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from audiolcm.audio.io import decode, mixdown
from audiolcm.errors import UserError
from audiolcm.storage.hashing import content_hash

_SILENT = 1e-6  # a peak below it is not turned up to full
READER_VERSION = 1  # in the cache key: raise it with any change of what `read` returns
_ADDED = ("int16", "decimate", "via", "resample_first")
"""Settings of later versions: unset they leave a reader, and what is kept of its sounds, as it was before them."""


@dataclasses.dataclass(frozen=True)
class SoundReader:
    """Reads files as one protocol does.

    In this order: 16 bits, channel, constant part, resampling, end, peak, zeros; with ``resample_first`` resampling
    comes before the constant part.

    Args:
        channel: ``mean`` of all channels, or ``first``.
        remove_mean: take out the constant part before resampling, as audioldm_eval does.
        resampler: ``soxr`` (HQ), ``kaiser_best`` (resampy, as frechet_audio_distance) or ``sinc_hann`` (torchaudio's
            default, as audioldm_eval).
        min_seconds: shorter sounds are padded with zeros at the end.
        max_seconds: of longer sounds only the start counts; null for all of it.
        peak: every sound is turned to this largest sample, as ConsistencyTTA does; null leaves levels alone.
        int16: samples of more than 16 bits are rounded down to 16, as where files are read as integers.
        decimate: where the rate of a file is a whole multiple of the wanted one, this many times it at most, every so
            many-th sample is taken, without a filter; null for never.
        via: Hz, the rate that sounds are resampled to before they are to the wanted one; null for straight away.
        resample_first: the whole sound is resampled before its constant part is taken out and its end cut off, as
            ConsistencyTTA does; else only what is heard is read.

    Raises:
        UserError: on an unknown choice, or a length, rate or multiple that is none.
    """

    channel: str = "mean"
    remove_mean: bool = False
    resampler: str = "soxr"
    min_seconds: float = 0.0
    max_seconds: float | None = None
    peak: float | None = None
    int16: bool = False
    decimate: int | None = None
    via: int | None = None
    resample_first: bool = False

    def __post_init__(self) -> None:
        if self.channel not in ("mean", "first"):
            raise UserError(f"protocol.reader.channel={self.channel}: choose mean or first.")
        if self.resampler not in _RESAMPLERS:
            raise UserError(f"protocol.reader.resampler={self.resampler}: choose {', '.join(_RESAMPLERS)}.")
        if self.min_seconds < 0 or (self.max_seconds is not None and self.max_seconds <= 0):
            raise UserError(
                f"protocol.reader: min_seconds={self.min_seconds:g}, max_seconds={self.max_seconds} are no lengths."
            )
        for name, least in (("decimate", 2), ("via", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"protocol.reader.{name}={value} must be at least {least}, or null.")

    @property
    def identity(self) -> str:
        """Return ten hexadecimal digits over every setting."""
        settings = dataclasses.asdict(self)
        return content_hash([READER_VERSION, {n: v for n, v in settings.items() if v or n not in _ADDED}])

    def read(self, path: Path, sample_rate: int) -> np.ndarray:
        """Return float32 (samples,) at ``sample_rate``.

        Raises:
            UserError: as ``audiolcm.audio.io.decode`` and ``mixdown`` do, naming the file.
        """
        samples, rate = decode(path, None if self.resample_first else self.max_seconds)
        if self.int16:
            samples = np.floor(samples * 2**15).clip(-(2**15), 2**15 - 1) / 2**15
        mono = samples[:, 0] if self.channel == "first" else mixdown(samples, path)
        if self.remove_mean and not self.resample_first:
            mono = mono - mono.mean()
        mono = self._resampled(mono, rate, sample_rate)
        if self.remove_mean and self.resample_first:
            mono = mono - mono.mean()
        if self.max_seconds is not None:
            mono = mono[: round(self.max_seconds * sample_rate)]
        if self.peak is not None:
            mono = mono * (self.peak / max(float(np.abs(mono).max()), _SILENT))
        shortage = round(self.min_seconds * sample_rate) - len(mono)
        return np.pad(mono, (0, max(0, shortage))).astype(np.float32, copy=False)

    def _resampled(self, mono: np.ndarray, rate: int, wanted: int) -> np.ndarray:
        for to in filter(None, (self.via, wanted)):
            if rate % to == 0 and 1 < rate // to <= (self.decimate or 1):
                mono = mono[:: rate // to]
            elif rate != to:
                mono = _RESAMPLERS[self.resampler](mono, rate, to)
            rate = to
        return mono


def _soxr(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    import soxr

    return soxr.resample(waveform, rate, wanted, quality="HQ")


def _kaiser_best(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    import resampy  # compiles itself with numba: seconds that only this protocol should wait for

    return resampy.resample(waveform, rate, wanted, filter="kaiser_best")


def _sinc_hann(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    return resample(torch.from_numpy(waveform.copy()), rate, wanted).numpy()


_RESAMPLERS = {"soxr": _soxr, "kaiser_best": _kaiser_best, "sinc_hann": _sinc_hann}

ZERO_CROSSINGS = 6  # of the sinc on either side
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

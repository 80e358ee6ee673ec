"""How a protocol listens: which channel, which resampler, how long; published numbers depend on each of them."""

import dataclasses
from pathlib import Path

import numpy as np

from audiolcm.audio.io import decode, mixdown
from audiolcm.audio.resampling import RESAMPLERS
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
            raise UserError(f"reader.channel={self.channel}: choose mean or first.")
        if self.resampler not in _RESAMPLERS:
            raise UserError(f"reader.resampler={self.resampler}: choose {', '.join(_RESAMPLERS)}.")
        if self.min_seconds < 0 or (self.max_seconds is not None and self.max_seconds <= 0):
            raise UserError(
                f"reader: min_seconds={self.min_seconds:g}, max_seconds={self.max_seconds} are no lengths."
            )
        for name, least in (("decimate", 2), ("via", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"reader.{name}={value} must be at least {least}, or null.")

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


def _kaiser_best(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    import resampy  # compiles itself with numba: seconds that only this protocol should wait for

    return resampy.resample(waveform, rate, wanted, filter="kaiser_best")


_RESAMPLERS = {
    "soxr": RESAMPLERS["soxr"],
    "kaiser_best": _kaiser_best,
    "sinc_hann": RESAMPLERS["torchaudio"],
}

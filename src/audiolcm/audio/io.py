"""Sound files and pictures of sound: reading at any rate, writing 16-bit WAV, drawing spectrograms."""

import dataclasses
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from audiolcm.audio.comments import commented
from audiolcm.audio.containers import ending
from audiolcm.audio.foreign import foreign_kind
from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.audio.mp3 import Unsized, end_of_tags, read_mp3, walk_frames
from audiolcm.audio.resampling import DEFAULT_RESAMPLER, RESAMPLERS
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path

_FILTER_REACH = 0.01  # seconds beyond the end that torchaudio's filter hears
_ESTIMATED_LENGTH_FORMATS = ("MPEG", "MP3")  # their headers only guess the number of samples
# More is said where a header does not tell: by libsndfile of FLAC from a pipe, and of an MP3 that is Unsized
_UNKNOWN_LENGTH = 1 << 40
# Of libsndfile, for a file that is open: what it could not make sense of
_NO_REASON = ("internal", "does not exist")
_BLOCK = 1 << 20  # samples of all channels that are read at a time where the length is unknown
_LARGEST = 1 << 28  # samples of all channels: 1 GiB as they are read, 46 minutes of stereo at 48 kHz
_RATES = (1_000, 1_000_000)  # Hz
_CANCELED = 0.01  # of the power that channels which have nothing in common leave in their mean


class OppositePhaseError(UserError):
    """The channels of a sound cancel each other out."""


@dataclasses.dataclass(frozen=True)
class SoundFacts:
    """What a whole sound file holds: ``num_samples`` for each of its ``channels``."""

    sample_rate: int
    channels: int
    num_samples: int


def read_audio(
    path: str | Path,
    max_duration: float | None = None,
    content: bytes | None = None,
    resampler: str = DEFAULT_RESAMPLER,
) -> np.ndarray:
    """Read a sound file as float32 (samples,): mono (mean of the channels), 16 kHz, full scale 1.

    Any rate, channel count and sample format that libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, ...).

    Args:
        path: the file.
        max_duration: seconds of the start of a longer file that are read; None reads all of it.
        content: the bytes of the file; nothing is then read from disk, and ``path`` only names it.
        resampler: one of ``RESAMPLERS``, for files of another rate.

    Raises:
        UserError: as ``decode`` and ``mixdown`` do.
    """
    reach = 0.0 if resampler == DEFAULT_RESAMPLER else _FILTER_REACH
    samples, rate = decode(path, None if max_duration is None else max_duration + reach, content)
    mono = mixdown(samples, path)
    if rate != SAMPLE_RATE:
        mono = RESAMPLERS[resampler](mono, rate, SAMPLE_RATE)
    if max_duration is not None:
        mono = mono[: round(max_duration * SAMPLE_RATE)]
    if len(mono) == 0:
        raise UserError(
            f"Audio file {path} is empty: {len(samples)} samples at {rate} Hz are none at 16 kHz."
        )
    return np.ascontiguousarray(mono, dtype=np.float32)


def mixdown(samples: np.ndarray, path: str | Path) -> np.ndarray:
    """Return the mean of the channels of (samples, channels): float32 (samples,).

    Raises:
        OppositePhaseError: naming ``path``, when next to nothing of the channels is left in their mean.
    """
    mono = samples.mean(axis=1, dtype=np.float32)
    channels = samples.shape[1]
    if channels > 1 and mono.var() * channels < _CANCELED * samples.var(axis=0).mean():
        raise OppositePhaseError(
            f"Audio file {path} cannot be mixed to mono: its {channels} channels are of opposite phase and cancel "
            "each other out. Invert one of them, or keep only one."
        )
    return mono


def decode(
    path: str | Path, max_duration: float | None = None, content: bytes | None = None
) -> tuple[np.ndarray, int]:
    """Read a sound file as it is: float32 (samples, channels), full scale 1, and its sample rate.

    Raises:
        UserError: naming the file and the reason, when it is missing, unreadable, empty, cut off, larger than a sound
            can be, or holds NaN or infinite samples.
    """
    path = Path(path)
    with _opened(path, content) as file:
        longest = None if max_duration is None else math.ceil(max_duration * file.samplerate)
        samples, rate = _decoded(file, longest, path), file.samplerate
    _refuse_incomplete(path, content)
    if len(samples) == 0:
        raise UserError(f"Audio file {path} is empty: it has a header but no samples.")
    if not np.isfinite(samples).all():
        raise UserError(f"Audio file {path} holds NaN or infinite samples: export it again or drop it.")
    return samples, rate


def read_facts(path: str | Path) -> SoundFacts:
    """Return what a sound file holds, told by its header; where that does not tell its length, by decoding it.

    Raises:
        UserError: as ``decode`` does, but for what only the samples show.
    """
    path = Path(path)
    with _opened(path, None) as file:
        length = len(_decoded(file, None, path)) if file.frames >= _UNKNOWN_LENGTH else file.frames
        facts = SoundFacts(file.samplerate, file.channels, length)
    _refuse_incomplete(path, None)
    if length == 0:
        raise UserError(f"Audio file {path} is empty: it has a header but no samples.")
    return facts


class _SoundFile(soundfile.SoundFile):
    """A sound file that is read from its start; one of unknown length can only be read so."""

    def seekable(self) -> bool:
        """Return whether soundfile may seek, which it does after every reading."""
        return self.frames < _UNKNOWN_LENGTH and super().seekable()


@contextmanager
def _opened(path: Path, content: bytes | None) -> Iterator[_SoundFile]:
    if content is None and not os.path.isfile(path):  # of a path that can be none (too long, NUL) it says no
        raise UserError(f"Audio file {path} not found.")
    try:
        with path.open("rb", 0) if content is None else io.BytesIO(content) as source:
            with _SoundFile(_readable(source), closefd=False) as file:
                if not _RATES[0] <= file.samplerate <= _RATES[1]:
                    raise UserError(
                        f"Audio file {path} has a sample rate of {file.samplerate} Hz: {_RATES[0]} to {_RATES[1]} Hz "
                        "are read. Its header is damaged, or it holds no sound."
                    )
                yield file
    except (soundfile.SoundFileError, OSError) as error:
        what = ""
        if isinstance(error, soundfile.SoundFileError):
            _refuse_incomplete(path, content)
            what = foreign_kind(path, content)
        raise UserError(
            f"Audio file {path} cannot be read: {what or f'{_reason(error)} Convert it to WAV or FLAC.'}"
        ) from error


def _readable(source: io.FileIO | io.BytesIO) -> int | io.BytesIO | Unsized:
    """Return what libsndfile reads all of a file from."""
    stream = None
    if source.read(3)[:1] in (b"I", b"\xff"):  # of ID3, or of a frame
        stream = read_mp3(source, end_of_tags(source))
    if stream is not None and not stream.num_frames:
        whole = Unsized(source, walk_frames(source, stream)[1])
        whole.seek(0)
        return whole
    source.seek(0)
    # By number, not by name: beside a name libsndfile looks for the resource fork ._name that macOS leaves.
    return source if isinstance(source, io.BytesIO) else source.fileno()


def _decoded(file: _SoundFile, longest: int | None, path: Path) -> np.ndarray:
    """Return the first ``longest`` samples, or all: float32 (samples, channels)."""
    most = _LARGEST // file.channels
    wanted = file.frames if longest is None else min(longest, file.frames)
    samples = np.zeros((0, file.channels), np.float32)
    if file.frames >= _UNKNOWN_LENGTH:
        samples = _streamed(file, min(wanted, most + 1))
        wanted = len(samples)
    elif wanted <= most:
        samples = file.read(wanted, dtype="float32", always_2d=True)
    if wanted > most:
        raise UserError(
            f"Audio file {path} is too large: {_LARGEST} samples of all channels together are read at most, and it has "
            f"more, in {file.channels} channels at {file.samplerate} Hz. Cut it into parts."
        )
    if len(samples) < wanted and file.format not in _ESTIMATED_LENGTH_FORMATS:
        raise UserError(f"Audio file {path} is cut off: {wanted} samples announced, {len(samples)} decoded.")
    return samples


def _streamed(file: _SoundFile, longest: int) -> np.ndarray:
    blocks, left = [], longest
    while left and len(block := file.read(min(left, _BLOCK // file.channels), "float32", always_2d=True)):
        blocks.append(block)
        left -= len(block)
    return np.concatenate([np.zeros((0, file.channels), np.float32), *blocks])


def _refuse_incomplete(path: Path, content: bytes | None) -> None:
    missing, has_more = ending(path, content)
    if missing:
        raise UserError(
            f"Audio file {path} is cut off: its end is missing ({missing} bytes or more). Copy it again."
        )
    if has_more:
        raise UserError(
            f"Audio file {path} holds more sound than its header tells, which cannot be read: several files that were "
            "joined, or a header that was never finished. Cut it into single files, or convert it to one WAV or FLAC "
            "with a program that reads all of it."
        )


def _reason(error: Exception) -> str:
    reason = getattr(error, "error_string", "") or str(error)
    reason = reason.strip(" .:")
    if not reason or any(word in reason.lower() for word in _NO_REASON):
        reason = "its content is damaged or cut off"
    return reason if reason.endswith(".") else reason + "."


def write_wav(
    path: str | Path, waveform: np.ndarray, sample_rate: int = SAMPLE_RATE, comment: str = ""
) -> None:
    """Write a waveform (samples,) as 16-bit mono WAV, atomically; samples beyond full scale, 1, are clipped.

    A comment stands behind the samples; see ``comments``.

    Raises:
        UserError: when the waveform is empty or not finite, or the disk is full.
    """
    samples = np.asarray(waveform, dtype=np.float32)
    if samples.ndim != 1 or len(samples) == 0:
        raise UserError(
            f"Cannot write {path}: expected a non-empty waveform (samples,), got shape {samples.shape}."
        )
    if not np.isfinite(samples).all():
        raise UserError(f"Cannot write {path}: the waveform holds NaN or infinite samples.")
    pcm = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    file = io.BytesIO()  # soundfile hides a full disk behind an assertion; a plain write tells
    soundfile.write(file, pcm, sample_rate, subtype="PCM_16", format="WAV")
    with atomic_path(path) as temporary:
        temporary.write_bytes(commented(file.getvalue(), comment) if comment else file.getvalue())

"""Sound files and pictures of sound: reading at any rate, writing 16-bit WAV, drawing spectrograms."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audiolcm.audio.containers import missing_bytes
from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MIN, SAMPLE_RATE
from audiolcm.errors import UserError
from audiolcm.files import atomic_path

_RESAMPLER_QUALITY = "HQ"  # 20-bit precision, linear phase: its error lies under that of 16-bit storage
_ESTIMATED_LENGTH_FORMATS = ("MPEG", "MP3")  # their headers only guess the number of samples


def read_audio(
    path: str | Path, max_duration: float | None = None, content: bytes | None = None
) -> np.ndarray:
    """Read a sound file as float32 (samples,): mono (mean of the channels), 16 kHz, full scale 1.

    Any rate, channel count and sample format that libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, ...). With
    `max_duration` (seconds) only the start of a longer file is read. With `content`, the bytes of the file, nothing is
    read from disk and `path` only names it. Raises UserError as `decode` does.
    """
    samples, rate = decode(path, max_duration, content)
    mono = samples.mean(axis=1, dtype=np.float32)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality=_RESAMPLER_QUALITY)
    if max_duration is not None:
        mono = mono[: round(max_duration * SAMPLE_RATE)]
    if len(mono) == 0:
        raise UserError(
            f"Audio file {path} is empty: {len(samples)} samples at {rate} Hz are none at 16 kHz."
        )
    return np.ascontiguousarray(mono, dtype=np.float32)


def decode(
    path: str | Path, max_duration: float | None = None, content: bytes | None = None
) -> tuple[np.ndarray, int]:
    """Read a sound file as it is: float32 (samples, channels), full scale 1, and its sample rate.

    Raises UserError naming the file and the reason when it is missing, unreadable, empty, cut off, or holds NaN or
    infinite samples.
    """
    path = Path(path)
    if content is None and not path.is_file():
        raise UserError(f"Audio file {path} not found.")
    samples, rate = _decode(path, max_duration, content)
    if len(samples) == 0:
        raise UserError(f"Audio file {path} is empty: it has a header but no samples.")
    if not np.isfinite(samples).all():
        raise UserError(f"Audio file {path} holds NaN or infinite samples: export it again or drop it.")
    return samples, rate


def _decode(path: Path, max_duration: float | None, content: bytes | None) -> tuple[np.ndarray, int]:
    try:
        with soundfile.SoundFile(path if content is None else io.BytesIO(content)) as file:
            wanted = file.frames if max_duration is None else math.ceil(max_duration * file.samplerate)
            wanted = min(wanted, file.frames)
            samples = file.read(wanted, dtype="float32", always_2d=True)
            is_estimate = file.format in _ESTIMATED_LENGTH_FORMATS
            rate = file.samplerate
    except (soundfile.SoundFileError, OSError, TypeError) as error:  # TypeError: headerless .raw files
        raise UserError(
            f"Audio file {path} can not be read: {_reason(error)} Convert it to WAV or FLAC."
        ) from error
    if len(samples) < wanted and not is_estimate:
        raise UserError(f"Audio file {path} is cut off: {wanted} samples announced, {len(samples)} decoded.")
    if missing := missing_bytes(path, content):
        raise UserError(
            f"Audio file {path} is cut off: its end is missing ({missing} bytes or more). Copy it again."
        )
    return samples, rate


def _reason(error: Exception) -> str:
    reason = getattr(error, "error_string", "") or str(error)
    reason = reason.strip(" .:") or "its content is damaged or cut off"
    return reason if reason.endswith(".") else reason + "."


def write_wav(path: str | Path, waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write a waveform (samples,) as 16-bit mono WAV, atomically; samples beyond full scale, 1, are clipped.

    Raises UserError when the waveform is empty or not finite, or the disk is full.
    """
    samples = np.asarray(waveform, dtype=np.float32)
    if samples.ndim != 1 or len(samples) == 0:
        raise UserError(
            f"Can not write {path}: expected a non-empty waveform (samples,), got shape {samples.shape}."
        )
    if not np.isfinite(samples).all():
        raise UserError(f"Can not write {path}: the waveform holds NaN or infinite samples.")
    pcm = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    file = io.BytesIO()  # soundfile hides a full disk behind an assertion; a plain write tells
    soundfile.write(file, pcm, sample_rate, subtype="PCM_16", format="WAV")
    with atomic_path(path) as temporary:
        temporary.write_bytes(file.getvalue())


def save_spectrogram(path: str | Path, mel: np.ndarray, title: str) -> None:
    """Draw a log10 mel spectrogram (80, frames) over time in seconds into a PNG file, atomically."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # half a second, wanted only for pictures
    from matplotlib.figure import Figure

    mel = np.asarray(mel, dtype=np.float32)
    if mel.ndim != 2 or mel.shape[1] == 0:
        raise UserError(f"Can not draw {path}: expected a mel of shape (mels, frames), got {mel.shape}.")
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    end = mel.shape[1] * HOP_LENGTH / SAMPLE_RATE
    image = axes.imshow(
        mel, origin="lower", aspect="auto", vmin=LOG_MEL_MIN, vmax=1.0, extent=(0.0, end, 0.0, mel.shape[0])
    )
    axes.set(title=title, xlabel="time (s)", ylabel="mel channel")
    figure.colorbar(image, ax=axes, label="log10 magnitude")
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)

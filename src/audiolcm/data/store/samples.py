"""Samples as prepared data keeps them, and which sound it refuses."""

import numpy as np

from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE
from audiolcm.data.store.shards import ShardReader

FULL_SCALE = 32768.0
MIN_DURATION = 0.1  # seconds; shorter sounds have fewer than six mel frames
SILENCE_DB = -60.0  # of full scale; ffmpeg's silencedetect has the same default
PEAK_LIMIT = 4.0  # 12 dB above full scale: beyond it a float file is not scaled to +-1


def sound_problem(waveform: np.ndarray) -> str | None:
    """Return why a waveform cannot be used for training; None when it can."""
    if waveform.ndim != 1:
        return f"The sound has shape {waveform.shape}, not (samples,)."
    if len(waveform) == 0:
        return "The sound is empty."
    if not np.isfinite(waveform).all():
        return "The sound holds NaN or infinite samples."
    if len(waveform) < MIN_DURATION * SAMPLE_RATE:
        return f"The sound is too short: {len(waveform) / SAMPLE_RATE:.3f} s; {MIN_DURATION} s are needed."
    offset = float(waveform.mean())
    if np.abs(waveform - offset).max() < 10 ** (SILENCE_DB / 20):
        constant = f", but for a constant {offset:.3g}" if abs(offset) * FULL_SCALE >= 0.5 else ""
        return (
            f"The sound is silent: it stays below {SILENCE_DB:g} dB of full scale{constant}, in the "
            f"{len(waveform) / SAMPLE_RATE:.4g} s that are read of it (no more than max_duration)."
        )
    peak = float(np.abs(waveform).max())
    if peak > PEAK_LIMIT:
        return f"The sound is out of range: its peak is {peak:.3g}, full scale is 1; scale the file to +-1."
    return None


def quantize(waveform: np.ndarray) -> np.ndarray:
    """Return the int16 samples of a float waveform; one above full scale is turned down to it rather than clipped."""
    gain = (FULL_SCALE - 1) / max(float(np.abs(waveform).max()), (FULL_SCALE - 1) / FULL_SCALE)
    return np.rint(waveform * np.float32(gain)).astype(np.int16)


def sound_lengths(shards: ShardReader) -> np.ndarray:
    """Return the samples of every sound: int64 (sounds,); where it is a mel alone, those that its frames stand for."""
    samples = shards.lengths("waveform")
    return np.where(samples > 0, samples, shards.lengths("mel") * HOP_LENGTH)

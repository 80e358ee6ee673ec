"""The sounds of a test: read, filtered for the low anchor, and written as FLAC with 16 bits."""

from __future__ import annotations

import functools
import io

import numpy as np
import soundfile

from audiolcm.audio.mel import SAMPLE_RATE

_PASS_HZ, _STOP_HZ = 3500.0, 4000.0
_STOP_DB = 60.0
_TONE_SECONDS, _TONE_HZ, _TONE_LEVEL = 1.5, 500.0, 0.1


@functools.cache
def low_pass_filter() -> np.ndarray:
    """Return the taps of the low anchor's filter at 16 kHz.

    ITU-R BS.1534-3, section 5.1: flat within 0.1 dB to 3.5 kHz, 25 dB down at 4 kHz, 50 dB at 4.5 kHz.
    """
    from scipy import signal  # a second, wanted only when a test is built

    nyquist = SAMPLE_RATE / 2
    taps, beta = signal.kaiserord(_STOP_DB, (_STOP_HZ - _PASS_HZ) / nyquist)
    return signal.firwin(taps | 1, (_PASS_HZ + _STOP_HZ) / 2, window=("kaiser", beta), fs=SAMPLE_RATE)


def low_passed(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform (samples,) without what lies above 3.5 kHz, not shifted in time."""
    taps = low_pass_filter()
    delay = len(taps) // 2
    return np.convolve(waveform, taps)[delay : delay + len(waveform)].astype(np.float32)


def tone() -> np.ndarray:
    """Return the sound by which raters set their volume: 500 Hz at -20 dB with soft ends, (samples,)."""
    time = np.arange(round(_TONE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    fade = np.clip(np.minimum(time, _TONE_SECONDS - time) / 0.1, 0.0, 1.0)
    return (_TONE_LEVEL * fade * np.sin(2 * np.pi * _TONE_HZ * time)).astype(np.float32)


def flac(waveform: np.ndarray) -> bytes:
    """Return a waveform (samples,) at 16 kHz as a FLAC file of 16 bits; beyond full scale, 1, it is clipped."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1.0, 1.0), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()

"""Mels that others made: NAME_mel.npy, as the released preprocessing of Make-An-Audio 2 and AudioLCM writes them."""

from pathlib import Path
from typing import TypeGuard

import numpy as np

from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MIN, NUM_MELS, SAMPLE_RATE
from audiolcm.data.store.samples import MIN_DURATION, PEAK_LIMIT
from audiolcm.errors import UserError

MEL_SUFFIX = ".npy"
_LARGEST = 1.75 + float(
    np.log10(PEAK_LIMIT)
)  # a full-scale sound stays below 1.75; its level is in the logarithm
_SLACK = 0.01  # that half precision may lack at either end


def is_mel(path: Path | None) -> TypeGuard[Path]:
    """Return whether the file of a clip is its mel rather than its sound."""
    return path is not None and path.suffix.lower() == MEL_SUFFIX


def read_mel(path: Path, max_duration: float) -> np.ndarray:
    """Return the start of a log10 mel: float32 (80, frames), frames <= int(max_duration * 62.5).

    Raises:
        UserError: it is missing, no such file, of another shape or scale, too short, or silent.
    """
    mel = _loaded(path)
    if mel.ndim != 2 or mel.shape[0] != NUM_MELS:
        raise UserError(
            f"{path} has shape {mel.shape}, not ({NUM_MELS}, frames): it is no mel of the released code."
        )
    mel = mel[:, : int(max_duration * SAMPLE_RATE / HOP_LENGTH)].astype(np.float32)
    if mel.shape[1] * HOP_LENGTH < MIN_DURATION * SAMPLE_RATE:
        raise UserError(f"{path} is too short: {mel.shape[1]} frames; {MIN_DURATION} s are needed.")
    if not np.isfinite(mel).all():
        raise UserError(f"{path} holds NaN or infinite values: make it again.")
    low, high = float(mel.min()), float(mel.max())
    if low < LOG_MEL_MIN - _SLACK or high > _LARGEST:
        raise UserError(
            f"{path} holds values from {low:.3g} to {high:.3g}; log10 mels lie between {LOG_MEL_MIN:g} and "
            f"{_LARGEST:.3g}. Natural logarithms are to be divided by 2.302585."
        )
    if high < LOG_MEL_MIN + _SLACK:
        raise UserError(f"{path} is silent in all of its {mel.shape[1]} frames.")
    return mel


def _loaded(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"Mel file {path} not found.") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"Mel file {path} cannot be read ({error}): make it again.") from error

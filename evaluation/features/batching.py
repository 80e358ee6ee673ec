"""Sounds of equal lengths through a network together, so that none has to be padded for a neighbor's sake."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.extractor import Features


def in_equal_lengths(
    hear: Callable[[np.ndarray], list[Features]], waveforms: Sequence[np.ndarray], batch_size: int
) -> list[Features]:
    """Return what ``hear`` gives for each waveform (samples,), which it gets as float32 (batch, samples)."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, waveform in enumerate(waveforms):
        by_length[len(waveform)].append(index)
    features: list[Features] = [{}] * len(waveforms)
    for indices in by_length.values():
        for first in range(0, len(indices), batch_size):
            part = indices[first : first + batch_size]
            batch = np.stack([waveforms[index] for index in part]).astype(np.float32, copy=False)
            for index, found in zip(part, hear(batch), strict=True):
                features[index] = found
    return features


def require_length(waveforms: Sequence[np.ndarray], needed: int, sample_rate: int, name: str) -> None:
    """Refuse a waveform with fewer samples than the network ``name`` needs.

    Raises:
        UserError: naming both numbers.
    """
    shortest = min((len(waveform) for waveform in waveforms), default=needed)
    if shortest < needed:
        raise UserError(
            f"A sound of {shortest} samples at {sample_rate} Hz is too short for {name}: it needs {needed} "
            f"({needed / sample_rate:.2f} s) or more. Make it longer or leave it out."
        )

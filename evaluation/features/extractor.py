"""What an extractor is: a frozen network that turns waveforms into arrays."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from audiolcm.errors import UserError

Features = dict[str, np.ndarray]
"""What one sound gives, by name: ``embedding`` (rows, width) and, for classifiers, ``logits`` (classes,)."""


@runtime_checkable
class Extractor(Protocol):
    """A frozen network. Its weights are loaded at construction; a missing file is a UserError then.

    Attributes:
        name: a word for tables and file names, such as ``vggish``; different weights have different names.
        identity: ten hexadecimal digits over the weights and everything else that can change the features.
        sample_rate: Hz that the waveforms must have.
        is_embedded: whether it was trained here; its figures never share a column with published ones.
    """

    name: str
    identity: str
    sample_rate: int
    is_embedded: bool

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return the features of each waveform (samples,), float32, mono, of any lengths, in the same order.

        A sound's features depend on that sound alone, not on its neighbors (but for rounding). ``embedding`` always
        has two axes; a network with one vector a sound gives one row.

        Raises:
            UserError: when a waveform is too short to give a row.
        """
        ...


@runtime_checkable
class TextAudioExtractor(Extractor, Protocol):
    """An extractor whose ``embedding`` (1, width), of length one, lives in one space with captions."""

    def embed_captions(self, captions: Sequence[str]) -> np.ndarray:
        """Return (captions, width), each row of length one."""
        ...


def in_equal_lengths(
    hear: Callable[[np.ndarray], list[Features]], waveforms: Sequence[np.ndarray], batch_size: int
) -> list[Features]:
    """Return what ``hear`` gives for each waveform (samples,), which it gets as float32 (batch, samples).

    Only sounds of equal lengths go together, so that none has to be padded for a neighbor's sake.
    """
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

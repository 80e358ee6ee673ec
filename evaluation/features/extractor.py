"""What an extractor is: a frozen network that turns waveforms into arrays."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

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

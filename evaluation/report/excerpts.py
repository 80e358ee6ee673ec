"""The sounds of a report, read as far as they are shown."""

from pathlib import Path

import numpy as np

from audiolcm.audio.io import OppositePhaseError, read_audio
from audiolcm.audio.mel import SAMPLE_RATE
from evaluation.sound import SoundReader

MAX_SECONDS = 12.0
"""Of a longer sound the start is shown."""


def read_excerpt(path: Path) -> np.ndarray:
    """Return the first ``MAX_SECONDS`` (samples,) at 16 kHz.

    Raises:
        UserError: when the file is missing or damaged.
    """
    try:
        return read_audio(path, MAX_SECONDS)
    except OppositePhaseError:  # a protocol that hears the first channel scores it all the same
        return SoundReader(channel="first", max_seconds=MAX_SECONDS).read(path, SAMPLE_RATE)

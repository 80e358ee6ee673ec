"""Small pieces of the log-mel as they are: no network, nothing trained, nothing drawn."""

from collections.abc import Sequence

import numpy as np
import torch

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.storage.hashing import content_hash
from evaluation.features.extractor import Features, in_equal_lengths, require_length
from evaluation.features.mel import HOP, log_mel

BANDS, FRAMES = 8, 8  # of a patch: an eighth of the mel scale, 0.16 s
_VERSION = "patches-v1"  # change it with anything that can change the features


class Patches:
    """Patches of 8 bands and 8 frames of the embedded evaluator's log-mel, side by side.

    ``embedding`` (patches, 64): the natural logarithms of power, of all bands alike.

    Args:
        device: of torch; all of it runs on the CPU whatever it is.
        batch_size: sounds at a time.
    """

    name = "patches"
    sample_rate = SAMPLE_RATE
    is_embedded = False

    def __init__(self, device: str = "cpu", batch_size: int = 32) -> None:
        self.identity = content_hash([_VERSION])
        self._batch_size = batch_size

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return the features of each waveform (samples,).

        Raises:
            UserError: when a waveform is shorter than a patch.
        """
        require_length(waveforms, (FRAMES - 1) * HOP, self.sample_rate, self.name)
        return in_equal_lengths(_cut, waveforms, self._batch_size)


def _cut(waveforms: np.ndarray) -> list[Features]:
    mels = log_mel(torch.from_numpy(waveforms))
    patches = mels.unfold(1, BANDS, BANDS).unfold(2, FRAMES, FRAMES)
    return [{"embedding": rows} for rows in patches.reshape(len(mels), -1, BANDS * FRAMES).numpy()]

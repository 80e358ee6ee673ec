"""Captions as ids of tokens: for a text encoder that is trained, whose features cannot be kept."""

import numpy as np

from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.types import TrainableTextEncoder


class CaptionIds:
    """The captions of a split, where ``TextEmbeddings`` would hold their features."""

    def __init__(self, text_encoder: TrainableTextEncoder, split: PreparedSplit) -> None:
        self._text_encoder = text_encoder
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    def tokens(self, index: int) -> np.ndarray:
        """Return the ids of a clip's tokens: int64 (tokens,)."""
        clip = self._split.clips[index]
        return self._text_encoder.ids([clip.caption], [clip.structured_caption])[0].numpy()

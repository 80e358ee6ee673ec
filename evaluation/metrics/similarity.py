"""The cosine similarity of embeddings: the CLAP score of sounds and captions."""

import numpy as np

from audiolcm.errors import UserError
from evaluation.metrics.arrays import pair


def cosine_similarity(sounds: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """Return the cosine (N,), from -1 to 1, of each sound's embedding (N, width) and its caption's (N, width).

    Rows need not have length one.

    Raises:
        UserError: when a row is zero, which has no direction.
    """
    x, y = pair(sounds, captions, ("embeddings of the sounds", "embeddings of the captions"))
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    zero = np.flatnonzero(lengths == 0)
    if len(zero):
        raise UserError(
            f"The embedding of sound or caption {zero[0]} is zero: its network is broken or untrained."
        )
    return np.sum(x * y, axis=1) / lengths

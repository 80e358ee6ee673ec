"""Which clips a training step sees: a pure function of the step, so that resumed runs see the same ones."""

from __future__ import annotations

import functools

import numpy as np

from audiolcm.errors import UserError


def batch_indices(num_clips: int, batch_size: int, step: int, seed: int) -> list[int]:
    """Clip indices of optimizer step `step` (from 0).

    Clips are drawn in a new order in each epoch, every clip once an epoch. Steps take consecutive pieces of
    the endless sequence of epochs, so a batch may span two of them and may be larger than the data set.
    """
    if num_clips < 1 or batch_size < 1:
        raise UserError(f"{num_clips} clips in batches of {batch_size}: both must be at least 1.")
    indices = []
    for position in range(step * batch_size, (step + 1) * batch_size):
        epoch, offset = divmod(position, num_clips)
        indices.append(int(_permutation(num_clips, epoch, seed)[offset]))
    return indices


@functools.lru_cache(maxsize=4)
def _permutation(num_clips: int, epoch: int, seed: int) -> np.ndarray:
    """The order of one epoch; remembered because the steps of an epoch ask for it again and again."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(num_clips)

"""Which clips a training step sees: a pure function of the step, so that resumed runs see the same ones."""

import functools

import numpy as np

from audiolcm.errors import UserError


def batch_indices(num_clips: int, batch_size: int, step: int, seed: int) -> list[int]:
    """Return the clip indices of optimizer step ``step`` (from 0).

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


def bucketed_indices(bucket_of: np.ndarray, batch_size: int, step: int, seed: int) -> list[int]:
    """Return the clip indices of optimizer step ``step`` (from 0), all of one bucket.

    An epoch takes the clips of each bucket in a new order, in batches, and the batches of all buckets in a new order.
    The last batch of a bucket is filled with the first clips of that bucket's order: every clip comes once an epoch,
    and fewer than ``batch_size`` of each bucket once more (more often where a bucket is smaller than a batch). Like
    ``batch_indices`` a function of its arguments alone.

    Args:
        bucket_of: the bucket of every clip, int (clips,).
        batch_size: clips of one step.
        step: which one.
        seed: of the orders.
    """
    if len(bucket_of) < 1 or batch_size < 1:
        raise UserError(f"{len(bucket_of)} clips in batches of {batch_size}: both must be at least 1.")
    sizes = np.bincount(bucket_of)
    num_batches = -(-sizes // batch_size)
    epoch, position = divmod(step, int(num_batches.sum()))
    number = int(_permutation(int(num_batches.sum()), epoch, seed)[position])
    bucket = int(np.searchsorted(np.cumsum(num_batches), number, side="right"))
    start = (number - int(num_batches[:bucket].sum())) * batch_size
    order = _permutation(int(sizes[bucket]), epoch, seed)
    places = order[np.arange(start, start + batch_size) % sizes[bucket]]
    return np.flatnonzero(bucket_of == bucket)[places].tolist()


@functools.lru_cache(maxsize=16)
def _permutation(num_clips: int, epoch: int, seed: int) -> np.ndarray:
    """Return the order of one epoch; remembered because the steps of an epoch ask for it again and again.

    4 bytes a clip; a million clips are put in order in 30 ms.
    """
    order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(num_clips)
    return order.astype(np.int32)

"""Features computed once before training: posteriors of the autoencoder and embeddings of the captions.

Both caches are keyed by the prepared data; the caller keys ``folder`` by the network that makes the features.
Both are atomic and resumable (see ``audiolcm.data.store.shards``).
"""

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from audiolcm.audio.mel import LOG_MEL_MIN
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.data.store.shards import INDEX, ShardReader, build_shards
from audiolcm.errors import UserError
from audiolcm.storage.files import remove_leftovers
from audiolcm.storage.leases import exclusive
from audiolcm.types import TextEncoder

LATENTS_PER_SHARD = 512  # 26 MB for 10 s of the paper's latents (20 x 312, mean and std)
CAPTIONS_PER_SHARD = 256  # 81 MB of the paper's text tokens (154 x 1024 in float16)
Producer = Callable[[range], Iterator[Mapping[str, np.ndarray]]]
EMPTY = ("", "")  # the unconditional "caption"


@runtime_checkable
class PosteriorLike(Protocol):
    """What an autoencoder's ``encode`` returns, as far as it is used here: both (batch, channels, frames)."""

    mean: Tensor
    std: Tensor


@runtime_checkable
class MelEncoder(Protocol):
    """The encoding half of an autoencoder."""

    def encode(self, mel: Tensor) -> PosteriorLike:
        """Return the posterior of a mel (batch, 80, frames)."""


class Latents:
    """Cached posteriors of a split: for every clip mean and std, float32 (channels, latent frames)."""

    def __init__(self, folder: Path, split: PreparedSplit) -> None:
        self.clips = split.clips
        self._split = split
        self._shards = ShardReader(folder)

    def __len__(self) -> int:
        return len(self.clips)

    def num_frames(self, index: int) -> int:
        """Return the latent frames of a clip."""
        return self._shards.length("mean", self._split.sound(index))

    def frames_of_clips(self) -> np.ndarray:
        """Return the latent frames of every clip: int64 (clips,)."""
        return self._shards.lengths("mean")[np.asarray(self._split.sound_of_clip)]

    def mean(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the posterior means of latent frames ``start:stop``: (channels, frames)."""
        return self._shards.read("mean", self._split.sound(index), start, stop).T

    def std(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the posterior standard deviations of latent frames ``start:stop``: (channels, frames)."""
        return self._shards.read("std", self._split.sound(index), start, stop).T


class TextEmbeddings:
    """Cached text tokens of a split: one (tokens, width) array for every clip, and the unconditional one."""

    def __init__(self, folder: Path, split: PreparedSplit) -> None:
        self._split = split
        self._shards = ShardReader(folder)

    def __len__(self) -> int:
        return len(self._split)

    def tokens(self, index: int) -> np.ndarray:
        """Return the text tokens of a clip: float32 (tokens, width)."""
        return self._shards.read("tokens", self._split.caption_number(index)).astype(np.float32)

    def unconditional(self) -> np.ndarray:
        """Return the text tokens of the empty captions: float32 (tokens, width)."""
        return self._shards.read("tokens", 0).astype(np.float32)


def encode_latents(
    autoencoder: MelEncoder,
    split: PreparedSplit,
    folder: str | Path,
    min_frames: int | Sequence[int] = 0,
    device: str | torch.device = "cpu",
    batch_size: int = 8,
    progress: bool = True,
) -> Latents:
    """Encode every sound of a split once, as a whole, and keep mean and std in float32.

    Shorter mels are padded with silence (-5) to the next of ``min_frames`` before encoding, so that their latents hold
    encoded silence; an odd last frame of a mel longer than all of them is dropped.

    Args:
        autoencoder: on ``device`` and in eval mode.
        split: the sounds.
        folder: where the latents are kept; keyed by the autoencoder.
        min_frames: mel frames of one training example, or of the examples of each length bucket.
        device: where the autoencoder is.
        batch_size: sounds that are encoded together.
        progress: whether a bar is shown.

    Raises:
        UserError: when a posterior is not finite or the disk is full.
    """
    folder = Path(folder) / f"latents-{split.name}-{_key(split.fingerprint, min_frames)}"
    lengths = array("q", padded_lengths(split.frames_of_sounds(), min_frames).tobytes())

    def produce(items: range) -> Iterator[Mapping[str, np.ndarray]]:
        for batch in _equal_batches(items, lengths, batch_size):
            mels = np.stack([_padded_mel(split, split.sounds[item], lengths[item]) for item in batch])
            with torch.inference_mode():
                posterior = autoencoder.encode(torch.from_numpy(mels).to(device))
            mean, std = (x.float().transpose(1, 2).cpu().numpy() for x in (posterior.mean, posterior.std))
            for item, one_mean, one_std in zip(batch, mean, std, strict=True):
                _check_finite(one_mean + one_std, f"The latent of {split.clips[split.sounds[item]].name}")
                yield {"mean": one_mean, "std": one_std}

    _build(folder, len(lengths), produce, LATENTS_PER_SHARD, f"encode {split.name} latents", progress)
    return Latents(folder, split)


def padded_lengths(frames: np.ndarray, min_frames: int | Sequence[int]) -> np.ndarray:
    """Return the mel frames that are encoded for ``frames``: the next of ``min_frames``, or their own even number."""
    edges = np.atleast_1d(np.asarray(min_frames, np.int64))
    place = np.searchsorted(edges, frames)
    return np.where(place < len(edges), edges[np.minimum(place, len(edges) - 1)], frames // 2 * 2)


def encode_text(
    text_encoder: TextEncoder,
    split: PreparedSplit,
    folder: str | Path,
    batch_size: int = 32,
    progress: bool = True,
) -> TextEmbeddings:
    """Encode every distinct pair of captions of a split once, and the empty pair; kept in float16.

    float16 keeps 11 bits of every value, more than the bf16 arithmetic that reads them.

    Raises:
        UserError: when an embedding is not finite in float16 or the disk is full.
    """
    kind = (type(text_encoder).__name__, text_encoder.num_tokens, text_encoder.width)
    folder = Path(folder) / f"text-{split.name}-{_key(kind, split.fingerprint)}"
    first_clips = split.captions

    def pair(item: int) -> tuple[str, str]:
        if item == 0:
            return EMPTY
        clip = split.clips[first_clips[item - 1]]
        return clip.caption, clip.structured_caption

    def produce(items: range) -> Iterator[Mapping[str, np.ndarray]]:
        for start in range(items.start, items.stop, batch_size):
            batch = [pair(item) for item in range(start, min(start + batch_size, items.stop))]
            with torch.inference_mode():
                tokens = text_encoder([one[0] for one in batch], [one[1] for one in batch])
            for captions, one in zip(batch, tokens.to(torch.float16).cpu().numpy(), strict=True):
                _check_finite(one, f"The text embedding of {captions[0]!r}")
                yield {"tokens": one}

    title = f"encode {split.name} captions"
    _build(folder, 1 + len(first_clips), produce, CAPTIONS_PER_SHARD, title, progress)
    return TextEmbeddings(folder, split)


def _build(
    folder: Path, num_items: int, produce: Producer, items_per_shard: int, title: str, progress: bool
) -> None:
    if (folder / INDEX).is_file():
        return
    with exclusive(folder):
        remove_leftovers(folder)
        with tqdm(total=num_items, desc=title, disable=not progress) as bar:
            build_shards(folder, num_items, produce, items_per_shard, bar.update)


def _equal_batches(items: range, lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Yield consecutive items of one length, at most ``batch_size`` together: nothing is padded for its neighbors."""
    batch: list[int] = []
    for item in items:
        if batch and (len(batch) == batch_size or lengths[item] != lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _padded_mel(split: PreparedSplit, clip: int, num_frames: int) -> np.ndarray:
    mel = split.mel(clip, 0, num_frames)
    return np.pad(mel, ((0, 0), (0, num_frames - mel.shape[1])), constant_values=LOG_MEL_MIN)


def _check_finite(values: np.ndarray, what: str) -> None:
    if not np.isfinite(values).all():
        raise UserError(f"{what} is not finite: the network that made it is broken; train or load it again.")


def _key(*content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

"""Training sets: batches as pure functions of the clip indices and a generator."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from audiolcm import random_numbers
from audiolcm.audio.mel import LOG_MEL_MIN
from audiolcm.data.loading.cache import Latents, TextEmbeddings, encode_latents, encode_text
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.errors import UserError

__all__ = ["LatentClips", "MelClips", "WaveformClips", "encode_latents", "encode_text"]


class MelClips:
    """Log10 mels: {"mel": float32 (batch, 80, num_frames)}, cut at random; shorter ones end in -5."""

    def __init__(self, split: PreparedSplit, num_frames: int) -> None:
        self.split = split
        self.num_frames = _positive(num_frames, "num_frames")

    def __len__(self) -> int:
        return len(self.split)

    def names(self, indices: Sequence[int]) -> list[str]:
        """Return the names of the clips of a batch."""
        return [self.split.clips[index].name for index in indices]

    def batch(self, indices: Sequence[int], generator: random_numbers.Generator) -> dict[str, Tensor]:
        """Return one batch; ``generator`` (CPU) draws where clips are cut."""
        mels = []
        for position, index in enumerate(indices):
            start = _random_start(self.split.num_frames(index), self.num_frames, generator, position)
            mels.append(
                _fit(self.split.mel(index, start, start + self.num_frames), self.num_frames, LOG_MEL_MIN)
            )
        return {"mel": torch.from_numpy(np.stack(mels))}


class WaveformClips:
    """16 kHz sound: {"waveform": float32 (batch, num_samples)}, cut at random; shorter ones end in zeros."""

    def __init__(self, split: PreparedSplit, num_samples: int) -> None:
        self.split = split
        self.num_samples = _positive(num_samples, "num_samples")

    def __len__(self) -> int:
        return len(self.split)

    def names(self, indices: Sequence[int]) -> list[str]:
        """Return the names of the clips of a batch."""
        return [self.split.clips[index].name for index in indices]

    def batch(self, indices: Sequence[int], generator: random_numbers.Generator) -> dict[str, Tensor]:
        """Return one batch; ``generator`` (CPU) draws where clips are cut."""
        waveforms = []
        for position, index in enumerate(indices):
            start = _random_start(self.split.num_samples(index), self.num_samples, generator, position)
            waveforms.append(
                _fit(self.split.waveform(index, start, start + self.num_samples), self.num_samples, 0.0)
            )
        return {"waveform": torch.from_numpy(np.stack(waveforms))}


class LatentClips:
    """Captioned latents: {"latent": (batch, channels, num_frames), "text": (batch, tokens, width)}, float32.

    Latents are drawn from the posterior (mean + std * noise) and multiplied by ``scale_factor``. Longer clips are cut
    at random. Clips must not be shorter than their bucket: ``encode_latents`` pads.

    Args:
        latents: posteriors of the clips.
        text: tokens of their captions.
        num_frames: latent frames of one example, or, ascending, of the examples of each length bucket: then a clip
            belongs to the first bucket that holds all of it, else to the last one, and the clips of one batch must be
            of one bucket (``bucket_of`` says which; see ``bucketed_indices``).
        scale_factor: 1 / std of the training latents.
    """

    def __init__(
        self,
        latents: Latents,
        text: TextEmbeddings,
        num_frames: int | Sequence[int],
        scale_factor: float,
    ) -> None:
        self.latents = latents
        self.text = text
        self.lengths = [_positive(number, "num_frames") for number in np.atleast_1d(num_frames).tolist()]
        self.scale_factor = scale_factor
        if len(latents) != len(text):
            raise ValueError(f"{len(latents)} latents and {len(text)} texts are not of the same split")
        frames = latents.frames_of_clips()
        self._bucket_of = np.searchsorted(self.lengths[:-1], frames).astype(np.int8)
        too_short = frames < np.asarray(self.lengths)[self._bucket_of]
        if too_short.any():
            shortest = int(frames[too_short].min())
            raise UserError(
                f"Latents of {shortest} frames are shorter than the {num_frames} of a training example: "
                "call encode_latents with min_frames."
            )

    @property
    def bucket_of(self) -> np.ndarray | None:
        """The length bucket of every clip, int8 (clips,); None when all examples have one length."""
        return self._bucket_of if len(self.lengths) > 1 else None

    def __len__(self) -> int:
        return len(self.latents)

    def names(self, indices: Sequence[int]) -> list[str]:
        """Return the names of the clips of a batch."""
        return [self.latents.clips[index].name for index in indices]

    def batch(self, indices: Sequence[int], generator: random_numbers.Generator) -> dict[str, Tensor]:
        """Return one batch; ``generator`` (CPU) draws where clips are cut, then the noise."""
        (bucket,) = {int(self._bucket_of[index]) for index in indices}
        num_frames = self.lengths[bucket]
        starts = [
            _random_start(self.latents.num_frames(index), num_frames, generator, position)
            for position, index in enumerate(indices)
        ]
        cuts = [(index, start, start + num_frames) for index, start in zip(indices, starts, strict=True)]
        mean = torch.from_numpy(np.stack([self.latents.mean(*cut) for cut in cuts]))
        std = torch.from_numpy(np.stack([self.latents.std(*cut) for cut in cuts]))
        noise = random_numbers.randn(mean.shape, generator)
        text = torch.from_numpy(np.stack([self.text.tokens(index) for index in indices]))
        return {"latent": (mean + std * noise) * self.scale_factor, "text": text}


def _random_start(length: int, wanted: int, generator: random_numbers.Generator, position: int) -> int:
    """Return where to cut; draws one number for every clip, long or short, so that batches stay comparable."""
    return int(
        torch.randint(
            max(length - wanted, 0) + 1, (), generator=random_numbers.of_example(generator, position)
        )
    )


def _fit(values: np.ndarray, length: int, fill: float) -> np.ndarray:
    padding = [(0, 0)] * (values.ndim - 1) + [(0, length - values.shape[-1])]
    return np.pad(values, padding, constant_values=fill)


def _positive(number: int, name: str) -> int:
    if number < 1:
        raise UserError(f"{name}={number}: a training example needs at least 1.")
    return number

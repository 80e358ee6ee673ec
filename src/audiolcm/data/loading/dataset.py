"""Training sets: batches as pure functions of the clip indices and a generator."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from audiolcm import random_numbers
from audiolcm.audio.mel import LOG_MEL_MIN
from audiolcm.data.loading.cache import Latents, TextEmbeddings, encode_latents, encode_text
from audiolcm.data.loading.captions import CaptionIds
from audiolcm.data.store.prepared import Clips, PreparedSplit
from audiolcm.errors import UserError

__all__ = ["LatentClips", "MelClips", "WaveformClips", "encode_latents", "encode_text"]


class _Examples:
    """Examples of clips, by their place."""

    clips: Clips

    def __len__(self) -> int:
        return len(self.clips)

    def names(self, indices: Sequence[int]) -> list[str]:
        """Return the names of the clips of a batch."""
        return [self.clips[index].name for index in indices]


class MelClips(_Examples):
    """Log10 mels: {"mel": float32 (batch, 80, num_frames)}, cut at random; shorter ones end in -5."""

    def __init__(self, split: PreparedSplit, num_frames: int) -> None:
        self.clips = split.clips
        self.split = split
        self.num_frames = _positive(num_frames, "num_frames")

    def batch(self, indices: Sequence[int], generator: random_numbers.Generator) -> dict[str, Tensor]:
        """Return one batch; ``generator`` (CPU) draws where clips are cut."""
        cuts = _random_cuts(indices, self.split.num_frames, self.num_frames, generator)
        return {"mel": _stacked([_fit(self.split.mel(*cut), self.num_frames, LOG_MEL_MIN) for cut in cuts])}


class WaveformClips(_Examples):
    """16 kHz sound: {"waveform": float32 (batch, num_samples)}, cut at random; shorter ones end in zeros."""

    def __init__(self, split: PreparedSplit, num_samples: int) -> None:
        self.clips = split.clips
        self.split = split
        self.num_samples = _positive(num_samples, "num_samples")

    def batch(self, indices: Sequence[int], generator: random_numbers.Generator) -> dict[str, Tensor]:
        """Return one batch; ``generator`` (CPU) draws where clips are cut."""
        cuts = _random_cuts(indices, self.split.num_samples, self.num_samples, generator)
        return {
            "waveform": _stacked([_fit(self.split.waveform(*cut), self.num_samples, 0.0) for cut in cuts])
        }


class LatentClips(_Examples):
    """Captioned latents: {"latent": (batch, channels, num_frames), "text": (batch, tokens, width)}, float32.

    Where the text encoder is trained, "text" is the ids of tokens, int64 (batch, tokens).
    Latents are drawn from the posterior (mean + std * noise) and multiplied by ``scale_factor``. Longer clips are cut
    at random. Clips must not be shorter than their bucket: ``encode_latents`` pads.

    Args:
        latents: posteriors of the clips.
        text: tokens of their captions: features, or ids.
        num_frames: latent frames of one example, or, ascending, of the examples of each length bucket: then a clip
            belongs to the first bucket that holds all of it, else to the last one, and the clips of one batch must be
            of one bucket (``bucket_of`` says which; see ``bucketed_indices``).
        scale_factor: 1 / std of the training latents.
    """

    def __init__(
        self,
        latents: Latents,
        text: TextEmbeddings | CaptionIds,
        num_frames: int | Sequence[int],
        scale_factor: float,
    ) -> None:
        self.clips = latents.clips
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

    def batch(self, indices: Sequence[int], generator: random_numbers.Generator) -> dict[str, Tensor]:
        """Return one batch; ``generator`` (CPU) draws where clips are cut, then the noise."""
        (bucket,) = {int(self._bucket_of[index]) for index in indices}
        cuts = _random_cuts(indices, self.latents.num_frames, self.lengths[bucket], generator)
        mean, std = (_stacked([read(*cut) for cut in cuts]) for read in (self.latents.mean, self.latents.std))
        noise = random_numbers.randn(mean.shape, generator)
        text = _stacked([self.text.tokens(index) for index in indices])
        return {"latent": (mean + std * noise) * self.scale_factor, "text": text}


def _random_cuts(
    indices: Sequence[int], length: Callable[[int], int], wanted: int, generator: random_numbers.Generator
) -> list[tuple[int, int, int]]:
    """Return (index, start, stop) of clips; draws one number for each, long or short: batches stay comparable."""
    cuts = []
    for position, index in enumerate(indices):
        end, numbers = max(length(index) - wanted, 0) + 1, random_numbers.of_example(generator, position)
        start = int(torch.randint(end, (), generator=numbers))
        cuts.append((index, start, start + wanted))
    return cuts


def _stacked(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _fit(values: np.ndarray, length: int, fill: float) -> np.ndarray:
    padding = [(0, 0)] * (values.ndim - 1) + [(0, length - values.shape[-1])]
    return np.pad(values, padding, constant_values=fill)


def _positive(number: int, name: str) -> int:
    if number < 1:
        raise UserError(f"{name}={number}: a training example needs at least 1.")
    return number

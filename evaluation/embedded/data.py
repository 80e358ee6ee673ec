"""Training examples of the evaluator: sound, labels, labels of each frame, caption."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.data.loading.dataset import WaveformClips
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.models.text_encoder import HashedTextEncoder
from audiolcm.random_numbers import Generator
from evaluation.embedded.network import FRAME_SECONDS

_SHORTEST = 0.02  # seconds that an event must last within a frame to be heard there


class EvaluatorClips(WaveformClips):
    """Clips from their start, cut or padded to ``num_samples``.

    A batch: waveform (batch, samples), labels (batch, classes), frames (batch, frames, classes) and knows_events
    (batch,), text (batch, tokens, width), caption (batch,): equal numbers for equal captions.
    """

    def __init__(
        self, split: PreparedSplit, num_samples: int, classes: Sequence[str], text_encoder: HashedTextEncoder
    ) -> None:
        super().__init__(split, num_samples)
        self._class_of = {name: number for number, name in enumerate(classes)}
        self._text_encoder = text_encoder
        numbers: dict[str, int] = {}
        self._caption = [numbers.setdefault(clip.caption, len(numbers)) for clip in split.clips]

    def batch(self, indices: Sequence[int], generator: Generator) -> dict[str, Tensor]:
        """Return one batch; nothing is drawn."""
        clips = [self.split.clips[index] for index in indices]
        waveforms = np.zeros((len(clips), self.num_samples), np.float32)
        for row, index in zip(waveforms, indices, strict=True):
            sound = self.split.waveform(index, 0, self.num_samples)
            row[: len(sound)] = sound
        captions = [clip.caption for clip in clips]
        text = self._text_encoder(captions, [fallback_structure(caption) for caption in captions])
        return {
            "waveform": torch.from_numpy(waveforms),
            "labels": torch.stack([self._labels(clip) for clip in clips]),
            "frames": torch.stack([self._frames(clip) for clip in clips]),
            "knows_events": torch.tensor([bool(clip.events) for clip in clips]),
            "text": text,
            "caption": torch.tensor([self._caption[index] for index in indices]),
        }

    def _labels(self, clip: Clip) -> Tensor:
        labels = torch.zeros(len(self._class_of))
        labels[[self._class_of[label] for label in clip.labels if label in self._class_of]] = 1.0
        return labels

    def _frames(self, clip: Clip) -> Tensor:
        num_frames = int(self.num_samples / SAMPLE_RATE / FRAME_SECONDS)
        starts = torch.arange(num_frames) * FRAME_SECONDS
        frames = torch.zeros(num_frames, len(self._class_of))
        for event in clip.events:
            overlap = (starts + FRAME_SECONDS).clamp(max=event.end) - starts.clamp(min=event.start)
            if event.label in self._class_of:
                frames[overlap > _SHORTEST, self._class_of[event.label]] = 1.0
        return frames

"""The evaluator's network: classes of a sound and of its frames, rows for distances, one space with captions."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.errors import UserError
from audiolcm.models.text_encoder import HashedTextEncoder
from audiolcm.types import Mel, TextTokens
from evaluation.features.mel import HOP, NUM_BANDS

POOLED = 4  # front-end frames that make one frame of the network
FRAME_SECONDS = POOLED * HOP / SAMPLE_RATE  # 0.08
ROW_FRAMES = 12  # frames of the network in one row of the embedding: 0.96 s
_TIME_POOLING = (2, 2, 1, 1)
_DROPOUT = 0.3

Frames = Float[Tensor, "batch frames classes"]
RowEmbeddings = Float[Tensor, "batch rows width"]
Vectors = Float[Tensor, "batch width"]
Logits = Float[Tensor, "batch classes"]


@dataclass(frozen=True)
class Heard:
    """What the network hears in a batch of sounds.

    logits: of the classes of each sound.  frames: logits of the classes in each 0.08 s.  rows: one vector for each
    0.96 s.  joint: a vector of length one for each sound, to be compared with those of captions.
    """

    logits: Logits
    frames: Frames
    rows: RowEmbeddings
    joint: Vectors


def _stage(inputs: Sequence[int], width: int, pooling: int) -> list[nn.Module]:
    """Return 3x3 convolutions from these numbers of channels to ``width`` each, then a mean over bands and frames."""
    layers: list[nn.Module] = []
    for channels in inputs:
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return [*layers, nn.AvgPool2d((2, pooling))]


class EvaluatorNetwork(nn.Module):
    """Four stages of 3x3 convolutions over a log-mel spectrogram, one over time, and four readings of what they find.

    Args:
        num_classes: labels of the data set.
        widths: channels of the four stages.
        width: of a row and of the joint space.

    Raises:
        UserError: when there are no classes, or not four stages.
    """

    def __init__(self, num_classes: int, widths: Sequence[int] = (24, 48, 96, 128), width: int = 64) -> None:
        super().__init__()
        if num_classes < 2:
            raise UserError(
                f"The embedded evaluator needs a data set with labels of 2 classes or more, and this has {num_classes}."
                " Choose metrics of published networks, such as metrics=audiolcm."
            )
        if len(widths) != len(_TIME_POOLING):
            raise UserError(f"evaluator.model.widths={list(widths)}: give {len(_TIME_POOLING)} numbers.")
        # At the full resolution convolutions are dear: the first stage has one, the others two.
        inputs = [(1,), *((before, after) for before, after in itertools.pairwise(widths))]
        stages = zip(inputs, widths, _TIME_POOLING, strict=True)
        layers = [layer for channels, after, pooling in stages for layer in _stage(channels, after, pooling)]
        self.body = nn.Sequential(*layers)
        # The bands that are left stay apart: a mean over them would forget how high a sound is.
        bands = NUM_BANDS // 2 ** len(widths)
        self.join = nn.Sequential(
            nn.Conv1d(bands * widths[-1], widths[-1], 3, padding=1, bias=False),
            nn.BatchNorm1d(widths[-1]),
            nn.ReLU(),
        )
        self.frames = nn.Linear(widths[-1], num_classes)
        self.rows = nn.Linear(widths[-1], width)
        self.classes = nn.Linear(width, num_classes)
        self.sound = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.text_encoder = HashedTextEncoder()
        self.words = nn.Sequential(nn.Linear(self.text_encoder.width, 2 * width), nn.ReLU())
        self.caption = nn.Linear(2 * width, width)
        self.temperature = nn.Parameter(torch.tensor(0.1).log())
        self.to(memory_format=torch.channels_last)

    @property
    def min_samples(self) -> int:
        """The shortest waveform that gives one row."""
        return (ROW_FRAMES * POOLED - 1) * HOP

    def forward(self, spectrogram: Mel) -> Heard:
        """Return what is heard in log-mel spectrograms (batch, 64, frames); the level of each is taken out first."""
        x = (spectrogram - spectrogram.mean((1, 2), keepdim=True)) / 4.0
        h = self.join(self.body(x[:, None].contiguous(memory_format=torch.channels_last)).flatten(1, 2))
        rows = self.rows(F.avg_pool1d(h, ROW_FRAMES).transpose(1, 2))
        found = F.relu(rows)
        found = F.dropout(found.mean(1) + found.amax(1), _DROPOUT, self.training)
        frames = self.frames(F.dropout(h.transpose(1, 2), _DROPOUT, self.training))
        return Heard(self.classes(found), frames, rows, F.normalize(self.sound(found), dim=1))

    def read(self, tokens: TextTokens) -> Vectors:
        """Return a vector of length one for each caption, of tokens that ``text_encoder`` made."""
        return F.normalize(self.caption(self.words(tokens).mean(1)), dim=1)

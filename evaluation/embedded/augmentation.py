"""What must not decide the class of a sound: its level, the color of the channel, the noise floor, company, gaps."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from audiolcm.types import Mel
from evaluation.embedded.network import LOG_FLOOR

_BAND_MASK, _TIME_MASK = 8, 20  # the longest, in bands and front-end frames


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Changed examples (batch, 64, frames): each is ``share`` (batch,) of itself and the rest of example ``other``."""

    spectrogram: Mel
    share: Tensor
    other: Tensor

    def blend(self, targets: Tensor) -> Tensor:
        """Return targets (batch, ...) of the mixed examples, weighted by the shares."""
        share = self.share.view(-1, *[1] * (targets.ndim - 1))
        return share * targets + (1 - share) * targets[self.other]


def augment(x: Mel, generator: Generator) -> Mixture:
    """Return examples with another level, color and noise floor, mixed in power, with bands and frames masked."""
    batch, bands, _ = x.shape
    color = F.interpolate(
        0.7 * torch.randn(batch, 1, 6, generator=generator), bands, mode="linear", align_corners=True
    ).transpose(1, 2)
    level = 1.5 * torch.randn(batch, 1, 1, generator=generator)
    noise_floor = math.log(LOG_FLOOR) + 6.0 * torch.rand(batch, 1, 1, generator=generator)
    x = torch.logaddexp(x + (color + level).to(x), noise_floor.to(x).expand_as(x))
    share = (0.5 + 0.5 * torch.rand(batch, generator=generator)).clamp(max=1.0 - 1e-4)
    share = torch.where(torch.rand(batch, generator=generator) < 0.5, 1.0 - 1e-4, share).to(
        x
    )  # half stay alone
    other = torch.randperm(batch, generator=generator).to(x.device)
    weight = share[:, None, None]
    x = torch.logaddexp(x + weight.log(), x[other] + (1 - weight).log())
    for example in x:
        for _ in range(2):
            _mask(example, _BAND_MASK, generator)
            _mask(example.T, _TIME_MASK, generator)
    return Mixture(x, share, other)


def _mask(example: Tensor, longest: int, generator: Generator) -> None:
    """Set up to ``longest`` - 1 neighboring rows to the mean of the example, in place."""
    width = int(torch.randint(min(longest, len(example)), (), generator=generator))
    start = int(torch.randint(len(example) - width + 1, (), generator=generator))
    example[start : start + width] = example.mean()

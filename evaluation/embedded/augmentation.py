"""What must not decide the class of a sound: its level, the color of the channel, the noise floor, company, gaps."""

import dataclasses
import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from audiolcm.types import Mel
from evaluation.features.mel import LOG_FLOOR

_MIXED = 0.5  # of the examples get company
_QUIETEST = 0.05  # share of the power that company has at least: labels count it as heard
_BAND_MASK = 8  # one less is the longest, in bands


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Changed examples (batch, 64, frames): each has ``share`` (batch,) of the power, example ``other`` the rest."""

    spectrogram: Mel
    share: Tensor
    other: Tensor

    def blend(self, weights: Tensor) -> Tensor:
        """Return the mean of (batch, ...) over what is mixed, weighted by the shares."""
        share = _along(self.share, weights)
        return share * weights + (1 - share) * weights[self.other]

    def union(self, targets: Tensor) -> Tensor:
        """Return what is heard (1) or not (0) in the mixed examples, (batch, ...): what is heard in either."""
        return torch.where(_along(self.share, targets) < 1, targets.maximum(targets[self.other]), targets)


def augment(x: Mel, generator: Generator) -> Mixture:
    """Return examples of other recordings: half of them mixed in power with another one, with bands masked."""
    x = _recorded_elsewhere(x, generator)
    batch = len(x)
    company = _QUIETEST + (0.5 - _QUIETEST) * torch.rand(batch, generator=generator)
    share = 1 - company * (torch.rand(batch, generator=generator) < _MIXED)
    other = torch.randperm(batch, generator=generator).to(x.device)
    share = share.to(x)
    x = torch.logaddexp(x + _along(share, x).log(), x[other] + (1 - _along(share, x)).log())
    for example in x:
        for _ in range(2):
            _mask_bands(example, generator)
    return Mixture(x, share, other)


def _recorded_elsewhere(x: Mel, generator: Generator) -> Mel:
    """Return examples with another level, color of the channel and noise floor."""
    batch, bands, _ = x.shape
    corners = 0.7 * torch.randn(batch, 1, 6, generator=generator)
    color = F.interpolate(corners, bands, mode="linear", align_corners=True).transpose(1, 2)
    level = 1.5 * torch.randn(batch, 1, 1, generator=generator)
    noise_floor = math.log(LOG_FLOOR) + 6.0 * torch.rand(batch, 1, 1, generator=generator)
    return torch.logaddexp(x + (color + level).to(x), noise_floor.to(x).expand_as(x))


def _mask_bands(example: Tensor, generator: Generator) -> None:
    """Set up to 7 neighboring bands of (64, frames) to the mean of the example, in place."""
    width = int(torch.randint(_BAND_MASK, (), generator=generator))
    start = int(torch.randint(len(example) - width + 1, (), generator=generator))
    example[start : start + width] = example.mean()


def _along(values: Tensor, like: Tensor) -> Tensor:
    """Return values (batch,) with as many axes as ``like``."""
    return values.view(-1, *[1] * (like.ndim - 1))

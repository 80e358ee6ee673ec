"""A teacher that is exact: the score of a mixture of Gaussians with two classes, whose guided flow can be followed."""

import math

import torch
from torch import Tensor, nn

from audiolcm.diffusion.schedule import ScaledLinearSchedule

SCHEDULE = ScaledLinearSchedule()
EMPTY = torch.zeros(1, 1, 2)
CLASSES = torch.eye(2)[:, None]  # (2, 1 token, width 2)
SPREAD = 0.15  # of each Gaussian


class ExactTeacher(nn.Module):
    """The noise prediction of data that are, in each of two classes, three narrow Gaussians of equal weight.

    Without a class all six count. ``means`` is (2 classes, 3, channels, frames).
    """

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        drawn = torch.randn(2, 3, channels, frames, generator=torch.Generator().manual_seed(5))
        self.register_buffer("means", drawn)

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return -sigma times the gradient of the logarithm of the density of z_t."""
        alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
        variance = (alpha * SPREAD) ** 2 + sigma**2
        towards = alpha[:, None] * self.means.flatten(0, 1) - z_t[:, None]  # (batch, 6, channels, frames)
        likely = -towards.square().sum((2, 3)) / (2 * variance[:, :, 0])
        classes = text[:, 0]
        excluded = (classes.sum(1, keepdim=True) > 0) & (classes.repeat_interleave(3, 1) == 0)
        weight = likely.masked_fill(excluded, -math.inf).softmax(1)
        return -sigma * (weight[:, :, None, None] * towards).sum(1) / variance

    def sample(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """Return a clean example of each class (batch,)."""
        kind = torch.randint(3, classes.shape, generator=generator)
        means = self.means[classes, kind]
        return means + SPREAD * torch.randn(means.shape, generator=generator)

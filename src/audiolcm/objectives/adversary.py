"""The adversarial part of the autoencoder's objective: none, or a discriminator that joins later."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.objectives.objective import Scalars

MAX_ADAPTIVE_WEIGHT = 1e4
Mean = Callable[[Tensor], Tensor]
"""How a statistic is averaged: over the processes, or not at all."""


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return mean(relu(1 - D(x))) + mean(relu(1 + D(x'))), halved as in VQGAN."""
    return 0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean())


def least_squares_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return mean((1 - D(x))^2) + mean(D(x')^2), halved (Mao et al. 2017, Eq. 9 with a = 0 and b = 1)."""
    return 0.5 * ((1.0 - real).square().mean() + fake.square().mean())


def r1_penalty(scores: Tensor, mel: Tensor) -> Tensor:
    """Return the mean over all mel bins of (d sum(scores) / d mel)^2.

    Mescheder et al. (2018, Eq. 9) take half of the sum over the bins of an example; the released code takes this mean.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), mel, create_graph=True)
    return gradient.square().mean()


def feature_matching_loss(real: list[Tensor], fake: list[Tensor], mean: Mean = processes.mean) -> Tensor:
    """Return the mean over layers of mean|f(x') - f(x)| / mean|f(x)|; ``real`` takes no gradient."""
    terms = []
    for of_real, of_fake in zip(real, fake, strict=True):
        aim = of_real.detach().float()
        scale = mean(aim.abs().mean()).clamp_min(1e-6)
        terms.append((of_fake.float() - aim).abs().mean() / scale)
    return torch.stack(terms).mean()


def adaptive_weight(
    nll: Tensor, adversarial: Tensor, last_layer: Tensor, floor: float = 1e-8, mean: Mean = processes.mean
) -> Tensor:
    """Return |grad nll| / (|grad adversarial| + floor) at ``last_layer``, at most 10,000 (Esser et al. 2021, Eq. 7)."""
    of_nll, of_adversarial = (
        mean(torch.autograd.grad(loss, last_layer, retain_graph=True)[0].float()).norm()
        for loss in (nll, adversarial)
    )
    return (of_nll / (of_adversarial + floor)).clamp(max=MAX_ADAPTIVE_WEIGHT)


class NoAdversary(nn.Module):
    """The plain autoencoder: no discriminator, no adversarial loss, and no statistics that examples share."""

    group_size = 1

    def joined(self, step: int) -> bool:
        """Return False at every step."""
        return False

    def learns(self, step: int) -> bool:
        """Return False at every step."""
        return False


class Adversary(nn.Module, ABC):
    """A mel discriminator, what the autoencoder gains by deceiving it, and what the discriminator itself minimizes.

    The autoencoder's share is factor * weight * adaptive weight * -mean(D(x')), and feature matching.

    Args:
        discriminator: maps mels to (scores, features).
        start_step: the first step at which it joins.
        weight: factor on the adaptive weight of the autoencoder's share.
        feature_weight: weight of feature matching beside an error of one per mel bin.
        ramp_steps: steps over which both weights grow from 0, so that the untrained discriminator does no harm.
        factor: on both adversarial losses, the autoencoder's and the discriminator's.
        penalty_weight: of ``r1_penalty`` in the discriminator's loss. Above 0 the discriminator learns from the first
            step, before ``start_step`` from the penalty alone.
        floor: added to the gradient by which the adaptive weight divides.
        group_size: examples that share statistics (those of batch normalization, the adaptive weight, the scale of
            features), as on a GPU of their own; a batch is then the mean over its groups. null: all of a batch do, over
            all processes.
        after_update: whether the discriminator is shown what the autoencoder makes after its own update, of latents
            drawn anew, instead of the reconstruction that the autoencoder was just trained on.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        start_step: int,
        weight: float = 0.5,
        feature_weight: float = 0.0,
        ramp_steps: int = 0,
        factor: float = 1.0,
        penalty_weight: float = 0.0,
        floor: float = 1e-8,
        group_size: int | None = None,
        after_update: bool = False,
    ) -> None:
        super().__init__()
        if group_size is None and any(isinstance(part, nn.BatchNorm2d) for part in discriminator.modules()):
            raise UserError(
                "autoencoder.objective.adversary.group_size is null, but this discriminator has batch normalization, "
                "which would make its scores depend on how many examples a process holds: say how many share their "
                "statistics, such as the 4 of each GPU of the released training, group_size=4."
            )
        self.discriminator = discriminator
        self.start_step = start_step
        self.weight = weight
        self.feature_weight = feature_weight
        self.ramp_steps = ramp_steps
        self.factor = factor
        self.penalty_weight = penalty_weight
        self.floor = floor
        self.group_size = group_size
        self.after_update = after_update

    @abstractmethod
    def judged(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return how wrong the discriminator's scores of true and reconstructed mels are."""

    def joined(self, step: int) -> bool:
        """Return whether the adversarial loss is on at ``step``."""
        return step >= self.start_step

    def learns(self, step: int) -> bool:
        """Return whether the discriminator is trained at ``step``."""
        return self.joined(step) or self.penalty_weight > 0

    def generator_loss(
        self,
        mel: Tensor,
        reconstruction: Tensor,
        nll: Callable[[Tensor, Tensor], Tensor],
        last_layer: Tensor,
        step: int,
    ) -> tuple[Tensor, Scalars]:
        """Return what is added to the autoencoder's loss; the discriminator takes no gradient.

        ``nll`` is the autoencoder's own loss of (reconstruction, mel), against which the adaptive weight weighs.
        """
        ramp = min(1.0, (step - self.start_step + 1) / (self.ramp_steps + 1))
        self.discriminator.requires_grad_(False)
        found = [
            self._deceived(true, made, nll(made, true), last_layer, ramp)
            for true, made in self._groups(mel, reconstruction)
        ]
        self.discriminator.requires_grad_(True)
        return _mean_of(found)

    def discriminator_loss(self, mel: Tensor, reconstruction: Tensor, step: int) -> tuple[Tensor, Scalars]:
        """Return the loss that the discriminator minimizes; ``reconstruction`` takes no gradient."""
        factor = self.factor if self.joined(step) else 0.0
        return _mean_of([self._told_apart(*pair, factor) for pair in self._groups(mel, reconstruction)])

    def _groups(self, mel: Tensor, reconstruction: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        size = self.group_size or len(mel)
        yield from zip(mel.split(size), reconstruction.split(size), strict=True)

    def _deceived(
        self, mel: Tensor, reconstruction: Tensor, nll: Tensor, last_layer: Tensor, ramp: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the autoencoder's share of one group."""
        mean = processes.mean if self.group_size is None else _as_it_is
        score, fake = self.discriminator(reconstruction)
        adversarial = -score.float().mean()
        weight = ramp * self.weight * adaptive_weight(nll, adversarial, last_layer, self.floor, mean)
        weight = self.factor * weight
        added, scalars = weight * adversarial, {"adversarial": adversarial.detach(), "adaptive": weight}
        if self.feature_weight:
            matching = feature_matching_loss(self.discriminator(mel)[1], fake, mean)
            added = added + ramp * self.feature_weight * matching
            scalars["matching"] = matching.detach()
        return added, scalars

    def _told_apart(
        self, mel: Tensor, reconstruction: Tensor, factor: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the discriminator's loss of one group."""
        mel = mel.detach().requires_grad_(self.penalty_weight > 0)
        real, _ = self.discriminator(mel)
        terms, scalars = [], {}
        if factor or not self.penalty_weight:
            fake, _ = self.discriminator(reconstruction.detach())
            terms.append(factor * self.judged(real.float(), fake.float()))
        if self.penalty_weight:
            penalty = r1_penalty(real.float(), mel)
            terms.append(self.penalty_weight * penalty)
            scalars["penalty"] = penalty.detach()
        return sum(terms[1:], terms[0]), scalars


class HingeAdversary(Adversary):
    """Its discriminator minimizes the hinge loss."""

    def judged(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the hinge loss."""
        return hinge_discriminator_loss(real, fake)


class LeastSquaresAdversary(Adversary):
    """Its discriminator minimizes squared differences from 1 and from 0."""

    def judged(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the least-squares loss."""
        return least_squares_discriminator_loss(real, fake)


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _mean_of(found: list[tuple[Tensor, dict[str, Tensor]]]) -> tuple[Tensor, Scalars]:
    """Return the means over the groups of their losses and of what is logged of them."""
    losses, scalars = zip(*found, strict=True)
    means: Scalars = {
        name: torch.stack([of_group[name] for of_group in scalars]).mean() for name in scalars[0]
    }
    return torch.stack(losses).mean(), means

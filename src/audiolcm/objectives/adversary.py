"""The adversarial part of the autoencoder's objective: none, or a hinge loss that joins later."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.distributed import processes
from audiolcm.objectives.objective import Scalars

MAX_ADAPTIVE_WEIGHT = 1e4


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return mean(relu(1 - D(x))) + mean(relu(1 + D(x'))), halved as in VQGAN."""
    return 0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean())


def feature_matching_loss(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Return the mean over layers of mean|f(x') - f(x)| / mean|f(x)|; ``real`` takes no gradient."""
    terms = []
    for of_real, of_fake in zip(real, fake, strict=True):
        aim = of_real.detach().float()
        scale = processes.mean(aim.abs().mean()).clamp_min(1e-6)
        terms.append((of_fake.float() - aim).abs().mean() / scale)
    return torch.stack(terms).mean()


def adaptive_weight(nll: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """Return |grad nll| / |grad adversarial| at ``last_layer``, at most 10,000 (Esser et al. 2021, Eq. 7)."""
    of_nll, of_adversarial = (
        processes.mean(torch.autograd.grad(loss, last_layer, retain_graph=True)[0].float()).norm()
        for loss in (nll, adversarial)
    )
    return (of_nll / (of_adversarial + 1e-8)).clamp(max=MAX_ADAPTIVE_WEIGHT)


class NoAdversary(nn.Module):
    """The plain autoencoder: no discriminator, no adversarial loss."""

    def joined(self, step: int) -> bool:
        """Return False at every step."""
        return False


class HingeAdversary(nn.Module):
    """Hinge loss of a mel discriminator with the adaptive weight, and feature matching.

    Args:
        discriminator: maps mels to (scores, features).
        start_step: the first step at which it joins.
        weight: factor on the adaptive weight; 0.5 in the released configuration.
        feature_weight: weight of feature matching beside an error of one per mel bin.
        ramp_steps: steps over which both weights grow from 0, so that the untrained discriminator does no harm.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        start_step: int,
        weight: float = 0.5,
        feature_weight: float = 0.0,
        ramp_steps: int = 0,
    ) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.start_step = start_step
        self.weight = weight
        self.feature_weight = feature_weight
        self.ramp_steps = ramp_steps

    def joined(self, step: int) -> bool:
        """Return whether the adversarial loss is on at ``step``."""
        return step >= self.start_step

    def generator_loss(
        self, mel: Tensor, reconstruction: Tensor, nll: Tensor, last_layer: Tensor, step: int
    ) -> tuple[Tensor, Scalars]:
        """Return what is added to the autoencoder's loss; the discriminator takes no gradient."""
        self.discriminator.requires_grad_(False)
        _, real = self.discriminator(mel)
        score, fake = self.discriminator(reconstruction)
        self.discriminator.requires_grad_(True)
        ramp = min(1.0, (step - self.start_step + 1) / (self.ramp_steps + 1))
        adversarial = -score.float().mean()
        weight = ramp * self.weight * adaptive_weight(nll, adversarial, last_layer)
        matching = feature_matching_loss(real, fake)
        scalars = {"adversarial": adversarial.detach(), "adaptive": weight, "matching": matching.detach()}
        return weight * adversarial + ramp * self.feature_weight * matching, scalars

    def discriminator_loss(self, mel: Tensor, reconstruction: Tensor) -> Tensor:
        """Return the hinge loss that the discriminator minimizes; ``reconstruction`` takes no gradient."""
        real, _ = self.discriminator(mel)
        fake, _ = self.discriminator(reconstruction.detach())
        return hinge_discriminator_loss(real.float(), fake.float())

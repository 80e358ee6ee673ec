"""Adversarial training of the vocoder on true mels and on mels that went through the autoencoder."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.distributed import processes
from audiolcm.models.ema import ema_update, frozen_copy, warmed_up_rate
from audiolcm.models.vocoder_discriminator import MultiResolutionDiscriminator
from audiolcm.models.vocoder_istft import IstftVocoder
from audiolcm.objectives.given_mels import GivenMels
from audiolcm.objectives.objective import Batch, Scalars
from audiolcm.random_numbers import Generator, on_device, randn

_SMALL = 1e-3

Judgment = list[tuple[Tensor, list[Tensor]]]


class VocoderObjective(nn.Module):
    """Least-squares GAN (Mao et al., 2017) with matched textures and a log-mel L1.

    It departs from HiFi-GAN where that one smooths: an L1 between feature maps of two noises asks for their median,
    which is no noise any more, so the statistics of the maps over time are matched instead.

    Args:
        model: the vocoder to train.
        discriminator: what it trains against.
        autoencoder: maps mels to latents and back; None trains on true mels alone.
        reconstructed_share: share of a batch whose mels go through the autoencoder, 0 to 1.
        mel_weight, texture_weight: of the L1 in log10-mel units and of the texture matching.
        ema_rate: rate of the moving average that the artifact keeps.

    Raises:
        UserError: when the share is not within 0 and 1.
    """

    additive = False

    def __init__(
        self,
        model: IstftVocoder,
        discriminator: MultiResolutionDiscriminator,
        autoencoder: nn.Module | None = None,
        reconstructed_share: float = 0.5,
        mel_weight: float = 5.0,
        texture_weight: float = 1.0,
        ema_rate: float = 0.998,
    ) -> None:
        super().__init__()
        self.given = GivenMels(autoencoder, reconstructed_share)
        self.mel_weight, self.texture_weight, self.ema_rate = mel_weight, texture_weight, ema_rate
        self.trained = nn.ModuleDict(
            {
                "generator": model,
                "average": frozen_copy(model),
                "discriminator": discriminator,
            }
        )

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of the two optimizers."""
        return {part: list(self.trained[part].parameters()) for part in ("discriminator", "generator")}

    def losses(self, batch: Batch, step: int, generator: Generator) -> Iterator[tuple[str, Tensor, Scalars]]:
        """Yield the loss of the discriminator, then of the generator, on ``batch["waveform"]`` (batch, samples)."""
        real, target = self.given.true(batch["waveform"])
        noise = on_device(randn(real.shape, generator), real.device)
        fake = self.trained["generator"](self.given(target, generator), noise)

        judge = self.trained["discriminator"]
        on_real, on_fake = judge(real), judge(fake.detach())
        yield "discriminator", discriminator_loss(on_real, on_fake), {}

        with torch.no_grad():
            on_real = judge(real)
        on_fake = judge(fake)
        mel = F.l1_loss(self.given.mel(fake), target)
        adversarial, matching = generator_loss(on_fake), texture_matching(on_real, on_fake)
        total = adversarial + self.texture_weight * matching + self.mel_weight * mel
        scalars = {"mel": mel.detach(), "adversarial": adversarial.detach(), "texture": matching.detach()}
        # pyrefly: ignore[invalid-yield]  (dict is invariant; nothing is written into it)
        yield "generator", total, scalars

    def after_step(self, step: int) -> None:
        """Move the average towards the generator."""
        ema_update(self.trained["average"], self.trained["generator"], warmed_up_rate(self.ema_rate, step))

    @torch.no_grad()
    def validate(self, batch: Batch, generator: Generator) -> dict[str, float]:
        """Return the log10-mel L1 of the averaged vocoder on true and, where there are any, reconstructed mels."""
        return self.given.errors(self.trained["average"], batch["waveform"])

    def product(self) -> nn.Module:
        """Return the averaged vocoder."""
        return self.trained["average"]


def discriminator_loss(on_real: Judgment, on_fake: Judgment) -> Tensor:
    """Return the mean over the members of (D(x) - 1)^2 + D(G(m))^2."""
    losses = [
        (real.float() - 1.0).square().mean() + fake.float().square().mean()
        for (real, _), (fake, _) in zip(on_real, on_fake, strict=True)
    ]
    return torch.stack(losses).mean()


def generator_loss(on_fake: Judgment) -> Tensor:
    """Return the mean over the members of (D(G(m)) - 1)^2."""
    return torch.stack([(fake.float() - 1.0).square().mean() for fake, _ in on_fake]).mean()


def texture_matching(on_real: Judgment, on_fake: Judgment) -> Tensor:
    """Return the mean over members and layers of the L1 between the feature maps' means and deviations over time."""
    losses = []
    for (_, real_maps), (_, fake_maps) in zip(on_real, on_fake, strict=True):
        for real, fake in zip(real_maps, fake_maps, strict=True):
            (real_mean, real_std), (fake_mean, fake_std) = over_time(real), over_time(fake)
            scale = processes.mean(real_std.mean()).clamp(min=_SMALL)
            difference = F.l1_loss(fake_mean, real_mean) + F.l1_loss(fake_std, real_std)
            losses.append(difference / scale)
    return torch.stack(losses).mean()


def over_time(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation over the last dimension, with a floor that keeps the gradient finite."""
    maps = maps.float()
    mean = maps.mean(-1)
    variance = (maps - mean.unsqueeze(-1)).square().mean(-1)
    return mean, torch.sqrt(variance + _SMALL**2)

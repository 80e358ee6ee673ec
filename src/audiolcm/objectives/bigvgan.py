"""Adversarial training of BigVGAN, by the losses of HiFi-GAN."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.models.bigvgan import BigVGAN
from audiolcm.models.bigvgan_discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator
from audiolcm.models.weight_norm import add_weight_norm, folded
from audiolcm.objectives.given_mels import GivenMels
from audiolcm.objectives.objective import Batch, Scalars
from audiolcm.objectives.vocoder import Judgment, discriminator_loss, generator_loss
from audiolcm.random_numbers import Generator


class BigVGANObjective(nn.Module):
    """Least-squares GAN, matched feature maps and an L1 between mels (Kong et al., 2020; Lee et al., 2023).

    As the authors train: no moving average, weight norm on generator and discriminators, and all in float32 whatever
    ``hardware.precision`` is, since bfloat16 leaves a waveform 8 bits.

    Args:
        model: the generator; weight norm is put on those of its convolutions that have none.
        mpd, mrd: what it trains against.
        autoencoder: maps mels to latents and back, where there is a ``reconstructed_share``.
        reconstructed_share: share of a batch whose mels go through the autoencoder; None trains on true mels alone.
        mel_weight: of the L1, in the logarithm of the mels that the generator was made for (``mel_log``).
        feature_weight: of the feature matching.
    """

    def __init__(
        self,
        model: BigVGAN,
        mpd: MultiPeriodDiscriminator,
        mrd: MultiResolutionDiscriminator,
        autoencoder: nn.Module | None = None,
        reconstructed_share: float | None = None,
        mel_weight: float = 45.0,
        feature_weight: float = 2.0,
    ) -> None:
        super().__init__()
        self.given = GivenMels(autoencoder, reconstructed_share)
        self.mel_weight, self.feature_weight = mel_weight * model.mel_factor, feature_weight
        generator = add_weight_norm(model).requires_grad_(True).train()
        self.trained = nn.ModuleDict({"mpd": mpd, "mrd": mrd, "generator": generator})

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of the three optimizers."""
        return {part: list(network.parameters()) for part, network in self.trained.items()}

    def losses(self, batch: Batch, step: int, generator: Generator) -> Iterator[tuple[str, Tensor, Scalars]]:
        """Yield the loss of each discriminator, then the generator's, on ``batch["waveform"]`` (batch, samples)."""
        real, target = self.given.true(batch["waveform"])
        given = self.given(target, generator)
        with torch.no_grad():
            fake = self._of("generator", given)
        for part in ("mpd", "mrd"):
            yield part, self._discriminator_loss(part, real, fake), {}
        # The generator runs again: of a batch in pieces one graph is held at a time.
        total, scalars = self._generator_loss(real, target, given)
        # pyrefly: ignore[invalid-yield]  (dict is invariant; nothing is written into it)
        yield "generator", total, scalars

    def after_step(self, step: int) -> None:
        """Keep no average."""

    @torch.no_grad()
    def validate(self, batch: Batch, generator: Generator) -> dict[str, float]:
        """Return the log10-mel L1 of the generator on true and, where there are any, reconstructed mels."""
        return self.given.errors(partial(self._of, "generator"), batch["waveform"])

    def product(self) -> nn.Module:
        """Return the generator without weight norm, as it is used."""
        return folded(self.trained["generator"]).requires_grad_(False).eval()

    def _discriminator_loss(self, part: str, real: Tensor, fake: Tensor) -> Tensor:
        on_real, on_fake = self._of(part, real), self._of(part, fake)
        return len(on_real) * discriminator_loss(on_real, on_fake)

    def _generator_loss(
        self, real: Tensor, target: Tensor, given: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        fake = self._of("generator", given)
        with torch.no_grad():
            on_real = self._of("mpd", real) + self._of("mrd", real)
        on_fake = self._of("mpd", fake) + self._of("mrd", fake)
        mel = F.l1_loss(self.given.mel(fake), target)
        adversarial, features = len(on_fake) * generator_loss(on_fake), feature_matching(on_real, on_fake)
        total = adversarial + self.feature_weight * features + self.mel_weight * mel
        scalars = {"mel": mel, "adversarial": adversarial, "features": features}
        return total, {name: scalar.detach() for name, scalar in scalars.items()}

    def _of(self, part: str, x: Tensor) -> Any:
        """Return what a network makes of mels or waveforms, in float32."""
        with torch.autocast(x.device.type, enabled=False):
            return self.trained[part](x.float())


def feature_matching(on_real: Judgment, on_fake: Judgment) -> Tensor:
    """Return the sum over members and layers of the L1 between feature maps."""
    losses = [
        F.l1_loss(fake, real)
        for (_, real_maps), (_, fake_maps) in zip(on_real, on_fake, strict=True)
        for real, fake in zip(real_maps, fake_maps, strict=True)
    ]
    return torch.stack(losses).sum()

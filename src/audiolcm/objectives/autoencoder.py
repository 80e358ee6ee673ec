"""The autoencoder's objective: reconstruction, KL to N(0, 1), and an adversary that may join."""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder, Posterior
from audiolcm.models.ema import ema_update, frozen_copy, warmed_up_rate
from audiolcm.objectives.adversary import Adversary, NoAdversary
from audiolcm.objectives.objective import Batch, Scalars
from audiolcm.random_numbers import Generator

_SMOOTH = 0.01
"""Curvature over the bands, in log10, below which a mel counts as smooth: recordings have some 0.2, silence none."""


class AutoencoderObjective(nn.Module):
    """Reconstruction + kl_weight * KL + adversary, all of them per mel bin or all of them per example.

    The KL of one latent element weighs ``kl_weight`` times the error of one bin either way, where ``reconstruction``
    leaves errors as they are: a learned variance that has fallen to the error itself, 0.1, divides that weight by ten.
    Beside a sum over 49,920 bins the adaptive weight meets its bounds elsewhere than beside a mean, and clipped
    gradients are another share of what they were.

    Args:
        model: the autoencoder to train.
        reconstruction: maps (reconstructed mel, mel) to a loss per bin.
        adversary: ``NoAdversary``, or an ``Adversary`` such as ``HingeAdversary``.
        kl_weight: weight of the KL of a latent element beside the error of a mel bin.
        ema_rate: rate of the moving average that becomes the artifact; 0 keeps the trained weights.
        loss_per: bin, the mean over all mel bins; or example, the sum over an example's bins and latent elements,
            divided by the batch.
    """

    def __init__(
        self,
        model: Autoencoder,
        reconstruction: nn.Module,
        adversary: NoAdversary | Adversary,
        kl_weight: float = 1e-6,
        ema_rate: float = 0.0,
        loss_per: str = "bin",
    ) -> None:
        super().__init__()
        if kl_weight < 0:
            raise UserError(f"autoencoder.objective.kl_weight={kl_weight} must be 0 or more.")
        if loss_per not in ("bin", "example"):
            raise UserError(f"autoencoder.objective.loss_per={loss_per}: choose bin or example.")
        self.trained = nn.ModuleDict(
            {
                "model": model,
                "reconstruction": reconstruction,
                "adversary": adversary,
                "average": frozen_copy(model),
            }
        )
        self.kl_weight, self.ema_rate, self.loss_per = kl_weight, ema_rate, loss_per

    @property
    def additive(self) -> bool:
        """Whether the loss of a batch is the mean over its groups of ``examples_together``."""
        return self.trained["adversary"].group_size is not None

    @property
    def examples_together(self) -> int:
        """How many examples share statistics apart from the others; 1 where none do, or all of a batch."""
        return cast(int | None, self.trained["adversary"].group_size) or 1

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return ``generator`` and, with an adversary, ``discriminator``."""
        generator = [*self.trained["model"].parameters(), *self.trained["reconstruction"].parameters()]
        discriminator = list(self.trained["adversary"].parameters())
        return {"generator": generator} | ({"discriminator": discriminator} if discriminator else {})

    def losses(self, batch: Batch, step: int, generator: Generator) -> Iterator[tuple[str, Tensor, Scalars]]:
        """Yield the autoencoder's loss, then the discriminator's at steps at which it learns; batch: mel."""
        model, adversary, mel = self.trained["model"], self.trained["adversary"], batch["mel"]
        num_bins = mel[0].numel()
        scale = num_bins if self.loss_per == "example" else 1
        reconstructed, posterior = self._reconstruct(mel, generator)

        def nll(made: Tensor, true: Tensor) -> Tensor:
            with torch.autocast(mel.device.type, enabled=False):
                return scale * self.trained["reconstruction"](made, true)

        error = nll(reconstructed, mel)
        with torch.autocast(mel.device.type, enabled=False):
            kl = posterior.kl().mean() / num_bins
        loss = error + scale * self.kl_weight * kl
        scalars: Scalars = {"reconstruction": error.detach() / scale, "kl": kl.detach()}
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        if adversary.joined(step):
            # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
            added, more = adversary.generator_loss(mel, reconstructed, nll, model.last_layer, step)
            loss, scalars = loss + added, scalars | more
        yield "generator", loss, scalars
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        if not adversary.learns(step):
            return
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        if adversary.after_update and adversary.joined(step):
            with torch.no_grad():
                reconstructed, _ = self._reconstruct(mel, generator)
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        yield "discriminator", *adversary.discriminator_loss(mel, reconstructed, step)

    def _reconstruct(self, mel: Tensor, generator: Generator) -> tuple[Tensor, Posterior]:
        """Return mels that went through the autoencoder by a drawn latent, and the posterior."""
        model = self.trained["model"]
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        posterior = model.encode(mel)
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        return model.decode(posterior.sample(generator), num_frames=mel.shape[-1]), posterior

    def after_step(self, step: int) -> None:
        """Move the average towards the model."""
        rate = warmed_up_rate(self.ema_rate, step)
        ema_update(self.trained["average"], self.trained["model"], rate)

    @torch.no_grad()
    def validate(self, batch: Batch, generator: Generator) -> dict[str, float]:
        """Return figures of the averaged autoencoder.

        ``mel_l1``: error of the mean's reconstruction, per bin; ``texture``: its curvature over the bands
        relative to the true one, or to that of a smooth mel (1 = as rough, 0 = smoothed away); ``latent_std`` and
        ``latent_spread``: deviation of sampled latents, and the largest channel's over the smallest's; ``kl``: nats a
        frame. Each is the mean over the examples of what it is for one.
        """
        model, mel = self.trained["average"], batch["mel"]
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        posterior = model.encode(mel)
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        reconstructed = model.decode(posterior.mode(), num_frames=mel.shape[-1])
        sampled = posterior.sample(generator)
        by_channel = sampled.std(dim=2)
        roughness = [x.diff(n=2, dim=1).abs().mean((1, 2)).clamp_min(_SMOOTH) for x in (reconstructed, mel)]
        return {
            "mel_l1": float((reconstructed - mel).abs().mean()),
            "texture": float((roughness[0] / roughness[1]).mean()),
            "kl": float(posterior.kl().mean() / mel.shape[-1]),
            "latent_std": float(sampled.std(dim=(1, 2)).mean()),
            "latent_spread": float((by_channel.amax(1) / by_channel.amin(1).clamp_min(1e-6)).mean()),
        }

    def product(self) -> nn.Module:
        """Return the averaged autoencoder."""
        return self.trained["average"]

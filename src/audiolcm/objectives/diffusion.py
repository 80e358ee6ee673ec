"""The teacher's objective: noise prediction under a caption that is sometimes dropped (Eq. 18)."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.errors import UserError
from audiolcm.models.ema import ema_update, frozen_copy, warmed_up_rate
from audiolcm.objectives.objective import Batch, Scalars
from audiolcm.random_numbers import Generator, on_device, rand, randint, randn
from audiolcm.types import TextTokens, TokenIds, TrainableTextEncoder

LOSS_WEIGHTING = {"epsilon": 0, "balanced": 1, "velocity": 2}
"""The power p in E || epsilon_theta - epsilon ||^2 / alpha_t^p, by name.

0 is the paper's. 2 makes it the loss of velocity prediction (Salimans and Ho, 2022), whatever the network predicts:
more weight for the noisiest timesteps, where the caption decides what is heard. In short trainings of the tiny model
0 gave smooth sounds that ignored their captions and 2 gave sounds that followed them, full of jitter from frame to
frame; 1 is in between.
"""


class DiffusionObjective(nn.Module):
    """E || epsilon_theta(alpha_t z + sigma_t epsilon, c, t) - epsilon ||^2, t uniform on 0 .. T-1.

    Args:
        model: the transformer to train.
        schedule: alpha_t and sigma_t.
        unconditional: text of the empty caption, as batches hold it.
        caption_dropout: share of captions replaced by the empty one, for classifier-free guidance.
        ema_rate: rate of the moving average that becomes the artifact.
        loss_weighting: a key of ``LOSS_WEIGHTING``.
        text_encoder: one that is trained along, with one optimizer and one average for both. Texts are then ids of
            tokens, (batch, tokens), which each step encodes; without it they are features, (batch, tokens, width).
    """

    def __init__(
        self,
        model: nn.Module,
        schedule: NoiseSchedule,
        unconditional: TextTokens | TokenIds,
        caption_dropout: float = 0.1,
        ema_rate: float = 0.999,
        loss_weighting: str = "epsilon",
        text_encoder: TrainableTextEncoder | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= caption_dropout <= 1.0:
            raise UserError(
                f"objective.caption_dropout={caption_dropout} is a share: 0 to 1; the paper's is 0.1."
            )
        if loss_weighting not in LOSS_WEIGHTING:
            raise UserError(
                f"objective.diffusion.loss_weighting={loss_weighting}: choose {', '.join(LOSS_WEIGHTING)}."
            )
        self.trained = nn.ModuleDict({"model": model, "average": frozen_copy(model)})
        self.text_encoder = text_encoder
        if text_encoder is not None:
            part = text_encoder.trained_part()
            self.trained.update({"text_model": part, "text_average": frozen_copy(part)})
        self.schedule = schedule
        self.caption_dropout = caption_dropout
        self.ema_rate = ema_rate
        self.weighting_power = LOSS_WEIGHTING[loss_weighting]
        self.register_buffer("unconditional", unconditional, persistent=False)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the one part, ``model``, with the weights of a text encoder that is trained along."""
        networks = [self.trained[name] for name in ("model", "text_model") if name in self.trained]
        return {"model": [parameter for network in networks for parameter in network.parameters()]}

    def losses(self, batch: Batch, step: int, generator: Generator) -> Iterator[tuple[str, Tensor, Scalars]]:
        """Yield the one loss; batch: latent (batch, channels, frames), text (batch, tokens, width), or its ids."""
        dropped = rand([len(batch["text"])], generator) < self.caption_dropout
        of_example = on_device(dropped, self.unconditional.device).view(-1, *[1] * (batch["text"].dim() - 1))
        text = torch.where(of_example, self.unconditional, batch["text"])
        yield "model", self._loss("model", batch["latent"], text, generator), {}

    def after_step(self, step: int) -> None:
        """Move the average towards the model, also of a text encoder: the averaged model reads averaged texts."""
        rate = warmed_up_rate(self.ema_rate, step)
        ema_update(self.trained["average"], self.trained["model"], rate)
        if self.text_encoder is not None:
            ema_update(self.trained["text_average"], self.trained["text_model"], rate)

    @torch.no_grad()
    def validate(self, batch: Batch, generator: Generator) -> dict[str, float]:
        """Return the loss of the averaged model, with captions."""
        return {"loss": float(self._loss("average", batch["latent"], batch["text"], generator))}

    def product(self) -> nn.Module:
        """Return the averaged model."""
        return self.trained["average"]

    def _loss(self, who: str, z: Tensor, text: Tensor, generator: Generator) -> Tensor:
        if self.text_encoder is not None:
            text = self.text_encoder.encode(text, self.trained[f"text_{who}"])
        t = on_device(randint(self.schedule.num_timesteps, [len(z)], generator), z.device)
        noise = on_device(randn(z.shape, generator), z.device)
        epsilon = self.trained[who](self.schedule.add_noise(z, noise, t), t, text)
        error = (epsilon.float() - noise).square()
        return (error / self.schedule.alpha(t) ** self.weighting_power).mean()

"""The teacher's loss against its formula, and the dropped captions."""

import pytest
import torch
from torch import Tensor, nn

from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.errors import UserError
from audiolcm.objectives.diffusion import DiffusionObjective


class Recorder(nn.Module):
    """Predicts a scaled copy of its input and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        self.seen = (z_t.detach(), t, text)
        return self.scale * z_t


def objective(dropout: float = 0.1) -> DiffusionObjective:
    return DiffusionObjective(Recorder(), ScaledLinearSchedule(), torch.full((1, 2, 3), -9.0), dropout)


def loss_of(made: DiffusionObjective, batch: dict[str, Tensor]) -> Tensor:
    ((part, loss, _),) = list(made.losses(batch, 0, torch.Generator().manual_seed(0)))
    assert part == "model"
    return loss


def test_loss_is_the_error_of_the_noise() -> None:
    made = objective()
    z = torch.randn(6, 2, 4)
    loss = loss_of(made, {"latent": z, "text": torch.zeros(6, 2, 3)})
    z_t, t, _ = made.trained["model"].seen
    noise = (z_t - made.schedule.alpha(t) * z) / made.schedule.sigma(t)
    torch.testing.assert_close(loss, ((0.5 * z_t - noise) ** 2).mean(), rtol=1e-3, atol=1e-4)


def test_velocity_weighting_is_the_error_of_the_velocity() -> None:
    made = DiffusionObjective(
        Recorder(), ScaledLinearSchedule(), torch.full((1, 2, 3), -9.0), loss_weighting="velocity"
    )
    z = torch.randn(6, 2, 4)
    loss = loss_of(made, {"latent": z, "text": torch.zeros(6, 2, 3)})
    z_t, t, _ = made.trained["model"].seen
    alpha, sigma = made.schedule.alpha(t), made.schedule.sigma(t)
    noise = (z_t - alpha * z) / sigma
    velocity = alpha * noise - sigma * z
    predicted = alpha * 0.5 * z_t - sigma * made.schedule.predicted_z0(z_t, 0.5 * z_t, t)
    torch.testing.assert_close(loss, (predicted - velocity).square().mean(), rtol=1e-3, atol=1e-4)


def test_balanced_weighting_divides_by_alpha() -> None:
    made = DiffusionObjective(
        Recorder(), ScaledLinearSchedule(), torch.full((1, 2, 3), -9.0), loss_weighting="balanced"
    )
    z = torch.randn(6, 2, 4)
    loss = loss_of(made, {"latent": z, "text": torch.zeros(6, 2, 3)})
    z_t, t, _ = made.trained["model"].seen
    alpha, sigma = made.schedule.alpha(t), made.schedule.sigma(t)
    error = (0.5 * z_t - (z_t - alpha * z) / sigma).square()
    torch.testing.assert_close(loss, (error / alpha).mean(), rtol=1e-3, atol=1e-4)


def test_unknown_loss_weighting_names_the_choices() -> None:
    with pytest.raises(UserError, match="choose epsilon, balanced, velocity"):
        DiffusionObjective(Recorder(), ScaledLinearSchedule(), torch.zeros(1, 2, 3), loss_weighting="min_snr")


@pytest.mark.parametrize(("dropout", "low", "high"), [(0.0, 0, 0), (0.1, 60, 140), (1.0, 1000, 1000)])
def test_captions_are_dropped_at_the_given_rate(dropout: float, low: int, high: int) -> None:
    made = objective(dropout)
    loss_of(made, {"latent": torch.randn(1000, 1, 2), "text": torch.zeros(1000, 2, 3)})
    dropped = (made.trained["model"].seen[2] == -9.0).all(dim=(1, 2))
    assert low <= int(dropped.sum()) <= high


def test_product_is_the_average() -> None:
    made = objective()
    with torch.no_grad():
        made.trained["model"].scale.fill_(1.5)
    made.after_step(0)  # warm-up: rate (1 + 0) / (10 + 0)
    assert float(made.product().scale) == pytest.approx(0.1 * 0.5 + 0.9 * 1.5)


def test_dropout_is_a_share() -> None:
    with pytest.raises(UserError, match="caption_dropout"):
        objective(1.5)

"""Velocity prediction against its definition, and what it does to predicted_z0."""

import torch
from torch import Tensor, nn

from audiolcm.assembly import build_denoiser
from audiolcm.configuration.schema import compose
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.diffusion.velocity import VelocityPrediction
from audiolcm.models.transformer import Transformer


class Known(nn.Module):
    """Returns the tensor that it was given, whatever is asked."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        return self.answer


def test_true_velocity_gives_true_noise_and_z_0() -> None:
    schedule, t = ScaledLinearSchedule(), torch.tensor([0, 500, 999])
    z, noise = torch.randn(3, 4, 6), torch.randn(3, 4, 6)
    velocity = schedule.alpha(t) * noise - schedule.sigma(t) * z
    z_t = schedule.add_noise(z, noise, t)
    epsilon = VelocityPrediction(Known(velocity), schedule)(z_t, t, torch.zeros(3, 2, 8))
    torch.testing.assert_close(epsilon, noise, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(schedule.predicted_z0(z_t, epsilon, t), z, rtol=1e-3, atol=1e-4)


def test_an_error_is_not_amplified_at_the_noisiest_timestep() -> None:
    schedule, t = ScaledLinearSchedule(), torch.tensor([999])
    z_t, wrong = torch.randn(1, 4, 6), torch.full((1, 4, 6), 0.1)
    right = VelocityPrediction(Known(torch.zeros(1, 4, 6)), schedule)(z_t, t, torch.zeros(1, 2, 8))
    off = VelocityPrediction(Known(wrong), schedule)(z_t, t, torch.zeros(1, 2, 8))
    moved = schedule.predicted_z0(z_t, off, t) - schedule.predicted_z0(z_t, right, t)
    torch.testing.assert_close(moved, -schedule.sigma(t) * wrong, rtol=1e-3, atol=1e-5)


def test_configuration_chooses_it() -> None:
    made = build_denoiser(compose([]), text_width=8, latent_channels=4)
    assert isinstance(made, VelocityPrediction)
    assert made.network.blocks[0].feed_forward.expand.kernel_size == (3,)
    papers = build_denoiser(compose(["model=tiny", "model.prediction_type=epsilon"]), 8, 4)
    assert isinstance(papers, Transformer)


def test_dtype_is_that_of_the_latents() -> None:
    z_t = torch.randn(2, 4, 6, dtype=torch.bfloat16)
    made = VelocityPrediction(Known(z_t), ScaledLinearSchedule())(
        z_t, torch.tensor([5, 900]), torch.zeros(2, 2, 8)
    )
    assert made.dtype == torch.bfloat16

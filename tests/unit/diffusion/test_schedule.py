"""The schedule against diffusers' DDPM tables and its own identities."""

import pytest
import torch
from diffusers import DDPMScheduler

from audiolcm.diffusion.schedule import LinearSchedule, ScaledLinearSchedule
from audiolcm.errors import UserError


@pytest.mark.parametrize(
    ("ours", "kind", "start", "end"),
    [(ScaledLinearSchedule(), "scaled_linear", 0.00085, 0.012), (LinearSchedule(), "linear", 1e-4, 0.02)],
)
def test_equals_diffusers(ours, kind: str, start: float, end: float) -> None:
    theirs = DDPMScheduler(1000, beta_start=start, beta_end=end, beta_schedule=kind)
    torch.testing.assert_close(ours.betas, theirs.betas, rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(ours.alphas**2, theirs.alphas_cumprod, rtol=1e-4, atol=1e-7)


def test_variance_is_preserved_and_decreasing() -> None:
    schedule = ScaledLinearSchedule()
    torch.testing.assert_close(schedule.alphas**2 + schedule.sigmas**2, torch.ones(1000))
    assert (schedule.alphas.diff() < 0).all()


def test_predicted_z0_undoes_add_noise() -> None:
    schedule = ScaledLinearSchedule()
    z, noise = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    t = torch.tensor([0, 10, 500, 900])
    z_t = schedule.add_noise(z, noise, t)
    torch.testing.assert_close(schedule.predicted_z0(z_t, noise, t), z, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("arguments", [(1,), (1000, 0.1, 0.01), (1000, 0.0, 0.01), (1000, 0.1, 1.0)])
def test_bad_values_name_the_setting(arguments: tuple) -> None:
    with pytest.raises(UserError, match="schedule"):
        ScaledLinearSchedule(*arguments)

"""The schedule's identities and errors; tests/reference/test_diffusers_schedules.py has its betas."""

import pytest
import torch

from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.errors import UserError


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

"""The solver's timesteps, its guided step, and the errors of a bad k."""

import pytest
import torch

from audiolcm.diffusion.guidance import UniformGuidance, guide
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.diffusion.solver import DenseSolver, GridSolver, ddim_step
from audiolcm.errors import UserError

SCHEDULE = ScaledLinearSchedule()


@pytest.mark.parametrize("k", [1, 5, 10, 20, 50])
def test_grid_draws_only_neighbors_and_all_of_them(k: int) -> None:
    t, s = GridSolver(k).sample_pair(60_000, torch.Generator().manual_seed(0))
    assert set(t.tolist()) == set(range(k - 1, 1000, k))
    torch.testing.assert_close(s, (t - k).clamp(min=0))


@pytest.mark.parametrize("k", [1, 20, 33, 999])
def test_dense_draws_any_pair_k_apart(k: int) -> None:
    t, s = DenseSolver(k).sample_pair(60_000, torch.Generator().manual_seed(0))
    assert (t - s == k).all()
    assert set(s.tolist()) == set(range(1000 - k))


def test_guided_step_is_the_combination_of_equation_13() -> None:
    z, c, u = torch.randn(3, 2, 4, 5).double()
    omega = torch.tensor([4.0, 12.0]).double()
    t, s = torch.tensor([700, 40]), torch.tensor([680, 20])
    psi_c = ddim_step(z, c, t, s, SCHEDULE) - z
    psi_u = ddim_step(z, u, t, s, SCHEDULE) - z
    w = omega.view(-1, 1, 1)
    torch.testing.assert_close(
        ddim_step(z, guide(c, u, omega), t, s, SCHEDULE), z + (1 + w) * psi_c - w * psi_u
    )


def test_zero_omega_is_the_conditional_teacher() -> None:
    c, u = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(guide(c, u, torch.zeros(3)), c)


@pytest.mark.parametrize("k", [0, -1, 1001])
@pytest.mark.parametrize("solver", [GridSolver, DenseSolver])
def test_k_out_of_range(solver: type, k: int) -> None:
    with pytest.raises(UserError, match=f"solver.k={k} is out of range"):
        solver(k)


def test_grid_k_must_divide_and_neighbors_are_named() -> None:
    with pytest.raises(UserError, match=r"solver.k=20 or solver.k=25, or solver=ddim_dense"):
        GridSolver(24)


def test_dense_k_of_all_timesteps_leaves_nothing() -> None:
    with pytest.raises(UserError, match="smaller solver.k"):
        DenseSolver(1000)


def test_guidance_range() -> None:
    omega = UniformGuidance(4.0, 12.0).sample(10_000, torch.Generator().manual_seed(0))
    assert 4.0 <= float(omega.min()) < 4.05
    assert 11.95 < float(omega.max()) <= 12.0
    with pytest.raises(UserError, match="reversed"):
        UniformGuidance(12.0, 4.0)
    with pytest.raises(UserError, match="negative"):
        UniformGuidance(-1.0, 4.0)

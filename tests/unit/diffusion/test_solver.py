"""The solver's timesteps, its guided step, and the errors of a bad k."""

import pytest
import torch
from torch import Tensor

from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
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


def of_gaussian(z_t: Tensor, t: Tensor) -> Tensor:
    """The exact noise prediction of data from N(0, 4): the flow keeps z_t / sqrt(4 alpha^2 + sigma^2)."""
    alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
    return sigma * z_t / (4.0 * alpha**2 + sigma**2)


def test_a_stride_longer_than_a_step_goes_by_evenly_spaced_timesteps() -> None:
    z, seen = torch.randn(2, 3, 4).double(), []

    def epsilon(z_t: Tensor, t: Tensor) -> Tensor:
        seen.append(t.tolist())
        return of_gaussian(z_t, t)

    t, s = torch.tensor([999, 99]), torch.tensor([899, 0])  # below the first grid point a stride is shorter
    found = GridSolver(100, max_step=25).step(epsilon, z, t, s, SCHEDULE)
    assert seen == [[999, 99], [974, 75], [949, 50], [924, 25]]
    expected = z
    for start, end in zip(seen, [*seen[1:], [899, 0]], strict=True):
        now = torch.tensor(start)
        expected = ddim_step(expected, of_gaussian(expected, now), now, torch.tensor(end), SCHEDULE)
    torch.testing.assert_close(found, expected)


def test_one_step_is_the_papers() -> None:
    z, t, s = torch.randn(2, 3, 4), torch.tensor([999, 19]), torch.tensor([979, 0])
    expected = ddim_step(z, of_gaussian(z, t), t, s, SCHEDULE)
    for solver in (GridSolver(20), GridSolver(20, max_step=20), DenseSolver(20, max_step=None)):
        assert torch.equal(solver.step(of_gaussian, z, t, s, SCHEDULE), expected)


def test_shorter_steps_come_near_the_flow_in_first_order() -> None:
    z, t, s = torch.ones(1, 1, 1).double(), torch.tensor([799]), torch.tensor([599])
    scale = [(4.0 * SCHEDULE.alpha(x) ** 2 + SCHEDULE.sigma(x) ** 2).sqrt() for x in (t, s)]
    end = scale[1] / scale[0]
    errors = [
        float((GridSolver(200, max_step=200 // n).step(of_gaussian, z, t, s, SCHEDULE) - end).abs())
        for n in (1, 2, 4)
    ]
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(("k", "steps"), [(1, 1), (20, 1), (25, 1), (50, 2), (100, 4), (125, 5), (40, 2)])
def test_no_step_is_longer_than_asked(k: int, steps: int) -> None:
    assert GridSolver(k, max_step=25).num_steps == steps


@pytest.mark.parametrize(
    ("words", "k", "steps"),
    [
        ([], 20, 1),
        (["dataset=esc10", "dataset.root=x"], 100, 4),
        *(
            (["dataset=esc10", "dataset.root=x", f"solver.k={k}"], k, n)
            for k, n in ((1, 1), (20, 1), (50, 2))
        ),
        (["profile=esc10", "dataset.root=x", "solver.max_step=null"], 100, 1),
    ],
)
def test_recordings_are_distilled_in_long_strides_of_short_steps(
    words: list[str], k: int, steps: int
) -> None:
    solver = build(compose(words)["solver"], "solver")
    assert (solver.k, solver.num_steps) == (k, steps)


@pytest.mark.parametrize("max_step", [0, -1])
def test_steps_of_nothing_are_refused(max_step: int) -> None:
    with pytest.raises(UserError, match=f"solver.max_step={max_step} is no number of timesteps"):
        GridSolver(20, max_step=max_step)


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

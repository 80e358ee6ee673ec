"""Samplers on Gaussian data, where the score is exact, and against diffusers."""

import math

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.consistency import consistency_function
from audiolcm.diffusion.sampler import (
    ConsistencySampler,
    DDIMSampler,
    DPMSolverPlusPlusSampler,
    NoiseSource,
)
from audiolcm.diffusion.schedule import NoiseSchedule, ScaledLinearSchedule
from audiolcm.diffusion.solver import ddim_step
from audiolcm.errors import UserError

SCHEDULE = ScaledLinearSchedule()
TEXT = torch.zeros(3, 1, 1)
MEAN, STD = 0.7, 0.4


class GaussianDenoiser:
    """The exact noise prediction for z_0 ~ N(MEAN, STD^2); counts its calls."""

    def __init__(self, schedule: NoiseSchedule = SCHEDULE) -> None:
        self.schedule = schedule
        self.calls = 0

    def __call__(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        self.calls += 1
        alpha, sigma = self.schedule.alpha(t).double(), self.schedule.sigma(t).double()
        return (sigma * (z_t.double() - alpha * MEAN) / (alpha**2 * STD**2 + sigma**2)).float()


def spread(t: int, schedule: NoiseSchedule = SCHEDULE) -> float:
    """Standard deviation of z_t."""
    return math.sqrt(float(schedule.alphas[t]) ** 2 * STD**2 + float(schedule.sigmas[t]) ** 2)


def follow(z_t: Tensor, t: int, s: int, schedule: NoiseSchedule = SCHEDULE) -> Tensor:
    """The exact probability-flow ODE from t to s: it keeps (z_t - alpha_t MEAN) / spread_t for Gaussian data."""
    kept = (z_t - float(schedule.alphas[t]) * MEAN) / spread(t, schedule)
    return float(schedule.alphas[s]) * MEAN + spread(s, schedule) * kept


def exact_end(z_t: Tensor, t: int) -> Tensor:
    """The end of the trajectory at zero noise."""
    return MEAN + STD * (z_t - float(SCHEDULE.alphas[t]) * MEAN) / spread(t)


def noisy_end_schedule() -> NoiseSchedule:
    """The schedule from timestep 199 on: log(alpha / sigma) stays smooth, so orders show at moderate step counts."""
    kept = 1.0 - float(SCHEDULE.alphas[199]) ** 2
    return NoiseSchedule(torch.cat([torch.tensor([kept]), SCHEDULE.betas[200:999]]))


def error(sampler) -> float:
    """Mean error against the exact trajectory, followed to the last evaluation and denoised there."""
    schedule = noisy_end_schedule()
    first, last = schedule.num_timesteps - 1, sampler.timesteps(schedule.num_timesteps)[-1]
    z_last = follow(NoiseSource([1, 2, 3], 4, 8).draw(), first, last, schedule)
    t = torch.full((3,), last)
    denoiser = GaussianDenoiser(schedule)
    exact = schedule.predicted_z0(z_last, denoiser(z_last, t, TEXT), t)
    z = sampler.sample(denoiser, schedule, NoiseSource([1, 2, 3], 4, 8), TEXT, TEXT).latents
    return float((z - exact).abs().mean())


@pytest.mark.parametrize(("kind", "order"), [(DDIMSampler, 1.0), (DPMSolverPlusPlusSampler, 2.0)])
def test_order_of_convergence(kind: type, order: float) -> None:
    """The slope of log error over log step is the order, measured where rounding does not yet matter."""
    steps = [50, 100, 200]
    errors = [error(kind(n, omega=0.0)) for n in steps]
    slope = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope > order - 0.35, (slope, errors)


def test_second_order_beats_first() -> None:
    assert error(DPMSolverPlusPlusSampler(20, 0.0)) < 0.3 * error(DDIMSampler(20, 0.0))


def test_dpm_solver_equals_diffusers() -> None:
    theirs = DPMSolverMultistepScheduler(
        1000, 0.00085, 0.012, "scaled_linear", solver_order=2, timestep_spacing="trailing",
        algorithm_type="dpmsolver++", solver_type="midpoint", lower_order_final=False, final_sigmas_type="zero",
    )  # fmt: skip
    theirs.set_timesteps(10)
    sampler = DPMSolverPlusPlusSampler(10, omega=0.0)
    assert sampler.timesteps(1000) == theirs.timesteps.tolist()
    denoiser = GaussianDenoiser()
    z = NoiseSource([1, 2, 3], 4, 8).draw()
    for t in theirs.timesteps:
        z = theirs.step(denoiser(z, torch.full((3,), int(t)), TEXT), t, z).prev_sample
    ours = sampler.sample(denoiser, SCHEDULE, NoiseSource([1, 2, 3], 4, 8), TEXT, TEXT).latents
    torch.testing.assert_close(ours, z, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("k", [1, 5, 10, 20, 50])
def test_exact_consistency_function_lands_on_the_trajectory(k: int) -> None:
    """With the exact solution map as f, one solver step changes f's value by its local error, of order k^2."""
    t, s = 599, 599 - k
    z_t = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    times = torch.full((3,), t), torch.full((3,), s)
    z_s = ddim_step(z_t, GaussianDenoiser()(z_t, times[0], TEXT), *times, SCHEDULE)
    drift = float((exact_end(z_s, s) - exact_end(z_t, t)).abs().mean())
    assert drift < 2e-6 * k**2 + 1e-5


def test_boundary_condition() -> None:
    """f(z, 0) = z whatever the network says (Eq. 5)."""
    z, t = torch.randn(2, 3, 4), torch.zeros(2, dtype=torch.long)

    def network(z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None) -> Tensor:
        return torch.full_like(z_t, 1e3)

    out = consistency_function(network, z, t, TEXT[:2], None, SCHEDULE, BoundaryScalings())
    torch.testing.assert_close(out, z, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(1, [999]), (2, [999, 499]), (4, [999, 759, 499, 259]), (8, [999, 879, 759, 639, 499, 379, 259, 139])],
)
def test_consistency_timesteps(steps: int, expected: list[int]) -> None:
    """floor(linspace(0, 50, steps, endpoint=False)) into 999, 979, ..., 19, by hand."""
    assert ConsistencySampler(steps).timesteps(1000) == expected


def test_nfe_equals_counted_calls() -> None:
    for sampler, nfe, calls in [
        (ConsistencySampler(4), 4, 4),
        (DDIMSampler(10, omega=0.0), 10, 10),
        (DDIMSampler(10, omega=3.0), 20, 10),  # two branches in one batched call
        (DPMSolverPlusPlusSampler(7, omega=3.0), 14, 7),
    ]:
        denoiser = GaussianDenoiser()
        sampled = sampler.sample(denoiser, SCHEDULE, NoiseSource([1, 2, 3], 4, 8), TEXT, TEXT)
        assert (sampled.nfe, denoiser.calls) == (nfe, calls)


def test_noise_does_not_depend_on_the_batch() -> None:
    alone, together = NoiseSource([7], 4, 8), NoiseSource([5, 7], 4, 8)
    for _ in range(3):
        torch.testing.assert_close(alone.draw()[0], together.draw()[1], rtol=0, atol=0)


@pytest.mark.parametrize("steps", [0, 51])
def test_steps_out_of_range(steps: int) -> None:
    with pytest.raises(UserError, match=f"sampler.num_steps={steps} is out of range: 1 to 50"):
        ConsistencySampler(steps).timesteps(1000)


class Listener:
    """Predicts the caption itself as noise, and keeps what it was called with."""

    def __init__(self) -> None:
        self.omegas: list[Tensor | None] = []

    def __call__(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        self.omegas.append(omega)
        return text.expand_as(z_t)


@pytest.mark.parametrize("omega", [0.0, 0.5, 4.0, 11.0])
def test_consistency_sampling_embeds_its_omega(omega: float) -> None:
    listener = Listener()
    ConsistencySampler(3, omega).sample(listener, SCHEDULE, NoiseSource([1, 2, 3], 4, 8), TEXT, TEXT)
    assert [given.tolist() for given in listener.omegas] == [[omega] * 3] * 3


@pytest.mark.parametrize("omega", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("kind", [DDIMSampler, DPMSolverPlusPlusSampler])
def test_guidance_leads_away_from_the_empty_caption(kind: type, omega: float) -> None:
    """Eq. 13 with a caption of 0.3 and an empty one of 0.1: epsilon = 0.3 (1 + omega) - 0.1 omega."""
    caption, empty, z = TEXT + 0.3, TEXT + 0.1, NoiseSource([1, 2, 3], 4, 8).draw()
    guided = kind(5, omega).guided_epsilon(Listener(), z, 500, caption, empty)
    torch.testing.assert_close(guided, torch.full_like(z, 0.3 * (1 + omega) - 0.1 * omega))


@pytest.mark.parametrize("k", [0, -5, 1001])
def test_stride_out_of_range_is_named(k: int) -> None:
    with pytest.raises(UserError, match=f"sampler.k={k} is out of range"):
        ConsistencySampler(1, 4.0, k).timesteps(1000)


@pytest.mark.parametrize("k", [7, 33, 300])
def test_every_stride_starts_at_the_noisiest_timestep(k: int) -> None:
    assert ConsistencySampler(1, 4.0, k).timesteps(1000) == [999]


@pytest.mark.parametrize("kind", [ConsistencySampler, DDIMSampler])
@pytest.mark.parametrize("omega", [float("nan"), float("inf")])
def test_omega_must_be_a_number(kind: type, omega: float) -> None:
    with pytest.raises(UserError, match="sampler.omega"):
        kind(1, omega)

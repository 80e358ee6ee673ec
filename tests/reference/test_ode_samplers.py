"""The teacher's samplers by every spacing, from the same noise: against diffusers, and the released walks written anew.

The functions named released_... use nothing of ours; they are in the notation of alphas_cumprod = alpha^2. They and the
schedulers of diffusers run in float64.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, PNDMScheduler
from torch import Tensor

from audiolcm.diffusion.plms import PLMSSampler
from audiolcm.diffusion.sampler import DDIMSampler, DPMSolverPlusPlusSampler, NoiseSource, OdeSampler
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.errors import UserError

T = 1000
ALPHAS_CUMPROD = torch.tensor(np.cumprod(1.0 - np.linspace(math.sqrt(0.00085), math.sqrt(0.012), T) ** 2))
PAPER = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SETTINGS: dict[str, dict[str, Any]] = {
    "leading": {"timestep_spacing": "leading", "steps_offset": 1},
    "trailing": {"timestep_spacing": "trailing"},
}
"""Of diffusers' schedulers; the end of the last step is set in ``assert_is_theirs``."""
SEEDS, CHANNELS, FRAMES = [3, 1, 4], 4, 8
COUNTS = [7, 25, 30, 100]
"""Of steps: two that divide T, and two that do not."""
TOLERANCE = 5e-6


class LinearDenoiser:
    """A noise prediction that is linear in z_t, with random weights, another at each timestep and for each text."""

    def __init__(self, seed: int) -> None:
        g = torch.Generator().manual_seed(seed)
        self.weights = 0.2 * torch.randn(CHANNELS, CHANNELS, generator=g, dtype=torch.float64)
        self.turning = 0.2 * torch.randn(CHANNELS, CHANNELS, generator=g, dtype=torch.float64)
        self.calls = 0

    def __call__(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        self.calls += 1
        at = t.double()[:, None, None] / T
        mixed = (self.weights + at * self.turning) @ z_t.double() + 0.5 * text.double()
        return ((at * z_t.double()) + mixed).to(z_t.dtype)


TEXT, EMPTY = torch.full((3, 1, 1), 0.7), torch.full((3, 1, 1), -0.2)
OMEGA = 3.0


def guided(denoiser: LinearDenoiser, z: Tensor, t: int) -> Tensor:
    """Classifier-free guidance of scale omega + 1."""
    times = torch.full((len(z),), t)
    free = denoiser(z, times, EMPTY)
    return free + (OMEGA + 1.0) * (denoiser(z, times, TEXT) - free)


def sampled(sampler: OdeSampler, denoiser: LinearDenoiser) -> Tensor:
    """What a sampler of ours makes; its NFE is twice the batched calls of conditional and unconditional branch."""
    denoiser.calls = 0
    made = sampler.sample(denoiser, ScaledLinearSchedule(), NoiseSource(SEEDS, CHANNELS, FRAMES), TEXT, EMPTY)
    assert made.nfe == 2 * denoiser.calls
    return made.latents


def assert_same(ours: Tensor, expected: Tensor) -> None:
    assert float((ours - expected).abs().max() / expected.abs().max()) < TOLERANCE


def assert_is_theirs(sampler: OdeSampler, theirs: Any, eta: float = 0.0) -> None:
    """The whole way from noise to the end is that of a diffusers scheduler."""
    denoiser = LinearDenoiser(sampler.num_steps)
    theirs.alphas_cumprod = ALPHAS_CUMPROD
    theirs.final_alpha_cumprod = torch.tensor(1.0) if sampler.spacing == "trailing" else ALPHAS_CUMPROD[0]
    theirs.set_timesteps(sampler.num_steps)
    source = NoiseSource(SEEDS, CHANNELS, FRAMES)
    z = source.draw().double()
    for t in theirs.timesteps:
        noisy = {"eta": eta, "variance_noise": source.draw().double()} if eta else {}
        z = theirs.step(guided(denoiser, z, int(t)), t, z, **noisy).prev_sample
    assert_same(sampled(sampler, denoiser), z)


def released_timesteps(steps: int) -> list[int]:
    """Multiples of c = T // steps below T, each plus 1, from above."""
    c = T // steps
    return [c * i + 1 for i in range(-(-T // c))][::-1]


def released_ends(visited: list[int]) -> list[int]:
    return [*visited[1:], 0]


def released_step(z: Tensor, epsilon: Tensor, t: int, s: int, sigma: float = 0.0, noise: Any = 0.0) -> Tensor:
    """Eq. 12 of Song et al. (2021)."""
    a_t, a_s = ALPHAS_CUMPROD[t], ALPHAS_CUMPROD[s]
    z_0 = (z - torch.sqrt(1.0 - a_t) * epsilon) / torch.sqrt(a_t)
    return torch.sqrt(a_s) * z_0 + torch.sqrt(1.0 - a_s - sigma**2) * epsilon + sigma * noise


def released_ddim(denoiser: LinearDenoiser, steps: int, eta: float) -> Tensor:
    source = NoiseSource(SEEDS, CHANNELS, FRAMES)
    z = source.draw().double()
    visited = released_timesteps(steps)
    for t, s in zip(visited, released_ends(visited), strict=True):
        a_t, a_s = ALPHAS_CUMPROD[t], ALPHAS_CUMPROD[s]
        sigma = eta * math.sqrt((1.0 - a_s) / (1.0 - a_t)) * math.sqrt(1.0 - a_t / a_s)
        noise = source.draw().double() if eta else 0.0
        z = released_step(z, guided(denoiser, z, t), t, s, sigma, noise)
    return z


def released_plms(denoiser: LinearDenoiser, steps: int) -> Tensor:
    """Improved Euler once, then Adams-Bashforth of order 2, 3 and, from the fourth step on, 4."""
    z = NoiseSource(SEEDS, CHANNELS, FRAMES).draw().double()
    visited = released_timesteps(steps)
    seen: list[Tensor] = []
    for i, (t, s) in enumerate(zip(visited, released_ends(visited), strict=True)):
        e = guided(denoiser, z, t)
        if i == 0:
            mean = (e + guided(denoiser, released_step(z, e, t, s), visited[1])) / 2.0
        elif i == 1:
            mean = 1.5 * e - 0.5 * seen[-1]
        elif i == 2:
            mean = (23.0 * e - 16.0 * seen[-1] + 5.0 * seen[-2]) / 12.0
        else:
            mean = (55.0 * e - 59.0 * seen[-1] + 37.0 * seen[-2] - 9.0 * seen[-3]) / 24.0
        seen.append(e)
        z = released_step(z, mean, t, s)
    return z


@pytest.mark.parametrize(
    ("steps", "count", "first", "second"),
    [(100, 100, 991, 981), (25, 25, 961, 921), (7, 8, 995, 853), (30, 31, 991, 958), (12, 13, 997, 914)],
)
def test_released_timesteps_by_hand(steps: int, count: int, first: int, second: int) -> None:
    visited = DDIMSampler(steps, spacing="released").timesteps(T)
    assert (len(visited), visited[:2], visited[-1]) == (count, [first, second], 1)
    assert DDIMSampler(steps, spacing="released").steps(T)[-1] == (1, 0)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("steps", COUNTS)
def test_ddim_is_the_released_one(steps: int, eta: float) -> None:
    denoiser = LinearDenoiser(steps)
    ours = sampled(DDIMSampler(steps, OMEGA, spacing="released", eta=eta), denoiser)
    assert_same(ours, released_ddim(denoiser, steps, eta))


@pytest.mark.parametrize("steps", [2, *COUNTS])
def test_plms_is_the_released_one(steps: int) -> None:
    denoiser = LinearDenoiser(steps)
    ours = sampled(PLMSSampler(steps, OMEGA, spacing="released"), denoiser)
    assert denoiser.calls == len(released_timesteps(steps)) + 1  # the first step looks ahead
    assert_same(ours, released_plms(denoiser, steps))


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("steps", COUNTS)
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_ddim_is_that_of_diffusers(spacing: str, steps: int, eta: float) -> None:
    theirs = DDIMScheduler(**PAPER, **SETTINGS[spacing], clip_sample=False)
    assert_is_theirs(DDIMSampler(steps, OMEGA, spacing=spacing, eta=eta), theirs, eta)


@pytest.mark.parametrize("steps", [2, 4, *COUNTS])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_plms_is_that_of_diffusers(spacing: str, steps: int) -> None:
    theirs = PNDMScheduler(**PAPER, **SETTINGS[spacing], skip_prk_steps=True)
    assert_is_theirs(PLMSSampler(steps, OMEGA, spacing=spacing), theirs)


@pytest.mark.parametrize("steps", COUNTS)
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_dpm_solver_is_that_of_diffusers(spacing: str, steps: int) -> None:
    theirs = DPMSolverMultistepScheduler(**PAPER, **SETTINGS[spacing])
    assert_is_theirs(DPMSolverPlusPlusSampler(steps, OMEGA, spacing=spacing), theirs)


@pytest.mark.parametrize("steps", COUNTS)
def test_dpm_solver_at_released_timesteps(steps: int) -> None:
    """Diffusers' given these timesteps; its last step, of first order, goes to timestep 0."""
    theirs = DPMSolverMultistepScheduler(**PAPER, final_sigmas_type="sigma_min", euler_at_final=True)
    visited = released_timesteps(steps)
    theirs.set_timesteps = lambda _: DPMSolverMultistepScheduler.set_timesteps(theirs, timesteps=visited)
    assert_is_theirs(DPMSolverPlusPlusSampler(steps, OMEGA, spacing="released"), theirs)


@pytest.mark.parametrize("kind", [DDIMSampler, DPMSolverPlusPlusSampler, PLMSSampler])
@pytest.mark.parametrize("steps", [2, *COUNTS])
def test_the_default_steps_to_the_next_visited_timestep(kind: type[OdeSampler], steps: int) -> None:
    visited = [round(T - i * T / steps) - 1 for i in range(steps)]
    assert kind(steps).steps(T) == list(zip(visited, [*visited[1:], -1], strict=True))
    assert kind(steps).steps(T) == kind(steps, spacing="trailing_to_next").steps(T)


@pytest.mark.parametrize(("steps", "is_same"), [(25, True), (100, True), (7, False), (30, False)])
def test_trailing_of_diffusers_is_the_default_where_steps_divide(steps: int, is_same: bool) -> None:
    denoiser = LinearDenoiser(steps)
    made = [sampled(DDIMSampler(steps, OMEGA, spacing=name), denoiser) for name in ("trailing", None)]
    assert torch.equal(*made) == is_same


@pytest.mark.parametrize("steps", [3, 27, 1000])
def test_what_the_released_code_cannot_do_is_refused(steps: int) -> None:
    """It would visit timestep 1000 of 0 to 999."""
    assert released_timesteps(steps)[0] == T
    with pytest.raises(UserError, match=f"num_steps={steps} .*released.*type sampler.num_steps="):
        DDIMSampler(steps, spacing="released").timesteps(T)


def test_added_noise_does_not_depend_on_the_batch() -> None:
    sampler, denoiser = DDIMSampler(10, OMEGA, spacing="released", eta=1.0), LinearDenoiser(0)
    together = sampled(sampler, denoiser)
    for i, seed in enumerate(SEEDS):
        source = NoiseSource([seed], CHANNELS, FRAMES)
        alone = sampler.sample(denoiser, ScaledLinearSchedule(), source, TEXT[:1], EMPTY[:1])
        torch.testing.assert_close(alone.latents[0], together[i], rtol=1e-5, atol=1e-5)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(UserError, match=r"sampler.spacing=even: choose released, leading"):
        PLMSSampler(10, spacing="even")
    for eta in (-0.1, 1.5, float("nan")):
        with pytest.raises(UserError, match="sampler.eta"):
            DDIMSampler(10, eta=eta)
    with pytest.raises(UserError, match="PLMS needs 2"):
        PLMSSampler(1).timesteps(T)

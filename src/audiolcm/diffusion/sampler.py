"""From noise to latents: multi-step consistency sampling (Algorithm 2) and the teacher's ODE samplers.

Every sampler is a function of its arguments alone. Noise comes from a ``NoiseSource`` that holds one seed per
example, so an example does not depend on its place in a batch. ``nfe`` counts denoiser evaluations per example;
a guided teacher step evaluates the conditional and the unconditional branch in one batched call of two.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.consistency import consistency_function
from audiolcm.diffusion.guidance import guide, read_interval
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.diffusion.solver import ddim_step
from audiolcm.diffusion.spacing import CLEAN, DEFAULT, DPM_SPACINGS, SPACINGS, Spacing, visited_timesteps
from audiolcm.errors import UserError
from audiolcm.types import Denoiser, Latent, TextTokens


class NoiseSource:
    """Standard normal latents, one independent seeded stream per example, drawn on the CPU."""

    def __init__(
        self, seeds: list[int], channels: int, latent_frames: int, device: str | torch.device = "cpu"
    ) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.shape = (channels, latent_frames)
        self.device = device

    def draw(self) -> Latent:
        """Return the next (batch, channels, latent_frames) draw."""
        draws = [torch.randn(self.shape, generator=generator) for generator in self.generators]
        return torch.stack(draws).to(self.device)


@dataclass(frozen=True)
class Sampled:
    """Latents (batch, channels, latent_frames) and the denoiser evaluations spent on each."""

    latents: Latent
    nfe: int


@runtime_checkable
class Sampler(Protocol):
    """What the pipeline needs of a sampler."""

    num_steps: int
    omega: float

    def timesteps(self, num_timesteps: int) -> list[int]:
        """Return where it evaluates the denoiser, descending; refuse steps that it cannot do."""
        ...

    def sample(
        self,
        denoiser: Denoiser,
        schedule: NoiseSchedule,
        noise: NoiseSource,
        text: TextTokens,
        unconditional: TextTokens,
    ) -> Sampled:
        """Turn noise into latents under the text."""
        ...


def _times(value: int, like: Tensor) -> Tensor:
    return torch.full((len(like),), value, dtype=torch.long, device=like.device)


def _finite(omega: float) -> float:
    if not math.isfinite(omega):
        raise UserError(
            f"sampler.omega={omega} is no number: omega = CFG scale - 1; the paper samples with 4."
        )
    return omega


def _check_steps(num_steps: int, limit: int) -> None:
    if not 1 <= num_steps <= limit:
        raise UserError(f"sampler.num_steps={num_steps} is out of range: 1 to {limit} here.")


class ConsistencySampler:
    """Algorithm 2: denoise in one call, re-noise to the next timestep, denoise again.

    The timesteps are those of the distillation grid from T - 1 down, T // k of them in strides of k, picked at
    floor(linspace(0, T // k, num_steps, endpoint=False)) as in the released code. The embedded omega stands in
    for classifier-free guidance: one denoiser call a step.
    """

    def __init__(
        self, num_steps: int = 2, omega: float = 4.0, k: int = 20, boundary: BoundaryScalings | None = None
    ) -> None:
        self.num_steps = num_steps
        self.omega = _finite(omega)
        self.k = k
        self.boundary = boundary or BoundaryScalings()

    def timesteps(self, num_timesteps: int) -> list[int]:
        """Return the descending timesteps tau_1 > tau_2 > ... of Algorithm 2."""
        if not 1 <= self.k <= num_timesteps:
            raise UserError(
                f"sampler.k={self.k} is out of range: 1 to {num_timesteps}. Leave it out, then it is the solver's k."
            )
        grid = num_timesteps - 1 - self.k * np.arange(num_timesteps // self.k)
        _check_steps(self.num_steps, len(grid))
        picks = np.floor(np.linspace(0, len(grid), self.num_steps, endpoint=False)).astype(int)
        return [int(t) for t in grid[picks]]

    def sample(
        self,
        denoiser: Denoiser,
        schedule: NoiseSchedule,
        noise: NoiseSource,
        text: TextTokens,
        unconditional: TextTokens,
    ) -> Sampled:
        """Return latents after ``num_steps`` calls; ``unconditional`` is not used."""
        timesteps = self.timesteps(schedule.num_timesteps)
        omega = torch.full((len(text),), float(self.omega), device=text.device)
        z_t = noise.draw()
        for n, tau in enumerate(timesteps):
            t = _times(tau, z_t)
            z = consistency_function(denoiser, z_t, t, text, omega, schedule, self.boundary)
            if n + 1 < len(timesteps):
                z_t = schedule.add_noise(z, noise.draw(), _times(timesteps[n + 1], z))
        # pyrefly: ignore[unbound-name]  (there is at least one time step)
        return Sampled(z, nfe=len(timesteps))


class OdeSampler:
    """What the teacher's samplers share: which timesteps they visit, and guidance in one batched call.

    ``interval``: the first and the last timestep at which is guided; None, the paper's, is everywhere.
    ``spacing``: a name of ``diffusion.spacing``; None is ``trailing_to_next``: T - 1 and evenly down, to z_0.
    """

    spacings: ClassVar[Mapping[str, Spacing]] = SPACINGS

    def __init__(
        self,
        num_steps: int = 50,
        omega: float = 4.0,
        interval: Sequence[int] | None = None,
        spacing: str | None = None,
    ) -> None:
        self.num_steps = num_steps
        self.omega = _finite(omega)
        self.interval = read_interval("sampler.interval", interval)
        if spacing is not None and spacing not in self.spacings:
            raise UserError(f"sampler.spacing={spacing}: choose {', '.join(self.spacings)}.")
        self.spacing = spacing or DEFAULT

    def timesteps(self, num_timesteps: int) -> list[int]:
        """Return the visited timesteps, descending."""
        _check_steps(self.num_steps, num_timesteps)
        return visited_timesteps(self.spacings, self.spacing, self.num_steps, num_timesteps)

    def steps(self, num_timesteps: int) -> list[tuple[int, int]]:
        """Return where each step starts and ends; ``CLEAN`` is the predicted z_0."""
        visited = self.timesteps(num_timesteps)
        return self.spacings[self.spacing].steps(visited, num_timesteps // self.num_steps)

    @staticmethod
    def step(z_t: Latent, epsilon: Latent, t: int, s: int, schedule: NoiseSchedule) -> Latent:
        """Return z_s, one DDIM step from t on; the predicted z_0 where s is ``CLEAN``."""
        if s == CLEAN:
            return schedule.predicted_z0(z_t, epsilon, _times(t, z_t))
        return ddim_step(z_t, epsilon, _times(t, z_t), _times(s, z_t), schedule)

    def guided_epsilon(
        self, denoiser: Denoiser, z_t: Latent, t: int, text: TextTokens, unconditional: TextTokens
    ) -> Latent:
        """Return the classifier-free guided noise prediction; where nothing is guided, without the empty caption."""
        if not self._guides(t):
            # A copy, since a compiled denoiser may write its next prediction into the same memory
            return denoiser(z_t, _times(t, z_t), text).to(torch.float32, copy=True)
        both = denoiser(
            torch.cat([z_t, z_t]), _times(t, torch.cat([z_t, z_t])), torch.cat([text, unconditional])
        )
        conditional, free = both.float().chunk(2)
        return guide(conditional, free, torch.full((len(z_t),), float(self.omega), device=z_t.device))

    def nfe(self, num_timesteps: int) -> int:
        """Return denoiser evaluations per example: two where it is guided."""
        return sum(map(self.evaluations, self.timesteps(num_timesteps)))

    def evaluations(self, t: int) -> int:
        """Return how many of them one prediction at t takes."""
        return 2 if self._guides(t) else 1

    def _guides(self, t: int) -> bool:
        return self.omega != 0.0 and (self.interval is None or self.interval[0] <= t <= self.interval[1])


class DDIMSampler(OdeSampler):
    """DDIM (Song et al., 2021, arXiv 2010.02502): a first-order step of the flow, or noise besides.

    ``eta``: the share of DDPM's noise that each step adds, 0 to 1 (Eq. 16); None is 0, which is deterministic.
    """

    def __init__(
        self,
        num_steps: int = 50,
        omega: float = 4.0,
        interval: Sequence[int] | None = None,
        spacing: str | None = None,
        eta: float | None = None,
    ) -> None:
        super().__init__(num_steps, omega, interval, spacing)
        if eta is not None and not 0.0 <= eta <= 1.0:
            raise UserError(f"sampler.eta={eta} is out of range: 0 (deterministic) to 1 (the noise of DDPM).")
        self.eta = eta or 0.0

    def sample(
        self,
        denoiser: Denoiser,
        schedule: NoiseSchedule,
        noise: NoiseSource,
        text: TextTokens,
        unconditional: TextTokens,
    ) -> Sampled:
        """Return latents after first-order steps."""
        z_t = noise.draw()
        for t, s in self.steps(schedule.num_timesteps):
            epsilon = self.guided_epsilon(denoiser, z_t, t, text, unconditional)
            if self.eta == 0.0 or s == CLEAN:
                z_t = self.step(z_t, epsilon, t, s, schedule)
            else:
                z_t = self._noisy_step(z_t, epsilon, t, s, schedule, noise.draw())
        return Sampled(z_t, self.nfe(schedule.num_timesteps))

    def _noisy_step(
        self, z_t: Latent, epsilon: Latent, t: int, s: int, schedule: NoiseSchedule, noise: Latent
    ) -> Latent:
        """Return z_s = alpha_s z_0 + sqrt(sigma_s^2 - added^2) epsilon + added noise (Eq. 12 and 16).

        added^2 = eta^2 (sigma_s / sigma_t)^2 (1 - alpha_t^2 / alpha_s^2); the last ratio is the product of 1 - beta
        from s + 1 to t, which keeps its digits in float32 schedules.
        """
        alpha_s, sigma_s, sigma_t = (
            float(schedule.alphas[s]),
            float(schedule.sigmas[s]),
            float(schedule.sigmas[t]),
        )
        ratio = float(torch.prod(1.0 - schedule.betas[s + 1 : t + 1].double()))
        added = (self.eta * sigma_s / sigma_t) ** 2 * (1.0 - ratio)
        z_0 = schedule.predicted_z0(z_t, epsilon, _times(t, z_t))
        return alpha_s * z_0 + math.sqrt(sigma_s**2 - added) * epsilon + math.sqrt(added) * noise


class DPMSolverPlusPlusSampler(OdeSampler):
    """DPM-Solver++(2M): second-order multistep in the predicted z_0 (Lu et al., 2022, arXiv 2211.01095, Alg. 2).

    With lambda = log(alpha / sigma) and h the step in lambda, the order-two update replaces z_0 by
    D = z_0 + (z_0 - z_0_previous) / (2 r), r = h_previous / h. The first and the last step are first-order.
    """

    spacings = DPM_SPACINGS

    def sample(
        self,
        denoiser: Denoiser,
        schedule: NoiseSchedule,
        noise: NoiseSource,
        text: TextTokens,
        unconditional: TextTokens,
    ) -> Sampled:
        """Return latents after second-order steps, one guided evaluation each."""
        steps = self.steps(schedule.num_timesteps)
        lambdas = torch.log(schedule.alphas.double() / schedule.sigmas.double())
        z_t = noise.draw()
        previous: Latent | None = None
        for i, (t, s) in enumerate(steps):
            epsilon = self.guided_epsilon(denoiser, z_t, t, text, unconditional)
            if i + 1 == len(steps):
                z_t = self.step(z_t, epsilon, t, s, schedule)
                break
            z_0 = schedule.predicted_z0(z_t, epsilon, _times(t, z_t))
            h = float(lambdas[s] - lambdas[t])
            corrected = z_0
            if previous is not None:
                r = float(lambdas[t] - lambdas[steps[i - 1][0]]) / h
                corrected = z_0 + (z_0 - previous) / (2.0 * r)
            ratio = schedule.sigma(_times(s, z_t)) / schedule.sigma(_times(t, z_t))
            z_t = ratio * z_t - schedule.alpha(_times(s, z_t)) * float(np.expm1(-h)) * corrected
            previous = z_0
        return Sampled(z_t, self.nfe(schedule.num_timesteps))

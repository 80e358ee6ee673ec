"""PLMS, the linear multistep sampler of latent diffusion's code, which the released teachers can be sampled by."""

import torch

from audiolcm.diffusion.sampler import NoiseSource, OdeSampler, Sampled
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.errors import UserError
from audiolcm.types import Denoiser, Latent, TextTokens

ADAMS_BASHFORTH = {
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
"""Weights of so many noise predictions, the newest first."""


class PLMSSampler(OdeSampler):
    """Pseudo linear multistep (Liu et al., 2022, arXiv 2202.09778): DDIM steps with a mean of noise predictions.

    A step takes the Adams-Bashforth mean of up to four predictions. The first one has no past: it looks ahead to where
    a DDIM step leads and starts again with the mean of both predictions, so that it evaluates twice.
    """

    def timesteps(self, num_timesteps: int) -> list[int]:
        """Return the visited timesteps, descending; the second is evaluated twice."""
        if self.num_steps < 2:
            raise UserError(f"sampler.num_steps={self.num_steps}: PLMS needs 2 or more, a step and its past.")
        return super().timesteps(num_timesteps)

    def nfe(self, num_timesteps: int) -> int:
        """Return denoiser evaluations per example: two where it is guided, and the look ahead of the first step."""
        ahead = self.timesteps(num_timesteps)[1]
        return super().nfe(num_timesteps) + self.evaluations(ahead)

    def sample(
        self,
        denoiser: Denoiser,
        schedule: NoiseSchedule,
        noise: NoiseSource,
        text: TextTokens,
        unconditional: TextTokens,
    ) -> Sampled:
        """Return latents after steps of up to the fourth order."""

        def epsilon_at(z_t: Latent, t: int) -> Latent:
            return self.guided_epsilon(denoiser, z_t, t, text, unconditional)

        (t, s), *others = self.steps(schedule.num_timesteps)
        z_t = noise.draw()
        past = [epsilon_at(z_t, t)]
        ahead = others[0][0]
        mean = (past[0] + epsilon_at(self.step(z_t, past[0], t, s, schedule), ahead)) / 2.0
        # As diffusers: where steps are not joined, s is not ahead, and this one keeps its length
        z_t = self.step(z_t, mean, ahead + t - s, ahead, schedule)
        for t, s in others:
            past = [epsilon_at(z_t, t), *past[:3]]
            weights = ADAMS_BASHFORTH[len(past)]
            mean = torch.stack([w * epsilon for w, epsilon in zip(weights, past, strict=True)]).sum(0)
            z_t = self.step(z_t, mean, t, s, schedule)
        return Sampled(z_t, self.nfe(schedule.num_timesteps))

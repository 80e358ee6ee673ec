"""Noise schedules: z_t = alpha_t z_0 + sigma_t epsilon with alpha_t^2 + sigma_t^2 = 1."""

from typing import Any

import torch
from torch import Tensor

from audiolcm.errors import UserError
from audiolcm.types import Latent, Timesteps


class NoiseSchedule:
    """The discrete variance-preserving schedule given by its betas.

    ``alphas`` and ``sigmas`` hold alpha_t and sigma_t for t = 0 .. T-1 as float32 vectors, computed in
    float64: alpha_t = sqrt(prod_{s<=t} (1 - beta_s)), sigma_t = sqrt(1 - alpha_t^2).

    Attributes:
        standalone: of a schedule read from a file, the configuration that builds it without that file; else None.
    """

    standalone: dict[str, Any] | None = None

    def __init__(self, betas: Tensor) -> None:
        alphas_cumprod = torch.cumprod(1.0 - betas.double(), dim=0)
        self.num_timesteps = len(betas)
        self.betas = betas.float()
        self.alphas = alphas_cumprod.sqrt().float()
        self.sigmas = (1.0 - alphas_cumprod).sqrt().float()
        self._on_devices: dict[tuple[str, torch.device], Tensor] = {}

    def alpha(self, t: Timesteps) -> Tensor:
        """Return alpha_t shaped (batch, 1, 1), ready to multiply a latent."""
        return self._at("alphas", t)

    def sigma(self, t: Timesteps) -> Tensor:
        """Return sigma_t shaped (batch, 1, 1)."""
        return self._at("sigmas", t)

    def add_noise(self, z_0: Latent, noise: Latent, t: Timesteps) -> Latent:
        """Sample the transition density: z_t ~ N(alpha_t z_0, sigma_t^2 I) for a given standard normal draw."""
        return self.alpha(t) * z_0 + self.sigma(t) * noise

    def predicted_z0(self, z_t: Latent, epsilon: Latent, t: Timesteps) -> Latent:
        """Return (z_t - sigma_t epsilon) / alpha_t, the clean latent that ``epsilon`` implies."""
        return (z_t - self.sigma(t) * epsilon) / self.alpha(t)

    def _at(self, table: str, t: Timesteps) -> Tensor:
        place = table, t.device
        if place not in self._on_devices:
            with torch.inference_mode(False):  # else no later training step could use it
                self._on_devices[place] = getattr(self, table).to(t.device)
        return self._on_devices[place][t.long()].view(-1, 1, 1)


class ScaledLinearSchedule(NoiseSchedule):
    """beta = linspace(sqrt(beta_start), sqrt(beta_end), T)^2: the latent-diffusion schedule of the paper."""

    def __init__(
        self, num_timesteps: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
    ) -> None:
        _check(num_timesteps, beta_start, beta_end)
        ramp = torch.linspace(beta_start**0.5, beta_end**0.5, num_timesteps, dtype=torch.float64)
        super().__init__(ramp**2)


class LinearSchedule(NoiseSchedule):
    """beta = linspace(beta_start, beta_end, T), the schedule of DDPM."""

    def __init__(self, num_timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> None:
        _check(num_timesteps, beta_start, beta_end)
        super().__init__(torch.linspace(beta_start, beta_end, num_timesteps, dtype=torch.float64))


def _check(num_timesteps: int, beta_start: float, beta_end: float) -> None:
    if num_timesteps < 2:
        raise UserError(
            f"schedule.num_timesteps={num_timesteps}: at least 2 are needed; the paper uses 1000."
        )
    if not 0.0 < beta_start <= beta_end < 1.0:
        raise UserError(
            f"schedule.beta_start={beta_start}, schedule.beta_end={beta_end}: "
            "need 0 < beta_start <= beta_end < 1; the paper's are 0.00085 and 0.012."
        )

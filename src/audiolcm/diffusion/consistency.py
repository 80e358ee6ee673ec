"""The consistency function of Eq. 12: any noisy latent, at any timestep, to its clean latent in one call."""

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.types import Denoiser, Latent, PerExample, TextTokens, Timesteps


def consistency_function(
    denoiser: Denoiser,
    z_t: Latent,
    t: Timesteps,
    text: TextTokens,
    omega: PerExample | None,
    schedule: NoiseSchedule,
    boundary: BoundaryScalings,
) -> Latent:
    """Return f(z_t, omega, c, t) = c_skip(t) z_t + c_out(t) (z_t - sigma_t epsilon) / alpha_t  (Eq. 12)."""
    epsilon = denoiser(z_t, t, text, omega).float()
    z_0 = schedule.predicted_z0(z_t, epsilon, t)
    return boundary.c_skip(t) * z_t + boundary.c_out(t) * z_0

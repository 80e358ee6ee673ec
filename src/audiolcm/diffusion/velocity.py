"""A noise prediction network whose last layer tells the velocity (Salimans and Ho, 2022)."""

from torch import nn

from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.types import Latent, PerExample, TextTokens, Timesteps


class VelocityPrediction(nn.Module):
    """epsilon = sigma_t z_t + alpha_t v, with v from ``network``; called as a noise prediction network is.

    Solvers, samplers and losses see epsilon. What changes is what an error of the network does: predicted_z0 becomes
    alpha_t z_t - sigma_t v, where it divides an error of epsilon by alpha_t, 15-fold at the noisiest timestep of the
    paper's schedule. A network trained for minutes cannot make up for that.

    Args:
        network: predicts v = alpha_t epsilon - sigma_t z_0, in the shape of z_t.
        schedule: alpha_t and sigma_t.
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule) -> None:
        super().__init__()
        self.network = network
        self.schedule = schedule

    def forward(self, z_t: Latent, t: Timesteps, text: TextTokens, omega: PerExample | None = None) -> Latent:
        """Predict the noise in ``z_t``; arguments and errors are those of ``Transformer.forward``."""
        velocity = self.network(z_t, t, text, omega)
        return (self.schedule.sigma(t) * z_t + self.schedule.alpha(t) * velocity).to(z_t.dtype)

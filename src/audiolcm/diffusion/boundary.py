"""The boundary condition of a consistency function, f(z, 0) = z, as scalings of skip and output (Eq. 5)."""

from torch import Tensor

from audiolcm.types import Timesteps


class BoundaryScalings:
    """c_skip and c_out of Eq. 9 and 12, as the released code sets them.

    With u = timestep_scaling * t:  c_skip = s^2 / (u^2 + s^2),  c_out = u / sqrt(u^2 + s^2),  s = sigma_data.
    """

    def __init__(self, sigma_data: float = 0.5, timestep_scaling: float = 10.0) -> None:
        self.sigma_data = sigma_data
        self.timestep_scaling = timestep_scaling

    def c_skip(self, t: Timesteps) -> Tensor:
        """Return the weight of the input, shaped (batch, 1, 1); 1 at t = 0."""
        return (self.sigma_data**2 / (self._scaled(t) ** 2 + self.sigma_data**2)).view(-1, 1, 1)

    def c_out(self, t: Timesteps) -> Tensor:
        """Return the weight of the network, shaped (batch, 1, 1); 0 at t = 0."""
        u = self._scaled(t)
        return (u / (u**2 + self.sigma_data**2).sqrt()).view(-1, 1, 1)

    def _scaled(self, t: Timesteps) -> Tensor:
        return self.timestep_scaling * t.float()

"""The k-step DDIM solver of guided consistency distillation: which timesteps, and one step between them.

"k" counts training timesteps: k = 20 shortens the T = 1000 timesteps to T // k = 50 of them, "from thousands
to dozens". The solver takes that stride in one DDIM step (Eq. 10 and 13, section 3.4), or in several.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.errors import UserError
from audiolcm.random_numbers import Generator, randint
from audiolcm.types import Latent, Timesteps


def ddim_step(z_t: Latent, epsilon: Latent, t: Timesteps, s: Timesteps, schedule: NoiseSchedule) -> Latent:
    """Follow the probability-flow ODE from t to the earlier s: z_s = alpha_s z_0(epsilon) + sigma_s epsilon.

    The step is linear in ``epsilon``, so stepping with a guided epsilon equals Eq. 13's combination
    (1 + omega) Psi(c) - omega Psi(empty).
    """
    z_0 = schedule.predicted_z0(z_t, epsilon, t)
    return schedule.alpha(s) * z_0 + schedule.sigma(s) * epsilon


GuidedEpsilon = Callable[[Latent, Timesteps], Latent]
"""The teacher's guided noise prediction at (z_t, t)."""


class SkippingSolver(ABC):
    """A DDIM solver that skips k training timesteps at a time.

    ``max_step``: the longest DDIM step, in timesteps. A stride of k = 100 is then taken in four steps of 25, a teacher
    call each; None is the paper's one step, however long. A large k needs few strides from noise to sound, so a student
    learns them soon; short steps keep each of them near the flow.
    """

    def __init__(self, k: int = 20, num_timesteps: int = 1000, max_step: int | None = None) -> None:
        if not 1 <= k <= num_timesteps:
            raise UserError(
                f"solver.k={k} is out of range: it counts training timesteps, 1 <= k <= {num_timesteps}. "
                "The paper studies 1, 5, 10, 20 and 50."
            )
        self._check_stride(k, num_timesteps)
        if max_step is not None and max_step < 1:
            raise UserError(f"solver.max_step={max_step} is no number of timesteps: type 1 or more, or null.")
        self.num_steps = 1 if max_step is None else -(-k // max_step)
        self.k = k
        self.num_timesteps = num_timesteps

    @staticmethod
    @abstractmethod
    def _check_stride(k: int, num_timesteps: int) -> None:
        """Refuse a k that this solver's timesteps cannot be laid out with."""

    @abstractmethod
    def sample_pair(self, batch_size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw (t, s), each (batch,) int64: the start t_{n+k} and the end t_n of one solver step."""

    def step(
        self, epsilon: GuidedEpsilon, z_t: Latent, t: Timesteps, s: Timesteps, schedule: NoiseSchedule
    ) -> Latent:
        """Follow the guided flow from t to s (Algorithm 1, line 6)."""
        start = t
        for done in range(1, self.num_steps + 1):
            end = start - (start - s) * done // self.num_steps
            z_t, t = ddim_step(z_t, epsilon(z_t, t), t, end, schedule), end
        return z_t


class GridSolver(SkippingSolver):
    """Steps between neighbors of the grid t_i = k i - 1, i = 1 .. T // k, as in the released code.

    Below the first grid point the step ends at timestep 0. ``k`` must divide T.
    """

    @staticmethod
    def _check_stride(k: int, num_timesteps: int) -> None:
        if num_timesteps % k:
            below = max(d for d in range(1, k) if num_timesteps % d == 0)
            above = min(d for d in range(k, num_timesteps + 1) if num_timesteps % d == 0)
            raise UserError(
                f"solver.k={k} does not divide schedule.num_timesteps={num_timesteps}: the grid would be "
                f"uneven. Type solver.k={below} or solver.k={above}, or solver=ddim_dense for any k."
            )

    def timesteps(self) -> Tensor:
        """Return the ascending grid (T // k,), int64: k - 1, 2k - 1, ..., T - 1."""
        return torch.arange(1, self.num_timesteps // self.k + 1) * self.k - 1

    def sample_pair(self, batch_size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw a grid point and its neighbor below, clamped to 0."""
        num_points = self.num_timesteps // self.k
        i = randint(num_points, [batch_size], generator)
        t = (i + 1) * self.k - 1
        return t, (t - self.k).clamp(min=0)


class DenseSolver(SkippingSolver):
    """Algorithm 1 read literally: any n in [1, N - k] on the dense schedule, from t_{n+k} to t_n."""

    @staticmethod
    def _check_stride(k: int, num_timesteps: int) -> None:
        if k == num_timesteps:
            raise UserError(
                f"solver.k={k} leaves no n in [1, N - k] for N = {num_timesteps}: type a smaller solver.k."
            )

    def sample_pair(self, batch_size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw s uniformly from 0 .. T - k - 1 and t = s + k."""
        s = randint(self.num_timesteps - self.k, [batch_size], generator)
        return s + self.k, s

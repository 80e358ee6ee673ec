"""Which timesteps an ODE sampler visits, and where each of its steps ends, by name.

With n steps on T timesteps, c = T // n:

- ``released``: as in the code of latent diffusion, which Make-An-Audio 2 and AudioLCM carry: c i + 1 for every c i
  below T (991 .. 1 for n = 100; more than n timesteps where n does not divide T), each step to the next visited one,
  the last to timestep 0, whose noise stays.
- ``leading``: as in diffusers with ``steps_offset=1, set_alpha_to_one=False``, the settings of models on the Hub:
  c i + 1 for i = n - 1 .. 0, ends as above. Where n divides T, ``released`` is the same.
- ``trailing``: as in diffusers: round(T - i T / n) - 1 (999 .. 9 for n = 100), each step to t - c, which is not the
  next visited timestep where n does not divide T, and to z_0 where t - c lies below 0.
- ``trailing_to_next``: the same timesteps, each step to the next visited one, the last to z_0. The default.

DPM-Solver++ always steps to the next visited timestep. In diffusers, which ``DPM_SPACINGS`` follows, its ``trailing``
is therefore ``trailing_to_next``, and its ``leading`` is c i + 1 for i = n .. 1, c = T // (n + 1), and ends in z_0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audiolcm.errors import UserError

CLEAN = -1
"""The end of a step that returns the predicted z_0; others end at a timestep."""
DEFAULT = "trailing_to_next"


@dataclass(frozen=True)
class Spacing:
    """How steps lie on the training timesteps.

    Attributes:
        visit: from (num_steps, num_timesteps) to the timesteps where the denoiser is asked, descending.
        end: of the last step, timestep 0 or ``CLEAN``.
        is_joined: whether each step ends where the next begins; else num_timesteps // num_steps below its own start.
    """

    visit: Callable[[int, int], list[int]]
    end: int
    is_joined: bool = True

    def steps(self, visited: Sequence[int], stride: int) -> list[tuple[int, int]]:
        """Return start and end of each step; ``stride`` is its length where steps are not joined."""
        ends = [*visited[1:], self.end] if self.is_joined else [max(t - stride, self.end) for t in visited]
        return list(zip(visited, ends, strict=True))


def _released(num_steps: int, num_timesteps: int) -> list[int]:
    return [t + 1 for t in reversed(range(0, num_timesteps, num_timesteps // num_steps))]


def _leading(num_steps: int, num_timesteps: int) -> list[int]:
    return [num_timesteps // num_steps * i + 1 for i in reversed(range(num_steps))]


def _leading_of_dpm(num_steps: int, num_timesteps: int) -> list[int]:
    return [num_timesteps // (num_steps + 1) * i + 1 for i in range(num_steps, 0, -1)]


def _trailing(num_steps: int, num_timesteps: int) -> list[int]:
    spaced = np.round(np.arange(num_timesteps, 0, -num_timesteps / num_steps)).astype(int) - 1
    return [int(t) for t in spaced[:num_steps]]


SPACINGS: Mapping[str, Spacing] = {
    "released": Spacing(_released, end=0),
    "leading": Spacing(_leading, end=0),
    "trailing": Spacing(_trailing, end=CLEAN, is_joined=False),
    "trailing_to_next": Spacing(_trailing, end=CLEAN),
}
DPM_SPACINGS: Mapping[str, Spacing] = {
    **SPACINGS,
    "leading": Spacing(_leading_of_dpm, end=CLEAN),
    "trailing": SPACINGS["trailing_to_next"],
}


def visited_timesteps(
    spacings: Mapping[str, Spacing], name: str, num_steps: int, num_timesteps: int
) -> list[int]:
    """Return the visited timesteps, descending.

    Raises:
        UserError: the spacing would leave the training timesteps, as released code does with an error, or stand still.
    """

    def visited(num_steps: int) -> list[int]:
        """Return the timesteps of so many steps; none where one lies outside or comes twice."""
        found = spacings[name].visit(num_steps, num_timesteps)
        return found if found[0] < num_timesteps and len(set(found)) == len(found) else []

    if found := visited(num_steps):
        return found
    nearest = min(filter(visited, range(1, num_timesteps + 1)), key=lambda n: abs(n - num_steps))
    raise UserError(
        f"sampler.num_steps={num_steps} does not go with sampler.spacing={name}, which would leave the timesteps 0 to "
        f"{num_timesteps - 1}: type sampler.num_steps={nearest}, or sampler.spacing=trailing."
    )

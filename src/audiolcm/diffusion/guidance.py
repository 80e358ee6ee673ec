"""Classifier-free guidance, and its scale omega during distillation.

Once and for all: omega = (CFG scale) - 1. A CFG scale of 5 is omega = 4; omega = 0 is the conditional model.
"""

from collections.abc import Sequence

import torch

from audiolcm.errors import UserError
from audiolcm.random_numbers import Generator, rand
from audiolcm.types import Latent, PerExample, Timesteps


def guide(conditional: Latent, unconditional: Latent, omega: PerExample) -> Latent:
    """Return (1 + omega) conditional - omega unconditional, the guided prediction of Eq. 13."""
    return conditional + omega.view(-1, 1, 1) * (conditional - unconditional)


Interval = tuple[int, int] | None
"""The first and the last timestep at which is guided (Kynkäänniemi et al., 2024, arXiv 2404.07724); None is everywhere.

Guided at the noisiest timesteps all sounds of a caption become one, and at the last ones their texture is overdrawn.
"""


def read_interval(name: str, setting: object) -> Interval:
    """Return the interval that a setting ``name=[first,last]`` means.

    Raises:
        UserError: it is no pair of ascending timesteps.
    """
    if setting is None:
        return None
    numbers = list(setting) if isinstance(setting, Sequence) else []
    if not (len(numbers) == 2 and all(type(t) is int for t in numbers) and 0 <= numbers[0] <= numbers[1]):
        raise UserError(
            f"{name}={setting} is no interval of timesteps: type the first and the last, such as {name}=[200,700], or "
            "null to guide everywhere."
        )
    return numbers[0], numbers[1]


def omega_at(omega: PerExample, t: Timesteps, interval: Interval) -> PerExample:
    """Return omega where ``t`` is in the interval, and 0 elsewhere."""
    if interval is None:
        return omega
    return torch.where((t >= interval[0]) & (t <= interval[1]), omega, 0.0)


class UniformGuidance:
    """omega ~ U[w_min, w_max], drawn for each example of a distillation batch (Algorithm 1, line 4).

    ``interval``: the first and the last timestep at which the teacher is guided; None, the paper's, is everywhere.
    """

    def __init__(
        self, w_min: float = 4.0, w_max: float = 12.0, interval: Sequence[int] | None = None
    ) -> None:
        if w_min > w_max:
            raise UserError(
                f"guidance.w_min={w_min} is above guidance.w_max={w_max}: the range is reversed. "
                f"Type guidance.w_min={w_max} guidance.w_max={w_min}."
            )
        if w_min < 0.0:
            raise UserError(
                f"guidance.w_min={w_min} is negative: omega = CFG scale - 1, and 0 means no guidance. "
                "Type guidance.w_min=0 or more; the paper's range is 4 to 12."
            )
        self.w_min = w_min
        self.w_max = w_max
        self.interval = read_interval("guidance.interval", interval)

    def sample(self, batch_size: int, generator: Generator) -> PerExample:
        """Return ``batch_size`` guidance scales, float32, on the generator's device."""
        uniform = rand([batch_size], generator)
        return self.w_min + (self.w_max - self.w_min) * uniform

    def at(self, omega: PerExample, t: Timesteps) -> PerExample:
        """Return the scale by which the teacher is guided at ``t`` for a student that is told ``omega``."""
        return omega_at(omega, t, self.interval)

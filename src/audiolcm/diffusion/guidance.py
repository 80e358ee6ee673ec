"""Classifier-free guidance, and its scale omega during distillation.

Once and for all: omega = (CFG scale) - 1. A CFG scale of 5 is omega = 4; omega = 0 is the conditional model.
"""

from audiolcm.draws import Generator, rand
from audiolcm.errors import UserError
from audiolcm.types import Latent, PerExample


def guide(conditional: Latent, unconditional: Latent, omega: PerExample) -> Latent:
    """Return (1 + omega) conditional - omega unconditional, the guided prediction of Eq. 13."""
    return conditional + omega.view(-1, 1, 1) * (conditional - unconditional)


class UniformGuidance:
    """omega ~ U[w_min, w_max], drawn for each example of a distillation batch (Algorithm 1, line 4)."""

    def __init__(self, w_min: float = 4.0, w_max: float = 12.0) -> None:
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

    def sample(self, batch_size: int, generator: Generator) -> PerExample:
        """Return ``batch_size`` guidance scales, float32, on the generator's device."""
        uniform = rand([batch_size], generator)
        return self.w_min + (self.w_max - self.w_min) * uniform

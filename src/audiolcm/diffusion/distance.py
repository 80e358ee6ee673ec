"""Distances d(x, y) of the distillation loss (Eq. 7, 11, 14), each averaged over all elements."""

import torch
from torch import Tensor
from torch.nn import functional as F

from audiolcm.errors import UserError


class Huber:
    """Eq. 15: quadratic up to ``eta``, linear beyond it.

    The paper gives no eta. Latents have unit variance, so at 1 the distance is almost a quadratic one, and at 0.005
    almost a linear one. In one ESC-10 run each (k = 20, 4000 steps) the student came nearer to the teacher with the
    latter, and held its quality at 8 sampling steps; why was not tested.
    """

    def __init__(self, eta: float = 0.005) -> None:
        self.eta = _positive("eta", eta)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the scalar mean distance of two tensors of one shape."""
        return F.huber_loss(x.float(), y.float(), delta=self.eta)


class PseudoHuber:
    """sqrt(d^2 + c^2) - c, the smooth distance of the released code (c = 0.001)."""

    def __init__(self, c: float = 0.001) -> None:
        self.c = _positive("c", c)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the scalar mean distance of two tensors of one shape."""
        return (torch.sqrt((x.float() - y.float()) ** 2 + self.c**2) - self.c).mean()


class L2:
    """The mean squared difference."""

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the scalar mean distance of two tensors of one shape."""
        return F.mse_loss(x.float(), y.float())


def _positive(name: str, value: float) -> float:
    if value <= 0.0:
        raise UserError(f"distance.{name}={value} must be above 0.")
    return value

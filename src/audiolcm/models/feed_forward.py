"""Convolutional feed-forward networks of the denoiser: ``backbone/feed_forward``.

All three have the same number of weights, 12 * kernel_size * width^2 (and nearly the same of biases), so
comparing them compares the activation and not the size.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from audiolcm.models.layers import TokenConv1d

Tokens = Float[Tensor, "batch tokens width"]


class GELU(nn.Module):
    """Conv(gelu(Conv(x))), ungated.

    The hidden layer is 6 times as wide as the tokens where the gated networks have 2 * 4 and 4: the same
    number of weights.

    Args:
        width: width of the tokens.
        expansion: width of the hidden layer divided by ``width``.
        kernel_size: tokens that one output of a convolution sees, odd.
    """

    def __init__(self, width: int, expansion: int = 6, kernel_size: int = 9) -> None:
        super().__init__()
        self.expand = TokenConv1d(width, expansion * width, kernel_size)
        self.contract = TokenConv1d(expansion * width, width, kernel_size)

    def forward(self, x: Tokens) -> Tokens:
        """Return the transformed tokens; the caller adds the residual."""
        return self.contract(F.gelu(self.expand(x)))


class GEGLU(nn.Module):
    """Conv(value * gelu(gate)) with [value, gate] = Conv(x) (Shazeer, 2020): the released checkpoint's.

    Args:
        width: width of the tokens.
        expansion: width of ``value`` and of ``gate`` divided by ``width``.
        kernel_size: tokens that one output of a convolution sees, odd.
    """

    def __init__(self, width: int, expansion: int = 4, kernel_size: int = 9) -> None:
        super().__init__()
        self.expand = TokenConv1d(width, 2 * expansion * width, kernel_size)
        self.contract = TokenConv1d(expansion * width, width, kernel_size)

    def forward(self, x: Tokens) -> Tokens:
        """Return the transformed tokens; the caller adds the residual."""
        value, gate = self.expand(x).chunk(2, dim=-1)
        return self.contract(value * self.activate(gate))

    def activate(self, gate: Tensor) -> Tensor:
        """Return the factor that ``value`` is multiplied by."""
        return F.gelu(gate)


class SwiGLU(GEGLU):
    """Conv(value * silu(gate)) with [value, gate] = Conv(x) (Shazeer, 2020): the paper's."""

    def activate(self, gate: Tensor) -> Tensor:
        """Return the factor that ``value`` is multiplied by."""
        return F.silu(gate)

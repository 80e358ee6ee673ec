"""Embeddings that open the denoiser's sequence: the timestep with its guidance, and both halves of the text."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiolcm.models.layers import Linear
from audiolcm.types import PerExample, TextTokens, Timesteps

SINUSOID_WIDTH = 256
OMEGA_SCALE = 1000.0


def sinusoid(values: Tensor, width: int, base: float = 10000.0) -> Float[Tensor, "count width"]:
    """Return [cos, sin] of values * base^(-i/half), i = 0..half-1, half = width/2, in float32.

    Args:
        values: (count,), integer or floating point.
        width: even width of the result.
        base: ratio of the slowest wavelength to the fastest.
    """
    half = width // 2
    index = torch.arange(half, dtype=torch.float32, device=values.device)
    angles = values.float()[:, None] * torch.exp(-math.log(base) * index / half)
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


def omega_sinusoid(omega: PerExample, width: int = SINUSOID_WIDTH) -> Float[Tensor, "batch width"]:
    """Return [sin, cos] of 1000 omega * 10000^(-i/(half-1)), in float32.

    Order and spacing differ from ``sinusoid`` because the released checkpoint was trained with them. So does rounding:
    angles reach 12,000 radians, where the last digit of a frequency counts a thousandth; digits are the released ones.

    Args:
        omega: (batch,) guidance scale, the classifier-free-guidance scale minus 1.
        width: even width of the result.
    """
    half = width // 2
    index = torch.arange(half, dtype=torch.float32, device=omega.device)
    step = torch.log(torch.tensor(10000.0, device="cpu")) / (half - 1)  # one number: no copy to a device
    angles = OMEGA_SCALE * omega.float()[:, None] * torch.exp(index * -step)
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


class TimestepEmbedding(nn.Module):
    """MLP(sinusoid(t) + W omega_sinusoid(omega)): the first token of the sequence.

    W starts at zero, so a student begins as its teacher whatever omega is. In the released code it starts at Xavier's
    random numbers, which Make-An-Audio 2's file does not replace: its student begins with a random vector of the size
    of the timestep's own added to it.

    Args:
        width: width of the token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.omega_projection = Linear(SINUSOID_WIDTH, SINUSOID_WIDTH, bias=False)
        self.mlp = nn.Sequential(Linear(SINUSOID_WIDTH, width), nn.SiLU(), Linear(width, width))
        nn.init.zeros_(self.omega_projection.weight)
        for layer in (self.mlp[0], self.mlp[2]):
            # pyrefly: ignore[bad-argument-type]  (torch types a module's attributes as Tensor | Module)
            nn.init.normal_(layer.weight, std=0.02)
            # pyrefly: ignore[bad-argument-type]  (torch types a module's attributes as Tensor | Module)
            nn.init.zeros_(layer.bias)

    def forward(self, t: Timesteps, omega: PerExample | None = None) -> Float[Tensor, "batch width"]:
        """Return one token for each example; ``omega=None`` leaves guidance out."""
        dtype = self.omega_projection.weight.dtype
        embedded = sinusoid(t, SINUSOID_WIDTH).to(dtype)
        if omega is not None:
            embedded = embedded + self.omega_projection(omega_sinusoid(omega).to(dtype))
        return self.mlp(embedded)


def forget_guidance(teacher: nn.Module) -> nn.Module:
    """Set the projection of omega in a teacher to zero, in place, and return the teacher.

    A teacher is never told omega, so a student that starts as its copy must start deaf to omega. Our own teachers have
    zeros there already; the teacher inside the released AudioLCM file has numbers that were never used.
    """
    for module in teacher.modules():
        if isinstance(module, TimestepEmbedding):
            nn.init.zeros_(module.omega_projection.weight)
    return teacher


class TextEmbedding(nn.Module):
    """Linear, GELU (tanh form), Linear, LayerNorm: maps one half of the text to the denoiser's width.

    Args:
        text_width: width of the text encoder's tokens.
        width: width of the denoiser.
    """

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            Linear(text_width, width),
            nn.GELU(approximate="tanh"),
            Linear(width, width),
            nn.LayerNorm(width),
        )
        for layer in (self.mlp[0], self.mlp[2]):
            # pyrefly: ignore[bad-argument-type]  (torch types a module's attributes as Tensor | Module)
            nn.init.xavier_uniform_(layer.weight)
            # pyrefly: ignore[bad-argument-type]  (torch types a module's attributes as Tensor | Module)
            nn.init.zeros_(layer.bias)

    def forward(self, text: TextTokens) -> Float[Tensor, "batch tokens width"]:
        """Return the tokens at the denoiser's width."""
        return self.mlp(text)

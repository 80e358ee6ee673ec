"""The released denoiser: channels first, separate projections, softmax written out, learned positions."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EMBEDDING = 256


class Attention(nn.Module):
    """Self-attention over (batch, tokens, width), each of its three projections and both products by themselves."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_query = nn.Linear(width, width, bias=False)
        self.to_key = nn.Linear(width, width, bias=False)
        self.to_value = nn.Linear(width, width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each token gathers from all tokens."""
        query, key, value = (
            self._heads(project(x)) for project in (self.to_query, self.to_key, self.to_value)
        )
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        mixed = scores.softmax(dim=-1) @ value
        return self.to_out(mixed.transpose(1, 2).reshape(x.shape))

    def _heads(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        return x.reshape(batch, tokens, self.num_heads, -1).transpose(1, 2)


class FeedForward(nn.Module):
    """Convolution to twice the hidden width, value times GELU of the gate, convolution back."""

    def __init__(self, width: int, kernel_size: int) -> None:
        super().__init__()
        self.expand = nn.Conv1d(width, 8 * width, kernel_size, padding=kernel_size // 2)
        self.contract = nn.Conv1d(4 * width, width, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, tokens, width); the convolutions see channels first."""
        value, gate = self.expand(x.transpose(1, 2)).chunk(2, dim=1)
        return self.contract(value * F.gelu(gate)).transpose(1, 2)


class Block(nn.Module):
    """GroupNorm, 1x1 convolution, two attentions and a feed-forward network, 1x1 convolution, residual around all."""

    def __init__(self, width: int, num_heads: int, kernel_size: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(math.gcd(32, width), width, eps=1e-6)
        self.conv_in = nn.Conv1d(width, width, 1)
        self.norm1 = nn.LayerNorm(width)
        self.attention1 = Attention(width, num_heads)
        self.norm2 = nn.LayerNorm(width)
        self.attention2 = Attention(width, num_heads)
        self.norm3 = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, kernel_size)
        self.conv_out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, width, tokens)."""
        tokens = self.conv_in(self.group_norm(x)).transpose(1, 2)
        tokens = tokens + self.attention1(self.norm1(tokens))
        tokens = tokens + self.attention2(self.norm2(tokens))
        tokens = tokens + self.feed_forward(self.norm3(tokens))
        return x + self.conv_out(tokens.transpose(1, 2))


class TimestepEmbedding(nn.Module):
    """Sinusoids of the timestep, those of omega projected and added, and a small network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.omega_projection = nn.Linear(EMBEDDING, EMBEDDING, bias=False)
        self.mlp = nn.Sequential(nn.Linear(EMBEDDING, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor, omega: Tensor | None) -> Tensor:
        """Return (batch, width)."""
        half = EMBEDDING // 2
        index = torch.arange(half, dtype=torch.float32, device=t.device)
        angles = t.float()[:, None] * torch.exp(-math.log(10000.0) * index / half)
        embedded = torch.cat((angles.cos(), angles.sin()), dim=1)
        if omega is not None:
            step = torch.log(torch.tensor(10000.0)) / (half - 1)
            angles = 1000.0 * omega.float()[:, None] * torch.exp(index * -step.to(index.device))
            embedded = embedded + self.omega_projection(torch.cat((angles.sin(), angles.cos()), dim=1))
        return self.mlp(embedded)


class TextEmbedding(nn.Module):
    """One half of the text to the width of the tokens."""

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        gelu = nn.GELU(approximate="tanh")
        self.mlp = nn.Sequential(
            nn.Linear(text_width, width), gelu, nn.Linear(width, width), nn.LayerNorm(width)
        )

    def forward(self, text: Tensor) -> Tensor:
        """Return (batch, tokens, width)."""
        return self.mlp(text)


class Position(nn.Module):
    """A learned vector for each place in the sequence."""

    def __init__(self, max_positions: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_positions, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, tokens, width) with the vectors added."""
        return x + self.table(torch.arange(x.shape[1], device=x.device))


class Denoiser(nn.Module):
    """The released noise prediction; sizes as in ``audiolcm.models.transformer.Transformer``."""

    def __init__(
        self,
        latent_channels: int,
        width: int,
        depth: int,
        num_heads: int,
        text_width: int,
        kernel_size: int = 9,
        max_positions: int = 1000,
    ) -> None:
        super().__init__()
        self.timestep_embedding = TimestepEmbedding(width)
        self.plain_text_embedding = TextEmbedding(text_width, width)
        self.structured_text_embedding = TextEmbedding(text_width, width)
        self.conv_in = nn.Conv1d(latent_channels, width, 5, padding=2)
        self.position = Position(max_positions, width)
        self.blocks = nn.ModuleList(Block(width, num_heads, kernel_size) for _ in range(depth))
        self.norm_out = nn.GroupNorm(math.gcd(16, width), width, eps=1e-5)
        self.conv_out = nn.Conv1d(width, latent_channels, 1)

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return the noise in ``z_t``, (batch, latent_channels, latent_frames)."""
        plain, structured = text.chunk(2, dim=1)
        sequence = (
            self.timestep_embedding(t, omega)[:, None],
            self.plain_text_embedding(plain),
            self.structured_text_embedding(structured),
            self.conv_in(z_t).transpose(1, 2),
        )
        x = self.position(torch.cat(sequence, dim=1)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.conv_out(self.norm_out(x[:, :, -z_t.shape[2] :]))

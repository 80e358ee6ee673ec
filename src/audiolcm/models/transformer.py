"""The denoiser: a transformer over one sequence of timestep, text and latent frames (section 3.3)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from audiolcm.models.attention import SelfAttention
from audiolcm.models.embedding import TextEmbedding, TimestepEmbedding
from audiolcm.models.layers import TokenConv1d, TokenGroupNorm
from audiolcm.models.position import NoPosition
from audiolcm.types import Latent, PerExample, TextTokens, Timesteps

Tokens = Float[Tensor, "batch tokens width"]
ModuleFactory = Callable[[int], nn.Module]
PositionFactory = Callable[[int, int], NoPosition]


class TransformerBlock(nn.Module):
    """GroupNorm, 1x1 conv, two self-attentions and a feed-forward network, 1x1 conv; residual around each.

    The last convolution starts at zero, so a new block is the identity.

    Args:
        width: width of the tokens.
        num_heads: attention heads.
        norm: makes the pre-normalization of a width.
        feed_forward: makes the feed-forward network of a width.
    """

    def __init__(self, width: int, num_heads: int, norm: ModuleFactory, feed_forward: ModuleFactory) -> None:
        super().__init__()
        self.group_norm = TokenGroupNorm(32, width, eps=1e-6)
        self.conv_in = TokenConv1d(width, width, kernel_size=1)
        self.norm1 = norm(width)
        self.attention1 = SelfAttention(width, num_heads)
        self.norm2 = norm(width)
        self.attention2 = SelfAttention(width, num_heads)
        self.norm3 = norm(width)
        self.feed_forward = feed_forward(width)
        self.conv_out = TokenConv1d(width, width, kernel_size=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # pyrefly: ignore[bad-argument-type]  (made with a bias)
        self.recompute = False
        """Whether the backward pass computes the activations again instead of keeping them."""

    def forward(self, x: Tokens, position: NoPosition) -> Tokens:
        """Return the sequence after this block, in the dtype of ``x``."""
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(self._transform, x, position, use_reentrant=False)
        return self._transform(x, position)

    def _transform(self, x: Tokens, position: NoPosition) -> Tokens:
        # Under autocast the sums stay in float32, the dtype of x: only products are rounded to bfloat16.
        inner = self.conv_in(self.group_norm(x)).to(x.dtype)
        inner = inner + self.attention1(self.norm1(inner), position)
        inner = inner + self.attention2(self.norm2(inner), position)
        inner = inner + self.feed_forward(self.norm3(inner))
        return x + self.conv_out(inner)


class Transformer(nn.Module):
    """Noise prediction epsilon_theta(z_t, omega, c, t) of Eq. 12.

    The sequence is [timestep | plain half of the text | structured half | latent frames]; its length is free.
    The paper's variant is RMSNorm, rotary positions, SwiGLU; the released checkpoint has LayerNorm, learned
    positions, GEGLU.

    Args:
        latent_channels: channels of the latents.
        width: width of the tokens.
        depth: number of blocks; a block holds two attentions, so Table 5's 8 layers are depth 4.
        num_heads: attention heads, a divisor of ``width``.
        text_width: width of the text encoder's tokens.
        norm: ``norm(width)`` makes a normalization of the last dimension (models/norm.py).
        position: ``position(width, num_heads)`` makes a position scheme (models/position.py).
        feed_forward: ``feed_forward(width)`` makes a feed-forward network (models/feed_forward.py).

    Raises:
        ValueError: ``num_heads`` does not divide ``width``.
    """

    def __init__(
        self,
        latent_channels: int,
        width: int,
        depth: int,
        num_heads: int,
        text_width: int,
        norm: ModuleFactory,
        position: PositionFactory,
        feed_forward: ModuleFactory,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"num_heads={num_heads} does not divide width={width}")
        self.timestep_embedding = TimestepEmbedding(width)
        self.plain_text_embedding = TextEmbedding(text_width, width)
        self.structured_text_embedding = TextEmbedding(text_width, width)
        self.conv_in = TokenConv1d(latent_channels, width, kernel_size=5)
        self.position = position(width, num_heads)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, num_heads, norm, feed_forward) for _ in range(depth)
        )
        self.norm_out = TokenGroupNorm(16, width, eps=1e-5)
        self.conv_out = TokenConv1d(width, latent_channels, kernel_size=1)

    def forward(self, z_t: Latent, t: Timesteps, text: TextTokens, omega: PerExample | None = None) -> Latent:
        """Predict the noise in ``z_t``.

        Args:
            z_t: (batch, latent_channels, latent_frames) noisy latents, any number of frames.
            t: (batch,) timesteps 0..999.
            text: (batch, 2 L, text_width), the plain half before the structured half.
            omega: (batch,) guidance scale (CFG scale - 1), or None to leave the guidance embedding out.

        Returns:
            (batch, latent_channels, latent_frames) predicted noise in the dtype of ``z_t``.

        Raises:
            UserError: more tokens than a table of learned positions has.
        """
        plain, structured = text.chunk(2, dim=1)
        prefix = (
            self.timestep_embedding(t, omega).unsqueeze(1),
            self.plain_text_embedding(plain),
            self.structured_text_embedding(structured),
        )
        frames = self.conv_in(z_t.transpose(1, 2))
        x = self.position.add(torch.cat((*prefix, frames), dim=1).to(z_t.dtype))
        for block in self.blocks:
            x = block(x, self.position)
        latent_frames = x[:, -z_t.shape[2] :]
        return self.conv_out(self.norm_out(latent_frames)).transpose(1, 2).to(z_t.dtype)

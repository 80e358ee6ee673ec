"""How the denoiser knows the order of its tokens: ``backbone/position``.

Absolute kinds add something to the sequence once, before the first block; the rotary kind turns queries
and keys in every attention. Each class does one of the two and leaves the other as it is.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from audiolcm.errors import UserError
from audiolcm.models.embedding import sinusoid

Tokens = Float[Tensor, "batch tokens width"]
Heads = Float[Tensor, "batch heads tokens head_width"]


class NoPosition(nn.Module):
    """No position information: only the convolutions see the order. Also the interface of the others.

    Args:
        width: width of the tokens.
        num_heads: number of attention heads.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.width = width
        self.head_width = width // num_heads

    def add(self, x: Tokens) -> Tokens:
        """Return the sequence with absolute positions added."""
        return x

    def rotate(self, query: Heads, key: Heads) -> tuple[Heads, Heads]:
        """Return queries and keys turned by their positions."""
        return query, key


class _Table:
    """Rows for positions 0, 1, ... in float32, grown on demand and kept for each device.

    It is no buffer: it stays out of checkpoints and is not rounded when a network is cast to bfloat16.
    """

    def __init__(self, width: int, base: float) -> None:
        self.width = width
        self.base = base
        self._rows: dict[torch.device, Tensor] = {}

    def __call__(self, length: int, device: torch.device) -> Float[Tensor, "length table_width"]:
        rows = self._rows.get(device)
        if rows is None or len(rows) < length:
            # A table made inside inference_mode could not be used by a later training step.
            with torch.inference_mode(False), torch.no_grad():
                rows = sinusoid(torch.arange(max(length, 512), device=device), self.width, self.base)
            self._rows[device] = rows
        return rows[:length]


class RotaryPosition(NoPosition):
    """Rotary position embedding (Su et al., 2024), the paper's: scores depend on distances only.

    Channels 2i and 2i + 1 of queries and keys turn by the angle position * base^(-2i/head_width).

    Args:
        width: width of the tokens.
        num_heads: number of attention heads; width / num_heads must be even.
        base: ratio of the slowest wavelength to the fastest.

    Raises:
        UserError: the head size is odd.
    """

    def __init__(self, width: int, num_heads: int, base: float = 10000.0) -> None:
        super().__init__(width, num_heads)
        if self.head_width % 2:
            raise UserError(
                f"backbone/position=rope needs an even head size, but model.width={width} over "
                f"model.num_heads={num_heads} gives {self.head_width}. Choose another num_heads."
            )
        self._table = _Table(self.head_width, base)

    def rotate(self, query: Heads, key: Heads) -> tuple[Heads, Heads]:
        """Return both turned, in their own dtype; the angles are float32."""
        cos_sin = self._table(query.shape[2], query.device)
        turn = torch.complex(*cos_sin.chunk(2, dim=-1))
        return _turn(query, turn), _turn(key, turn)


def _turn(x: Heads, turn: Complex[Tensor, "tokens half_head_width"]) -> Heads:
    # One complex product is 2.4 times as fast on a CPU as sines and cosines on the halves.
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


class SinusoidalPosition(NoPosition):
    """Fixed absolute positions, [cos, sin] of position * base^(-2i/width) (Vaswani et al., 2017).

    Args:
        width: width of the tokens, even.
        num_heads: number of attention heads, unused here.
        base: ratio of the slowest wavelength to the fastest.
    """

    def __init__(self, width: int, num_heads: int, base: float = 10000.0) -> None:
        super().__init__(width, num_heads)
        self._table = _Table(width, base)

    def add(self, x: Tokens) -> Tokens:
        """Return ``x`` plus the rows of its positions."""
        return x + self._table(x.shape[1], x.device).to(x.dtype)


class LearnedPosition(NoPosition):
    """A learned vector for each absolute position: the released checkpoint's.

    Args:
        width: width of the tokens.
        num_heads: number of attention heads, unused here.
        max_positions: rows of the table, the longest possible sequence (timestep + text + latent frames).
    """

    def __init__(self, width: int, num_heads: int, max_positions: int = 1000) -> None:
        super().__init__(width, num_heads)
        self.table = nn.Embedding(max_positions, width)
        nn.init.xavier_normal_(self.table.weight)

    def add(self, x: Tokens) -> Tokens:
        """Return ``x`` plus the first rows of the table.

        Raises:
            UserError: the sequence is longer than the table.
        """
        length, limit = x.shape[1], self.table.num_embeddings
        if length > limit:
            raise UserError(
                f"backbone/position=learned has {limit} positions, but this sequence has {length} (timestep + "
                f"text + latent frames). Ask for at least {(length - limit) / 31.25:.1f} s less, or use a "
                "model with backbone/position=rope, which knows no limit."
            )
        return x + self.table.weight[:length]

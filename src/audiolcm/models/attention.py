"""Self-attention of every token with every token."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from audiolcm.models.layers import Keeping, Linear
from audiolcm.models.position import Heads, NoPosition

Tokens = Float[Tensor, "batch tokens width"]
_MANY_SCORES = 2**25  # 64 MiB


class SelfAttention(Keeping):
    """Multi-head self-attention without a mask; queries, keys and values have no bias.

    Args:
        width: width of the tokens.
        num_heads: number of heads, each of width / num_heads.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_query = nn.Linear(width, width, bias=False)
        self.to_key = nn.Linear(width, width, bias=False)
        self.to_value = nn.Linear(width, width, bias=False)
        self.to_out = Linear(width, width)
        for layer in (self.to_query, self.to_key, self.to_value, self.to_out):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(self, x: Tokens, position: NoPosition) -> Tokens:
        """Return softmax(q k^T / sqrt(head width)) v, projected; ``position`` may turn q and k first."""
        # One product instead of three: autocast rounds x once, and its gradient is summed inside the product.
        heads = F.linear(x, self.product_weight()).unflatten(2, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = _attend(*position.rotate(query, key), value)
        return self.to_out(mixed.transpose(1, 2).flatten(2))

    def weights(self) -> tuple[Tensor, ...]:
        """Return those of queries, keys and values."""
        return self.to_query.weight, self.to_key.weight, self.to_value.weight

    def matrix(self) -> Tensor:
        """Return the three below each other."""
        return torch.cat(self.weights())


def _attend(query: Heads, key: Heads, value: Heads) -> Heads:
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and _pays_in_two_products(query):
        queries, keys, values = (heads.flatten(0, 1) for heads in (query, key, value))
        nothing = queries.new_zeros(())
        scores = torch.baddbmm(nothing, queries, keys.mT, beta=0, alpha=query.shape[-1] ** -0.5)
        return torch.bmm(scores.softmax(dim=-1), values).unflatten(0, query.shape[:2])
    return F.scaled_dot_product_attention(query, key, value)


def _pays_in_two_products(query: Heads) -> bool:
    """Return whether two products with all scores between them are faster than the fused kernel of CPUs in bfloat16.

    With gradients that takes 5 times as long for small networks; without, and without AMX, 1.2 to 1.6 times.
    """
    if torch.is_grad_enabled():
        return True
    batch, heads, tokens, _ = query.shape
    return batch * heads * tokens**2 <= _MANY_SCORES and not torch.cpu._is_amx_tile_supported()

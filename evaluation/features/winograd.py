"""3x3 convolutions with a quarter of the multiplications: Winograd's minimal filtering, F(4x4, 3x3).

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016, section 4.3: tiles of 6x6 inputs give 4x4
outputs with 36 products a channel pair instead of 144; all three steps are matrix products, which run at the full rate
of the machine. The result differs from a direct convolution by rounding (a few parts in a million in float32). VGGish
then takes 1.5 to 1.7 times less CPU time than with torch's convolutions in their best layout (``python
benchmarks/winograd.py``, one thread of an Intel Xeon with AMX, code b8ccd4a).

Arrays are channels-last, (batch, height, width, channels), so that no step has to move a channel.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_OUT, _IN = 4, 6  # edges of the tiles
# Y = A^T [(G g G^T) * (B^T d B)] A, for filters g (3x3), inputs d (6x6) and outputs Y (4x4).
_B_T = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_G = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
_A_T = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
_BIAS = 1 * _IN + 1  # the product that enters every output of its tile with weight 1

Images = Float[Tensor, "batch height width channels"]


class WinogradConv:
    """A given 3x3 convolution (padding 1) and its ReLU, then the maximum over 2x2 squares if ``pooled``.

    Heights and widths must be multiples of 4.
    """

    def __init__(self, conv: nn.Conv2d, pooled: bool) -> None:
        weight = conv.weight.detach()
        on = {"dtype": weight.dtype, "device": weight.device}
        b_t, g, a_t = (
            torch.tensor(matrix, dtype=torch.float64, device=weight.device) for matrix in (_B_T, _G, _A_T)
        )
        filters = torch.einsum("ai,bj,ocij->abco", g, g, weight.double()).flatten(0, 1)
        self._filters = filters.to(**on).contiguous()  # (36, in, out)
        self._to_products = torch.kron(b_t, b_t).to(**on)  # (36, 36): both axes of a tile at once
        self._from_products = torch.kron(a_t, a_t).to(**on)  # (16, 36)
        self._bias = conv.bias.detach()  # pyrefly: ignore[missing-attribute]  (made with a bias)
        self._pooled = pooled

    def __call__(self, x: Images) -> Images:
        """Return (batch, height, width, out), or half the height and width."""
        batch, height, width, channels = x.shape
        grid = (batch, height // _OUT, width // _OUT)
        padded = functional.pad(x, (0, 0, 1, 1, 1, 1))
        tiles = padded.unfold(1, _IN, _OUT).unfold(2, _IN, _OUT).permute(4, 5, 0, 1, 2, 3)
        products = self._to_products @ tiles.reshape(_IN * _IN, -1)
        products = products.view(_IN * _IN, -1, channels) @ self._filters
        products[_BIAS] += self._bias
        y = self._from_products @ products.view(_IN * _IN, -1)
        edge = _OUT
        if self._pooled:
            edge = _OUT // 2
            y = y.view(edge, 2, edge, 2, -1)
            y = torch.maximum(y[:, 0], y[:, 1])
            y = torch.maximum(y[:, :, 0], y[:, :, 1])
        y = y.relu_().view(edge, edge, *grid, -1)
        return y.permute(2, 3, 0, 4, 1, 5).reshape(batch, edge * grid[1], edge * grid[2], -1)


class FirstConv:
    """A given 3x3 convolution (padding 1) of one channel, its ReLU and the maximum over 2x2 squares.

    The four outputs of a square come from its 4x4 inputs in one matrix product.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        weight = conv.weight.detach()[:, 0].permute(1, 2, 0)  # (3, 3, out)
        square = weight.new_zeros(4, 4, 2, 2, weight.shape[2])
        for i in range(2):
            for j in range(2):
                square[i : i + 3, j : j + 3, i, j] = weight
        self._square = square.reshape(16, -1)
        self._bias = conv.bias.detach()  # pyrefly: ignore[missing-attribute]  (made with a bias)

    def __call__(self, x: Float[Tensor, "batch height width"]) -> Images:
        """Return (batch, height // 2, width // 2, out)."""
        batch, height, width = x.shape
        squares = functional.pad(x, (1, 1, 1, 1)).unfold(1, 4, 2).unfold(2, 4, 2).reshape(-1, 16)
        y = (squares @ self._square).view(len(squares), 4, -1)
        y = torch.maximum(torch.maximum(y[:, 0], y[:, 1]), torch.maximum(y[:, 2], y[:, 3]))
        return (y + self._bias).relu_().view(batch, height // 2, width // 2, -1)

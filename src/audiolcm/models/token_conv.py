"""Convolution over time for tensors that keep their channels last, as attention and the norms do."""

import torch.nn.functional as F
from torch import Tensor, nn

from audiolcm.types import TextTokens


class TokenConv1d(nn.Conv1d):
    """Conv1d over the tokens of (batch, tokens, in_channels), zero-padded to keep their number.

    Parameters and initialization are those of ``torch.nn.Conv1d``; only the layout of the input differs.
    The convolution runs as a channels-last 2-d one of height 1: it needs no transposed copy, and with
    bfloat16 on a CPU it is about twice as fast as ``conv1d``, forward and backward.

    Args:
        in_channels: width of the tokens.
        out_channels: width of the result.
        kernel_size: odd number of tokens that one output sees.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd to keep the number of tokens, got {kernel_size}")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    # pyrefly: ignore[bad-override-param-name]  (called by position only)
    def forward(self, tokens: TextTokens) -> Tensor:
        """Return (batch, tokens, out_channels)."""
        if self.kernel_size == (1,):
            return F.linear(tokens, self.weight[:, :, 0], self.bias)
        image = tokens.transpose(1, 2).unsqueeze(2)
        # pyrefly: ignore[no-matching-overload]  (padding is a number here)
        image = F.conv2d(image, self.weight.unsqueeze(2), self.bias, padding=(0, self.padding[0]))
        return image.squeeze(2).transpose(1, 2)

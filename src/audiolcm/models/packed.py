"""Convolutions over tokens with a weight that oneDNN has laid out beforehand: on CPUs, of networks that are only read.

The library's convolution lays its weight out in each call, a tenth of a call of the base denoiser. With that done once
it needs no windows, writes tokens as the next layer takes them, and is faster than the matrix product of
``convolution``: in float32 by a sixth, in bfloat16 by a twelfth, but not with AMX, whose products alone are fast.
"""

import torch
from torch import Tensor

from audiolcm.models.convolution import Tokens, Weight


def can(weight: Weight, dtype: torch.dtype) -> bool:
    """Return whether a convolution of this precision is to have a packed weight on this CPU.

    It was measured on CPUs with AVX512 alone; others, and builds of torch without oneDNN's operation, have the product.
    """
    able = torch.cpu._is_avx512_supported() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    if weight.device.type != "cpu" or not able:
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and not torch.cpu._is_amx_tile_supported())


def packed(weight: Weight, padding: int, dilation: int, stride: int) -> Tensor:
    """Return a weight as oneDNN takes it: an opaque tensor, for ``convolve_packed`` alone."""
    image = weight.unsqueeze(2).to_mkldnn()
    return torch._C._nn.mkldnn_reorder_conv2d_weight(image, [0, padding], [1, stride], [1, dilation], 1)


def convolve_packed(
    tokens: Tokens, weight: Tensor, bias: Tensor | None, padding: int, dilation: int, stride: int
) -> Tensor:
    """Return what ``convolution.convolve`` does, of a weight that is ``packed`` in the precision of the tokens."""
    image = tokens.transpose(1, 2).unsqueeze(2)  # of height 1, with its channels last: no copy
    rounded = None if bias is None else bias.to(tokens.dtype)
    summed = torch.ops.mkldnn._convolution_pointwise(
        image, weight, rounded, [0, padding], [1, stride], [1, dilation], 1, "none", [], ""
    )
    return summed.squeeze(2).transpose(1, 2)

"""Winograd's convolution is the convolution of torch, to rounding."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from evaluation.features.winograd import FirstConv, WinogradConv


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 12), (24, 16)])
@torch.no_grad()
def test_is_the_convolution_of_torch(pooled: bool, height: int, width: int) -> None:
    conv = nn.Conv2d(5, 7, 3, padding=1).double()
    x = images(3, 5, height, width)
    expected = conv(x).relu()
    if pooled:
        expected = functional.max_pool2d(expected, 2)
    found = WinogradConv(conv, pooled)(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert (expected == 0).any() and (expected > 0).any()


@torch.no_grad()
def test_error_in_float32_is_rounding() -> None:
    """Section 5 of Lavin and Gray: F(4x4, 3x3) loses about two digits more than a direct convolution at worst."""
    conv = nn.Conv2d(128, 64, 3, padding=1)
    x = images(2, 128, 24, 16)
    exact = nn.Conv2d(128, 64, 3, padding=1).double()
    exact.load_state_dict(conv.state_dict())
    expected = exact(x).relu()
    found = WinogradConv(conv, False)(x.permute(0, 2, 3, 1).float()).permute(0, 3, 1, 2)
    assert (found - expected).norm() / expected.norm() < 3e-6


@torch.no_grad()
def test_first_convolution_is_that_of_torch() -> None:
    conv = nn.Conv2d(1, 6, 3, padding=1).double()
    x = images(2, 8, 12)
    expected = functional.max_pool2d(conv(x[:, None]).relu(), 2)
    torch.testing.assert_close(FirstConv(conv)(x).permute(0, 3, 1, 2), expected, rtol=0, atol=1e-12)

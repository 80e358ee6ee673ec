"""A convolution with a packed weight is torch's, in each precision and shape, and is taken where it pays alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from audiolcm.models import layers, packed, spectral
from audiolcm.models.layers import TokenConv1d, keep_products

SHAPES = {
    "widens": (12, 40, 9, {}),
    "narrows": (40, 12, 9, {}),
    "dilated": (24, 24, 3, {"dilation": 5}),
    "strided": (24, 16, 4, {"padding": (1, 1), "stride": 2}),
    "no padding": (24, 16, 5, {"padding": (0, 0)}),
}
pytestmark = pytest.mark.skipif(not torch.cpu._is_avx512_supported(), reason="this CPU has no AVX512")


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pack small weights too, on every CPU, and never leave them to Fourier transforms."""
    monkeypatch.setattr(packed, "can", lambda weight, dtype: True)
    monkeypatch.setattr(layers, "_LARGE", 1)
    monkeypatch.setattr(spectral, "pays", lambda *_, **__: False)


def made(name: str) -> TokenConv1d:
    in_channels, out_channels, taps, more = SHAPES[name]
    return keep_products(TokenConv1d(in_channels, out_channels, taps, **more))


def plainly(layer: TokenConv1d, x: Tensor) -> Tensor:
    padded = F.pad(x.transpose(1, 2), layer.zeros)
    how = {"stride": layer.stride, "dilation": layer.dilation}
    return F.conv1d(padded, layer.weight.to(x.dtype), layer.bias.to(x.dtype), **how).transpose(1, 2)


def sounds(layer: TokenConv1d, tokens: int = 33) -> Tensor:
    return torch.randn(3, tokens, layer.in_channels, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_torchs_convolution(name: str) -> None:
    layer = made(name)
    with torch.no_grad():
        for tokens in (33, 700):
            x = sounds(layer, tokens)
            assert_close(layer(x), plainly(layer, x), atol=1e-5, rtol=1e-5)
            with torch.autocast("cpu", torch.bfloat16):
                rounded = layer(x)
            assert rounded.dtype == torch.bfloat16
            assert_close(rounded, plainly(layer, x.bfloat16()), atol=2**-6, rtol=2**-6)
    assert sorted(map(str, layer._kept or {})) == [
        str(("packed", torch.bfloat16)),
        str(("packed", torch.float32)),
    ]


def test_a_changed_weight_is_packed_anew() -> None:
    layer = made("widens")
    x = sounds(layer)
    with torch.no_grad():
        first = layer(x)
        layer.weight.mul_(2.0)
        assert_close(layer(x), plainly(layer, x), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(first, layer(x))


def test_gradients_come_from_the_product() -> None:
    layer = made("widens").requires_grad_(True)
    x = sounds(layer)
    layer(x).square().sum().backward()
    (expected,) = torch.autograd.grad(plainly(layer, x).square().sum(), [layer.weight])
    assert_close(layer.weight.grad, expected, atol=1e-3, rtol=1e-4)
    assert not layer._kept


@pytest.mark.parametrize("amx", [False, True])
def test_it_is_for_the_precisions_in_which_it_is_faster(amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_supported", lambda: True)
    weight = torch.empty(64, 64, 3)
    assert packed.can(weight, torch.float32) and packed.can(weight, torch.bfloat16) != amx
    assert not packed.can(weight.to("meta"), torch.float32) and not packed.can(weight, torch.float16)
    monkeypatch.setattr(torch.cpu, "_is_avx512_supported", lambda: False)
    assert not packed.can(weight, torch.float32)


def test_small_weights_are_left_to_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_LARGE", 12 * 40 * 9 + 1)
    layer = made("widens")
    with torch.no_grad():
        layer(sounds(layer))
    assert list(layer._kept or {}) == [torch.float32]

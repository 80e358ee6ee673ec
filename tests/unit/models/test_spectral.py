"""Convolutions by short Fourier transforms are torch's, with their gradients, and are taken where they pay alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from audiolcm.models import spectral
from audiolcm.models.layers import TokenConv1d, keep_products, lay_out
from audiolcm.models.long_convolution import SampleConv
from audiolcm.models.spectral import direct_convolutions, spectra, transforms, window_size
from benchmarks.speed.floor import count_flops

SHAPES = {
    "widens": (12, 40, 9, {}),
    "narrows": (40, 12, 9, {}),
    "dilated": (24, 24, 7, {"dilation": 5}),
    "causal": (24, 16, 11, {"padding": (10, 0)}),
    "no padding": (24, 16, 8, {"padding": (0, 0)}),
}
LENGTHS = (13, 33, 700)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transform few channels and tokens too, in small parts, on every CPU."""
    monkeypatch.setattr(spectral, "_PAYS", {torch.float32: (1, 1), torch.bfloat16: (1, 1)})
    monkeypatch.setattr(spectral, "_FEWEST_TOKENS", 1)
    monkeypatch.setattr(spectral, "_CACHED", 2**12)
    monkeypatch.setattr(spectral, "_FEWEST_ROWS", 2)
    monkeypatch.setattr(spectral, "_PART", 7)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)


def layer_of(name: str) -> TokenConv1d:
    torch.manual_seed(0)
    in_channels, out_channels, taps, more = SHAPES[name]
    return TokenConv1d(in_channels, out_channels, taps, **more)


def sounds(layer: TokenConv1d | SampleConv, tokens: int) -> Tensor:
    return torch.randn(3, tokens, layer.in_channels, generator=torch.Generator().manual_seed(1))


def plainly(layer: TokenConv1d | SampleConv, x: Tensor) -> Tensor:
    padded = F.pad(x.transpose(1, 2), layer.zeros)
    weight, bias = layer.weight.to(x.dtype), layer.bias.to(x.dtype)
    return F.conv1d(padded, weight, bias, dilation=layer.dilation).transpose(1, 2)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def seen(layer: TokenConv1d, tokens: int) -> bool:
    return tokens + sum(layer.zeros) > (layer.kernel_size[0] - 1) * layer.dilation[0]


@pytest.mark.parametrize(("size", "taps"), [(8, 3), (16, 7), (24, 9), (32, 11)])
def test_the_transforms_make_a_convolution(size: int, taps: int) -> None:
    window, weight = torch.randn(size, dtype=torch.float64), torch.randn(taps, dtype=torch.float64)
    of_windows, of_taps, back = transforms(size, taps, torch.float64)
    found = back @ ((of_windows @ window) * (of_taps @ weight))
    assert_close(found, F.conv1d(window[None, None], weight[None, None]).flatten(), atol=1e-12, rtol=1e-12)
    assert len(of_windows) < len(found) * taps / 1.5


@pytest.mark.parametrize("name", SHAPES)
def test_a_kept_weight_gives_torchs_convolution(name: str) -> None:
    layer = keep_products(layer_of(name))
    with torch.no_grad():
        for x in (sounds(layer, tokens) for tokens in LENGTHS if seen(layer, tokens)):
            assert_close(layer(x), plainly(layer, x), atol=1e-5, rtol=1e-5)
            with torch.autocast("cpu", torch.bfloat16):
                rounded = layer(x)
            assert rounded.dtype == torch.bfloat16
            assert relative(rounded.float(), plainly(layer, x)) < 0.01
    assert list(layer._kept or {}) == [("spectra", torch.float32), ("spectra", torch.bfloat16)]


@pytest.mark.parametrize("name", ["widens", "narrows", "causal", "no padding"])
@pytest.mark.parametrize("laid_out", [False, True])
def test_its_gradients_are_torchs(name: str, laid_out: bool) -> None:
    layer = layer_of(name)
    if laid_out:
        lay_out(layer)
    for tokens in LENGTHS:
        x = sounds(layer, tokens).requires_grad_()
        wanted = (x, layer.weight, layer.bias)
        expected = plainly(layer, x)
        given = torch.randn_like(expected)
        theirs = torch.autograd.grad(expected, wanted, given)
        made = layer(x)
        assert "_Convolution" in type(made.grad_fn).__name__
        assert_close(made, expected, atol=1e-5, rtol=1e-5)
        for mine, other in zip(torch.autograd.grad(made, wanted, given), theirs, strict=True):
            assert mine.dtype == other.dtype and relative(mine, other) < 1e-5
        with torch.autocast("cpu", torch.bfloat16):
            rounded = layer(x)
        for mine, other in zip(torch.autograd.grad(rounded, wanted, given.bfloat16()), theirs, strict=True):
            assert mine.dtype == other.dtype and relative(mine, other) < 0.01


def test_no_gradients_for_what_takes_none() -> None:
    layer = layer_of("widens")
    layer.weight.requires_grad_(False)
    layer.bias.requires_grad_(False)
    x = sounds(layer, 40).requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None and layer.weight.grad is None
    layer = layer_of("widens")
    layer(sounds(layer, 40)).sum().backward()
    assert layer.weight.grad is not None


def test_gradients_of_gradients_are_refused() -> None:
    layer = layer_of("widens")
    x = sounds(layer, 40).requires_grad_()
    (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_it_is_about_as_exact_as_a_direct_convolution() -> None:
    torch.manual_seed(0)
    layer = keep_products(TokenConv1d(256, 256, 9))
    x = sounds(layer, 400)
    exact = F.conv1d(x.double().mT, layer.weight.double(), layer.bias.double(), padding=4).mT
    with torch.no_grad():
        assert relative(layer(x), exact) < 5e-7  # a direct convolution's is 2.3e-7
        with torch.autocast("cpu", torch.bfloat16):
            rounded = relative(layer(x), exact)
        assert rounded < 2.2 * relative(plainly(layer, x.bfloat16()), exact)


def test_of_samples_at_a_distance() -> None:
    torch.manual_seed(0)
    layer = keep_products(SampleConv(80, 80, 7, 3))
    x = sounds(layer, 300)
    with torch.no_grad():
        assert_close(layer(x), plainly(layer, x), atol=1e-5, rtol=1e-5)
    assert list(layer._kept or {}) == [("spectra", torch.float32)]


def test_a_changed_weight_is_transformed_anew() -> None:
    layer = keep_products(layer_of("widens"))
    x = sounds(layer, 33)
    with torch.no_grad():
        first = layer(x)
        layer.weight.mul_(2.0)
        assert_close(layer(x), plainly(layer, x), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(first, layer(x))


@pytest.mark.parametrize("name", SHAPES)
def test_it_can_be_left_out_and_operations_are_counted_without(name: str) -> None:
    layer = keep_products(layer_of(name))
    x = sounds(layer, 700)
    with torch.no_grad(), FlopCounterMode(display=False) as expected:
        plainly(layer, x)
    with torch.no_grad(), direct_convolutions():
        assert_close(layer(x), plainly(layer, x), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        # Products of all padded tokens are added up where the input is the wider side
        assert 1.0 <= count_flops(lambda: layer(x)) / expected.get_total_flops() < 1.02
    assert not layer._kept
    with torch.no_grad(), FlopCounterMode(display=False) as transformed:
        layer(x)
    assert not 1.0 <= transformed.get_total_flops() / expected.get_total_flops() < 1.02


def test_the_spectra_of_a_weight_are_a_few_times_as_large() -> None:
    for taps in (7, 9, 11):
        assert 3 < len(spectra(torch.zeros(2, 2, taps), window_size(taps), torch.float32)) / taps < 5.1


@pytest.mark.parametrize("amx", [False, True])
def test_it_pays_where_it_was_measured_to(amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    wide, narrow, short = torch.empty(128, 512, 9), torch.empty(64, 512, 9), torch.empty(512, 512, 5)
    for dtype, paid in ((torch.float32, True), (torch.bfloat16, not amx), (torch.float16, False)):
        assert spectral.pays(wide, dtype, 128) == paid
        assert spectral.pays(wide, dtype, 1536, makes_spectra=True) == paid
        assert not spectral.pays(wide, dtype, 127)
        assert not spectral.pays(wide, dtype, 1023, makes_spectra=True)
        assert not any(spectral.pays(weight, dtype, 4096) for weight in (narrow, short, wide.to("meta")))


def test_spectra_of_the_largest_weights_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)

    def expanding(width: int) -> Tensor:
        return torch.empty(1, 1, 1).expand(8 * width, width, 9)

    for width, in_float32, in_bfloat16 in ((576, True, True), (768, False, True), (1600, False, False)):
        assert spectral.pays(expanding(width), torch.float32, 467) == in_float32
        assert spectral.pays(expanding(width), torch.bfloat16, 467) == in_bfloat16
        assert spectral.pays(expanding(width), torch.bfloat16, 4670, makes_spectra=True)

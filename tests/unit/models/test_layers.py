"""Layers whose frozen weights are kept as their products take them."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from audiolcm.distributed.measuring import multiplies_8_bits
from audiolcm.models import attention
from audiolcm.models.attention import SelfAttention
from audiolcm.models.int8 import int8_products
from audiolcm.models.layers import Keeping, Linear, TokenConv1d, TokenGroupNorm, keep_products, lay_out
from audiolcm.models.position import NoPosition

WIDTH = 16
IN_8_BITS = pytest.mark.skipif(not multiplies_8_bits(), reason="this CPU has no VNNI")


class Network(nn.Module):
    """One layer of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = Linear(WIDTH, WIDTH)
        self.expand = TokenConv1d(WIDTH, 3 * WIDTH, 9)
        self.contract = TokenConv1d(3 * WIDTH, WIDTH, 9)
        self.attention = SelfAttention(WIDTH, 2)
        self.nowhere = NoPosition(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return all of them, one after the other."""
        return self.attention(self.contract(self.expand(self.linear(x))), self.nowhere)


def plainly(network: Network, x: Tensor) -> Tensor:
    """Return the same by torch's functions on the parameters."""
    x = F.linear(x, network.linear.weight, network.linear.bias).transpose(1, 2)
    for layer in (network.expand, network.contract):
        x = F.conv1d(x, layer.weight, layer.bias, padding=4)
    x, attention = x.transpose(1, 2), network.attention
    query, key, value = (
        F.linear(x, layer.weight).unflatten(2, (2, -1)).transpose(1, 2)
        for layer in (attention.to_query, attention.to_key, attention.to_value)
    )
    scores = (query @ key.mT / (WIDTH / 2) ** 0.5).softmax(-1)
    return F.linear(
        (scores @ value).transpose(1, 2).flatten(2), attention.to_out.weight, attention.to_out.bias
    )


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 31, WIDTH, generator=torch.Generator().manual_seed(0))


def test_layouts_and_kept_weights_change_nothing_in_float32(network: Network, x: Tensor) -> None:
    expected, before = plainly(network, x), copy.deepcopy(network.state_dict())
    assert_close(network(x), expected, atol=1e-5, rtol=1e-5)
    lay_out(network)
    keep_products(network)
    for _ in range(2):
        assert_close(network(x), expected, atol=1e-5, rtol=1e-5)
    after = network.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[name], before[name]) for name in before)


def test_kept_weights_are_those_that_autocast_rounds(network: Network, x: Tensor) -> None:
    kept = keep_products(copy.deepcopy(network))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert torch.equal(kept(x), network(x))
        assert torch.equal(kept(x), network(x))
    assert_close(kept(x), plainly(network, x), atol=1e-5, rtol=1e-5)  # and float32 after bfloat16


def all_kept(network: Network) -> list[int]:
    """Return where in memory what the layers keep is, of those that keep something."""
    layers = [module for module in network.modules() if isinstance(module, Keeping)]
    return [made.data_ptr() for layer in layers for _, made in (layer._kept or {}).values()]


def test_weights_are_rounded_once(network: Network, x: Tensor) -> None:
    keep_products(network)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        network(x)
        first = all_kept(network)
        network(x)
    assert len(first) == 5 and all_kept(network) == first


@pytest.mark.parametrize("how", ["copy_", "load_state_dict", "assign", "foreach", "another tensor"])
def test_a_changed_weight_is_seen(network: Network, x: Tensor, how: str) -> None:
    keep_products(network)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        network(x)
        other = Network()
        if how == "copy_":
            for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
                ours.copy_(theirs)
        elif how == "foreach":
            torch._foreach_lerp_(list(network.parameters()), list(other.parameters()), 1.0)
        elif how == "another tensor":
            for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
                ours.data = theirs.data.clone()
        else:
            network.load_state_dict(other.state_dict(), assign=how == "assign")
            network.requires_grad_(False)
        assert torch.equal(network(x), other(x))


def test_trained_weights_are_not_kept_and_get_gradients(network: Network, x: Tensor) -> None:
    keep_products(network)
    with torch.inference_mode():
        network(x)
    network.requires_grad_(True)
    lay_out(network)
    network(x).square().sum().backward()
    found = [parameter.grad for parameter in network.parameters()]
    expected = torch.autograd.grad(plainly(network, x).square().sum(), list(network.parameters()))
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_copies_do_not_take_along_what_is_kept(network: Network, x: Tensor) -> None:
    keep_products(network)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        network(x)
    copied = copy.deepcopy(network)
    assert all_kept(network) and not all_kept(copied) and not copied.linear.keeps


def test_precisions_take_turns_without_making_anything_twice(network: Network, x: Tensor) -> None:
    keep_products(network)
    kept = []
    for _ in range(2):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            network(x)
        with torch.no_grad():
            assert_close(network(x), plainly(network, x), atol=1e-5, rtol=1e-5)
        kept.append(all_kept(network))
    assert kept[0] == kept[1] and len(kept[0]) == 10


def test_threads_may_share_a_network(network: Network, x: Tensor) -> None:
    keep_products(network)
    expected = plainly(network, x)

    def call(rounded: bool) -> float:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            return float((network(x) - expected).abs().max())

    with ThreadPoolExecutor(4) as threads:
        differences = list(threads.map(call, [True, False] * 20))
    assert max(differences[1::2]) < 1e-5 < min(differences[::2])


def test_a_network_made_in_inference_mode_can_be_called(x: Tensor) -> None:
    with torch.inference_mode():
        network = keep_products(Network())
        assert_close(network(x), plainly(network, x), atol=1e-5, rtol=1e-5)


def test_another_tensor_at_the_place_of_the_first_is_seen(network: Network, x: Tensor) -> None:
    keep_products(network)
    layer = network.linear
    with torch.no_grad():
        layer(x)
        old = layer.weight
        layer.weight = nn.Parameter(old.detach().mul(2.0), requires_grad=False)
        layer.weight.data = old.data.mul_(2.0)  # the memory of the first
        assert_close(layer(x), F.linear(x, layer.weight, layer.bias))


def test_an_even_kernel_says_its_padding() -> None:
    with pytest.raises(ValueError, match="odd"):
        TokenConv1d(4, 4, 2)
    assert TokenConv1d(4, 4, 2, padding=(0, 1))(torch.zeros(1, 7, 4)).shape == (1, 7, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_group_norm_is_torchs_over_channels(x: Tensor, dtype: torch.dtype) -> None:
    norm = TokenGroupNorm(4, WIDTH, eps=1e-5).to(dtype)
    expected = F.group_norm(x.to(dtype).transpose(1, 2), 4, norm.weight, norm.bias, 1e-5).transpose(1, 2)
    assert_close(norm(x.to(dtype)), expected)


def by_hand(layer: TokenConv1d, x: Tensor) -> Tensor:
    """Return the convolution of what is left of weights and activations in 255 steps."""
    largest = layer.weight.abs().amax(dim=(1, 2), keepdim=True)
    weight = (layer.weight / largest * 127).round() * largest / 127
    if layer.in_channels > layer.out_channels:
        taps = layer.weight.abs().amax(dim=1, keepdim=True)
        weight = (layer.weight / taps * 127).round() * taps / 127
    scale = x.abs().amax(dim=(1, 2) if layer.in_channels <= layer.out_channels else 2, keepdim=True)
    rounded = (x / scale * 127).round() * scale / 127
    return F.conv1d(rounded.transpose(1, 2), weight, layer.bias, padding=4).transpose(1, 2)


@IN_8_BITS
def test_eight_bits_are_their_closed_form(network: Network, x: Tensor) -> None:
    keep_products(network)
    x[1] *= 20.0  # each example has its own scale
    with torch.no_grad(), int8_products():
        for layer, given in ((network.expand, x), (network.contract, torch.cat((x, x, x), dim=2))):
            expected = by_hand(layer, given)
            found = layer(given).float()
            assert (found - expected).norm() < 0.008 * expected.norm()  # rounded to bfloat16 besides
            exact = F.conv1d(given.transpose(1, 2), layer.weight, layer.bias, padding=4).transpose(1, 2)
            assert 0.0 < (found - exact).norm() < 0.03 * exact.norm()
            assert layer(given).dtype == torch.bfloat16
    with int8_products():  # gradients, and networks that train, are not rounded so
        assert layer(given).dtype == torch.float32
        assert torch.equal(network.requires_grad_(True).contract(given), layer(given))


@IN_8_BITS
def test_eight_bits_have_a_fast_kernel(network: Network, x: Tensor, capfd: pytest.CaptureFixture) -> None:
    keep_products(network)
    verbose = torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)
    with torch.no_grad(), int8_products(), verbose:
        network.contract(network.expand(x))
    products = [line for line in capfd.readouterr().out.splitlines() if ",matmul," in line]
    assert products and not any("ref" in line for line in products)  # which is a thousand times as slow


@IN_8_BITS
def test_eight_bits_of_an_example_do_not_depend_on_its_neighbors(network: Network, x: Tensor) -> None:
    keep_products(network)
    with torch.no_grad(), int8_products():
        together = network.contract(network.expand(x))
        alone = torch.cat([network.contract(network.expand(one[None])) for one in x])
    assert_close(together, alone, atol=2**-6, rtol=2**-6)


@pytest.mark.parametrize(
    ("amx", "many", "fused"), [(False, 2**25, False), (False, 0, True), (True, 2**25, True)]
)
def test_attention_is_fused_where_two_products_do_not_pay(
    amx: bool, many: int, fused: bool, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Tensor, ...]] = []
    plain = F.scaled_dot_product_attention
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(attention, "_MANY_SCORES", many)
    monkeypatch.setattr(
        F, "scaled_dot_product_attention", lambda *heads: calls.append(heads) or plain(*heads)
    )
    heads = x.unflatten(2, (2, -1)).transpose(1, 2)
    with torch.no_grad():
        found = attention._attend(heads.bfloat16(), heads.bfloat16(), heads.bfloat16())
    assert bool(calls) == fused
    assert_close(found.float(), plain(heads, heads, heads), atol=2**-6, rtol=2**-6)

"""The feed-forward networks against diffusers' gates and plain Conv1d."""

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.activations import GEGLU as DiffusersGEGLU
from diffusers.models.activations import SwiGLU as DiffusersSwiGLU
from torch.testing import assert_close

from audiolcm.models.feed_forward import GEGLU, GELU, SwiGLU
from audiolcm.models.layers import TokenConv1d

WIDTH = 24


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 31, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kind", "theirs"), [(GEGLU, DiffusersGEGLU), (SwiGLU, DiffusersSwiGLU)])
def test_gates_are_those_of_diffusers(
    kind: type[GEGLU], theirs: type[torch.nn.Module], x: torch.Tensor
) -> None:
    ours, gate = kind(WIDTH, kernel_size=1), theirs(WIDTH, 4 * WIDTH)
    with torch.no_grad():
        gate.proj.weight.copy_(ours.expand.weight[:, :, 0])
        gate.proj.bias.copy_(ours.expand.bias)
    expected = F.linear(gate(x), ours.contract.weight[:, :, 0], ours.contract.bias)
    assert_close(ours(x), expected)


@pytest.mark.parametrize(("kind", "gate"), [(GEGLU, F.gelu), (SwiGLU, F.silu)])
def test_convolutions_see_nine_tokens(kind: type[GEGLU], gate: object, x: torch.Tensor) -> None:
    network = kind(WIDTH)
    hidden = F.conv1d(x.transpose(1, 2), network.expand.weight, network.expand.bias, padding=4)
    hidden = hidden[:, : 4 * WIDTH] * gate(hidden[:, 4 * WIDTH :])
    expected = F.conv1d(hidden, network.contract.weight, network.contract.bias, padding=4)
    assert_close(network(x), expected.transpose(1, 2))


def test_ungated_is_the_closed_form(x: torch.Tensor) -> None:
    network = GELU(WIDTH, kernel_size=1)
    hidden = x @ network.expand.weight[:, :, 0].T + network.expand.bias
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    assert_close(network(x), hidden @ network.contract.weight[:, :, 0].T + network.contract.bias)


def test_all_kinds_have_the_same_number_of_weights() -> None:
    with torch.device("meta"):
        counts = {
            kind: sum(p.numel() for p in kind(576).parameters() if p.ndim > 1)
            for kind in (GELU, GEGLU, SwiGLU)
        }
    assert set(counts.values()) == {12 * 9 * 576**2}


@pytest.mark.parametrize("kernel_size", [1, 5, 9])
def test_token_conv_is_conv1d(kernel_size: int, x: torch.Tensor) -> None:
    ours = TokenConv1d(WIDTH, 10, kernel_size)
    theirs = torch.nn.Conv1d(WIDTH, 10, kernel_size, padding=kernel_size // 2)
    theirs.load_state_dict(ours.state_dict())
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    result, expected = ours(a), theirs(b.transpose(1, 2)).transpose(1, 2)
    assert_close(result, expected)
    (result**2).sum().backward()
    (expected**2).sum().backward()
    assert_close(a.grad, b.grad, atol=1e-4, rtol=1e-4)
    assert_close(ours.weight.grad, theirs.weight.grad, atol=1e-4, rtol=1e-4)


def test_token_conv_needs_an_odd_kernel() -> None:
    with pytest.raises(ValueError, match="odd"):
        TokenConv1d(4, 4, 2)

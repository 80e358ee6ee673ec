"""Compiled transformers against themselves, uncompiled: one small network, since compiling takes seconds."""

import contextlib
import copy
from functools import partialmethod

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from audiolcm.errors import UserError
from audiolcm.models.compiling import compile_transformers
from audiolcm.models.feed_forward import SwiGLU
from audiolcm.models.layers import keep_products
from audiolcm.models.norm import RMSNorm
from audiolcm.models.position import RotaryPosition
from audiolcm.models.transformer import Transformer


@pytest.fixture
def network() -> Transformer:
    torch.manual_seed(0)
    made = Transformer(4, 16, 1, 2, 8, RMSNorm, RotaryPosition, SwiGLU)
    nn.init.normal_(made.blocks[0].conv_out.weight, std=0.1)
    return made


def call(network: Transformer) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    z_t, text = torch.randn(2, 4, 9, generator=generator), torch.randn(2, 6, 8, generator=generator)
    return network(z_t, torch.tensor([3, 900]), text, torch.tensor([4.0, 12.0]))


@pytest.mark.slow
def test_compiled_gives_the_same_numbers_and_gradients(network: Transformer) -> None:
    plain, frozen = copy.deepcopy(network), keep_products(copy.deepcopy(network))
    names = list(network.state_dict())
    compile_transformers(network, contextlib.nullcontext())
    assert list(network.state_dict()) == names
    assert_close(call(network), call(plain), atol=1e-5, rtol=1e-5)
    for one in (network, plain):
        call(one).square().sum().backward()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-4)
    compile_transformers(frozen, contextlib.nullcontext(), graphs=True)
    with torch.no_grad():
        assert_close(call(frozen), call(plain), atol=1e-5, rtol=1e-5)
    assert frozen._compiled_call_impl is not None


@pytest.mark.slow
def test_every_operation_is_traced(network: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As compiled, by torch's own kernels: making new ones takes a minute."""
    compiled = partialmethod(nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(nn.Module, "compile", lambda self, mode: compiled.__get__(self)())
    plain = copy.deepcopy(network)
    keep_products(network)
    compile_transformers(network, torch.autocast("cpu", torch.bfloat16))
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            assert_close(call(network), call(plain), atol=1e-2, rtol=1e-2)
        assert_close(call(network), call(plain), atol=1e-5, rtol=1e-5)  # other than what was settled


def test_a_missing_compiler_is_told(network: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"C\+\+ compiler.*hardware\.compile"):
        compile_transformers(network, contextlib.nullcontext())

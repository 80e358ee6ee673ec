"""A small transformer as torch.compile traces it, against itself: run by a test, in a process of its own.

The tests' own watch over shapes would be traced too. Kernels are torch's own: making new ones takes a minute.
"""

import contextlib
import copy
from functools import partialmethod

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from audiolcm.models.compiling import compile_transformers
from audiolcm.models.feed_forward import SwiGLU
from audiolcm.models.layers import keep_products
from audiolcm.models.norm import RMSNorm
from audiolcm.models.position import RotaryPosition
from audiolcm.models.transformer import Transformer


def small_transformer() -> Transformer:
    """Return one of a block that is not the identity."""
    torch.manual_seed(0)
    made = Transformer(4, 16, 1, 2, 8, RMSNorm, RotaryPosition, SwiGLU)
    nn.init.normal_(made.blocks[0].conv_out.weight, std=0.1)
    return made


def call(network: nn.Module) -> Tensor:
    """Return its result of two examples, the same each time."""
    generator = torch.Generator().manual_seed(0)
    z_t, text = torch.randn(2, 4, 9, generator=generator), torch.randn(2, 6, 8, generator=generator)
    return network(z_t, torch.tensor([3, 900]), text, torch.tensor([4.0, 12.0]))


def check_training(network: Transformer) -> None:
    """Raise unless a compiled network gives the numbers and gradients of its twin."""
    plain = copy.deepcopy(network)
    names = list(network.state_dict())
    compile_transformers(network, contextlib.nullcontext())
    assert list(network.state_dict()) == names
    assert_close(call(network), call(plain), atol=1e-5, rtol=1e-5)
    for one in (network, plain):
        call(one).square().sum().backward()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-4)


def check_sampling(network: Transformer) -> None:
    """Raise unless a compiled network that is only read gives the numbers of its twin, in both precisions."""
    plain = copy.deepcopy(network)
    keep_products(network)
    compile_transformers(network, torch.autocast("cpu", torch.bfloat16))
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            assert_close(call(network), call(plain), atol=1e-2, rtol=1e-2)
        assert_close(call(network), call(plain), atol=1e-5, rtol=1e-5)  # other than what was settled


if __name__ == "__main__":
    traced = partialmethod(nn.Module.compile, backend="aot_eager")
    # pyrefly: ignore[bad-assignment]  (of this process alone)
    nn.Module.compile = lambda self, mode: traced.__get__(self)()
    check_training(small_transformer())
    check_sampling(small_transformer())

"""The norms against torch, transformers and the formula."""

import pytest
import torch
from torch.testing import assert_close
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from audiolcm.models.norm import LayerNorm, RMSNorm


@pytest.fixture
def x() -> torch.Tensor:
    return 3 * torch.randn(2, 5, 48, generator=torch.Generator().manual_seed(0)) + 1


def with_weights(norm: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return norm


def test_rms_norm_is_that_of_torch(x: torch.Tensor) -> None:
    assert_close(with_weights(RMSNorm(48))(x), with_weights(torch.nn.RMSNorm(48, eps=1e-6))(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rms_norm_is_that_of_llama(x: torch.Tensor, dtype: torch.dtype) -> None:
    ours, theirs = (with_weights(norm).to(dtype) for norm in (RMSNorm(48), LlamaRMSNorm(48, eps=1e-6)))
    assert ours(x.to(dtype)).dtype == dtype
    assert_close(ours(x.to(dtype)), theirs(x.to(dtype)))


def test_rms_norm_keeps_the_mean_that_layer_norm_removes(x: torch.Tensor) -> None:
    rms, layer = RMSNorm(48)(x + 10), LayerNorm(48)(x + 10)
    assert_close(rms.square().mean(-1), torch.ones(2, 5), atol=1e-4, rtol=0)
    assert rms.mean() > 0.9
    assert_close(layer.mean(-1), torch.zeros(2, 5), atol=1e-5, rtol=0)


def test_layer_norm_is_the_formula(x: torch.Tensor) -> None:
    norm = with_weights(LayerNorm(48))
    centered = x - x.mean(-1, keepdim=True)
    expected = centered / (centered.square().mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias
    assert_close(norm(x), expected, atol=1e-5, rtol=1e-5)


def test_rms_norm_survives_zeros() -> None:
    x = torch.zeros(1, 1, 8, requires_grad=True)
    RMSNorm(8)(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()

"""Exponential moving averages of network weights."""

import copy

import torch
from torch import nn


def frozen_copy(network: nn.Module) -> nn.Module:
    """Return a copy of ``network`` in evaluation mode whose parameters take no gradient."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def ema_update(average: nn.Module, network: nn.Module, rate: float) -> None:
    """Set average <- rate * average + (1 - rate) * network, in place; buffers are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1.0 - rate)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)


def warmed_up_rate(rate: float, step: int) -> float:
    """Return min(rate, (1 + step) / (10 + step)): a short memory while the weights still move fast."""
    return min(rate, (1.0 + step) / (10.0 + step))

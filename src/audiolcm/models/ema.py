"""Exponential moving averages of network weights."""

import copy

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def frozen_copy(network: nn.Module) -> nn.Module:
    """Return a copy of ``network`` in evaluation mode whose parameters take no gradient."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def ema_update(average: nn.Module, network: nn.Module, rate: float) -> None:
    """Set average <- rate * average + (1 - rate) * network, in place; buffers are copied."""
    # Of sharded weights each process moves its own shard.
    kept, current = ([_local(p) for p in n.parameters()] for n in (average, network))
    torch._foreach_lerp_(kept, current, 1.0 - rate)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)


def _local(parameter: nn.Parameter) -> Tensor:
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter


def warmed_up_rate(rate: float, step: int) -> float:
    """Return min(rate, (1 + step) / (10 + step)): a short memory while the weights still move fast."""
    return min(rate, (1.0 + step) / (10.0 + step))

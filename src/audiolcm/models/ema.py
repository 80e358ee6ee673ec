"""Exponential moving averages of network weights."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from audiolcm.types import is_sharded

_SHARING: ContextVar[bool] = ContextVar("sharing", default=False)


def frozen_copy(network: nn.Module) -> nn.Module:
    """Return a copy of ``network`` in evaluation mode whose parameters take no gradient."""
    with _Aliases() if _SHARING.get() else nullcontext():
        return copy.deepcopy(network).requires_grad_(False).eval()


@contextmanager
def copies_share_memory() -> Iterator[None]:
    """Inside, the parameters of a copy share the memory of the original's.

    For networks that are cut into shares next, which copies them: the whole then exists once in a process.
    """
    token = _SHARING.set(True)
    try:
        yield
    finally:
        _SHARING.reset(token)


class _Aliases(TorchFunctionMode):
    """What ``Parameter.__deepcopy__`` clones is the tensor itself."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call ``func``, unless it clones a tensor."""
        return args[0].detach() if func is Tensor.clone else func(*args, **(kwargs or {}))


@torch.no_grad()
def ema_update(average: nn.Module, network: nn.Module, rate: float) -> None:
    """Set average <- rate * average + (1 - rate) * network, in place; buffers are copied."""
    # Of sharded weights each process moves its own shard.
    kept, current = ([_local(p) for p in n.parameters()] for n in (average, network))
    torch._foreach_lerp_(kept, current, 1.0 - rate)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)


def _local(parameter: nn.Parameter) -> Tensor:
    return parameter.to_local() if is_sharded(parameter) else parameter


def warmed_up_rate(rate: float, step: int) -> float:
    """Return min(rate, (1 + step) / (10 + step)): a short memory while the weights still move fast."""
    return min(rate, (1.0 + step) / (10.0 + step))

"""What a case gives to be timed: an endless loop that tells when each unit of it is done."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import torch
from torch import nn

from audiolcm.distributed.hardware import Hardware

Stages = Mapping[str, float]
Tick = Callable[[Stages], None]
"""Is called after each unit of work, with the seconds of its stages where it has some; an exception of it ends all."""


@dataclass(frozen=True)
class Work:
    """Work that can be repeated for ever.

    Args:
        loop: does unit after unit, and calls its argument after each.
        hardware: what it runs on, and in which precision.
        flops: floating-point operations of a unit, a multiply-add is 2; None: they are counted in the first unit.
        sound: seconds of sound that a unit makes.
        warm_up: units that are not timed.
    """

    loop: Callable[[Tick], object]
    hardware: Hardware
    flops: float | None = None
    sound: float = 0.0
    warm_up: int = 2


def readied(network: nn.Module, hardware: Hardware) -> nn.Module:
    """Return a network as ``AudioLCM`` readies it for sampling; an earlier version of the package has less to do."""
    with suppress(ImportError):
        from audiolcm.models.layers import keep_products

        keep_products(network)
    if getattr(hardware, "compile", False):
        from audiolcm.models.compiling import compile_transformers

        compile_transformers(network, hardware.autocast(), graphs=True)
    return network


@contextmanager
def sampling(hardware: Hardware) -> Iterator[None]:
    """Compute inside in the precision in which ``AudioLCM`` samples."""
    with ExitStack() as contexts:
        contexts.enter_context(torch.no_grad())
        contexts.enter_context(hardware.autocast())
        if hardware.computes_in() == "int8":
            from audiolcm.models.int8 import int8_products

            contexts.enter_context(int8_products())
        yield


def repeated(unit: Callable[[], Stages | None]) -> Callable[[Tick], object]:
    """Return the loop that calls ``unit`` again and again."""

    def loop(tick: Tick) -> None:
        while True:
            tick(unit() or {})

    return loop

"""Random numbers of a batch: from one generator, or each example's from its own.

In training the draws of an example depend on the seed, the step and the example's position in the whole batch, and on
nothing else: a batch spread over processes, or taken in several pieces, sees the same noise as one in one piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ExampleGenerators:
    """One CPU generator for each example of a piece of a batch.

    ``first`` is the position of the piece's first example in the whole batch, ``total`` the size of that batch.
    """

    generators: Sequence[torch.Generator]
    first: int
    total: int

    def __len__(self) -> int:
        return len(self.generators)


Generator = torch.Generator | ExampleGenerators


def randn(shape: Sequence[int], generator: Generator | None) -> Tensor:
    """Return standard normal numbers, float32, on the generator's device; shape[0] counts the examples."""
    if isinstance(generator, ExampleGenerators):
        return _stack([torch.randn(*shape[1:], generator=one) for one in generator.generators], shape)
    return torch.randn(*shape, generator=generator, device=_device(generator))


def rand(shape: Sequence[int], generator: Generator) -> Tensor:
    """Return numbers uniform on [0, 1), as ``randn`` does."""
    if isinstance(generator, ExampleGenerators):
        return _stack([torch.rand(shape[1:], generator=one) for one in generator.generators], shape)
    return torch.rand(*shape, generator=generator, device=_device(generator))


def randint(high: int, shape: Sequence[int], generator: Generator) -> Tensor:
    """Return integers uniform on 0 .. high - 1, int64, as ``randn`` does."""
    if isinstance(generator, ExampleGenerators):
        return _stack(
            [torch.randint(high, tuple(shape[1:]), generator=one) for one in generator.generators], shape
        )
    return torch.randint(high, tuple(shape), generator=generator, device=_device(generator))


def of_example(generator: Generator, index: int) -> torch.Generator:
    """Return the generator that example ``index`` draws from."""
    return generator.generators[index] if isinstance(generator, ExampleGenerators) else generator


def leading(generator: Generator, share: float, count: int) -> int:
    """Return how many of ``count`` examples belong to the first ``share`` of the whole batch; they come first."""
    if isinstance(generator, ExampleGenerators):
        return min(max(round(share * generator.total) - generator.first, 0), count)
    return round(share * count)


def first_examples(generator: Generator, count: int) -> Generator:
    """Return what the first ``count`` examples draw from."""
    if isinstance(generator, ExampleGenerators):
        return ExampleGenerators(generator.generators[:count], generator.first, generator.total)
    return generator


def on_device(drawn: Tensor, device: torch.device) -> Tensor:
    """Return numbers that were drawn on the CPU on a device, without a wait for what that one still computes."""
    if device.type == "cuda":
        return drawn.pin_memory().to(device, non_blocking=True)
    return drawn.to(device)


def _stack(draws: list[Tensor], shape: Sequence[int]) -> Tensor:
    if len(draws) != shape[0]:
        raise ValueError(f"{shape[0]} examples were to be drawn for, by {len(draws)} generators")
    return torch.stack(draws)


def _device(generator: torch.Generator | None) -> torch.device | None:
    return None if generator is None else generator.device

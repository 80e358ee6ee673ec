"""The snake of BigVGAN, in cache and whole, against torch's convolutions over (batch, channels, samples)."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from audiolcm.models import anti_aliasing
from audiolcm.models.anti_aliasing import (
    AntiAliasedSnake,
    _Recomputed,
    anti_aliased_snake,
    doubling,
    halving,
    kaiser_sinc_filter,
)


def plain(x: Tensor, snake: AntiAliasedSnake) -> Tensor:
    """The definition: zeros between the samples, a low-pass, the snake, the low-pass, every second sample."""
    channels, taps = x.shape[1], kaiser_sinc_filter().expand(x.shape[1], 1, 12)
    continued = F.pad(x, (5, 5), mode="replicate")
    x = 2 * F.conv_transpose1d(continued, taps, stride=2, groups=channels)[..., 15:-15]
    alpha, beta = snake.act.alpha.exp()[:, None], snake.act.beta.exp()[:, None]
    x = x + torch.sin(alpha * x) ** 2 / (beta + 1e-9)
    return F.conv1d(F.pad(x, (5, 6), mode="replicate"), taps, stride=2, groups=channels)


def example(batch: int, samples: int) -> tuple[AntiAliasedSnake, Tensor]:
    torch.manual_seed(samples)
    snake = AntiAliasedSnake(6)
    torch.nn.init.normal_(snake.act.alpha, std=0.5)
    torch.nn.init.normal_(snake.act.beta, std=0.5)
    return snake, torch.randn(batch, 6, samples)


@pytest.mark.parametrize(("batch", "samples"), [(1, 1), (2, 5), (1, 64), (3, 203)])
def test_equals_the_plain_one_with_its_gradients(
    batch: int, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anti_aliasing, "_CACHED", 6 * 24)  # several tiles, also of gradients
    snake, x = example(batch, samples)
    given = torch.randn_like(x)
    inputs = x.requires_grad_(), snake.act.alpha, snake.act.beta
    expected = plain(x, snake)
    made = snake(x.mT).mT
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(
        torch.autograd.grad(made, inputs, given), torch.autograd.grad(expected, inputs, given), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5 * float(theirs.abs().max()), rtol=1e-5)


def test_other_devices_compute_the_whole_of_it() -> None:
    """Shapes and memory as there: what is held for the gradients is the tokens alone."""
    tokens = torch.zeros(2, 40, 6, device="meta", requires_grad=True)
    constants = [torch.zeros(6, device="meta", requires_grad=True) for _ in range(2)]
    matrices = [made(kaiser_sinc_filter()).to("meta") for made in (doubling, halving)]
    held = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda given: held.append(given) or given, lambda given: given
    ):
        made = _Recomputed.apply(tokens, *constants, *matrices)
    assert sum(given.numel() for given in held if given.shape == tokens.shape) == tokens.numel()
    assert len(held) == 5
    gradients = torch.autograd.grad(made.sum(), (tokens, *constants))
    assert [gradient.shape for gradient in gradients] == [
        tokens.shape,
        (6,),
        (6,),
    ] and made.shape == tokens.shape


def test_what_other_devices_compute_is_the_same() -> None:
    snake, x = example(2, 40)
    taps = kaiser_sinc_filter()
    constants = snake.act.alpha.exp(), 1.0 / (snake.act.beta.exp() + 1e-9), doubling(taps), halving(taps)
    torch.testing.assert_close(anti_aliased_snake(x.mT, *constants).mT, plain(x, snake), atol=1e-5, rtol=1e-5)


def test_each_of_a_batch_is_as_it_is_alone() -> None:
    snake, x = example(3, 50)
    assert torch.equal(snake(x.mT)[2:], snake(x[2:].mT))


def test_autocast_leaves_it_in_float32() -> None:
    snake, x = example(1, 50)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(snake(x.mT), snake(x.mT.clone()))
        assert snake(x.mT.bfloat16()).dtype == torch.float32

"""Convolution as a matrix product against torch's own, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from audiolcm.models import convolution
from audiolcm.models.convolution import convolve, flat, product_layout

CASES = {
    # name: in, out, kernel, padding, dilation, stride
    "wider output": (6, 16, 9, (4, 4), 1, 1),
    "wider input": (16, 6, 9, (4, 4), 1, 1),
    "as wide": (8, 8, 3, (1, 1), 1, 1),
    "dilated": (8, 8, 7, (15, 15), 5, 1),
    "dilated, wider input": (9, 4, 5, (6, 6), 3, 1),
    "halved": (8, 8, 3, (0, 1), 1, 2),
    "halved, wider input": (9, 4, 3, (0, 1), 1, 2),
    "even kernel, no padding": (4, 5, 4, (0, 0), 1, 1),
    "one token": (4, 5, 1, (0, 0), 1, 3),
}
Case = tuple[int, int, int, tuple[int, int], int, int]


def inputs(case: Case, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (3, 23, case[0]), (case[1], case[0], case[2]), (case[1],)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in shapes
    ]


def by_torch(case: Case, tokens: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    padded = F.pad(tokens.transpose(1, 2), case[3])
    return F.conv1d(padded, weight, bias, stride=case[5], dilation=case[4]).transpose(1, 2)


@pytest.mark.parametrize("laid_out", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_is_conv1d_with_its_gradients(case: Case, laid_out: bool) -> None:
    given = inputs(case, torch.float32)
    tokens, weight, bias = given
    memory = product_layout(weight) if laid_out else weight
    ours, theirs = convolve(tokens, memory, bias, *case[3:]), by_torch(case, *given)
    assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    slope = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1))
    found, expected = (torch.autograd.grad(y, given, slope) for y in (ours, theirs))
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["wider output", "wider input", "dilated"])
def test_gradients_of_gradients_are_right(name: str) -> None:
    """R1, a penalty on gradients, needs them."""
    case = CASES[name][0] // 2, CASES[name][1] // 2, 3, (1, 1), 1, 1
    tokens, weight, bias = inputs(case, torch.float64)
    tokens = tokens[:1, :5].detach().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda *given: convolve(*given, *case[3:]), (tokens, weight, bias))


@pytest.mark.parametrize("name", ["wider output", "wider input"])
def test_a_weight_in_the_product_layout_is_not_copied(name: str) -> None:
    _, weight, _ = inputs(CASES[name], torch.float32)
    laid_out = product_layout(weight.detach())
    assert torch.equal(laid_out, weight)
    assert flat(laid_out).data_ptr() == laid_out.data_ptr()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bfloat16_differs_by_its_rounding(case: Case) -> None:
    """Of a few roundings, 2^-9 each: less than 1 % of the output's size."""
    given = inputs(case, torch.bfloat16)
    ours = convolve(*given, *case[3:])
    exact = by_torch(case, *(tensor.float() for tensor in given))
    assert ours.dtype == torch.bfloat16
    assert (ours.float() - exact).norm() < 0.01 * exact.norm()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradients_of_large_ones_are_those_of_small_ones(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose gradients are transposed in memory first."""
    tokens, weight, bias = inputs(case, torch.bfloat16)
    weight.requires_grad_()

    def gradient() -> torch.Tensor:
        return torch.autograd.grad(convolve(tokens, weight, bias, *case[3:]).float().square().sum(), weight)[
            0
        ]

    small = gradient()
    monkeypatch.setattr(convolution, "_LARGE", 0)
    large = gradient()
    assert (large.float() - small.float()).norm() < 0.01 * small.float().norm()

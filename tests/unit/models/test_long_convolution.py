"""Convolutions over (batch, samples, channels), in parts, against torch's over (batch, channels, samples)."""

import pytest
import torch
from torch import nn

from audiolcm.models import long_convolution
from audiolcm.models.layers import keep_products
from audiolcm.models.long_convolution import SampleConv, SampleUpsampling


def pairs() -> list[tuple[nn.Module, nn.Module]]:
    torch.manual_seed(0)
    made = [
        (nn.Conv1d(7, 5, 3, padding=1), SampleConv(7, 5, 3)),
        (nn.Conv1d(5, 5, 11, dilation=5, padding=25), SampleConv(5, 5, 11, 5)),
        (nn.Conv1d(4, 1, 7, padding=3), SampleConv(4, 1, 7)),
        (nn.ConvTranspose1d(6, 3, 8, 4, padding=2), SampleUpsampling(6, 3, 8, 4)),
        (nn.ConvTranspose1d(6, 3, 15, 8, padding=3), SampleUpsampling(6, 3, 15, 8)),
        (nn.ConvTranspose1d(6, 3, 5, 2, padding=1), SampleUpsampling(6, 3, 5, 2)),
    ]
    for plain, ours in made:
        ours.load_state_dict(plain.state_dict())
    return made


@pytest.fixture(autouse=True)
def many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_convolution, "_part", lambda tokens: 16)


@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize(("batch", "samples"), [(1, 1), (2, 20), (1, 100)])
def test_equals_torchs_with_its_gradients(which: int, batch: int, samples: int) -> None:
    plain, ours = pairs()[which]
    x = torch.randn(batch, plain.in_channels, samples, requires_grad=True)
    expected, made = plain(x), ours(x.mT).mT
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
    given = torch.randn_like(expected)
    found = torch.autograd.grad(made, (x, *ours.parameters()), given)
    for mine, theirs in zip(
        found, torch.autograd.grad(expected, (x, *plain.parameters()), given), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5 * max(float(theirs.abs().max()), 1.0), rtol=1e-5)


@pytest.mark.parametrize("which", range(6))
def test_bfloat16_differs_by_its_rounding_only(which: int) -> None:
    plain, ours = pairs()[which]
    x = torch.randn(2, plain.in_channels, 50)
    with torch.autocast("cpu", torch.bfloat16):
        made = keep_products(ours)(x.mT).mT
        assert torch.equal(made, ours(x.mT).mT)  # from the kept weight
    assert made.dtype == torch.bfloat16
    torch.testing.assert_close(made.float(), plain(x), atol=0.03, rtol=0.02)

"""BigVGAN's discriminators against counts computed from their published sizes and a transcription in plain calls."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.errors import UserError
from audiolcm.models.bigvgan_discriminators import (
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
    PatchScores,
)

PERIODS = (2, 3, 5, 7, 11)
RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def of_convolution(inputs: int, outputs: int, taps: int) -> int:
    """Weights in two parts, direction and length, and biases."""
    return inputs * outputs * taps + 2 * outputs


def test_counts_are_the_published_ones() -> None:
    """HiFi-GAN's and UnivNet's layers: kernels of 5 and 3 rows; of 3 by 9, then 3 by 3."""
    widths = [1, 32, 128, 512, 1024, 1024]
    period = sum(of_convolution(a, b, 5) for a, b in pairwise(widths))
    period += of_convolution(1024, 1, 3)
    resolution = of_convolution(1, 32, 27) + 3 * of_convolution(32, 32, 27)
    resolution += of_convolution(32, 32, 9) + of_convolution(32, 1, 9)
    assert count(MultiPeriodDiscriminator()) == 5 * period == 41_105_770
    assert count(MultiResolutionDiscriminator()) == 3 * resolution == 280_902


def test_shapes_on_a_segment() -> None:
    waveform = torch.randn(1, 8192)
    for (scores, maps), period in zip(MultiPeriodDiscriminator(channels=1)(waveform), PERIODS, strict=True):
        rows = -(-8192 // period)
        heights = [rows := -(-rows // 3) for _ in range(4)] + [rows] * 2
        assert [tuple(m.shape[1:]) for m in maps] == [
            (width, height, period) for width, height in zip((1, 4, 16, 32, 32, 1), heights, strict=True)
        ]
        assert scores is maps[-1]
    judged = MultiResolutionDiscriminator(channels=2)(waveform)
    for (_, maps), (n_fft, hop, _) in zip(judged, RESOLUTIONS, strict=True):
        # As many frames as hops, where the reflection at the ends is n_fft - hop in all.
        frames = 8192 // hop
        halved = [frames := -(-frames // 2) for _ in range(3)]
        widths = [8192 // hop, *halved, halved[-1], halved[-1]]
        assert [m.shape[2:] for m in maps] == [(n_fft // 2 + 1, width) for width in widths]


def weights(patches: PatchScores) -> list[tuple[Tensor, Tensor]]:
    return [(layer.weight, layer.bias) for layer in [*patches.layers, patches.score]]


def test_a_period_is_a_transcription() -> None:
    discriminator, waveform = MultiPeriodDiscriminator([7], channels=2), torch.randn(2, 100)
    ((_, maps),) = discriminator(waveform)
    # 100 samples are filled up to 105 by the five before the last, backwards.
    x = torch.cat([waveform, waveform[:, [98, 97, 96, 95, 94]]], 1).reshape(2, 1, 15, 7)
    *layers, last = weights(discriminator.members[0].patches)
    for number, (weight, bias) in enumerate(layers):
        x = F.leaky_relu(F.conv2d(x, weight, bias, (3 if number < 4 else 1, 1), (2, 0)), 0.1)
        torch.testing.assert_close(maps[number], x)
    torch.testing.assert_close(maps[5], F.conv2d(x, *last, padding=(1, 0)))


def test_a_resolution_is_a_transcription() -> None:
    """The spectrum by sums over samples: 24 of them without a window, in the middle of 32 points."""
    discriminator, waveform = MultiResolutionDiscriminator([(32, 8, 24)], channels=2), torch.randn(2, 64)
    ((_, maps),) = discriminator(waveform)
    padded = torch.cat([waveform[:, 1:13].flip(1), waveform, waveform[:, -13:-1].flip(1)], 1).double()
    frames = padded.unfold(1, 32, 8)[:, :, 4:28]
    phases = torch.arange(17)[:, None] * torch.arange(4, 28) * (2 * torch.pi / 32)
    wave = torch.polar(torch.ones_like(phases, dtype=torch.double), -phases.double())
    x = torch.einsum("bts,fs->bft", frames.to(wave.dtype), wave).abs().float().unsqueeze(1)
    *layers, last = weights(discriminator.members[0].patches)
    for number, (weight, bias) in enumerate(layers):
        stride, padding = ((1, 2) if 0 < number < 4 else 1), ((1, 4) if number < 4 else 1)
        x = F.leaky_relu(F.conv2d(x, weight, bias, stride, padding), 0.1)
        torch.testing.assert_close(maps[number], x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(maps[5], F.conv2d(x, *last, padding=1), rtol=1e-4, atol=1e-5)


def test_silence_has_a_finite_gradient() -> None:
    silence = torch.zeros(1, 2048, requires_grad=True)
    for discriminator in (MultiPeriodDiscriminator(channels=1), MultiResolutionDiscriminator(channels=1)):
        sum(scores.sum() for scores, _ in discriminator(silence)).backward()
    assert silence.grad.isfinite().all()


@pytest.mark.parametrize(
    "resolutions", [[], [[512, 50]], [[512, 50, 600]], [[512, 300, 240]], [[512, 0, 240]]]
)
def test_odd_resolutions_are_explained(resolutions: list[list[int]]) -> None:
    with pytest.raises(UserError, match=r"vocoder\.objective\.mrd\.resolutions"):
        MultiResolutionDiscriminator(resolutions)


@pytest.mark.parametrize("periods", [[], [0, 2]])
def test_odd_periods_are_explained(periods: list[int]) -> None:
    with pytest.raises(UserError, match=r"vocoder\.objective\.mpd\.periods"):
        MultiPeriodDiscriminator(periods)


def test_a_segment_that_is_too_short_says_what_to_type() -> None:
    with pytest.raises(UserError, match=r"904 at each end: give trainer\.vocoder\.crop_seconds more"):
        MultiResolutionDiscriminator(channels=1)(torch.zeros(1, 904))

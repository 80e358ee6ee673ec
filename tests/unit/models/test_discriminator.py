"""The PatchGAN of the released autoencoder, written down layer by layer."""

import pytest
import torch
from torch import nn

from audiolcm.errors import UserError
from audiolcm.models.discriminator import MEL_MEAN, MEL_STD, MelPatchDiscriminator, PatchDiscriminator

# (channels in, channels out, stride, bias, batch normalization): kernels of 4, padding 1, LeakyReLU(0.2) but last
RELEASED = [
    (1, 64, 2, True, False),
    (64, 128, 2, False, True),
    (128, 256, 2, False, True),
    (256, 512, 1, False, True),
    (512, 1, 1, True, False),
]


def released(ours: PatchDiscriminator) -> nn.Sequential:
    """Return the layers of the list with the weights of ``ours``."""
    layers: list[nn.Module] = []
    for number, (inputs, outputs, stride, bias, norm) in enumerate(RELEASED):
        layers.append(nn.Conv2d(inputs, outputs, kernel_size=4, stride=stride, padding=1, bias=bias))
        layers += [nn.BatchNorm2d(outputs)] if norm else []
        layers += [nn.LeakyReLU(0.2)] if number < len(RELEASED) - 1 else []
    theirs = nn.Sequential(*layers)
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.copy_(mine)
    return theirs


def mels(count: int = 4, frames: int = 48) -> torch.Tensor:
    return torch.randn(count, 80, frames, generator=torch.Generator().manual_seed(3)) - 2.0


def test_it_is_the_layer_list_of_the_released_one() -> None:
    torch.manual_seed(0)
    ours = PatchDiscriminator()
    theirs = released(ours)
    assert (
        sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters()) == 2_763_585
    )
    scores, features = ours(mels())
    torch.testing.assert_close(scores, theirs(mels().unsqueeze(1)), rtol=0, atol=0)
    assert [f.shape[1] for f in features] == [64, 128, 256, 512]
    assert ours(mels(1, 624))[0].shape == (1, 1, 8, 76), "80 x 624 halved three times, less one twice"


def test_it_starts_as_pix2pix_does() -> None:
    torch.manual_seed(0)
    ours = PatchDiscriminator()
    convolutions = torch.cat([m.weight.flatten() for m in ours.modules() if isinstance(m, nn.Conv2d)])
    norms = [m for m in ours.modules() if isinstance(m, nn.BatchNorm2d)]
    scales = torch.cat([norm.weight for norm in norms])
    assert (convolutions.mean().item(), convolutions.std().item()) == pytest.approx((0.0, 0.02), abs=1e-4)
    assert (scales.mean().item(), scales.std().item()) == pytest.approx((1.0, 0.02), abs=5e-3)
    assert not torch.cat([norm.bias for norm in norms]).any()


def test_it_computes_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    ours = PatchDiscriminator(channels=8)
    expected = ours(mels())[0]
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(ours(mels())[0], expected, rtol=0, atol=0)


def test_mels_are_as_they_are_unless_they_are_standardized() -> None:
    torch.manual_seed(0)
    plain = PatchDiscriminator(channels=8)
    torch.manual_seed(0)
    standardized = PatchDiscriminator(channels=8, mel_mean=-2.0, mel_std=0.5)
    torch.testing.assert_close(standardized(mels())[0], plain((mels() + 2.0) / 0.5)[0])
    torch.manual_seed(0)
    ours = MelPatchDiscriminator(channels=8)
    torch.manual_seed(0)
    raw = MelPatchDiscriminator(channels=8, mel_mean=0.0, mel_std=1.0)
    torch.testing.assert_close(ours(mels())[0], raw((mels() - MEL_MEAN) / MEL_STD)[0])


def test_mels_without_room_for_a_patch_are_refused() -> None:
    assert PatchDiscriminator(channels=8)(mels(1, 24))[0].shape == (1, 1, 8, 1)
    with pytest.raises(UserError, match=r"needs 24 bands and frames.*80 bands and 23 frames.*crop_seconds"):
        PatchDiscriminator(channels=8)(mels(1, 23))
    with pytest.raises(UserError, match="needs 96 bands"):
        PatchDiscriminator(channels=8, num_layers=5)(mels(1, 624))
    with pytest.raises(UserError, match="num_layers=0"):
        PatchDiscriminator(num_layers=0)

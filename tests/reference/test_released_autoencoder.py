"""The published autoencoder: every key and shape, and its arithmetic written out once more as functions."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from audiolcm.models.autoencoder import Autoencoder

Weights = dict[str, Tensor]


def conv(weights: Weights, name: str, x: Tensor, **options: int) -> Tensor:
    """One convolution by its name in the checkpoint."""
    return F.conv1d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)


def norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    """GroupNorm of 32 groups by hand: mean and biased variance over a group's channels and all frames."""
    grouped = x.reshape(x.shape[0], 32, -1)
    mean, variance = grouped.mean(-1, keepdim=True), grouped.var(-1, unbiased=False, keepdim=True)
    normalized = ((grouped - mean) / torch.sqrt(variance + 1e-6)).reshape(x.shape)
    return normalized * weights[f"{name}.weight"][:, None] + weights[f"{name}.bias"][:, None]


def swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def res_block(weights: Weights, name: str, x: Tensor, kernel: int) -> Tensor:
    h = conv(weights, f"{name}.conv1", swish(norm(weights, f"{name}.norm1", x)), padding=kernel // 2)
    h = conv(weights, f"{name}.conv2", swish(norm(weights, f"{name}.norm2", h)), padding=kernel // 2)
    if f"{name}.nin_shortcut.weight" in weights:
        x = conv(weights, f"{name}.nin_shortcut", x)
    return x + h


def attention(weights: Weights, name: str, x: Tensor) -> Tensor:
    h = norm(weights, f"{name}.norm", x)
    q, k, v = (conv(weights, f"{name}.{part}", h) for part in "qkv")
    scores = torch.einsum("bci,bcj->bij", q, k) * q.shape[1] ** -0.5
    return x + conv(weights, f"{name}.proj_out", torch.einsum("bij,bcj->bci", scores.softmax(-1), v))


def middle(weights: Weights, name: str, x: Tensor, kernel: int) -> Tensor:
    x = res_block(weights, f"{name}.block_1", x, kernel)
    return res_block(weights, f"{name}.block_2", attention(weights, f"{name}.attn_1", x), kernel)


def released_moments(weights: Weights, mel: Tensor) -> Tensor:
    h = conv(weights, "encoder.conv_in", mel, padding=2)
    for level in range(3):
        for block in range(2):
            h = res_block(weights, f"encoder.down.{level}.block.{block}", h, kernel=5)
        if level == 0:
            h = conv(weights, "encoder.down.0.downsample.conv", F.pad(h, (0, 1)), stride=2)
    h = middle(weights, "encoder.mid", h, kernel=5)
    h = conv(weights, "encoder.conv_out", swish(norm(weights, "encoder.norm_out", h)), padding=2)
    return conv(weights, "quant_conv", h)


def released_decoding(weights: Weights, z: Tensor) -> Tensor:
    h = conv(weights, "decoder.conv_in", conv(weights, "post_quant_conv", z), padding=2)
    h = middle(weights, "decoder.mid", h, kernel=3)
    for level in (2, 1, 0):
        for block in range(3):
            h = res_block(weights, f"decoder.up.{level}.block.{block}", h, kernel=3)
        if level == 1:
            h = conv(weights, "decoder.up.1.upsample.conv", F.interpolate(h, scale_factor=2.0), padding=1)
    return conv(weights, "decoder.conv_out", swish(norm(weights, "decoder.norm_out", h)), padding=2)


@pytest.fixture(scope="module")
def small() -> tuple[Autoencoder, Weights]:
    """The published layout at a twelfth of its width, with weights that no default could equal."""
    generator = torch.Generator().manual_seed(0)
    model = Autoencoder(channels=32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.3
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return model, dict(model.named_parameters())


@torch.no_grad()
def test_encoder_equals_the_transcription(small: tuple[Autoencoder, Weights]) -> None:
    model, weights = small
    mel = torch.randn(2, 80, 48, generator=torch.Generator().manual_seed(1)) - 2
    mean, logvar = released_moments(weights, mel).chunk(2, dim=1)
    posterior = model.encode(mel)
    torch.testing.assert_close(posterior.mean, mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(posterior.logvar, logvar.clamp(-30, 20), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_decoder_equals_the_transcription(small: tuple[Autoencoder, Weights]) -> None:
    model, weights = small
    z = torch.randn(2, 20, 24, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(model.decode(z), released_decoding(weights, z), rtol=1e-5, atol=1e-5)


def test_every_released_key_and_shape_has_its_counterpart(
    released_layout: dict[str, dict[str, list[int]]],
) -> None:
    released = released_layout["autoencoder"]
    with torch.device("meta"):
        ours = {name: list(tensor.shape) for name, tensor in Autoencoder().named_parameters()}
    assert ours == released

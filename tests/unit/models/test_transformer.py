"""The denoiser: sizes of Table 7, values at initialization, conditioning, free length."""

import math
from functools import partial

import pytest
import torch
from diffusers import LatentConsistencyModelPipeline
from diffusers.models.embeddings import get_timestep_embedding
from torch.testing import assert_close

from audiolcm.assembly import build_denoiser
from audiolcm.configuration.schema import compose
from audiolcm.models.attention import SelfAttention
from audiolcm.models.embedding import TimestepEmbedding, omega_sinusoid, sinusoid
from audiolcm.models.feed_forward import GEGLU, GELU, SwiGLU
from audiolcm.models.norm import LayerNorm, RMSNorm
from audiolcm.models.position import LearnedPosition, NoPosition, RotaryPosition, SinusoidalPosition
from audiolcm.models.transformer import Transformer

PAPER = {"norm": RMSNorm, "position": RotaryPosition, "feed_forward": SwiGLU}


def small(width: int = 32, depth: int = 2, **variant: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(20, width, depth=depth, num_heads=4, text_width=16, **(PAPER | variant))


def awake(network: Transformer) -> Transformer:
    """Let the parts that start at zero take part."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def inputs(batch: int = 2, frames: int = 31) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    z_t = torch.randn(batch, 20, frames, generator=generator)
    text = torch.randn(batch, 12, 16, generator=generator)
    return z_t, torch.tensor([19, 999])[:batch], text


@pytest.mark.parametrize(
    ("size", "variant", "millions", "tolerance"),
    [
        ("base", (), 159, 0.005),
        ("medium", (), 561, 0.005),
        ("large", (), 996, 0.005),
        ("xl", (), 2400, 0.02),
        ("base", ("norm=layernorm", "position=learned", "feed_forward=geglu"), 159.69, 0.0001),
    ],
)
def test_parameter_counts_are_those_of_table_7(
    size: str, variant: tuple[str, ...], millions: float, tolerance: float
) -> None:
    cfg = compose([f"model={size}", *(f"backbone/{choice}" for choice in variant)])
    with torch.device("meta"):
        network = build_denoiser(cfg, text_width=1024, latent_channels=20)
    assert isinstance(network, Transformer)
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert count == pytest.approx(millions, rel=tolerance)


def test_blocks_start_as_the_identity() -> None:
    network = small()
    z_t, t, text = inputs()
    frames = torch.nn.functional.conv1d(z_t, network.conv_in.weight, network.conv_in.bias, padding=2)
    normalized = torch.nn.functional.group_norm(frames, 16, eps=1e-5)
    expected = torch.nn.functional.conv1d(normalized, network.conv_out.weight, network.conv_out.bias)
    assert_close(network(z_t, t, text), expected, atol=1e-5, rtol=1e-5)


def test_omega_none_is_a_projection_of_zero() -> None:
    network = small()
    for block in network.blocks:
        torch.nn.init.normal_(block.conv_out.weight, std=0.1)
    omega = torch.tensor([4.0, 12.0])
    assert torch.equal(network(*inputs(), omega), network(*inputs()))
    torch.nn.init.normal_(network.timestep_embedding.omega_projection.weight, std=0.1)
    guided = network(*inputs(), omega)
    assert not torch.allclose(guided, network(*inputs()), atol=1e-4)
    assert not torch.allclose(guided, network(*inputs(), omega + 1), atol=1e-4)


@pytest.mark.parametrize("change", ["t", "plain", "structured"])
def test_every_condition_reaches_every_frame(change: str) -> None:
    network = awake(small())
    z_t, t, text = inputs()
    before = network(z_t, t, text)
    if change == "t":
        t = t - 1
    else:
        text[:, 0 if change == "plain" else 6] += 1
    moved = (network(z_t, t, text) - before).abs().amax(dim=1)
    assert (moved > 1e-6).all()


def test_both_halves_of_the_text_have_their_own_weights() -> None:
    network = awake(small(position=NoPosition))
    z_t, t, text = inputs()
    swapped = torch.cat(text.chunk(2, dim=1)[::-1], dim=1)
    assert not torch.allclose(network(z_t, t, text), network(z_t, t, swapped), atol=1e-4)


@pytest.mark.parametrize("norm", [RMSNorm, LayerNorm])
@pytest.mark.parametrize("position", [RotaryPosition, LearnedPosition, SinusoidalPosition, NoPosition])
@pytest.mark.parametrize("feed_forward", [SwiGLU, GEGLU, GELU])
def test_every_variant_trains(norm: type, position: type, feed_forward: type) -> None:
    network = awake(small(depth=1, norm=norm, position=position, feed_forward=feed_forward))
    with torch.autocast("cpu", torch.bfloat16):
        epsilon = network(*inputs(frames=9), torch.tensor([4.0, 12.0]))
    assert epsilon.shape == (2, 20, 9) and epsilon.dtype == torch.float32
    epsilon.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_position_none_differs_from_rope_only_in_attention() -> None:
    assert small().state_dict().keys() == small(position=NoPosition).state_dict().keys()
    assert not torch.allclose(awake(small())(*inputs()), awake(small(position=NoPosition))(*inputs()))


@pytest.mark.parametrize("frames", [1, 31, 938])
def test_length_is_free(frames: int) -> None:
    network = awake(small())
    with torch.no_grad():
        assert network(*inputs(1, frames)).shape == (1, 20, frames)


def test_examples_of_a_batch_do_not_mix() -> None:
    network = awake(small())
    z_t, t, text = inputs()
    together = network(z_t, t, text)
    for i in range(2):
        alone = network(z_t[i : i + 1], t[i : i + 1], text[i : i + 1])
        assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_group_norm_works_at_any_width() -> None:
    network = awake(small(width=40))
    assert network.blocks[0].group_norm.num_groups == 8
    assert network(*inputs()).isfinite().all()


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="num_heads=3"):
        Transformer(20, 64, 1, 3, 16, **PAPER)


def test_attention_is_multi_head_attention_of_torch() -> None:
    ours, theirs = SelfAttention(32, 4), torch.nn.MultiheadAttention(32, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(
            torch.cat((ours.to_query.weight, ours.to_key.weight, ours.to_value.weight))
        )
        theirs.in_proj_bias.zero_()
        theirs.out_proj.load_state_dict(ours.to_out.state_dict())
    x = torch.randn(2, 17, 32)
    assert_close(ours(x, NoPosition(32, 4)), theirs(x, x, x, need_weights=False)[0], atol=1e-5, rtol=1e-4)


def test_attention_agrees_with_and_without_gradient_in_bfloat16() -> None:
    attention = SelfAttention(32, 4)
    attend = partial(attention, torch.randn(2, 50, 32), NoPosition(32, 4))
    exact = attend()
    with torch.autocast("cpu", torch.bfloat16):
        training = attend()
        with torch.no_grad():
            inference = attend()
    assert_close(training.float(), exact, atol=0.02, rtol=0.02)
    assert_close(inference.float(), exact, atol=0.02, rtol=0.02)


def test_timestep_sinusoid_is_the_released_one() -> None:
    """Equal to the last bit: exp(-ln(10000) i / half) in this order of operations, [cos, sin]."""
    t = torch.arange(1000)
    frequencies = torch.exp(-math.log(10000) * torch.arange(0, 128, dtype=torch.float32) / 128)
    angles = t[:, None].float() * frequencies[None]
    assert torch.equal(sinusoid(t, 256), torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1))
    theirs = get_timestep_embedding(t, 256, flip_sin_to_cos=True, downscale_freq_shift=0)
    assert torch.equal(sinusoid(t, 256), theirs)


def test_omega_sinusoid_is_the_released_one() -> None:
    """Equal to the last bit, of latent consistency models; of float64 it is off by what float32 resolves of 14,000."""
    omega = torch.cat([torch.linspace(-1.0, 14.0, 301), torch.tensor([4.0, 7.5, 12.0])])
    step = torch.log(torch.tensor(10000.0)) / 127
    angles = (omega * 1000.0)[:, None] * torch.exp(torch.arange(128, dtype=torch.float32) * -step)[None, :]
    assert torch.equal(omega_sinusoid(omega), torch.cat([torch.sin(angles), torch.cos(angles)], dim=1))
    theirs = LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, omega, embedding_dim=256)
    assert torch.equal(omega_sinusoid(omega), theirs)
    exact = 1000.0 * omega.double()[:, None] * 10000.0 ** -(torch.arange(128) / 127.0).double()
    assert_close(omega_sinusoid(omega).double(), torch.cat([exact.sin(), exact.cos()], 1), atol=2e-3, rtol=0)


def test_timestep_embedding_adds_the_projected_omega() -> None:
    embedding = TimestepEmbedding(32)
    torch.nn.init.normal_(embedding.omega_projection.weight)
    t, omega = torch.tensor([7]), torch.tensor([4.0])
    expected = embedding.mlp(sinusoid(t, 256) + omega_sinusoid(omega) @ embedding.omega_projection.weight.T)
    assert_close(embedding(t, omega), expected)
    assert math.isclose(omega_sinusoid(omega)[0, 0], math.sin(4000.0), abs_tol=1e-3)


def test_a_projection_of_omega_that_starts_at_zero_leaves_the_teacher_as_it_is() -> None:
    """Xavier's start, as in the released code, adds a vector as large as the timestep's own: both have rms 1 / sqrt 2.

    Uniform within sqrt(6 / 512), each of 256 weights has the variance 1 / 256, and sines have the mean square 1 / 2.
    """
    t, omega = torch.tensor([7, 999]), torch.tensor([4.0, 11.9])
    embedding = TimestepEmbedding(32)
    assert_close(embedding(t, omega), embedding(t), atol=0, rtol=0)
    torch.manual_seed(0)
    torch.nn.init.xavier_uniform_(embedding.omega_projection.weight)
    added = embedding.omega_projection(omega_sinusoid(omega))
    for vector in (added, sinusoid(t, 256)):
        assert float(vector.square().mean().sqrt().detach()) == pytest.approx(0.5**0.5, rel=0.1)

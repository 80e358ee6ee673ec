"""Our released variant against a plain transcription of the released denoiser, under its own parameter names."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from audiolcm.models.feed_forward import GEGLU
from audiolcm.models.norm import LayerNorm
from audiolcm.models.position import LearnedPosition
from audiolcm.models.transformer import Transformer

RENAMES = [
    (r"^t_embedder\.proj_w\.", "timestep_embedding.omega_projection."),
    (r"^t_embedder\.", "timestep_embedding."),
    (r"^c1_embedder\.", "plain_text_embedding."),
    (r"^c2_embedder\.", "structured_text_embedding."),
    (r"^pos_emb\.", "position.table."),
    (r"^proj_in\.", "conv_in."),
    (r"^final_layer\.norm_final\.", "norm_out."),
    (r"^final_layer\.conv1d\.", "conv_out."),
    (r"^(blocks\.\d+)\.norm\.", r"\1.group_norm."),
    (r"^(blocks\.\d+)\.proj_in\.", r"\1.conv_in."),
    (r"^(blocks\.\d+)\.proj_out\.", r"\1.conv_out."),
    (r"\.transformer_blocks\.0\.attn([12])\.", r".attention\1."),
    (r"\.transformer_blocks\.0\.ff\.net\.0\.proj\.", ".feed_forward.expand."),
    (r"\.transformer_blocks\.0\.ff\.net\.2\.", ".feed_forward.contract."),
    (r"\.transformer_blocks\.0\.norm", ".norm"),
    (r"\.to_q\.", ".to_query."),
    (r"\.to_k\.", ".to_key."),
    (r"\.to_v\.", ".to_value."),
    (r"\.to_out\.0\.", ".to_out."),
]


def our_name(released: str) -> str:
    for pattern, replacement in RENAMES:
        released = re.sub(pattern, replacement, released)
    return released


def released_variant(width: int, depth: int, num_heads: int = 8, text_width: int = 1024) -> Transformer:
    return Transformer(20, width, depth, num_heads, text_width, LayerNorm, LearnedPosition, GEGLU)


@pytest.fixture(scope="module")
def layout(released_layout: dict[str, dict[str, list[int]]]) -> dict[str, list[int]]:
    return released_layout["denoiser"]


def test_released_layout_matches_one_to_one(layout: dict[str, list[int]]) -> None:
    with torch.device("meta"):
        network = released_variant(width=576, depth=4)
    ours = {name: list(parameter.shape) for name, parameter in network.state_dict().items()}
    assert {our_name(name): shape for name, shape in layout.items()} == ours
    assert len(layout) == len(ours)


def reference(
    w: dict[str, Tensor], z: Tensor, t: Tensor, text: Tensor, omega: Tensor | None, heads: int
) -> Tensor:
    """The released denoiser, written down from its shapes and the facts about it; names are the released ones."""
    frequency = torch.exp(-math.log(10000) * torch.arange(128) / 128)
    angle = t.float()[:, None] * frequency
    time = torch.cat((angle.cos(), angle.sin()), 1)
    if omega is not None:
        angle = 1000 * omega[:, None] * torch.exp(-math.log(10000) * torch.arange(128) / 127)
        time = time + torch.cat((angle.sin(), angle.cos()), 1) @ w["t_embedder.proj_w.weight"].T
    time = F.silu(time @ w["t_embedder.mlp.0.weight"].T + w["t_embedder.mlp.0.bias"])
    time = time @ w["t_embedder.mlp.2.weight"].T + w["t_embedder.mlp.2.bias"]
    half = text.shape[1] // 2
    sequence = [
        time[:, None],
        embed(w, "c1_embedder", text[:, :half]),
        embed(w, "c2_embedder", text[:, half:]),
    ]
    sequence.append(F.conv1d(z, w["proj_in.weight"], w["proj_in.bias"], padding=2).transpose(1, 2))
    x = torch.cat(sequence, 1)
    x = (x + w["pos_emb.weight"][: x.shape[1]]).transpose(1, 2)
    for i in range(sum(name.endswith("proj_out.weight") for name in w)):
        x = x + block(w, f"blocks.{i}", x, heads)
    x = x[:, :, 1 + text.shape[1] :]
    x = F.group_norm(x, 16, w["final_layer.norm_final.weight"], w["final_layer.norm_final.bias"])
    return F.conv1d(x, w["final_layer.conv1d.weight"], w["final_layer.conv1d.bias"])


def embed(w: dict[str, Tensor], name: str, text: Tensor) -> Tensor:
    text = F.linear(text, w[f"{name}.mlp.0.weight"], w[f"{name}.mlp.0.bias"])
    text = 0.5 * text * (1 + torch.tanh(math.sqrt(2 / math.pi) * (text + 0.044715 * text**3)))
    text = F.linear(text, w[f"{name}.mlp.2.weight"], w[f"{name}.mlp.2.bias"])
    return layer_norm(w, f"{name}.mlp.3", text)


def layer_norm(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def block(w: dict[str, Tensor], name: str, x: Tensor, heads: int) -> Tensor:
    x = F.group_norm(x, 32, w[f"{name}.norm.weight"], w[f"{name}.norm.bias"], eps=1e-6)
    x = F.conv1d(x, w[f"{name}.proj_in.weight"], w[f"{name}.proj_in.bias"]).transpose(1, 2)
    inner = f"{name}.transformer_blocks.0"
    for i in (1, 2):
        x = x + attend(w, f"{inner}.attn{i}", layer_norm(w, f"{inner}.norm{i}", x), heads)
    h = layer_norm(w, f"{inner}.norm3", x).transpose(1, 2)
    h = F.conv1d(h, w[f"{inner}.ff.net.0.proj.weight"], w[f"{inner}.ff.net.0.proj.bias"], padding=4)
    value, gate = h.split(h.shape[1] // 2, dim=1)
    h = value * 0.5 * gate * (1 + torch.erf(gate / math.sqrt(2)))
    h = F.conv1d(h, w[f"{inner}.ff.net.2.weight"], w[f"{inner}.ff.net.2.bias"], padding=4)
    x = x.transpose(1, 2) + h
    return F.conv1d(x, w[f"{name}.proj_out.weight"], w[f"{name}.proj_out.bias"])


def attend(w: dict[str, Tensor], name: str, x: Tensor, heads: int) -> Tensor:
    size = x.shape[-1] // heads
    mixed = []
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        query, key, value = (x @ w[f"{name}.to_{kind}.weight"][rows].T for kind in "qkv")
        mixed.append(torch.softmax(query @ key.transpose(1, 2) / math.sqrt(size), -1) @ value)
    return torch.cat(mixed, -1) @ w[f"{name}.to_out.0.weight"].T + w[f"{name}.to_out.0.bias"]


@pytest.mark.parametrize(("width", "depth"), [(64, 3), (160, 1)])
@pytest.mark.parametrize("frames", [1, 31, 156])
@pytest.mark.parametrize("guided", [False, True])
def test_our_released_variant_is_the_released_denoiser(
    layout: dict[str, list[int]], width: int, depth: int, frames: int, guided: bool
) -> None:
    network = released_variant(width, depth, text_width=48)
    generator = torch.Generator().manual_seed(frames)
    with torch.no_grad():
        for parameter in network.parameters():
            scale = 0.5 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    ours = network.state_dict()
    released = [name for name in layout if not name.startswith("blocks.") or int(name.split(".")[1]) < depth]
    z, text = torch.randn(2, 20, frames, generator=generator), torch.randn(2, 22, 48, generator=generator)
    t, omega = torch.tensor([19, 999]), torch.tensor([4.0, 12.0]) if guided else None
    with torch.no_grad():
        expected = reference({name: ours[our_name(name)] for name in released}, z, t, text, omega, heads=8)
        result = network(z, t, text, omega)
    assert_close(result, expected, rtol=0, atol=1e-5 * expected.abs().max().item())

"""Position schemes against transformers, diffusers and their defining properties."""

import copy

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding
from torch.testing import assert_close
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from audiolcm.errors import UserError
from audiolcm.models.position import LearnedPosition, NoPosition, RotaryPosition, SinusoidalPosition

WIDTH, HEADS = 64, 4
HEAD = WIDTH // HEADS


@pytest.fixture
def query_key() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, HEADS, 50, HEAD, generator=generator), torch.randn(
        2, HEADS, 50, HEAD, generator=generator
    )


def llama_rotation(query: torch.Tensor, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Llama pairs channel i with i + half where we pair neighbors: reorder, rotate, reorder back."""
    config = LlamaConfig(
        hidden_size=WIDTH, num_attention_heads=HEADS, head_dim=HEAD, max_position_embeddings=4096
    )
    cos, sin = LlamaRotaryEmbedding(config)(query, torch.arange(query.shape[2])[None])
    halves = torch.cat((torch.arange(0, HEAD, 2), torch.arange(1, HEAD, 2)))
    neighbors = halves.argsort()
    rotated = apply_rotary_pos_emb(query[..., halves], key[..., halves], cos, sin)
    return rotated[0][..., neighbors], rotated[1][..., neighbors]


def test_rope_is_that_of_llama(query_key: tuple[torch.Tensor, torch.Tensor]) -> None:
    for ours, theirs in zip(
        RotaryPosition(WIDTH, HEADS).rotate(*query_key), llama_rotation(*query_key), strict=True
    ):
        assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_rope_scores_depend_on_distance_only() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(HEAD, generator=generator).expand(1, HEADS, 300, HEAD) for _ in range(2))
    query, key = RotaryPosition(WIDTH, HEADS).rotate(query, key)
    scores = (query @ key.transpose(-1, -2))[0, 0]
    for shift in (-40, -1, 0, 3, 100):
        diagonal = scores.diagonal(shift)
        assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=0)
    assert abs(scores[0, 0] - scores[0, 1]) > 1e-2


def test_rope_keeps_lengths_and_the_first_position(query_key: tuple[torch.Tensor, torch.Tensor]) -> None:
    for before, after in zip(query_key, RotaryPosition(WIDTH, HEADS).rotate(*query_key), strict=True):
        assert_close(after.norm(dim=-1), before.norm(dim=-1))
        assert_close(after[:, :, 0], before[:, :, 0])


def test_rope_angles_stay_exact_in_a_bfloat16_network() -> None:
    rope = RotaryPosition(WIDTH, HEADS).to(torch.bfloat16)
    query = torch.ones(1, 1, 900, HEAD, dtype=torch.bfloat16)
    turned, _ = rope.rotate(query, query)
    exact, _ = RotaryPosition(WIDTH, HEADS).rotate(query.float(), query.float())
    assert turned.dtype == torch.bfloat16
    assert_close(turned.float(), exact, atol=2**-7, rtol=0)


def test_tables_are_no_state_and_serve_any_length() -> None:
    rope = RotaryPosition(WIDTH, HEADS)
    with torch.inference_mode():
        rope.rotate(torch.ones(1, HEADS, 20, HEAD), torch.ones(1, HEADS, 20, HEAD))
    assert not rope.state_dict()
    longer = torch.randn(1, HEADS, 1200, HEAD, requires_grad=True)
    for position in (rope, copy.deepcopy(rope)):
        first, _ = position.rotate(longer, longer)
        fresh, _ = RotaryPosition(WIDTH, HEADS).rotate(longer, longer)
        assert torch.equal(first, fresh)
        first.sum().backward()


def test_sinusoidal_is_that_of_diffusers() -> None:
    added = SinusoidalPosition(WIDTH, HEADS).add(torch.zeros(2, 30, WIDTH))
    expected = get_timestep_embedding(torch.arange(30), WIDTH, flip_sin_to_cos=True, downscale_freq_shift=0)
    assert_close(added, expected.expand(2, -1, -1), atol=1e-5, rtol=0)


def test_learned_adds_the_first_rows() -> None:
    position = LearnedPosition(WIDTH, HEADS)
    x = torch.randn(2, 1000, WIDTH)
    assert_close(position.add(x), x + position.table.weight[None])
    assert_close(position.add(x[:, :3]), x[:, :3] + position.table.weight[None, :3])


def test_learned_says_what_to_do_beyond_its_table() -> None:
    with pytest.raises(UserError, match=r"1000 positions.*1093.*3\.0 s less.*backbone/position=rope"):
        LearnedPosition(WIDTH, HEADS).add(torch.zeros(1, 1093, WIDTH))


def test_rope_refuses_odd_heads() -> None:
    with pytest.raises(UserError, match="num_heads=4 gives 15"):
        RotaryPosition(60, 4)


@pytest.mark.parametrize("kind", [NoPosition, RotaryPosition])
def test_only_absolute_kinds_add(kind: type[NoPosition]) -> None:
    x = torch.randn(1, 7, WIDTH)
    assert kind(WIDTH, HEADS).add(x) is x


@pytest.mark.parametrize("kind", [NoPosition, LearnedPosition, SinusoidalPosition])
def test_only_rope_rotates(kind: type[NoPosition], query_key: tuple[torch.Tensor, torch.Tensor]) -> None:
    query, key = kind(WIDTH, HEADS).rotate(*query_key)
    assert query is query_key[0] and key is query_key[1]

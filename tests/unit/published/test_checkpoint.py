"""Released checkpoints are read strictly: every tensor under our name, or a message that names it."""

from pathlib import Path

import pytest
import torch
from released_file import Layout, random_state, save, small_layout
from torch import Tensor

from audiolcm.errors import UserError
from audiolcm.published.checkpoint import computed_buffers, read_released
from audiolcm.published.layout import Sizes, expected

STUDENT = "unet.diffusion_model."
POSITION_IDS = "cond_stage_model.caption_encoder.base.embeddings.position_ids"


@pytest.fixture
def state(small: Layout) -> dict[str, Tensor]:
    return random_state(small)


def test_every_released_name_and_shape_has_its_slot(released_layout: Layout) -> None:
    layout = released_layout | {
        "denoiser": {
            prefix + name: shape
            for prefix in ("model.diffusion_model.", STUDENT, "target_unet.diffusion_model.")
            for name, shape in released_layout["denoiser"].items()
        }
    }
    full = dict(layout["denoiser"])
    full |= {f"first_stage_model.{name}": shape for name, shape in layout["autoencoder"].items()}
    full |= {f"cond_stage_model.{name}": shape for name, shape in layout["text encoder"].items()}
    full["scale_factor"] = []
    sizes = Sizes.of({name: torch.empty(shape, device="meta") for name, shape in full.items()})
    slots = expected(sizes, ["teacher", "student", "target"])
    assert {name: list(slot.shape) for name, slot in slots.items()} == full


def test_all_parts_hold_the_tensors_of_the_file(state: dict[str, Tensor], tmp_path: Path) -> None:
    released = read_released(save(state, tmp_path / "a.ckpt"))
    assert released.kind == "audiolcm"
    assert set(released.parts) == {"teacher", "student", "target", "autoencoder", "text_encoder"}
    assert sum(map(len, released.parts.values())) == len(state)
    block = "blocks.1.transformer_blocks.0.ff.net.2.weight"
    for part, prefix in (("teacher", "model.diffusion_model."), ("student", STUDENT)):
        ours = released.parts[part]["blocks.1.feed_forward.contract.weight"]
        assert torch.equal(ours, state[prefix + block])
    assert float(released.parts["autoencoder"]["scale_factor"]) == 0.75


def test_make_an_audio_2_is_a_teacher_that_never_knew_omega(small: Layout, tmp_path: Path) -> None:
    released = read_released(save(random_state(small, "make_an_audio_2"), tmp_path / "m.ckpt"))
    assert released.kind == "make_an_audio_2"
    assert set(released.parts) == {"teacher", "autoencoder", "text_encoder"}
    assert not released.parts["teacher"]["timestep_embedding.omega_projection.weight"].any()


@pytest.mark.parametrize(
    "name",
    [
        "unet.diffusion_model.blocks.0.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.t_embedder.proj_w.weight",
        "target_unet.diffusion_model.pos_emb.weight",
        "first_stage_model.decoder.up.1.upsample.conv.bias",
        "cond_stage_model.caption_encoder.projection.layer_norm.bias",
        "scale_factor",
    ],
)
def test_a_missing_tensor_is_named(state: dict[str, Tensor], tmp_path: Path, name: str) -> None:
    del state[name]
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        read_released(save(state, tmp_path / "a.ckpt"))


def test_a_surplus_tensor_is_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    state["unet.diffusion_model.blocks.0.lora.weight"] = torch.zeros(2)
    with pytest.raises(UserError, match=r"unknown unet\.diffusion_model\.blocks\.0\.lora\.weight"):
        read_released(save(state, tmp_path / "a.ckpt"))


def test_a_tensor_of_another_shape_is_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    state[f"{STUDENT}final_layer.conv1d.bias"] = torch.zeros(21)
    with pytest.raises(UserError, match=r"unet\..*conv1d\.bias is \(21,\) instead of \(20,\)"):
        read_released(save(state, tmp_path / "a.ckpt"))


def test_buffers_that_are_known_are_compared(state: dict[str, Tensor], tmp_path: Path) -> None:
    buffers = {name: value.float() for name, value in computed_buffers().items()}
    buffers[POSITION_IDS] = torch.arange(512)[None]
    assert read_released(save(state | buffers, tmp_path / "a.ckpt")).kind == "audiolcm"
    for name in ("posterior_mean_coef2", "alphas_cumprod", POSITION_IDS):
        wrong = state | buffers | {name: buffers[name] * 2}
        with pytest.raises(UserError, match=f"{name} differs"):
            read_released(save(wrong, tmp_path / "a.ckpt"))


def test_buffers_are_those_of_the_definition() -> None:
    """The twelve buffers of latent diffusion in float64, from the betas one timestep after the other."""
    buffers = computed_buffers()
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    product, t = 1.0, 123
    for beta in betas[: t + 1].tolist():
        before, product = product, product * (1 - beta)
    beta = float(betas[t])
    variance = beta * (1 - before) / (1 - product)
    wanted = {
        "alphas_cumprod": product, "alphas_cumprod_prev": before, "posterior_variance": variance,
        "posterior_mean_coef1": beta * before**0.5 / (1 - product),
        "posterior_mean_coef2": (1 - before) * (1 - beta) ** 0.5 / (1 - product),
        "sqrt_recipm1_alphas_cumprod": (1 / product - 1) ** 0.5,
    }  # fmt: skip
    for name, value in wanted.items():
        assert float(buffers[name][t]) == pytest.approx(value, rel=1e-6)
    assert len(buffers) == 12


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"generator": {"conv_pre.bias": torch.zeros(3)}}, "it holds no table of tensors"),
        (
            {"state_dict": {"encoder.weight": torch.zeros(3)}},
            r"1 tensors below encoder, and misses '?model\.diff",
        ),
        (torch.zeros(3), "it holds no table of tensors"),
        ({"state_dict": [torch.zeros(3)]}, "it holds no table of tensors"),
        ({"state_dict": None}, "it holds no table of tensors"),
        ({0: torch.zeros(3), "a": torch.zeros(3)}, "2 tensors below 0, a"),
    ],
)
def test_another_model_is_described(content: object, kind: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "b.ckpt")
    with pytest.raises(UserError, match=kind):
        read_released(tmp_path / "b.ckpt")


class Intruder:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (f"touch {self.path}",)


def test_a_malicious_file_does_not_run(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"state_dict": state, "callbacks": Intruder(tmp_path / "ran")}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match="do not trust it"):
        read_released(tmp_path / "evil.ckpt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_named(
    state: dict[str, Tensor], tmp_path: Path, value: float
) -> None:
    name = f"{STUDENT}pos_emb.weight"
    state[name][3, 4] = value
    with pytest.raises(UserError, match=r"unet\.diffusion_model\.pos_emb\.weight holds something else"):
        read_released(save(state, tmp_path / "a.ckpt"))


def test_integers_are_no_weights(state: dict[str, Tensor], tmp_path: Path) -> None:
    state[f"{STUDENT}pos_emb.weight"] = torch.zeros(1000, 64, dtype=torch.int8)
    with pytest.raises(UserError, match=r"torch\.int8"):
        read_released(save(state, tmp_path / "a.ckpt"))


def test_half_precision_is_read(state: dict[str, Tensor], tmp_path: Path) -> None:
    assert (
        read_released(save({n: t.half() for n, t in state.items()}, tmp_path / "a.ckpt")).kind == "audiolcm"
    )


def test_sizes_that_no_network_has_are_one_message(released_layout: Layout, tmp_path: Path) -> None:
    layout = small_layout(released_layout)
    odd = {n: [100 if size == 64 else size for size in shape] for n, shape in layout["denoiser"].items()}
    with pytest.raises(UserError, match="is no checkpoint of AudioLCM or Make-An-Audio 2"):
        read_released(save(random_state(layout | {"denoiser": odd}), tmp_path / "a.ckpt"))

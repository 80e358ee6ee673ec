"""Our artifacts as a file of the released layout: bit for bit what was read, or a message why it cannot be."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from released_file import Layout, random_state, save
from sealed import sealed_again
from torch import Tensor

from audiolcm.commands.cli import main
from audiolcm.weights.place import FOLEY


def released_buffers() -> dict[str, Tensor]:
    """The buffers of the released diffusion model: numpy in float64, then float32."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=np.float64) ** 2
    alphas = 1.0 - betas
    total = np.cumprod(alphas, axis=0)
    before = np.append(1.0, total[:-1])
    variance = betas * (1.0 - before) / (1.0 - total)
    found = {
        "betas": betas, "alphas_cumprod": total, "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": np.sqrt(total), "sqrt_one_minus_alphas_cumprod": np.sqrt(1.0 - total),
        "log_one_minus_alphas_cumprod": np.log(1.0 - total), "sqrt_recip_alphas_cumprod": np.sqrt(1.0 / total),
        "sqrt_recipm1_alphas_cumprod": np.sqrt(1.0 / total - 1), "posterior_variance": variance,
        "posterior_log_variance_clipped": np.log(np.maximum(variance, 1e-20)),
        "posterior_mean_coef1": betas * np.sqrt(before) / (1.0 - total),
        "posterior_mean_coef2": (1.0 - before) * np.sqrt(alphas) / (1.0 - total),
    }  # fmt: skip
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in found.items()}


def one(folder: Path, stage: str) -> Path:
    (found,) = (folder / stage).iterdir()
    return found


def written(folder: Path, path: Path) -> dict[str, Tensor]:
    assert main(["convert", str(folder), "-o", str(path), "--layout", "released"]) == 0
    return torch.load(path, weights_only=True)["state_dict"]


def refused(folder: Path | str, path: Path, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    assert main(["convert", str(folder), "-o", str(path), "--layout", "released"]) == 1
    return caplog.text


@pytest.mark.parametrize("kind", ["audiolcm", "make_an_audio_2"])
def test_the_round_trip_is_equal_bit_for_bit(
    kind: str, convert: Callable[..., Path], small: Layout, tmp_path: Path
) -> None:
    source = random_state(small, kind) | released_buffers()
    back = written(convert(kind), tmp_path / "back.ckpt")
    assert back.keys() == source.keys()
    for name, tensor in source.items():
        assert back[name].dtype == tensor.dtype and torch.equal(back[name], tensor), name
    sizes = yaml.safe_load((tmp_path / "back.yaml").read_text())["model"]["params"]["unet_config"]["params"]
    assert sizes == {
        "in_channels": 20, "context_dim": 48, "hidden_size": 64, "num_heads": 8, "depth": 2, "max_len": 1000
    }  # fmt: skip


def test_a_teacher_with_a_projection_of_omega_keeps_it(weights: Path, small: Layout, tmp_path: Path) -> None:
    """AudioLCM's code trains its own teachers with it, though it is never heard there."""
    source = random_state(small, "make_an_audio_2") | released_buffers()
    source["model.diffusion_model.t_embedder.proj_w.weight"] = torch.randn(256, 256)
    save(source, tmp_path / "teacher.ckpt")
    convert = [
        "convert",
        str(tmp_path / "teacher.ckpt"),
        "-o",
        str(tmp_path / "a"),
        "--vocoder",
        "griffin_lim",
    ]
    assert main(convert) == 0
    back = written(tmp_path / "a", tmp_path / "back.ckpt")
    assert back.keys() == source.keys() and all(torch.equal(back[name], source[name]) for name in source)


def test_heads_come_back_with_the_file(convert: Callable[..., Path], small: Layout, tmp_path: Path) -> None:
    heads = {"model": {"params": {"unet_config": {"params": {"num_heads": 4}}}}}
    (tmp_path / "heads.yaml").write_text(yaml.safe_dump(heads))
    written(convert("audiolcm", "--config", str(tmp_path / "heads.yaml")), tmp_path / "back.ckpt")
    beside = yaml.safe_load((tmp_path / "back.yaml").read_text())
    assert beside["model"]["params"]["unet_config"]["params"]["num_heads"] == 4


def test_an_autoencoder_alone_is_written_alone(
    convert: Callable[..., Path], small: Layout, tmp_path: Path
) -> None:
    back = written(one(convert(), "autoencoder"), tmp_path / "autoencoder.ckpt")
    assert {name: list(tensor.shape) for name, tensor in back.items()} == small["autoencoder"]
    source = random_state(small)
    assert all(torch.equal(tensor, source[f"first_stage_model.{name}"]) for name, tensor in back.items())
    again = ["convert", str(tmp_path / "autoencoder.ckpt"), "-o", str(tmp_path / "again")]
    assert main(again) == 0 and one(tmp_path / "again", "autoencoder")


def test_a_student_without_its_target_stands_in_for_it(
    convert: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    student, back = one(convert(), "student"), tmp_path / "back.ckpt"
    one(student.parents[1], "target").rename(tmp_path / "elsewhere")
    caplog.set_level("INFO")
    state = written(student, back)
    assert "The EMA target" in caplog.text and "was not kept" in caplog.text
    name = "diffusion_model.proj_in.weight"
    assert torch.equal(state[f"target_unet.{name}"], state[f"unet.{name}"])


@pytest.mark.parametrize(
    ("section", "value", "words"),
    [
        (("backbone", "norm"), "audiolcm.models.norm.RMSNorm", "RMSNorm as its norm, .* has LayerNorm"),
        (("backbone", "position"), "audiolcm.models.position.RotaryPosition", "RotaryPosition as its position"),
        (("backbone", "feed_forward"), "audiolcm.models.feed_forward.SwiGLU", "SwiGLU as its feed_forward"),
        (("schedule",), "audiolcm.diffusion.schedule.LinearSchedule", "another noise schedule"),
    ],
)  # fmt: skip
def test_another_network_of_the_same_shapes_is_refused(
    section: tuple[str, ...], value: str, words: str, convert: Callable[..., Path], tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    student = one(convert(), "student")
    cfg = yaml.safe_load((student / "config.yaml").read_text())
    node = cfg
    for key in section:
        node = node[key]
    node["_target_"] = value
    (student / "config.yaml").write_text(yaml.safe_dump(cfg))
    sealed_again(student)
    told = refused(student, tmp_path / "back.ckpt", caplog)
    assert re.search(words, told), told
    assert "backbone/norm=layernorm" in told
    assert not (tmp_path / "back.ckpt").exists()


def test_our_own_small_model_and_wrong_places_are_refused(
    convert: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "as its norm" in refused(FOLEY, tmp_path / "foley.ckpt", caplog)
    assert "another autoencoder" in refused(f"{FOLEY}/autoencoder", tmp_path / "foley.ckpt", caplog)
    folder = convert()
    assert "such as back.ckpt" in refused(folder, tmp_path / "back", caplog)
    assert "give a student" in refused(one(folder, "vocoder"), tmp_path / "back.ckpt", caplog)
    (tmp_path / "back.yaml").write_text("mine")
    assert "back.yaml is there already" in refused(folder, tmp_path / "back.ckpt", caplog)
    exported = ["export", str(folder), "-o", str(tmp_path / "exported")]
    assert main(exported) == 0
    assert "does not know its teacher" in refused(tmp_path / "exported", tmp_path / "b.ckpt", caplog)
    assert main([*exported, "--with-teacher"]) == 0
    written(tmp_path / "exported", tmp_path / "b.ckpt")

"""Table 5 from built modules: against the paper's numbers, the released checkpoint's and networks really made."""

import math
from typing import Any

import pytest
from released_file import Layout

from audiolcm.assembly import build_denoiser
from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.sizing.describe import describe


@pytest.fixture(scope="module")
def paper() -> dict[str, Any]:
    return describe(compose(["profile=paper"]))


def test_the_papers_table_5(paper: dict[str, Any]) -> None:
    printed = {
        "spectrogram_channels": 80, "latent_channels": 20, "residual_blocks": 2, "spectrogram_size": [80, 624],
        "channel_mult": [1, 2, 4], "input_channels": 20, "condition_embed_dim": 1024, "hidden_size": 576, "heads": 8,
        "attention_layers": 8, "sampling_steps": 2, "text_encoder_channels": 768, "projection_channels": 1024,
        "token_length": 77,
    }  # fmt: skip
    assert {name: paper[name] for name in printed} == printed
    assert round(paper["num_trainable"] / 1e6) == 159
    assert round(paper["num_non_trainable"] / 1e6) == 984
    assert paper["latent_size"] == [20, 312]
    assert paper["num_discriminator"] == 2_763_585, "of the released PatchGAN"


def test_counts_are_those_of_the_released_files(paper: dict[str, Any], released_layout: Layout) -> None:
    found = describe(compose(["profile=paper", "teacher=published:audiolcm"]))
    sizes = {
        kind: sum(math.prod(shape) for shape in layout.values()) for kind, layout in parts(released_layout)
    }
    assert found["num_trainable"] == found["num_teacher"] == sizes["denoiser"]
    assert found["num_autoencoder"] == paper["num_autoencoder"] == sizes["autoencoder"]
    # The file holds T5's embedding under two names.
    assert found["num_text_encoder"] == paper["num_text_encoder"] == sizes["text encoder"] - 32128 * 1024


def parts(layout: Layout) -> list[tuple[str, Any]]:
    return [(name.partition(" (")[0], tensors) for name, tensors in layout.items()]


@pytest.mark.parametrize("overrides", [[], ["model=tiny_base", "vocoder=istft", "sampler.num_steps=4"]])
def test_counts_are_those_of_real_modules(overrides: list[str]) -> None:
    cfg = compose(overrides)
    found = describe(cfg)
    autoencoder = build(cfg["autoencoder"]["model"], "autoencoder.model")
    denoiser = build_denoiser(cfg, 128, autoencoder.latent_channels)
    count = {name: sum(p.numel() for p in module.parameters()) for name, module in {
        "autoencoder": autoencoder, "denoiser": denoiser, "vocoder": build(cfg["vocoder"]["model"], "vocoder.model"),
    }.items()}  # fmt: skip
    assert found["num_trainable"] == found["num_teacher"] == found["num_target"] == count["denoiser"]
    assert found["num_non_trainable"] == count["autoencoder"] + 2 * count["denoiser"]
    assert (found["num_autoencoder"], found["num_vocoder"]) == (count["autoencoder"], count["vocoder"])
    judge = build(cfg["autoencoder"]["objective"]["adversary"]["discriminator"], "discriminator")
    assert found["num_discriminator"] == sum(p.numel() for p in judge.parameters())
    assert found["sampling_steps"] == cfg["sampler"]["num_steps"]
    assert found["hidden_size"] == cfg["model"]["width"]
    assert found["spectrogram_size"] == [80, 312]
    assert "projection_channels" not in found


def test_a_trained_text_encoder_is_told_beside_the_rest(paper: dict[str, Any]) -> None:
    found = describe(compose(["profile=paper", "text_encoder.trainable=true"]))
    assert found == paper | {"num_text_encoder_trained": found["num_text_encoder_trained"]}
    assert round(found["num_text_encoder_trained"] / 1e6) == 341  # of T5-v1.1-large, the encoder alone


def test_table_7_follows_the_model() -> None:
    printed = {"medium": 561, "large": 996, "xl": 2429}
    found = {size: describe(compose(["profile=paper", f"model={size}"]))["num_trainable"] for size in printed}
    assert {size: round(number / 1e6) for size, number in found.items()} == printed


def test_a_language_model_of_unknown_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=r"text_encoder\.t5=google/t5-small has no config\.json"):
        describe(compose(["profile=paper", "text_encoder.t5=google/t5-small"]))

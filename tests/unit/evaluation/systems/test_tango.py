"""Tango in miniature, in the files and under the names of its publication."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytest.importorskip("diffusers")

from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from tiny_models import CAPTIONS, WIDTH, t5_encoder, t5_tokenizer
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from evaluation.systems.tango import Tango, read_parts

CONF = yaml.safe_load((Path(__file__).resolve().parents[4] / "conf/system/tango.yaml").read_text())
UNET = {
    "block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 8, "sample_size": [32, 2],
    "in_channels": 4,
    "out_channels": 4, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "cross_attention_dim": WIDTH, "attention_head_dim": [1, 2],
    "use_linear_projection": True, "upcast_attention": True,
}  # fmt: skip
VAE = {
    "embed_dim": 4, "scale_factor": 0.9,
    "ddconfig": {
        "z_channels": 4, "in_channels": 1, "out_ch": 1, "ch": 32, "ch_mult": [1, 1, 2], "num_res_blocks": 1,
    },
}  # fmt: skip
# Names of diffusers -> names of LDM's autoencoder (github.com/haoheliu/AudioLDM, variational_autoencoder/modules.py).
LDM = [
    (r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}"),
    (r"down_blocks\.(\d)\.resnets", r"down.\1.block"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"up_blocks\.(\d)\.resnets", lambda m: f"up.{2 - int(m[1])}.block"),
    (r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{2 - int(m[1])}.upsample"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_(\w)\.", r"mid.attn_1.\1."),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"conv_norm_out", "norm_out"),
]


def ldm_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    renamed = {}
    for name, tensor in weights.items():
        for pattern, replacement in LDM:
            name = re.sub(pattern, replacement, name)
        is_attention = "attn_1" in name and tensor.ndim == 2  # LDM has 1x1 convolutions there
        renamed[name] = tensor[:, :, None, None] if is_attention else tensor
    return renamed


@pytest.fixture(scope="module")
def networks() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    sizes = SpeechT5HifiGanConfig(
        model_in_dim=16, upsample_initial_channel=64, upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4], initializer_range=0.08, normalize_before=False,
    )  # fmt: skip
    autoencoder = AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=4, block_out_channels=[32, 32, 64], layers_per_block=1,
        down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
    )  # fmt: skip
    made = {"text": t5_encoder(), "unet": UNet2DConditionModel(**UNET), "autoencoder": autoencoder}
    return {name: network.eval() for name, network in (made | {"vocoder": SpeechT5HifiGan(sizes)}).items()}


@pytest.fixture(scope="module")
def folder(networks: dict[str, torch.nn.Module], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tango")
    main = {f"text_encoder.{k}": v for k, v in networks["text"].state_dict().items()}
    main |= {f"unet.{k}": v for k, v in networks["unet"].state_dict().items()}
    vocoder = {k: v for k, v in networks["vocoder"].state_dict().items() if k not in ("mean", "scale")}
    heard = ldm_names(networks["autoencoder"].state_dict())
    heard |= {f"vocoder.{k.replace('upsampler', 'ups')}": v for k, v in vocoder.items()}
    torch.save(main, place / "pytorch_model_main.bin")
    torch.save(heard, place / "pytorch_model_vae.bin")
    (place / "vae_config.json").write_text(json.dumps(VAE))
    (place / "main_config.json").write_text(
        json.dumps({"scheduler_name": "stabilityai/stable-diffusion-2-1"})
    )
    return place


@pytest.fixture(scope="module")
def text(networks: dict[str, torch.nn.Module], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("t5")
    networks["text"].config.save_pretrained(place)
    t5_tokenizer().save_pretrained(place)
    return place


def system(folder: Path | str, text: Path | str, **settings) -> Tango:
    settings = {"num_steps": 3, "guidance_scale": 3.0, "batch_size": 3} | settings
    hardware = Hardware("cpu", "float32")
    return Tango(
        "tango", str(folder), "CC-BY-NC-SA-4.0", hardware, str(text), UNET, CONF["scheduler"], **settings
    )


def test_published_names_become_the_same_networks(networks, folder, text):
    parts = read_parts(folder, text, UNET)
    latents, tokens = torch.randn(1, 4, 8, 4), torch.tensor([[5, 6, 7, 1]])
    with torch.no_grad():
        mel = networks["autoencoder"].decode(latents).sample
        torch.testing.assert_close(parts.autoencoder.decode(latents).sample, mel)
        torch.testing.assert_close(
            parts.autoencoder.encode(mel).latent_dist.mean,
            networks["autoencoder"].encode(mel).latent_dist.mean,
        )
        torch.testing.assert_close(parts.vocoder(mel[:, 0]), networks["vocoder"](mel[:, 0]))
        torch.testing.assert_close(parts.text_encoder(tokens)[0], networks["text"](tokens)[0])
    assert (parts.scale_factor, parts.latent_size) == (0.9, (256, 4))


def test_sounds_have_the_length_and_depend_on_caption_and_seed_alone(folder, text):
    made = system(folder, text)
    together = made.generate(CAPTIONS, 9.984, [5, 6, 7])
    assert [sound.shape for sound in together.waveforms] == [(159744,)] * 3
    assert together.nfe == 3 == made.facts()["nfe"]
    for i, (caption, seed) in enumerate(zip(CAPTIONS, (5, 6, 7), strict=True)):
        if i != 1:  # the longest caption; the others are padded in the batch
            alone = made.generate([caption], 9.984, [seed]).waveforms[0]
            np.testing.assert_allclose(alone, together.waveforms[i], atol=1e-4)
    other = made.generate(CAPTIONS[1:2], 9.984, [5]).waveforms[0]
    assert np.abs(other - together.waveforms[0]).max() > 1e-3
    with pytest.raises(UserError, match=r"made 10\.24.* s instead of 11 s"):
        made.generate(CAPTIONS[:1], 11.0, [0])


def test_guidance_up_to_one_asks_for_the_caption_alone(folder, text, networks):
    made = system(folder, text, guidance_scale=1.0)
    batches = []
    made.parts.unet.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    found = made._sample(CAPTIONS[:2], [torch.Generator().manual_seed(seed) for seed in (5, 6)])
    assert batches == [2, 2, 2]
    assert made.generate(CAPTIONS[:2], 1.0, [5, 6]).nfe == 3
    noise = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    latents = torch.cat([torch.randn(1, 4, 256, 4, generator=each) for each in noise])
    tokens = made.tokenizer(CAPTIONS[:2], padding=True, truncation=True, return_tensors="pt")
    scheduler = DDPMScheduler(**CONF["scheduler"])
    scheduler.set_timesteps(3)
    with torch.no_grad():
        states = networks["text"](tokens.input_ids, tokens.attention_mask)[0]
        for step in scheduler.timesteps:
            predicted = networks["unet"](
                latents, step, encoder_hidden_states=states, encoder_attention_mask=tokens.attention_mask == 1
            )
            latents = scheduler.step(predicted.sample, step, latents, generator=noise).prev_sample
    torch.testing.assert_close(found, latents, atol=1e-5, rtol=1e-5)
    guided = system(folder, text)
    guided.parts.unet.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    guided.generate(CAPTIONS[:2], 1.0, [5, 6])
    assert batches[-3:] == [4, 4, 4]


def test_the_published_unet_has_866_million_parameters():
    """Table 1 of the Tango paper."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**CONF["unet"])
    assert round(sum(p.numel() for p in unet.parameters()) / 1e6) == 866


def test_files_of_another_model_are_refused(folder, text, tmp_path):
    with pytest.raises(UserError, match=r"pytorch_model_main\.bin.*missing"):
        read_parts(tmp_path, text, UNET)
    for name in ("pytorch_model_main.bin", "pytorch_model_vae.bin", "vae_config.json", "main_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    weights = torch.load(folder / "pytorch_model_vae.bin", weights_only=True)
    torch.save(weights | {"decoder.extra.weight": torch.zeros(1)}, tmp_path / "pytorch_model_vae.bin")
    with pytest.raises(UserError, match="of which .* are known"):
        read_parts(tmp_path, text, UNET)
    (tmp_path / "pytorch_model_vae.bin").write_bytes((folder / "pytorch_model_vae.bin").read_bytes())
    with pytest.raises(UserError, match="weights of another network than UNet2DConditionModel"):
        read_parts(tmp_path, text, UNET | {"layers_per_block": 2})
    weights = torch.load(folder / "pytorch_model_main.bin", weights_only=True)
    assert {
        "text_encoder.shared.weight",
        "text_encoder.encoder.embed_tokens.weight",
    } <= weights.keys()  # as published
    torch.save(weights | {"group_in.0.weight": torch.zeros(1)}, tmp_path / "pytorch_model_main.bin")
    with pytest.raises(UserError, match="such as group_in"):
        read_parts(tmp_path, text, UNET)
    (tmp_path / "main_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"is damaged: 'scheduler_name'"):
        read_parts(tmp_path, text, UNET)
    (tmp_path / "main_config.json").write_text('{"scheduler_name": "mine"}')
    with pytest.raises(UserError, match="noise schedule of mine"):
        read_parts(tmp_path, text, UNET)


def test_without_files_one_message_says_what_to_type(folder):
    with pytest.raises(UserError, match=r"(?s)hf download nobody/nothing.*HF_HOME=FOLDER"):
        system("nobody/nothing", "nobody/t5").generate(CAPTIONS[:1], 1.0, [0])
    with pytest.raises(UserError, match=r"(?s)nobody/t5"):
        system(folder, "nobody/t5").generate(CAPTIONS[:1], 1.0, [0])

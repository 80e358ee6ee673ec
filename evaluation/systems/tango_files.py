"""Tango's published files, and the networks of diffusers and transformers that they become."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiolcm.errors import UserError
from audiolcm.storage.plain_data import read_json
from audiolcm.weights.reading import fill, read_checkpoint

MAIN, MAIN_CONFIG = "pytorch_model_main.bin", "main_config.json"
VAE, VAE_CONFIG = "pytorch_model_vae.bin", "vae_config.json"
FILES = (MAIN, MAIN_CONFIG, VAE, VAE_CONFIG)
TEXT_FILES = ("config.json", "*token*", "spiece.model")

_FRAMES = 256
"""Of every latent of Tango."""
_SCHEDULER = "stabilityai/stable-diffusion-2-1"
"""Whose noise schedule conf/system/tango.yaml repeats."""

# The vocoder has no configuration file: it is a constant of the released code (audioldm/hifigan/utilities.py).
_VOCODER = {
    "model_in_dim": 64,
    "sampling_rate": 16000,
    "upsample_initial_channel": 1024,
    "upsample_rates": [5, 4, 2, 2, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "normalize_before": False,
}


@dataclasses.dataclass(frozen=True)
class TangoParts:
    """Tango's networks. ``scale_factor`` divides latents before they are decoded; ``latent_size``: frames, bins."""

    text_encoder: Any
    unet: Any
    autoencoder: Any
    vocoder: Any
    scale_factor: float
    latent_size: tuple[int, int]

    def to(self, device: torch.device) -> "TangoParts":
        """Return the parts on a device."""
        moved = {name: part.to(device) for name, part in vars(self).items() if isinstance(part, nn.Module)}
        return dataclasses.replace(self, **moved)


def read_parts(folder: Path, text: Path, unet: Mapping[str, Any]) -> TangoParts:
    """Return the networks, in float32 and ready; every weight must fit.

    Args:
        folder: of the model's repository.
        text: folder with T5's configuration.
        unet: configuration of the U-Net.

    Raises:
        UserError: a file is missing, damaged, or of another network.
    """
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise UserError(f"{folder} is not Tango's repository: {', '.join(missing)} missing.")
    try:
        built = _from_configurations(folder, text, unet)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"A configuration in {folder} or {text}, or system.unet, is damaged: {error}. Get them again."
        ) from error
    main, heard = read_checkpoint(folder / MAIN), read_checkpoint(folder / VAE)
    if strange := [name for name in main if not name.startswith(("unet.", "text_encoder."))]:
        raise UserError(f"{folder / MAIN} holds weights that Tango has not, such as {strange[0]}.")
    vocoder_weights = _part(heard, "vocoder.")
    sizes = _VOCODER | _vocoder_sizes(vocoder_weights)
    bins = sizes["model_in_dim"] // 2 ** (len(built.autoencoder.config.block_out_channels) - 1)
    parts = {
        "text_encoder": (built.text_encoder, _part(main, "text_encoder."), MAIN),
        "unet": (built.unet, _part(main, "unet."), MAIN),
        "autoencoder": (built.autoencoder, _autoencoder_weights(heard, built.autoencoder), VAE),
        # pyrefly: ignore[bad-argument-type]  (one dict of sizes for arguments of several types)
        "vocoder": (SpeechT5HifiGan(SpeechT5HifiGanConfig(**sizes)), _vocoder_weights(vocoder_weights), VAE),
    }
    for network, weights, name in parts.values():
        fill(network, weights, folder / name)
        network.float().eval()
    networks = {name: network for name, (network, _, _) in parts.items()}
    # pyrefly: ignore[bad-argument-type]  (a dict of networks only)
    return dataclasses.replace(built, **networks, latent_size=(_FRAMES, bins))


def _from_configurations(folder: Path, text: Path, unet: Mapping[str, Any]) -> TangoParts:
    """Return the networks that configurations describe, without their weights; the vocoder has none."""
    from diffusers import UNet2DConditionModel
    from transformers import T5Config, T5EncoderModel

    named = read_json(folder / MAIN_CONFIG)["scheduler_name"]
    if named != _SCHEDULER:
        raise UserError(f"{folder} was trained with the noise schedule of {named}, not of {_SCHEDULER}.")
    settings = read_json(folder / VAE_CONFIG)
    return TangoParts(
        text_encoder=T5EncoderModel(T5Config.from_pretrained(text)),
        unet=UNet2DConditionModel(**unet),
        autoencoder=_autoencoder(settings),
        vocoder=None,
        scale_factor=float(settings["scale_factor"]),
        latent_size=(_FRAMES, 0),
    )


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _autoencoder(settings: Mapping[str, Any]) -> Any:
    """Return the network of LDM's ``ddconfig``."""
    from diffusers import AutoencoderKL

    given = settings["ddconfig"]
    levels = len(given["ch_mult"])
    return AutoencoderKL(
        in_channels=given["in_channels"],
        out_channels=given["out_ch"],
        block_out_channels=[given["ch"] * factor for factor in given["ch_mult"]],
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        latent_channels=settings["embed_dim"],
        layers_per_block=given["num_res_blocks"],
    )


def _autoencoder_weights(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    own = {name: tensor for name, tensor in weights.items() if not name.startswith("vocoder.")}
    renamed = convert_ldm_vae_checkpoint(own, network.config)
    if len(renamed) != len(own):  # it passes over what it does not know
        raise UserError(
            f"{VAE} holds {len(own)} weights of an autoencoder, of which {len(renamed)} are known."
        )
    return renamed


def _vocoder_sizes(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Return what the weights themselves tell: mels and channels of the first layer."""
    first = weights.get("conv_pre.weight")
    if first is None:
        raise UserError(f"{VAE} holds no vocoder: vocoder.conv_pre.weight is missing. Get it again.")
    return {"upsample_initial_channel": first.shape[0], "model_in_dim": first.shape[1]}


def _vocoder_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return HiFi-GAN's weights under transformers' names, with a mean of 0 and a scale of 1 that change nothing."""
    renamed = {
        f"upsampler.{name.removeprefix('ups.')}" if name.startswith("ups.") else name: tensor
        for name, tensor in weights.items()
    }
    num_mels = weights["conv_pre.weight"].shape[1]
    return renamed | {"mean": torch.zeros(num_mels), "scale": torch.ones(num_mels)}

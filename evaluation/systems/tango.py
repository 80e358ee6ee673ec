"""Tango (Ghosal et al. 2023), from parts of diffusers and transformers: T5, a U-Net, AudioLDM's VAE and HiFi-GAN."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from audiolcm.storage.plain_data import read_json
from audiolcm.weights.reading import fill, read_checkpoint
from evaluation.systems.hub import MIN_VOCABULARY, identity, repository_folder, require, way_out
from evaluation.systems.pretrained import Denoiser, Diffusion, Sounds, generators

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


class Tango(Diffusion):
    """Tango, sampled as its released code does: ancestral steps over a latent of 256 frames, which are 10.24 s.

    Args:
        name, model, license, hardware, num_steps, guidance_scale, batch_size: see ``Diffusion``.
        text_encoder: repository or folder with T5's configuration and tokenizer; its weights are Tango's own.
        unet: configuration of the U-Net, which lies in the code's repository, not in the model's.
        scheduler: configuration of the noise schedule, which the released code reads from Stable Diffusion 2.1.
    """

    def __init__(
        self,
        name: str,
        model: str,
        license: str,
        hardware: Hardware,
        text_encoder: str,
        unet: dict[str, Any],
        scheduler: dict[str, Any],
        num_steps: int,
        guidance_scale: float,
        batch_size: int = 4,
    ) -> None:
        super().__init__(name, model, license, hardware, num_steps, guidance_scale, batch_size)
        self.text_encoder, self.unet, self.schedule = text_encoder, unet, scheduler

    def contents(self) -> dict[str, Any]:
        """Return what identifies everything that is read from files, and the configurations that stand for files."""
        texts = {"text_encoder": identity(self.text_folder), "unet": self.unet, "scheduler": self.schedule}
        unguided = {} if self.guidance_scale > 1 else {"unguided": True}
        return super().contents() | texts | unguided

    @cached_property
    def folder(self) -> Path:
        """A folder, or the repository in the hub's cache."""
        require(self.name, "diffusers")
        return repository_folder(self.name, self.model, FILES)

    @cached_property
    def parts(self) -> TangoParts:
        """The networks, loaded when a sound is first needed, on the device."""
        parts = read_parts(self.folder, self.text_folder, self.unet)
        return parts.to(self.hardware.torch_device())

    @cached_property
    def text_folder(self) -> Path:
        """Where T5's configuration and tokenizer lie."""
        return repository_folder(self.name, self.text_encoder, TEXT_FILES, "text_encoder")

    @cached_property
    def tokenizer(self) -> Any:
        """Flan-T5's."""
        ending = way_out(self.name, self.text_encoder, "text_encoder")
        return read_tokenizer(str(self.text_folder), MIN_VOCABULARY, f" {ending}")

    @cached_property
    def denoiser(self) -> Denoiser:
        """The U-Net."""
        return Denoiser(self.parts.unet, self.hardware)

    def _make(self, captions: list[str], seconds: float, seeds: list[int]) -> Sounds:
        latents = self._sample(captions, generators(seeds))
        mels = self.parts.autoencoder.decode(latents / self.parts.scale_factor).sample
        waveforms = self.parts.vocoder(mels.squeeze(1))
        return waveforms.float().cpu().numpy(), self.parts.vocoder.config.sampling_rate

    def _sample(self, captions: list[str], noise: list[torch.Generator]) -> Tensor:
        """Return latents (batch, channels, 256, bins)."""
        from diffusers import DDPMScheduler
        from diffusers.utils.torch_utils import randn_tensor

        unet = self.parts.unet
        scheduler: Any = DDPMScheduler(**self.schedule)
        scheduler.set_timesteps(self.num_steps, device=unet.device)
        is_guided = self.guidance_scale > 1
        states, mask = self._encoded(captions, is_guided)
        shape = (len(captions), unet.config.in_channels, *self.parts.latent_size)
        latents = randn_tensor(shape, noise, unet.device) * scheduler.init_noise_sigma
        for step in scheduler.timesteps:
            asked = torch.cat([latents, latents]) if is_guided else latents
            predicted = unet(
                asked, step, encoder_hidden_states=states, encoder_attention_mask=mask, return_dict=False
            )[0]
            if is_guided:
                free, guided = predicted.chunk(2)
                predicted = free + self.guidance_scale * (guided - free)
            latents = scheduler.step(predicted, step, latents, generator=noise).prev_sample
        return latents

    def _encoded(self, captions: list[str], is_guided: bool) -> tuple[Tensor, Tensor]:
        """Return T5's states and which of them are text: (batch, length, width), (batch, length).

        For guidance those of the empty caption, as often, come before.
        """
        limit = self.tokenizer.model_max_length
        with_text = self._tokens(captions, padding=True, max_length=limit)
        asked = [with_text]
        if is_guided:
            length = with_text["input_ids"].shape[1]
            asked.insert(0, self._tokens([""] * len(captions), padding="max_length", max_length=length))
        states = [self.parts.text_encoder(**tokens)[0] for tokens in asked]
        masks = [tokens["attention_mask"] for tokens in asked]
        return torch.cat(states), torch.cat(masks).bool()

    def _tokens(self, captions: list[str], **lengths: Any) -> Mapping[str, Tensor]:
        tokens = self.tokenizer(captions, truncation=True, return_tensors="pt", **lengths)
        return {name: tokens[name].to(self.parts.unet.device) for name in ("input_ids", "attention_mask")}


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

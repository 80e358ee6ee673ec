"""Tango (Ghosal et al. 2023), from parts of diffusers and transformers: T5, a U-Net, AudioLDM's VAE and HiFi-GAN."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from evaluation.features.joint import local_folder
from evaluation.systems.hub import MIN_VOCABULARY, identity, require, way_out
from evaluation.systems.pretrained import Denoiser, Pretrained, generators
from evaluation.systems.tango_files import FILES, TEXT_FILES, TangoParts, read_parts


class Tango(Pretrained):
    """Tango, sampled as its released code does: ancestral steps over a latent of 256 frames, which are 10.24 s.

    Args:
        name, model, license, hardware, batch_size: see ``Pretrained``.
        text_encoder: repository or folder with T5's configuration and tokenizer; its weights are Tango's own.
        unet: configuration of the U-Net, which lies in the code's repository, not in the model's.
        scheduler: configuration of the noise schedule, which the released code reads from Stable Diffusion 2.1.
        num_steps, guidance_scale: of the sampler.
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
        super().__init__(name, model, license, hardware, batch_size)
        if num_steps < 1:
            raise UserError(f"system.num_steps={num_steps} must be 1 or more.")
        self.text_encoder, self.unet, self.schedule = text_encoder, unet, scheduler
        self.num_steps, self.guidance_scale = num_steps, guidance_scale

    def choices(self) -> dict[str, Any]:
        """Return steps and guidance."""
        return {"num_steps": self.num_steps, "guidance_scale": self.guidance_scale}

    def contents(self) -> dict[str, Any]:
        """Return what identifies everything that is read from files, and the configurations that stand for files."""
        texts = {"text_encoder": identity(self.text_folder), "unet": self.unet, "scheduler": self.schedule}
        return super().contents() | texts

    @cached_property
    def folder(self) -> Path:
        """A folder, or the repository in the hub's cache."""
        require(self.name, "diffusers")
        return Path(local_folder(self.model, FILES, True, way_out(self.name, self.model))).expanduser()

    @cached_property
    def parts(self) -> TangoParts:
        """The networks, loaded when a sound is first needed, on the device."""
        parts = read_parts(self.folder, self.text_folder, self.unet)
        return parts.to(self.hardware.torch_device())

    @cached_property
    def text_folder(self) -> Path:
        """Where T5's configuration and tokenizer lie."""
        place = local_folder(
            self.text_encoder, TEXT_FILES, True, way_out(self.name, self.text_encoder, "text_encoder")
        )
        return Path(place).expanduser()

    @cached_property
    def tokenizer(self) -> Any:
        """Flan-T5's."""
        ending = way_out(self.name, self.text_encoder, "text_encoder")
        return read_tokenizer(str(self.text_folder), MIN_VOCABULARY, f" {ending}")

    @cached_property
    def denoiser(self) -> Denoiser:
        """The U-Net."""
        return Denoiser(self.parts.unet, self.hardware)

    def _make(
        self, captions: list[str], seconds: float, seeds: list[int]
    ) -> tuple[Sequence[np.ndarray], int]:
        latents = self._sample(captions, generators(seeds))
        mels = self.parts.autoencoder.decode(latents / self.parts.scale_factor).sample
        waveforms = self.parts.vocoder(mels.squeeze(1))
        return waveforms.float().cpu().numpy(), self.parts.vocoder.config.sampling_rate

    def _sample(self, captions: list[str], noise: list[torch.Generator]) -> Tensor:
        """Return latents (batch, channels, 256, bins)."""
        from diffusers import DDPMScheduler
        from diffusers.utils.torch_utils import randn_tensor

        unet, scheduler = self.parts.unet, DDPMScheduler(**self.schedule)
        # pyrefly: ignore[missing-attribute]  (diffusers' stand-in for a package that lacks)
        scheduler.set_timesteps(self.num_steps, device=unet.device)
        states, mask = self._encoded(captions)
        shape = (len(captions), unet.config.in_channels, *self.parts.latent_size)
        # pyrefly: ignore[missing-attribute]  (diffusers' stand-in for a package that lacks)
        latents = randn_tensor(shape, noise, unet.device) * scheduler.init_noise_sigma
        # pyrefly: ignore[missing-attribute]  (diffusers' stand-in for a package that lacks)
        for step in scheduler.timesteps:
            twice = torch.cat([latents, latents])
            free, guided = unet(
                twice, step, encoder_hidden_states=states, encoder_attention_mask=mask, return_dict=False
            )[0].chunk(2)
            predicted = free + self.guidance_scale * (guided - free)
            # pyrefly: ignore[missing-attribute]  (diffusers' stand-in for a package that lacks)
            latents = scheduler.step(predicted, step, latents, generator=noise).prev_sample
        return latents

    def _encoded(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Return T5's states (2 batch, length, width) and which of them are text; the empty caption's come first."""
        limit = self.tokenizer.model_max_length
        with_text = self._tokens(captions, padding=True, max_length=limit)
        length = with_text["input_ids"].shape[1]
        without = self._tokens([""] * len(captions), padding="max_length", max_length=length)
        states = [self.parts.text_encoder(**tokens)[0] for tokens in (without, with_text)]
        masks = [tokens["attention_mask"] for tokens in (without, with_text)]
        return torch.cat(states), torch.cat(masks).bool()

    def _tokens(self, captions: list[str], **lengths: Any) -> Mapping[str, Tensor]:
        tokens = self.tokenizer(captions, truncation=True, return_tensors="pt", **lengths)
        return {name: tokens[name].to(self.parts.unet.device) for name in ("input_ids", "attention_mask")}

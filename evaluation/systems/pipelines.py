"""AudioLDM, AudioLDM 2, MusicLDM and Stable Audio Open, as the library diffusers runs them."""

import math
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from audiolcm.errors import UserError
from evaluation.features.joint import LOADING_ERRORS
from evaluation.systems.hub import check_tokenizer, networks, pipeline_folder, reason, require, way_out
from evaluation.systems.pretrained import Denoiser, Diffusion, Sounds, generators

_NUM_EMBEDDINGS = 8
"""Vectors that AudioLDM 2's language model adds, by its published configuration (max_new_tokens)."""


class DiffusersPipeline(Diffusion):
    """A pipeline of diffusers; its arguments are those of ``Diffusion``."""

    pipeline_class: str
    denoiser_part = "unet"
    packages: tuple[str, ...] = ("diffusers",)
    left_out: tuple[str, ...] = ()

    @cached_property
    def folder(self) -> Path:
        """The folder of the pipeline."""
        require(self.name, *self.packages)
        return pipeline_folder(self.name, self.model)

    @cached_property
    def pipe(self) -> Any:
        """The pipeline, loaded when a sound is first needed, on the device."""
        folder = self.folder
        import diffusers

        parts = networks(folder, self.name, self.model, self.left_out)
        try:
            pipe = getattr(diffusers, self.pipeline_class).from_pretrained(
                folder, local_files_only=True, **parts, **dict.fromkeys(self.left_out)
            )
        except LOADING_ERRORS as error:
            ending = way_out(self.name, self.model)
            raise UserError(f"{folder} is no {self.pipeline_class}: {reason(error)} {ending}") from error
        for part, loaded in pipe.components.items():
            if part.startswith("tokenizer"):
                check_tokenizer(loaded, self.name, self.model)
        pipe.set_progress_bar_config(disable=True)
        return pipe.to(self.hardware.torch_device())

    @cached_property
    def denoiser(self) -> Denoiser:
        """The pipeline's U-Net or transformer."""
        return Denoiser(self.pipe.components[self.denoiser_part], self.hardware)

    def _make(self, captions: list[str], seconds: float, seeds: list[int]) -> Sounds:
        try:
            made = self.pipe(
                **self._asked(captions, seconds),
                num_inference_steps=self.num_steps,
                guidance_scale=self.guidance_scale,
                generator=generators(seeds),
                output_type="np",
            )
        except ValueError as error:  # what the pipelines raise on a length that they cannot make
            raise UserError(f"system={self.name}: {error}") from error
        return self._sounds_of(made, seeds)

    @abstractmethod
    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        """Return the arguments of the pipeline that say what is to be heard, and how long."""

    def _sounds_of(self, made: Any, seeds: list[int]) -> Sounds:
        """Return the waveforms in what the pipeline made, and their sample rate."""
        return made.audios, self.pipe.vocoder.config.sampling_rate


class AudioLDM(DiffusersPipeline):
    """AudioLDM (Liu et al. 2023): a U-Net guided by CLAP's vector of the caption."""

    pipeline_class = "AudioLDMPipeline"

    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        return {"prompt": captions, "audio_length_in_s": _whole_frames(self.pipe, seconds)}


class MusicLDM(DiffusersPipeline):
    """MusicLDM (Chen et al. 2024)."""

    pipeline_class = "MusicLDMPipeline"

    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        return {
            "prompt_embeds": self._vectors(captions),
            "negative_prompt_embeds": self._vectors([""] * len(captions)),
            "audio_length_in_s": _whole_frames(self.pipe, seconds),
        }

    def _vectors(self, captions: list[str]) -> Tensor:
        """Return CLAP's vectors (batch, width). The pipeline's own step takes what transformers 4 returned for them."""
        limit = self.pipe.tokenizer.model_max_length
        lengths = {"padding": "max_length", "max_length": limit, "truncation": True}
        tokens = self.pipe.tokenizer(captions, return_tensors="pt", **lengths).to(self.pipe.device)
        return self.pipe.text_encoder.get_text_features(tokens.input_ids, tokens.attention_mask).pooler_output


class AudioLDM2(DiffusersPipeline):
    """AudioLDM 2 (Liu et al. 2023): a U-Net guided by T5 and by what a GPT-2 makes of CLAP and T5.

    Captions are encoded one by one: GPT-2 counts the padding of a batch as positions, so that a sound would depend on
    its neighbors.
    """

    pipeline_class = "AudioLDM2Pipeline"

    @cached_property
    def pipe(self) -> Any:
        """The pipeline with our own loop over GPT-2."""
        pipe = super().pipe
        pipe.generate_language_model = self._continued
        return pipe

    def _continued(self, inputs_embeds: Tensor, attention_mask: Tensor, **_: Any) -> Tensor:
        """Return the 8 vectors (batch, 8, width) that the language model adds, each its last hidden state.

        The pipeline's own loop needs methods of transformers' text generation: the published class, GPT2Model, has
        none, and they change with the releases (github.com/huggingface/diffusers/issues/12630).
        """
        added, past, new = [], None, inputs_embeds
        for _step in range(_NUM_EMBEDDINGS):
            states = self.pipe.language_model(
                inputs_embeds=new,
                attention_mask=attention_mask,
                past_key_values=past,
                use_cache=True,
                output_hidden_states=True,
                return_dict=True,
            )
            new, past = states.hidden_states[-1][:, -1:], states.past_key_values
            added.append(new)
            attention_mask = pad(attention_mask, (0, 1), value=1)
        return torch.cat(added, dim=1)

    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        is_guided = self.guidance_scale > 1
        encoded = [self.pipe.encode_prompt([caption], self.pipe.device, 1, is_guided) for caption in captions]
        length = max(states.shape[1] for states, _, _ in encoded)
        texts = torch.stack(
            [pad(states, (0, 0, 0, length - states.shape[1])) for states, _, _ in encoded], dim=1
        )
        masks = torch.stack([pad(mask, (0, length - mask.shape[1])) for _, mask, _ in encoded], dim=1)
        added = torch.stack([vectors for _, _, vectors in encoded], dim=1)
        asked = {"prompt_embeds": texts, "attention_mask": masks, "generated_prompt_embeds": added}
        without = {f"negative_{key}": value[0] for key, value in asked.items()} if is_guided else {}
        length_asked = {"audio_length_in_s": _whole_frames(self.pipe, seconds)}
        return {key: value[-1] for key, value in asked.items()} | without | length_asked


class StableAudio(DiffusersPipeline):
    """Stable Audio Open (Evans et al. 2024): a transformer over the latents of a waveform; stereo at 44.1 kHz."""

    pipeline_class = "StableAudioPipeline"
    denoiser_part = "transformer"
    packages = ("diffusers", "torchsde")

    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        return {"prompt": captions, "audio_end_in_s": seconds}

    def _sounds_of(self, made: Any, seeds: list[int]) -> Sounds:
        return made.audios, self.pipe.vae.config.sampling_rate


def _whole_frames(pipe: Any, seconds: float) -> float:
    """Return the length to ask a pipeline for: whole frames of the vocoder, for it rounds down."""
    frame = math.prod(pipe.vocoder.config.upsample_rates) / pipe.vocoder.config.sampling_rate
    return (math.ceil(round(seconds / frame, 6)) + 1e-3) * frame

"""AudioLDM, AudioLDM 2, MusicLDM and Stable Audio Open, as the library diffusers runs them."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from evaluation.systems.candidates import RankedPipeline, text_vectors
from evaluation.systems.diffusers_pipeline import DiffusersPipeline
from evaluation.systems.pretrained import Sounds

_NUM_EMBEDDINGS = 8
"""Vectors that AudioLDM 2's language model adds, by its published configuration (max_new_tokens)."""


class AudioLDM(RankedPipeline):
    """AudioLDM (Liu et al. 2023): a U-Net guided by CLAP's vector of the caption."""

    pipeline_class = "AudioLDMPipeline"

    def _described(self, captions: list[str]) -> dict[str, Any]:
        return {"prompt": captions}


class MusicLDM(RankedPipeline):
    """MusicLDM (Chen et al. 2024). The pipeline's own text step takes what transformers 4 returned of CLAP."""

    pipeline_class = "MusicLDMPipeline"

    def _described(self, captions: list[str]) -> dict[str, Any]:
        clap, tokenizer = self.pipe.text_encoder, self.pipe.tokenizer
        return {
            "prompt_embeds": text_vectors(clap, tokenizer, captions),
            "negative_prompt_embeds": text_vectors(clap, tokenizer, [""] * len(captions)),
        }


class AudioLDM2(RankedPipeline):
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

    def _described(self, captions: list[str]) -> dict[str, Any]:
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
        return {key: value[-1] for key, value in asked.items()} | without


class StableAudio(DiffusersPipeline):
    """Stable Audio Open (Evans et al. 2024): a transformer over the latents of a waveform; stereo at 44.1 kHz."""

    pipeline_class = "StableAudioPipeline"
    denoiser_part = "transformer"
    packages = ("diffusers", "torchsde")

    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        return {"prompt": captions, "audio_end_in_s": seconds}

    def _sounds_of(self, made: Any, seeds: list[int]) -> Sounds:
        return made.audios, self.pipe.vae.config.sampling_rate

"""MusicGen (Copet et al. 2023), as the library transformers runs it: a language model over EnCodec's tokens."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from evaluation.systems.hub import MIN_VOCABULARY, network, repository_folder, way_out
from evaluation.systems.pretrained import Denoiser, Pretrained, Sounds

_FILES = (
    "config.json", "generation_config.json", "preprocessor_config.json", "*token*", "spiece.model",
    "model*.safetensors*",
)  # fmt: skip


class MusicGen(Pretrained):
    """MusicGen, sampled as its authors do. Sounds are made one by one: the library draws from torch's global generator.

    NFE counts the calls of its decoder, about 50 for each second.

    Args:
        name, model, license, hardware: see ``Pretrained``.
        guidance_scale: of classifier-free guidance.
        top_k: the most likely tokens that are drawn from.
        headroom_db: of the largest sample of every sound, below full scale; None: levels are the codec's.
    """

    def __init__(
        self,
        name: str,
        model: str,
        license: str,
        hardware: Hardware,
        guidance_scale: float,
        top_k: int,
        headroom_db: float | None = None,
    ) -> None:
        super().__init__(name, model, license, hardware, batch_size=1)
        if headroom_db is not None and headroom_db < 0:
            raise UserError(f"system.headroom_db={headroom_db:g} is above full scale: 0 or more, or null.")
        self.guidance_scale, self.top_k, self.headroom_db = guidance_scale, top_k, headroom_db

    def choices(self) -> dict[str, Any]:
        """Return how tokens are drawn, and the level."""
        drawn = {"guidance_scale": self.guidance_scale, "top_k": self.top_k, "temperature": 1.0}
        return drawn | {"headroom_db": self.headroom_db}

    @cached_property
    def folder(self) -> Path:
        """A folder, or the repository in the hub's cache; only safetensors are fetched."""
        return repository_folder(self.name, self.model, _FILES)

    @cached_property
    def network(self) -> Any:
        """The whole model, loaded when a sound is first needed, on the device."""
        from transformers import MusicgenForConditionalGeneration

        loaded = network(MusicgenForConditionalGeneration, self.folder, self.name, self.model)
        return loaded.to(self.hardware.torch_device())

    @cached_property
    def tokenizer(self) -> Any:
        """T5's."""
        return read_tokenizer(str(self.folder), MIN_VOCABULARY, f" {way_out(self.name, self.model)}")

    @cached_property
    def denoiser(self) -> Denoiser:
        """The decoder: an autoregressive model has no denoiser, its steps are counted instead."""
        return Denoiser(self.network.decoder, self.hardware)

    def _make(self, captions: list[str], seconds: float, seeds: list[int]) -> Sounds:
        codec, decoder = self.network.config.audio_encoder, self.network.config.decoder
        frames = math.ceil(round(seconds * codec.frame_rate, 6))
        device = self.network.device
        tokens = self.tokenizer(captions, padding=True, return_tensors="pt").to(device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seeds[0])
            sounds = self.network.generate(
                **tokens,
                do_sample=True,
                temperature=1.0,
                top_k=self.top_k,
                guidance_scale=self.guidance_scale,
                max_new_tokens=frames + decoder.num_codebooks - 1,  # the codebooks start one after another
            )
        waveforms = sounds.float().cpu().numpy()
        if self.headroom_db is not None:
            waveforms = [with_headroom(waveform, self.headroom_db) for waveform in waveforms]
        return waveforms, codec.sampling_rate


def with_headroom(waveform: np.ndarray, headroom_db: float) -> np.ndarray:
    """Return the waveform with its largest sample so many dB below full scale; silence as it is."""
    peak = np.abs(waveform).max()
    return waveform * (10 ** (-headroom_db / 20) / peak) if peak > 0 else waveform

"""Text to waveform as the released code does it: float32, every stage plainly, nothing remembered."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiolcm.diffusion.sampler import ConsistencySampler, NoiseSource
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.distributed.hardware import Stopwatch
from audiolcm.types import TextEncoder


@dataclass(frozen=True)
class Pipeline:
    """The released stages, joined.

    Args:
        text_encoder: captions to features.
        denoiser, decoder, vocoder: networks of this package.
        steps: of sampling.
    """

    text_encoder: TextEncoder
    denoiser: nn.Module
    decoder: nn.Module
    vocoder: nn.Module
    steps: int = 2

    @torch.no_grad()
    def __call__(
        self, captions: list[str], structured: list[str], channels: int, frames: int, seeds: list[int]
    ) -> tuple[Tensor, dict[str, float]]:
        """Return waveforms on the CPU, and the seconds of each stage; ``channels`` and ``frames`` are the latents'."""
        device = next(self.denoiser.parameters()).device
        seconds: dict[str, float] = {}
        with Stopwatch(seconds, "text", device):
            text = self.text_encoder(captions, structured).to(device)
        with Stopwatch(seconds, "denoiser", device):
            noise = NoiseSource(seeds, channels, frames, device)
            sampler = ConsistencySampler(self.steps)
            # pyrefly: ignore[bad-argument-type]  (called by position)
            latents = sampler.sample(self.denoiser, ScaledLinearSchedule(), noise, text, text).latents
        with Stopwatch(seconds, "decoder", device):
            mels = self.decoder(latents)
        with Stopwatch(seconds, "vocoder", device):
            waveforms = self.vocoder(mels).cpu()
        return waveforms, seconds

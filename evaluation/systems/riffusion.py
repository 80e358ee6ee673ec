"""Riffusion (Forsgren and Martiros 2022): Stable Diffusion that paints spectrograms, and the sound of a picture."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from evaluation.features.mel import htk_filters
from evaluation.systems.diffusers_pipeline import DiffusersPipeline
from evaluation.systems.pretrained import Sounds

# How riffusion's pictures are made (github.com/riffusion/riffusion-hobby, riffusion/spectrogram_params.py).
RATE = 44100
PIXEL_SECONDS = 0.01
WINDOW_SECONDS, PADDED_SECONDS = 0.1, 0.4
N_FFT = round(PADDED_SECONDS * RATE)
NUM_MELS, MAX_FREQUENCY = 512, 10_000.0
POWER = 0.25
NUM_ITERATIONS, MOMENTUM = 32, 0.99

_GRID = 64
"""Pixels: widths that the U-Net halves without a rest."""


class Riffusion(DiffusersPipeline):
    """Riffusion: pictures of 512 mels by 10 ms, as wide as the sound is long, brought back by Griffin-Lim.

    The published post-processing (a compressor and a level, for listening) is left out.
    """

    pipeline_class = "StableDiffusionPipeline"
    left_out = ("safety_checker", "feature_extractor", "image_encoder")  # they judge photographs

    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        width = math.ceil(seconds / PIXEL_SECONDS / _GRID + 1e-9) * _GRID
        return {"prompt": captions, "height": NUM_MELS, "width": width}

    def _sounds_of(self, made: Any, seeds: list[int]) -> Sounds:
        pixels = np.rint(made.images * 255).astype(np.uint8)
        return [sound_of(picture, seed) for picture, seed in zip(pixels, seeds, strict=True)], RATE


def mels_of(picture: UInt8[np.ndarray, "512 width 3"]) -> Float[Tensor, "512 width"]:
    """Return mel magnitudes, 1 at most, low ones first: dark is loud, in the red channel, under a power curve."""
    darkness = 1.0 - torch.from_numpy(picture[::-1, :, 0].astype(np.float32)) / 255
    return darkness ** (1 / POWER)


def sound_of(picture: UInt8[np.ndarray, "512 width 3"], seed: int) -> np.ndarray:
    """Return (samples,) at 44.1 kHz, its peak at full scale; ``seed`` draws the first phases of Griffin-Lim."""
    waveform = phased(magnitudes_of(mels_of(picture)), torch.Generator().manual_seed(seed))
    peak = waveform.abs().max()
    return (waveform / peak if peak > 0 else waveform).numpy()


def magnitudes_of(mels: Float[Tensor, "512 width"]) -> Float[Tensor, "bins width"]:
    """Return the smallest magnitudes whose mels these are, negative ones cut: torchaudio's InverseMelScale."""
    filters = htk_filters(N_FFT // 2 + 1, NUM_MELS, RATE, 0.0, MAX_FREQUENCY)
    return torch.linalg.lstsq(filters.T, mels, driver="gels").solution.relu()


def phased(magnitudes: Float[Tensor, "bins width"], generator: torch.Generator) -> Float[Tensor, " samples"]:
    """Return a waveform of these magnitudes by fast Griffin-Lim, as torchaudio's runs: centered, reflected frames."""
    hop, width = round(PIXEL_SECONDS * RATE), round(WINDOW_SECONDS * RATE)
    settings = {"n_fft": N_FFT, "hop_length": hop, "win_length": width, "window": torch.hann_window(width)}
    phases = torch.rand(magnitudes.shape, dtype=torch.complex64, generator=generator)
    previous = torch.zeros_like(phases)
    for _ in range(NUM_ITERATIONS):
        rebuilt = torch.stft(torch.istft(magnitudes * phases, **settings), **settings, return_complex=True)
        phases = rebuilt - previous * (MOMENTUM / (1 + MOMENTUM))
        phases = phases / (phases.abs() + 1e-16)
        previous = rebuilt
    return torch.istft(magnitudes * phases, **settings)

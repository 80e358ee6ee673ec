"""Ways to make sounds worse that go through the mel: what an autoencoder smooths, and what vocoders make of it.

No level is a system's: they are what systems do to the texture of a sound, one thing at a time.
"""

import numpy as np
import torch
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d
from torch import nn

from audiolcm.audio.mel import NUM_MELS, MelSpectrogram
from audiolcm.models.autoencoder_linear import LinearPathAutoencoder
from audiolcm.models.griffin_lim import GriffinLim
from audiolcm.models.shaped_noise import ShapedNoise
from audiolcm.types import Mel
from benchmarks.soundness.spoiling import TrueSounds, as_long

_AT_ONCE = 8  # sounds through a vocoder
_KEPT = 20  # components of what noise is bent to: about as smooth as the small autoencoder's mels


def smooth_frames(sounds: TrueSounds, frames: float, rng: Generator) -> list[np.ndarray]:
    """Return shaped noise under the mels smoothed along time by a Gaussian of this deviation."""
    return _voiced(ShapedNoise(), _blurred(_mels(sounds), frames, axis=2), sounds)


def smooth_bands(sounds: TrueSounds, bands: float, rng: Generator) -> list[np.ndarray]:
    """Return shaped noise under the mels smoothed across bands by a Gaussian of this deviation."""
    return _voiced(ShapedNoise(), _blurred(_mels(sounds), bands, axis=1), sounds)


def keep_components(sounds: TrueSounds, count: float, rng: Generator) -> list[np.ndarray]:
    """Return shaped noise under the mels of which this many principal components of two-frame blocks are left."""
    return _voiced(ShapedNoise(), _projected(_mels(sounds), round(count)), sounds)


def bend_noise(sounds: TrueSounds, passes: float, rng: Generator) -> list[np.ndarray]:
    """Return noise bent in this many passes to the mels of which 20 components are left."""
    return _voiced(ShapedNoise(mel_passes=round(passes)), _projected(_mels(sounds), _KEPT), sounds)


def griffin_lim(sounds: TrueSounds, iterations: float, rng: Generator) -> list[np.ndarray]:
    """Return what Griffin-Lim makes of the mels as they are."""
    return _voiced(GriffinLim(num_iterations=round(iterations)), _mels(sounds), sounds)


def _mels(sounds: TrueSounds) -> Mel:
    mel = MelSpectrogram()
    return torch.cat([mel(torch.from_numpy(wave)[None]) for wave in sounds.waveforms])


def _blurred(mels: Mel, deviation: float, axis: int) -> Mel:
    return torch.from_numpy(gaussian_filter1d(mels.numpy(), deviation, axis=axis, mode="nearest"))


@torch.no_grad()
def _projected(mels: Mel, count: int) -> Mel:
    """Return the mels after the linear path of the small autoencoder as it starts."""
    with torch.random.fork_rng(devices=[]):  # its networks are drawn, and not used
        model = LinearPathAutoencoder(channels=32, latent_channels=count, num_mels=NUM_MELS)
    model.start_from(mels)
    even = model.even(mels)
    return model.linear_decoder(model.linear_encoder(even))[..., : mels.shape[-1]]


def _voiced(vocoder: nn.Module, mels: Mel, sounds: TrueSounds) -> list[np.ndarray]:
    """Return the vocoder's waveforms, as long as the true ones."""
    return as_long(torch.cat([vocoder(part) for part in mels.split(_AT_ONCE)]).numpy(), sounds)

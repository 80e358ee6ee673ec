"""Waveforms that signal processing alone can make from a mel: what the trainable vocoder starts from.

A mel of 64 ms windows says little about time within a window and about frequency within a band, and nothing about
phase. White noise has all three; it is bent here until its own mel is the given one.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import HOP_LENGTH, N_FFT, NUM_MELS, SAMPLE_RATE, approximate_magnitude, mel_filterbank
from audiolcm.models.block_filter import banded, filter_blocks
from audiolcm.models.griffin_lim import griffin_lim
from audiolcm.models.stft import Spectrum, Stft, absolute
from audiolcm.types import Mel, Waveform

Noise = Float[Tensor, "#batch samples"]  # one for the whole batch, or one each

NUM_CANDIDATES = 3
SHORT_N_FFT = 256
_SHARE = HOP_LENGTH * 4 // SHORT_N_FFT  # short frames in one frame of the mel
_BLOCK = 16  # frames whose power is spread in one product of matrices
_FLOOR = 1e-8
_POWER_FLOOR = 1e-16
_MAX_CORRECTION = 2.0  # log10: a pass changes a bin by a factor of 100 at most
_MOMENTUM = 0.9


class Excitation(nn.Module):
    """Three candidates for the spectrum behind a mel, without parameters.

    *Raw*: noise under the envelope of the mel, with the envelope sharpened in time to steps of 4 ms, so that clicks
    stay clicks. *Consistent*: raw noise after some passes that move its mel to the given one but leave the structure
    within a band alone; unlike Griffin-Lim, which imposes a smooth magnitude on every bin, this keeps the texture
    of noise. *Tonal*: Griffin-Lim from there, whose phases agree from frame to frame.

    Args:
        sharpening_passes: Richardson-Lucy iterations of the envelope in time.
        mel_passes: of the consistent candidate.
        tonal_passes: Griffin-Lim iterations of the tonal candidate.
    """

    filterbank: Tensor
    window_power: Tensor
    short_bands: Tensor

    def __init__(self, sharpening_passes: int = 40, mel_passes: int = 8, tonal_passes: int = 4) -> None:
        super().__init__()
        self.sharpening_passes, self.mel_passes, self.tonal_passes = (
            sharpening_passes,
            mel_passes,
            tonal_passes,
        )
        self.stft, self.short_stft = Stft(), Stft(SHORT_N_FFT)
        self.register_buffer("filterbank", mel_filterbank(), persistent=False)
        power = self.stft.window.square().reshape(-1, self.short_stft.hop).mean(-1)
        self.register_buffer("window_power", power, persistent=False)
        bands = band_interpolation(self.filterbank, SHORT_N_FFT)
        self.register_buffer("short_bands", bands, persistent=False)

    @torch.no_grad()
    def forward(self, mel: Mel, noise: Noise) -> Tensor:
        """Log10 mel (batch, 80, frames), noise (batch or 1, frames * 256) of unit variance -> (batch, 3, 513, frames).

        The candidates are complex spectra in the order raw, consistent, tonal.
        """
        with torch.autocast(mel.device.type, enabled=False):
            raw = self.stft.analyze(self.raw(mel.float(), noise))
            consistent = self.consistent(mel, raw)
            magnitude = approximate_magnitude(mel)
            tonal = griffin_lim(self.stft, magnitude, consistent, self.tonal_passes, _MOMENTUM)
            spectra = raw, consistent, self.stft.analyze(tonal)
            return torch.stack([spectrum.mT for spectrum in spectra], dim=1).mT

    def consistent(self, mel: Mel, raw: Spectrum) -> Spectrum:
        """Return the spectrum of the raw candidate after the passes toward the mel."""
        for _ in range(self.mel_passes):
            raw = self.stft.analyze(self.stft.synthesize(self._toward(mel, raw)))
        return raw

    def raw(self, mel: Mel, noise: Noise) -> Waveform:
        """Return the noise under the sharpened envelope of the mel, (batch, frames * 256)."""
        per_band = 0.5 * self.sharpened_power(mel).mT.log() - self.filterbank.sum(1).log()
        magnitude = torch.exp(per_band @ self.short_bands.T).mT
        white = self.short_stft.analyze(noise)
        # Each noise by its own power: the sound of one mel must not depend on what else is in the batch.
        power = absolute(white).square().mean(dim=(1, 2), keepdim=True)
        return self.short_stft.synthesize(white * (magnitude / power.sqrt()))

    @torch.no_grad()
    def sharpened_power(self, mel: Mel) -> Tensor:
        """Return the power (batch, 80, frames * 4) in steps of 4 ms that explains the mel's power.

        The power of a frame is a sum of the signal's power weighted by the squared window. Richardson-Lucy
        iterations (Richardson, 1972) invert that while keeping the power positive.
        """
        frames = mel.shape[-1]
        # Whole blocks of frames, silent after the end: sums over neighbors are then products of matrices
        silent = -frames % _BLOCK
        measured = F.pad(torch.pow(10.0, 2.0 * mel).mT, (0, 0, 0, silent))
        # A frame sees 6 shares beyond those of it, a share 2 frames beyond its own
        window, many = self.window_power, _BLOCK * _SHARE
        observing = banded(window, _BLOCK, many + 12, 0, -_SHARE, 1)
        spreading = banded(window, many, _BLOCK + 4, 6 + 2 * _SHARE, 1, -_SHARE)
        shares = F.pad(measured.repeat_interleave(_SHARE, dim=1) / window.sum(), (0, 0, 6, 6))
        ratios = F.pad(torch.ones_like(measured[:, :frames]), (0, 0, 2, 2 + silent))
        power, ratio = shares[:, 6:-6], ratios[:, 2:-2]
        coverage = filter_blocks(ratios, spreading, _BLOCK).clamp(min=_FLOOR)
        for _ in range(self.sharpening_passes):
            torch.div(measured, filter_blocks(shares, observing, many).clamp_(min=_POWER_FLOOR), out=ratio)
            power *= filter_blocks(ratios, spreading, _BLOCK).div_(coverage)
        return power[:, : frames * _SHARE].clamp(min=_POWER_FLOOR).mT

    def _toward(self, mel: Mel, spectrum: Spectrum) -> Spectrum:
        """Return the spectrum with each band's gain that its mel lacks, averaged where bands overlap."""
        loudness = torch.log10((absolute(spectrum).mT @ self.filterbank.T).clamp(min=_FLOOR))
        lacking = (mel.float().mT - loudness).clamp(-_MAX_CORRECTION, _MAX_CORRECTION)
        weights = self.filterbank.sum(0).clamp(min=_FLOOR)
        gain = lacking @ (self.filterbank * (math.log(10.0) / weights))
        return spectrum * gain.exp().mT


def band_interpolation(filterbank: Tensor, n_fft: int) -> Tensor:
    """Return the (n_fft / 2 + 1, 80) matrix that interpolates values at the band centers to the bins of ``n_fft``."""
    frequencies = torch.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    centers = (filterbank @ frequencies) / filterbank.sum(1)
    bins = torch.linspace(0.0, SAMPLE_RATE / 2, n_fft // 2 + 1)
    upper = torch.searchsorted(centers, bins).clamp(1, NUM_MELS - 1)
    low, high = centers[upper - 1], centers[upper]
    share = ((bins - low) / (high - low)).clamp(0.0, 1.0).unsqueeze(1)
    one_hot = F.one_hot(upper, NUM_MELS).float()
    return share * one_hot + (1.0 - share) * F.one_hot(upper - 1, NUM_MELS).float()


def seeded_noise(seed: int, num_frames: int) -> Noise:
    """Return white noise (1, num_frames * 256) of unit variance, drawn on the CPU: the same on every machine."""
    return torch.randn(1, num_frames * HOP_LENGTH, generator=torch.Generator().manual_seed(seed))

"""A small trainable vocoder: a network corrects an excitation that signal processing alone can make from a mel.

Two candidates are made without parameters. The *noisy* one is white noise, filtered until its mel is the given one:
it has the texture of rain and waves and no tones. The *tonal* one is a few iterations of Griffin-Lim from there: it
has phases that agree from frame to frame and a metallic texture. For every time-frequency bin the network chooses
between the two, turns the phase and sets the gain. It starts from an even mixture, not from nothing.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MIN, N_FFT, NUM_MELS, approximate_magnitude, mel_filterbank
from audiolcm.models.griffin_lim import griffin_lim
from audiolcm.models.stft import Stft
from audiolcm.types import Mel, Waveform

NUM_BINS = N_FFT // 2 + 1
_FLOOR = 1e-7
_MAX_LOG_GAIN = 3.0  # nats: a factor of 20 up or down


class Excitation(nn.Module):
    """The two candidates, (batch, 2, 513, frames) complex, for a mel and a white noise; no parameters.

    Args:
        noise_passes: how often the noise is filtered towards the mel.
        tonal_passes: Griffin-Lim iterations of the tonal candidate.
    """

    filterbank: Tensor

    def __init__(self, noise_passes: int = 2, tonal_passes: int = 4) -> None:
        super().__init__()
        self.noise_passes, self.tonal_passes = noise_passes, tonal_passes
        self.stft = Stft()
        self.register_buffer("filterbank", mel_filterbank(), persistent=False)

    @torch.no_grad()
    def forward(self, mel: Mel, noise: Waveform) -> Tensor:
        """Log10 mel (batch, 80, frames) and noise (batch or 1, frames * 256) of unit variance -> candidates."""
        with torch.autocast(mel.device.type, enabled=False):
            magnitude = approximate_magnitude(mel)
            white = self.stft.analyze(noise)
            noisy = self.stft.analyze(self.stft.synthesize(magnitude * white / white.abs().mean()))
            for _ in range(self.noise_passes):
                noisy = self.stft.analyze(self.stft.synthesize(noisy * self._correction(mel, noisy)))
            tonal = self.stft.analyze(griffin_lim(self.stft, magnitude, noisy, self.tonal_passes, 0.9))
            return torch.stack([noisy, tonal], dim=1)

    def _correction(self, mel: Mel, spectrum: Tensor) -> Tensor:
        """Return the gain of each bin that moves the spectrum's mel to the given one: a mean over the bands."""
        ratio = mel.float() - torch.log10((self.filterbank @ spectrum.abs()).clamp(min=_FLOOR))
        weights = self.filterbank.sum(0).unsqueeze(1).clamp(min=_FLOOR)
        return torch.pow(10.0, (self.filterbank.T @ ratio.clamp(-2.0, 2.0)) / weights)


class ConvBlock(nn.Module):
    """Gated dense convolution with a residual, over (batch, width, frames): dense is what CPUs and GPUs do fast."""

    def __init__(self, width: int, kernel_size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width, 1))
        self.expand = nn.Conv1d(width, 2 * width, kernel_size, padding=kernel_size // 2)
        self.project = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        # Each frame is normalized alone: a statistic over time would tie the sound to the length of the mel.
        normed = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) * self.scale
        value, gate = self.expand(normed).chunk(2, dim=1)
        return x + self.project(value * F.silu(gate))


class IstftVocoder(nn.Module):
    """Excitation from signal processing, corrected by a network of dense convolutions, through an inverse STFT.

    Deterministic: the noise has a fixed seed, is drawn on the CPU and is the same for every mel of a batch. The
    spectrum is gain * ((1 - mix) * noisy + mix * exp(i * turn) * tonal), with gain, mix and turn of every bin from
    the network, whose last layer starts at zero.

    Args:
        width: channels of the network.
        depth: number of its blocks.
        kernel_size: frames that a block sees at a time; odd.
        noise_passes, tonal_passes: effort spent on the two candidates (see ``Excitation``).
        seed: of the noise.
    """

    def __init__(
        self,
        width: int = 256,
        depth: int = 6,
        kernel_size: int = 3,
        noise_passes: int = 2,
        tonal_passes: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.excitation = Excitation(noise_passes, tonal_passes)
        self.stem = nn.Conv1d(NUM_MELS + 6 * NUM_BINS, width, 1)
        self.blocks = nn.Sequential(*(ConvBlock(width, kernel_size) for _ in range(depth)))
        self.head = nn.Conv1d(width, 3 * NUM_BINS, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, mel: Mel, noise: Waveform | None = None) -> Waveform:
        """Log10 mel (batch, 80, frames) -> waveform (batch, frames * 256).

        ``noise`` (batch, frames * 256) replaces the seeded noise; training draws a new one every step.
        """
        if noise is None:
            noise = self.seeded_noise(mel.shape[-1]).to(mel.device)
        candidates = self.excitation(mel, noise)
        hidden = self.blocks(self.stem(features(mel, candidates)))
        log_gain, mix, turn = self.head(hidden).float().chunk(3, dim=1)
        noisy, tonal = candidates.unbind(dim=1)
        with torch.autocast(mel.device.type, enabled=False):
            gain = torch.exp(_MAX_LOG_GAIN * torch.tanh(log_gain / _MAX_LOG_GAIN))
            share = torch.sigmoid(mix)
            turned = tonal * torch.polar(gain * share, turn)
            return self.excitation.stft.synthesize(noisy * (gain * (1.0 - share)) + turned)

    def seeded_noise(self, num_frames: int) -> Float[Tensor, "1 samples"]:
        """Return the excitation noise of a mel with this many frames."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randn(1, num_frames * HOP_LENGTH, generator=generator)


def features(mel: Mel, candidates: Tensor) -> Float[Tensor, "batch features frames"]:
    """Return what the network sees: the mel, and levels and phase advances of both candidates.

    An advance is the phase from one frame to the next beyond what the center frequency of the bin explains, as
    cosine and sine: steady at a tone, random in noise, and blind to where in time the sound begins.
    """
    level = torch.log10(candidates.abs().clamp(min=10.0**LOG_MEL_MIN)).flatten(1, 2)
    before = F.pad(candidates[..., :-1], (1, 0))
    advance = candidates * before.conj()
    advance = advance / advance.abs().clamp(min=_FLOOR)
    bins = torch.arange(NUM_BINS, device=mel.device).unsqueeze(1)
    expected = torch.exp(-2j * torch.pi * ((bins * HOP_LENGTH) % N_FFT) / N_FFT)
    advance = torch.view_as_real(advance * expected).permute(0, 1, 4, 2, 3).flatten(1, 3)
    return torch.cat([mel, level, advance], dim=1)

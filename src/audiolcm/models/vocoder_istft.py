"""A small trainable vocoder: a network corrects what signal processing alone can make from a mel.

For every time-frequency bin the network mixes the three candidates of ``Excitation`` and sets the gain; the phases
are theirs. It starts as nearly the consistent candidate, so that training starts from a usable vocoder.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MIN, N_FFT, NUM_MELS
from audiolcm.models.excitation import NUM_CANDIDATES, Excitation, Noise, seeded_noise
from audiolcm.models.layers import TokenConv1d
from audiolcm.models.stft import absolute
from audiolcm.types import Mel, Waveform

NUM_BINS = N_FFT // 2 + 1
_FLOOR = 1e-8
_START_MIX = (-2.0, 2.0, -2.0)  # logits of raw, consistent, tonal before training: 96% consistent
_MAX_LOG_GAIN = 3.0  # nats: a factor of 20 up or down


class ConvBlock(nn.Module):
    """Gated dense convolution with a residual, over (batch, frames, width): dense is what CPUs and GPUs do fast."""

    def __init__(self, width: int, kernel_size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width, 1))
        self.expand = TokenConv1d(width, 2 * width, kernel_size)
        self.project = TokenConv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, of the shape of ``x``."""
        # Each frame is normalized alone: a statistic over time would tie the sound to the length of the mel.
        normed = x * torch.rsqrt(x.square().mean(dim=2, keepdim=True) + 1e-6) * self.scale.squeeze(1)
        value, gate = self.expand(normed).chunk(2, dim=2)
        return x + self.project(value * F.silu(gate))


class IstftVocoder(nn.Module):
    """Excitation from signal processing, corrected by a network of dense convolutions, through an inverse STFT.

    Deterministic: the noise has a fixed seed, is drawn on the CPU and is the same for every mel of a batch. The
    spectrum of a bin is gain * sum_c mix_c candidate_c, with the gain and the mix (which sums to one) from the network.

    Args:
        width: channels of the network.
        depth: number of its blocks.
        kernel_size: frames that a block sees at a time; odd.
        sharpening_passes, mel_passes, tonal_passes: effort spent on the candidates (see ``Excitation``).
        seed: of the noise.
    """

    def __init__(
        self,
        width: int = 256,
        depth: int = 6,
        kernel_size: int = 3,
        sharpening_passes: int = 40,
        mel_passes: int = 8,
        tonal_passes: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.excitation = Excitation(sharpening_passes, mel_passes, tonal_passes)
        self.stem = TokenConv1d(NUM_MELS + 3 * NUM_CANDIDATES * NUM_BINS, width, 1)
        self.blocks = nn.Sequential(*(ConvBlock(width, kernel_size) for _ in range(depth)))
        self.head = TokenConv1d(width, (1 + NUM_CANDIDATES) * NUM_BINS, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # pyrefly: ignore[bad-argument-type]  (made with a bias)

    def forward(self, mel: Mel, noise: Noise | None = None) -> Waveform:
        """Log10 mel (batch, 80, frames) -> waveform (batch, frames * 256).

        ``noise`` (batch, frames * 256) replaces the seeded noise; training draws a new one every step.
        """
        if noise is None:
            noise = seeded_noise(self.seed, mel.shape[-1]).to(mel.device)
        candidates = self.excitation(mel, noise)
        hidden = self.blocks(self.stem(features(mel, candidates)))
        outputs = self.head(hidden).float().unflatten(2, (1 + NUM_CANDIDATES, NUM_BINS))
        with torch.autocast(mel.device.type, enabled=False):
            start = torch.tensor(_START_MIX, device=mel.device).unsqueeze(1)
            mix = torch.softmax(outputs[:, :, 1:] + start, dim=2)
            gain = torch.exp(_MAX_LOG_GAIN * torch.tanh(outputs[:, :, :1] / _MAX_LOG_GAIN))
            mixed = (mix * gain * candidates.permute(0, 3, 1, 2)).sum(2)
            return self.excitation.stft.synthesize(mixed.mT)


def features(mel: Mel, candidates: Tensor) -> Float[Tensor, "batch frames features"]:
    """Return what the network sees: the mel, and levels and phase advances of the candidates.

    An advance is the phase from one frame to the next beyond what the center frequency of the bin explains, as
    cosine and sine: steady at a tone, random in noise, and blind to where in time the sound begins.
    """
    candidates = candidates.mT  # the bins of a frame side by side, as they lie in memory
    magnitude = absolute(candidates)
    level = torch.log10(magnitude.clamp(min=10.0**LOG_MEL_MIN))
    before = F.pad(candidates[:, :, :-1], (0, 0, 1, 0))
    length = magnitude * F.pad(magnitude[:, :, :-1], (0, 0, 1, 0))
    bins = torch.arange(NUM_BINS, device=mel.device)
    expected = torch.exp(-2j * torch.pi * ((bins * HOP_LENGTH) % N_FFT) / N_FFT)
    advance = candidates * (before.conj() * expected)
    scale = length.clamp(min=_FLOOR).reciprocal()
    parts = torch.stack([advance.real * scale, advance.imag * scale], dim=2)
    by_frame = (part.transpose(1, 2).flatten(2) for part in (level, parts.flatten(1, 2)))
    return torch.cat([mel.mT, *by_frame], dim=2)

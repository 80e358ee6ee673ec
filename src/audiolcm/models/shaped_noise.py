"""A vocoder without parameters that keeps the texture of noise: white noise bent until its mel is the given one."""

import torch
from torch import nn

from audiolcm.errors import UserError
from audiolcm.models.excitation import Excitation, seeded_noise
from audiolcm.types import Mel, Waveform


class ShapedNoise(nn.Module):
    """The consistent candidate of ``Excitation`` as it is.

    Where Griffin-Lim imposes a smooth magnitude on every bin, this asks for the mel alone and leaves the rest to the
    noise: rain stays rain, clicks stay short, and tones come out where a band holds one. Deterministic, and the
    same for every mel of a batch.

    Args:
        sharpening_passes: iterations that sharpen the envelope in time.
        mel_passes: iterations that bring the mel of the noise to the given one.
        seed: of the noise.

    Raises:
        UserError: when a number of passes is negative.
    """

    def __init__(self, sharpening_passes: int = 40, mel_passes: int = 8, seed: int = 0) -> None:
        super().__init__()
        if sharpening_passes < 0 or mel_passes < 0:
            raise UserError(
                f"vocoder.model: sharpening_passes={sharpening_passes}, mel_passes={mel_passes}. "
                "Give 0 or more (for example 40 and 8)."
            )
        self.seed = seed
        self.excitation = Excitation(sharpening_passes, mel_passes, tonal_passes=0)

    @torch.no_grad()
    def forward(self, mel: Mel) -> Waveform:
        """Log10 mel (batch, 80, frames) -> waveform (batch, frames * 256)."""
        with torch.autocast(mel.device.type, enabled=False):
            excitation = self.excitation
            noise = seeded_noise(self.seed, mel.shape[-1]).to(mel.device)
            raw = excitation.stft.analyze(excitation.raw(mel.float(), noise))
            return excitation.stft.synthesize(excitation.consistent(mel, raw))

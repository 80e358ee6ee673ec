"""What a vocoder is given while it trains: true mels, and mels that went through the autoencoder."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.audio.mel import HOP_LENGTH, MelSpectrogram
from audiolcm.errors import UserError
from audiolcm.models.ema import frozen_copy
from audiolcm.random_numbers import Generator, first_examples, leading


class GivenMels(nn.Module):
    """Mels of waveforms, a share of a batch as they come out of the autoencoder.

    Args:
        autoencoder: maps mels to latents and back; None gives true mels alone.
        share: of a batch whose mels go through the autoencoder, 0 to 1; None needs no autoencoder.

    Raises:
        UserError: when the share is not within 0 and 1.
    """

    def __init__(self, autoencoder: nn.Module | None, share: float | None) -> None:
        super().__init__()
        if share is not None and not 0.0 <= share <= 1.0:
            raise UserError(
                f"vocoder.objective.reconstructed_share={share} is a share of the batch: give 0 to 1."
            )
        has_autoencoder = autoencoder is not None and share is not None
        self.share = share if has_autoencoder else 0.0
        self.autoencoder = frozen_copy(autoencoder) if has_autoencoder else None
        self.mel = MelSpectrogram()

    def true(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return the waveform, cut to an even number of frames, which the autoencoder halves, and its mel."""
        real = waveform[:, : waveform.shape[1] // (2 * HOP_LENGTH) * (2 * HOP_LENGTH)]
        return real, self.mel(real)

    def forward(self, mel: Tensor, generator: Generator) -> Tensor:
        """Return what the vocoder is given: the first mels of the batch reconstructed, the rest true."""
        count = leading(generator, self.share, len(mel))
        if count == 0:
            return mel
        return torch.cat([self._reconstruct(mel[:count], first_examples(generator, count)), mel[count:]])

    def errors(self, vocoder: Callable[[Tensor], Tensor], waveform: Tensor) -> dict[str, float]:
        """Return the log10-mel L1 of a vocoder on true and, where there are any, reconstructed mels."""
        _, target = self.true(waveform)
        figures = {"mel": float(F.l1_loss(self.mel(vocoder(target)), target))}
        if self.autoencoder is not None:
            figures["mel_reconstructed"] = float(
                F.l1_loss(self.mel(vocoder(self._reconstruct(target))), target)
            )
        return figures

    @torch.no_grad()
    def _reconstruct(self, mel: Tensor, generator: Generator | None = None) -> Tensor:
        """Pass mels through the autoencoder: a sampled latent in training, the most likely one otherwise."""
        # pyrefly: ignore[missing-attribute]  (asked for only where there is an autoencoder)
        posterior = self.autoencoder.encode(mel)
        latent = posterior.mode() if generator is None else posterior.sample(generator)
        # pyrefly: ignore[missing-attribute]  (asked for only where there is an autoencoder)
        return self.autoencoder.decode(latent).float()

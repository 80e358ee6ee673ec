"""The small autoencoder: the published architecture beside a linear path that starts as principal components.

From random weights small autoencoders were still at a held-out L1 of 0.29 to 0.32 (log10 mel, ESC-10) after 300 to 500
steps, with the spectral envelope and no harmonics; principal components of two-frame blocks are at 0.08 with 40
channels and no training at all. So the linear part is computed once, and the networks learn what is left.
"""

from collections.abc import Sequence

import torch
from torch import nn

from audiolcm.models.autoencoder import Autoencoder, Posterior
from audiolcm.types import Latent, Mel

INITIAL_LOGVAR = -4.0
LOUDEST = 1.5
"""Largest deviation that a latent channel starts with; the median channel has 1."""


class LinearPathAutoencoder(Autoencoder):
    """``Autoencoder`` whose encoder and decoder add to a strided linear convolution each.

    Takes the arguments of ``Autoencoder``. Both networks' outputs start at zero, so that the whole starts as its
    linear path; ``start_from`` sets that path.
    """

    def __init__(
        self,
        channels: int = 128,
        multipliers: Sequence[int] = (1, 2),
        num_res_blocks: int = 1,
        latent_channels: int = 40,
        num_mels: int = 80,
    ) -> None:
        super().__init__(channels, multipliers, num_res_blocks, latent_channels, num_mels)
        self.linear_encoder = nn.Conv1d(num_mels, latent_channels, 2, stride=2)
        self.linear_decoder = nn.ConvTranspose1d(latent_channels, num_mels, 2, stride=2)
        for output in (self.quant_conv, self.decoder.conv_out):
            nn.init.zeros_(output.weight)
            nn.init.zeros_(output.bias)  # pyrefly: ignore[bad-argument-type]  (made with a bias)
        # pyrefly: ignore[unsupported-operation]  (made with a bias)
        nn.init.constant_(self.quant_conv.bias[latent_channels:], INITIAL_LOGVAR)

    @torch.no_grad()
    def start_from(self, mel: Mel) -> None:
        """Set the linear path to the principal components of two-frame blocks of ``mel`` (many clips, 80, frames).

        Channels start with the square root of their component's deviation, so that the diffusion loss hears what
        matters first, up to ``LOUDEST``: loudness, the first component, would otherwise stand so far out of the
        noise that even z_T at t = T - 1 tells it; sampling starts from noise that does not, and every sound would
        come out of average loudness.
        """
        mel = mel[..., : mel.shape[-1] // 2 * 2].float()
        count, mels = self.latent_channels, self.num_mels
        mean = mel.mean(dim=(0, 2))
        blocks = (mel - mean[:, None]).unfold(2, 2, 2).permute(0, 2, 1, 3).reshape(-1, 2 * mels)
        variance, directions = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
        deviation = variance.flip(0)[:count].clamp_min(1e-6).sqrt()
        scale = deviation / (deviation / deviation.median()).sqrt().clamp_max(LOUDEST)
        components = directions.flip(1)[:, :count]
        analysis = (components / scale).T.reshape(count, mels, 2)
        self.linear_encoder.weight.copy_(analysis)
        # pyrefly: ignore[missing-attribute]  (made with a bias)
        self.linear_encoder.bias.copy_(-(analysis * mean[:, None]).sum(dim=(1, 2)))
        self.linear_decoder.weight.copy_((components * scale).T.reshape(count, mels, 2))
        self.linear_decoder.bias.copy_(mean)  # pyrefly: ignore[missing-attribute]  (made with a bias)

    def encode(self, mel: Mel) -> Posterior:
        """Return the posterior; its mean is the linear path's plus the encoder's."""
        mel = self.even(mel)
        posterior = super().encode(mel)
        return Posterior(posterior.mean + self.linear_encoder(mel).float(), posterior.logvar)

    def decode(self, z: Latent, num_frames: int | None = None) -> Mel:
        """Return the mel: the linear path's plus the decoder's."""
        mel = super().decode(z) + self.linear_decoder(z).float()
        return mel if num_frames is None else mel[..., :num_frames]

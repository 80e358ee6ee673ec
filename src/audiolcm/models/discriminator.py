"""Patch discriminators on mel spectrograms, for the autoencoder's adversarial loss."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from audiolcm.errors import UserError
from audiolcm.types import Mel

MEL_MEAN, MEL_STD = -2.3, 1.4  # of log10 mels over everyday sound: keeps the first layer's input near N(0, 1)
Judgment = tuple[Float[Tensor, "batch 1 rows columns"], list[Tensor]]


class MelPatchDiscriminator(nn.Module):
    """Convolutions over (band, frame) that judge overlapping patches of a mel on their own.

    Args:
        channels: width of the first layer; it doubles until ``max_multiplier`` times that.
        num_layers: layers that halve the bands and the frames; the patch grows with it.
        max_multiplier: widest layer as a multiple of ``channels``.
        mel_mean, mel_std: what mels are standardized with.
    """

    def __init__(
        self,
        channels: int = 24,
        num_layers: int = 3,
        max_multiplier: int = 4,
        mel_mean: float = MEL_MEAN,
        mel_std: float = MEL_STD,
    ) -> None:
        super().__init__()
        self.mel_mean, self.mel_std = mel_mean, mel_std
        widths = [1] + [channels * min(2**layer, max_multiplier) for layer in range(num_layers)]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, kernel_size=4, stride=2, padding=1)) for a, b in pairwise(widths)
        )
        self.layers.append(weight_norm(nn.Conv2d(widths[-1], widths[-1], kernel_size=3, padding=1)))
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, kernel_size=3, padding=1))

    def forward(self, mel: Mel) -> Judgment:
        """Return the score of each patch (high = real) and the features of every hidden layer."""
        h = (mel.unsqueeze(1) - self.mel_mean) / self.mel_std
        features = []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
            features.append(h)
        return self.score(h), features


class PatchDiscriminator(nn.Module):
    """The PatchGAN of pix2pix (Isola et al., 2017) on a mel as a picture of one channel.

    All kernels are 4 x 4. The first convolution has no normalization, the next ones have batch normalization, always
    by the statistics of the mels that they are given. It computes in float32, also under autocast: the penalty on its
    gradient is a gradient of a gradient.

    Args:
        channels: width of the first layer; it doubles until ``max_multiplier`` times that.
        num_layers: layers that halve the bands and the frames; two of stride 1 follow, of which the last one scores.
        max_multiplier: widest layer as a multiple of ``channels``.
        mel_mean, mel_std: what mels are standardized with; 0 and 1 leave them as they are.
    """

    def __init__(
        self,
        channels: int = 64,
        num_layers: int = 3,
        max_multiplier: int = 8,
        mel_mean: float = 0.0,
        mel_std: float = 1.0,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise UserError(
                f"autoencoder.objective.adversary.discriminator.num_layers={num_layers}: give 1 or more."
            )
        self.mel_mean, self.mel_std = mel_mean, mel_std
        self.smallest = 3 * 2**num_layers
        """Bands and frames that a mel needs at least."""
        widths = [channels * min(2**layer, max_multiplier) for layer in range(num_layers + 1)]
        strides = [2] * (num_layers - 1) + [1]
        first = nn.Sequential(nn.Conv2d(1, widths[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        normalized = [
            nn.Sequential(
                nn.Conv2d(a, b, 4, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(b, track_running_stats=False),
                nn.LeakyReLU(0.2),
            )
            for (a, b), stride in zip(pairwise(widths), strides, strict=True)
        ]
        self.layers = nn.ModuleList([first, *normalized])
        self.score = nn.Conv2d(widths[-1], 1, 4, padding=1)
        self.apply(_initialize)

    def forward(self, mel: Mel) -> Judgment:
        """Return the score of each patch (high = real) and the features of every hidden layer.

        Raises:
            UserError: no patch fits into the mels.
        """
        if min(mel.shape[1:]) < self.smallest:
            raise UserError(
                f"autoencoder.objective.adversary.discriminator needs {self.smallest} bands and frames, and mels have "
                f"{mel.shape[1]} bands and {mel.shape[2]} frames here: give a longer trainer.autoencoder.crop_seconds, "
                "or a smaller num_layers."
            )
        features = []
        with torch.autocast(mel.device.type, enabled=False):
            h = (mel.float().unsqueeze(1) - self.mel_mean) / self.mel_std
            for layer in self.layers:
                h = layer(h)
                features.append(h)
            return self.score(h), features


def _initialize(module: nn.Module) -> None:
    """Draw weights as pix2pix does: N(0, 0.02) of convolutions, N(1, 0.02) of normalizations."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)

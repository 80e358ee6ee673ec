"""A patch discriminator on mel spectrograms, for the autoencoder's adversarial loss."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from audiolcm.types import Mel

MEL_MEAN, MEL_STD = -2.3, 1.4  # of log10 mels over everyday sound: keeps the first layer's input near N(0, 1)


class MelPatchDiscriminator(nn.Module):
    """Convolutions over (band, frame) that judge overlapping patches of a mel on their own.

    Args:
        channels: width of the first layer; it doubles until ``max_multiplier`` times that.
        num_layers: layers that halve the bands and the frames; the patch grows with it.
        max_multiplier: widest layer as a multiple of ``channels``.
    """

    def __init__(self, channels: int = 24, num_layers: int = 3, max_multiplier: int = 4) -> None:
        super().__init__()
        widths = [1] + [channels * min(2**layer, max_multiplier) for layer in range(num_layers)]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, kernel_size=4, stride=2, padding=1)) for a, b in pairwise(widths)
        )
        self.layers.append(weight_norm(nn.Conv2d(widths[-1], widths[-1], kernel_size=3, padding=1)))
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, kernel_size=3, padding=1))

    def forward(self, mel: Mel) -> tuple[Float[Tensor, "batch 1 rows columns"], list[Tensor]]:
        """Return the score of each patch (high = real) and the features of every hidden layer."""
        h = (mel.unsqueeze(1) - MEL_MEAN) / MEL_STD
        features = []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
            features.append(h)
        return self.score(h), features

"""What ``torch.hub.load("harritaylor/torchvggish", "vggish")`` returns, from a file of weights instead of the internet.

Its arithmetic and its order of work: a numpy front end in float64, one forward pass a clip. Compared with torchvggish
0.2 of PyPI: the same embeddings to the last bit.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.features.vggish import PATCH, load_vggish

HUB_FOLDER = "harritaylor_torchvggish_master"


class HubVggish(nn.Module):
    """The network with the attributes that frechet-audio-distance sets on the hub's: the last ReLU is there."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        network = load_vggish(weights)
        for module in network.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = True
        self.features = network.features
        self.embeddings = nn.Sequential(*network.embeddings, nn.ReLU(inplace=True))
        self.postprocess = True
        self.device = torch.device("cpu")

    def forward(self, samples: np.ndarray, sample_rate: int) -> Tensor:
        """Return the embeddings (patches, 128) of one clip (samples,) at 16 kHz.

        Raises:
            ValueError: when the published PCA is asked for, or another rate: neither is here.
        """
        if self.postprocess or sample_rate != 16000:
            raise ValueError("this copy has no PCA and hears 16 kHz only")
        patches = torch.tensor(hub_patches(samples), requires_grad=True)[:, None].float().to(self.device)
        x = self.features(patches).transpose(1, 3).transpose(1, 2).contiguous()
        return self.embeddings(x.view(len(x), -1))


def hub_patches(samples: np.ndarray) -> np.ndarray:
    """Return (patches, 96, 64) with numpy in float64, one clip at a time and a new filter bank for each."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    magnitudes = np.abs(np.fft.rfft(frames * window, 512))
    bins = 1127 * np.log(1 + np.linspace(0, 8000, 257) / 700)
    low, high = 1127 * np.log(1 + np.array([125, 7500]) / 700)
    edges = np.linspace(low, high, 66)
    bands = np.empty((257, 64))
    for band, (low, center, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        rise, fall = (bins - low) / (center - low), (high - bins) / (high - center)
        bands[:, band] = np.maximum(0, np.minimum(rise, fall))
    bands[0] = 0
    log_mel = np.log(magnitudes @ bands + 0.01)
    return log_mel[: len(log_mel) // PATCH * PATCH].reshape(-1, PATCH, 64)


def write_hub(folder: Path, weights: Path) -> None:
    """Make ``folder`` a cache of torch.hub in which the package finds its VGGish: a repository of four lines."""
    repository = folder / HUB_FOLDER
    repository.mkdir(parents=True)
    (repository / "hubconf.py").write_text(
        "from pathlib import Path\n"
        f"from {__name__} import HubVggish\n"
        "def vggish():\n"
        f"    return HubVggish(Path({str(weights.absolute())!r}))\n"
    )

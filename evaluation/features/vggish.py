"""VGGish: 128 numbers for every 0.96 s of a sound, the features of the Frechet audio distance.

The network of Hershey et al., "CNN architectures for large-scale audio classification", 2017, with the parameter names
of its PyTorch port (https://github.com/harritaylor/torchvggish) and used as frechet-audio-distance uses it: the output
of the last linear layer, without its ReLU and without the PCA.
"""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiolcm.weights.reading import fill, identity, read_checkpoint
from evaluation.features.extractor import Features, require_length
from evaluation.features.weights import obtain
from evaluation.features.winograd import FirstConv, WinogradConv

SAMPLE_RATE = 16000
WINDOW, HOP, FFT_SIZE = 400, 160, 512  # samples: 25 ms windows every 10 ms
NUM_BANDS, LOWEST, HIGHEST = 64, 125.0, 7500.0  # Hz
LOG_FLOOR = 0.01  # added to the magnitudes
PATCH = 96  # frames of one example: 0.96 s
MIN_SAMPLES = WINDOW + (PATCH - 1) * HOP  # of one patch: 15,600
_VERSION = "vggish-v1"  # change it with anything that can change the features
_CHUNK = 8  # patches through the convolutions at a time: their arrays stay in the cache of the CPU

Patches = Float[Tensor, "patches 96 64"]
Embeddings = Float[Tensor, "patches 128"]


@functools.cache
def _mel_bands() -> Tensor:
    """Return (257, 64): triangles that are linear on the HTK mel scale, and nothing for the lowest bin."""

    def mel(hertz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hertz / 700.0)

    bins = mel(torch.linspace(0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1, dtype=torch.float64))[:, None]
    low, high = mel(torch.tensor([LOWEST, HIGHEST], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, NUM_BANDS + 2, dtype=torch.float64)
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    bands = torch.minimum(rise, fall).clamp(min=0)
    bands[0] = 0
    return bands


def log_mel_patches(waveform: np.ndarray) -> Patches:
    """Return the log-mel patches of a waveform (samples,) at 16 kHz, as torchvggish's ``vggish_input`` does.

    No padding; a tail of less than a patch is dropped, so under 15,600 samples there is none. The arithmetic is in
    float64, the result in float32.
    """
    samples = torch.from_numpy(waveform).double()
    if len(samples) < MIN_SAMPLES:
        return torch.empty(0, PATCH, NUM_BANDS)
    phase = 2 * math.pi / WINDOW * torch.arange(WINDOW, dtype=torch.float64)
    frames = samples.unfold(0, WINDOW, HOP) * (0.5 - 0.5 * torch.cos(phase))
    log_mel = (torch.fft.rfft(frames, FFT_SIZE).abs() @ _mel_bands() + LOG_FLOOR).log()
    num_patches = len(log_mel) // PATCH
    return log_mel[: num_patches * PATCH].view(num_patches, PATCH, NUM_BANDS).float()


class VggishNetwork(nn.Module):
    """The network as torchvggish has it, layer by layer; patches in, embeddings before the last ReLU out."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for widths in ((64,), (128,), (256, 256), (512, 512)):
            for after in widths:
                layers += [nn.Conv2d(width, after, 3, padding=1), nn.ReLU()]
                width = after
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 4 * 6, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 128)
        )

    def forward(self, patches: Patches) -> Embeddings:
        """Return the embeddings; the features are flattened frames first, channels last."""
        return self.embeddings(self.features(patches[:, None]).permute(0, 2, 3, 1).flatten(1))


class FastVggish:
    """The same function as a ``VggishNetwork``, up to rounding, in a third of its time on a CPU.

    ``batch_size`` patches share one reading of the 280 MB of the linear layers; the convolutions take few patches at a
    time, by Winograd's algorithm.
    """

    def __init__(self, network: VggishNetwork, batch_size: int) -> None:
        layers = [*network.features, nn.Identity()]
        convs = [
            (layer, isinstance(layers[index + 2], nn.MaxPool2d))  # a ReLU lies between
            for index, layer in enumerate(layers)
            if isinstance(layer, nn.Conv2d)
        ]
        self._first = FirstConv(convs[0][0])
        self._convs = [WinogradConv(conv, pooled) for conv, pooled in convs[1:]]
        self._embeddings = network.embeddings
        self._batch_size = batch_size

    def __call__(self, patches: Patches) -> Embeddings:
        """Return the embeddings of any number of patches."""
        found = []
        for batch in patches.split(self._batch_size):
            features = torch.cat([self._features(chunk) for chunk in batch.split(_CHUNK)])
            found.append(self._embeddings(features))
        return torch.cat(found)

    def _features(self, patches: Patches) -> Tensor:
        x = self._first(patches)
        for conv in self._convs:
            x = conv(x)
        return x.flatten(1)


class Vggish:
    """VGGish as an extractor: ``embedding`` (patches, 128), ten rows for a sound of ten seconds.

    Args:
        weights: the path of the checkpoint; None takes the published one from the cache folder, or downloads it.
        device: of torch.
        batch_size: patches through the linear layers at a time.
        folder: the cache folder of published weights; None takes the usual one.
    """

    name = "vggish"
    sample_rate = SAMPLE_RATE
    is_embedded = False

    def __init__(
        self,
        weights: str | None = None,
        device: str = "cpu",
        batch_size: int = 320,
        folder: str | None = None,
    ) -> None:
        path = obtain(self.name, weights, folder)
        self.identity = identity(path, _VERSION)
        self._device = torch.device(device)
        self._network = FastVggish(load_vggish(path).to(self._device), batch_size)

    @torch.inference_mode()
    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return ``embedding`` (patches, 128) of each waveform (samples,).

        Raises:
            UserError: when a waveform is under 15,600 samples; other tools leave such sounds out without a word.
        """
        require_length(waveforms, MIN_SAMPLES, SAMPLE_RATE, self.name)
        patches = [log_mel_patches(waveform) for waveform in waveforms]
        if not patches:
            return []
        rows = self._network(torch.cat(patches).to(self._device)).cpu()
        parts = rows.split([len(part) for part in patches])
        return [{"embedding": part.numpy()} for part in parts]


def load_vggish(path: Path) -> VggishNetwork:
    """Return the network with the weights of a published checkpoint, in evaluation mode.

    Raises:
        UserError: when the file is damaged or of another network.
    """
    with torch.device("meta"):  # no time for random weights that the file's replace
        network = VggishNetwork()
    fill(network, read_checkpoint(path), path)
    return network.eval()

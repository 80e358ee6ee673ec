"""PANNs' Cnn14: 527 AudioSet logits and a 2048-wide embedding of a whole sound.

The network of Kong et al., "PANNs: Large-scale pretrained audio neural networks for audio pattern recognition", 2020,
with the parameter names of its published checkpoints (https://zenodo.org/records/3987831).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torchlibrosa.stft import LogmelFilterBank, Spectrogram

from audiolcm.types import Waveform
from audiolcm.weights.reading import fill, identity
from evaluation.features.extractor import Features, in_equal_lengths, require_length
from evaluation.features.weights import model_entry, obtain

NUM_BANDS = 64
NUM_CLASSES = 527  # of AudioSet
EMBEDDING_WIDTH = 2048
_LEVEL_FLOOR = 1e-10  # power: -100 dB is silence
_WIDTHS = (1, 64, 128, 256, 512, 1024, 2048)  # channels before and after each block
_POOLINGS = 5  # each halves the frames, and one frame must be left
_VERSION = "cnn14-v1"  # change it with anything that can change the features

Spectrogram2d = Float[Tensor, "batch 1 frames 64"]
Images = Float[Tensor, "batch channels frames bands"]
Embeddings = Float[Tensor, "batch 2048"]
Logits = Float[Tensor, "batch classes"]


@dataclass(frozen=True)
class LogMelSettings:
    """The log-mel spectrogram that a Cnn14 hears: rate in Hz, window and hop in samples, edge frequencies in Hz."""

    sample_rate: int
    window: int
    hop: int
    low: float
    high: float

    @property
    def min_samples(self) -> int:
        """The shortest waveform that leaves one frame after the poolings (and more than the padding mirrors)."""
        return max((2**_POOLINGS - 1) * self.hop, self.window // 2 + 1)


SETTINGS_16K = LogMelSettings(16000, window=512, hop=160, low=50, high=8000)
SETTINGS_32K = LogMelSettings(32000, window=1024, hop=320, low=50, high=14000)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with batch normalization and ReLU, then the mean over squares of ``pooling``."""

    def __init__(self, in_channels: int, out_channels: int, pooling: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.pooling = pooling

    def forward(self, x: Images) -> Images:
        """Return (batch, out_channels, frames // pooling, bands // pooling)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        return functional.avg_pool2d(x, self.pooling)


class Cnn14(nn.Module):
    """Six blocks of convolutions over a log-mel spectrogram, mean plus maximum over time, two linear layers.

    Only for inference: dropout and SpecAugment, which only act in training and hold no weights, are left out.
    """

    def __init__(self, settings: LogMelSettings, num_classes: int = NUM_CLASSES) -> None:
        super().__init__()
        self.settings = settings
        self.spectrogram_extractor = Spectrogram(settings.window, settings.hop, settings.window)
        edges = {"fmin": settings.low, "fmax": settings.high}
        self.logmel_extractor = LogmelFilterBank(
            settings.sample_rate, settings.window, NUM_BANDS, **edges, amin=_LEVEL_FLOOR, top_db=None
        )
        self.bn0 = nn.BatchNorm2d(NUM_BANDS)
        for number, (before, after) in enumerate(itertools.pairwise(_WIDTHS), 1):
            pooling = 2 if number <= _POOLINGS else 1
            self.add_module(f"conv_block{number}", ConvBlock(before, after, pooling))
        self.fc1 = nn.Linear(2048, EMBEDDING_WIDTH)
        self.fc_audioset = nn.Linear(EMBEDDING_WIDTH, num_classes)

    def log_mel(self, waveform: Waveform) -> Spectrogram2d:
        """Return the log-mel power spectrogram in dB, (batch, 1, samples // hop + 1, 64)."""
        return self.logmel_extractor(self.spectrogram_extractor(waveform))

    def embed(self, waveform: Waveform) -> Embeddings:
        """Return the nonnegative output of the last hidden layer for each waveform, of ``min_samples`` or more."""
        x = self.bn0(self.log_mel(waveform).transpose(1, 3)).transpose(1, 3)  # normalizes each band
        for number in range(1, len(_WIDTHS)):
            x = self.get_submodule(f"conv_block{number}")(x)
        x = x.mean(3)
        return functional.relu(self.fc1(x.amax(2) + x.mean(2)))

    def classify(self, embeddings: Embeddings) -> Logits:
        """Return the class logits, before the sigmoid, of what ``embed`` returned."""
        return self.fc_audioset(embeddings)


class Panns:
    """A published Cnn14 as an extractor: ``embedding`` (1, 2048) and ``logits`` (527,), before the sigmoid.

    Sounds of equal lengths go through the network together; none is cut or padded.

    Subclasses tell its ``name``, which is that of its file in the registry of weights too, and the ``settings`` of its
    log-mel spectrogram.

    Args:
        weights: the path of the checkpoint; None takes the published one from the cache folder, or downloads it.
        device: of torch.
        batch_size: waveforms at a time.
        folder: the cache folder of published weights; None takes the usual one.
    """

    name: str
    settings: LogMelSettings
    is_embedded = False

    def __init__(
        self, weights: str | None = None, device: str = "cpu", batch_size: int = 8, folder: str | None = None
    ) -> None:
        path = obtain(self.name, weights, folder)
        self.identity = identity(path, _VERSION, repr(self.settings))
        self.sample_rate = self.settings.sample_rate
        self._device = torch.device(device)
        self._batch_size = batch_size
        self._network = load_cnn14(path, self.settings).to(self._device)

    @torch.inference_mode()
    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return ``embedding`` (1, 2048) and ``logits`` (527,) of each waveform (samples,).

        Raises:
            UserError: when a waveform is under 0.31 s; the network would be left without a frame.
        """
        require_length(waveforms, self.settings.min_samples, self.sample_rate, self.name)
        return in_equal_lengths(self._hear, waveforms, self._batch_size)

    def _hear(self, waveforms: np.ndarray) -> list[Features]:
        batch = torch.from_numpy(waveforms).to(self._device)
        embeddings = self._network.embed(batch)
        logits = self._network.classify(embeddings).cpu().numpy()
        sounds = zip(embeddings.cpu().numpy(), logits, strict=True)
        return [{"embedding": row[None], "logits": scores} for row, scores in sounds]


def load_cnn14(path: Path, settings: LogMelSettings) -> Cnn14:
    """Return the network with the weights of a published checkpoint, in evaluation mode.

    Raises:
        UserError: when the file is damaged or of another network.
    """
    network = Cnn14(settings)
    fill(network, model_entry(path, "PANNs"), path)
    return network.eval()


class Panns16k(Panns):
    """Cnn14 at 16 kHz (mAP 0.438): the network behind KL and IS of most published tables."""

    name, settings = "panns_16k", SETTINGS_16K


class Panns32k(Panns):
    """Cnn14 at 32 kHz (mAP 0.431)."""

    name, settings = "panns_32k", SETTINGS_32K

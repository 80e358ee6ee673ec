"""The judge of class hit rates: a small CNN on log-mel spectrograms, its front end and its file.

The judge only knows the classes of the one data set that it was trained on. It is not an AudioSet classifier, and
nothing measured with it compares with published numbers.
"""

import functools
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchaudio
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.errors import UserError
from audiolcm.tensors import save_tensors
from audiolcm.types import Mel, Waveform

FRONT_END = "log-mel-64-v1"  # change it with anything in log_mel: a judge hears only what it was trained on
NUM_BANDS = 64
LOG_FLOOR = 1e-5  # added to the power: ln(1e-5) = -11.5 is silence
MIN_DURATION = 1.0  # seconds: the four poolings of the network and the time masks need about 100 frames
FEATURE_WIDTH = 128
_WIDTHS = (24, 48, 96, FEATURE_WIDTH)
_BATCH = 32

Features = Float[Tensor, "batch 128"]
Logits = Float[Tensor, "batch classes"]


@functools.cache
def _front_end() -> torchaudio.transforms.MelSpectrogram:
    return torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, n_fft=512, win_length=400, hop_length=160, f_min=50.0, f_max=8000.0, n_mels=NUM_BANDS
    )


@torch.no_grad()
def log_mel(waveforms: Waveform) -> Mel:
    """Return ln(mel power + 1e-5), (N, 64, samples // 160 + 1): 25 ms windows every 10 ms, HTK mel scale.

    It differs from the mel of the models in bands, scale, window, hop and logarithm, so that a sound does not score
    well merely for being smooth on the grid on which it was generated.
    """
    return torch.cat([(_front_end()(part) + LOG_FLOOR).log() for part in waveforms.split(_BATCH)])


class JudgeNetwork(nn.Module):
    """Four stages of two 3x3 convolutions, then mean and maximum over time: log-mel to class logits."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in itertools.pairwise((1, *_WIDTHS)):
            for channels in (before, width):
                layers += [
                    nn.Conv2d(channels, width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
            layers.append(nn.AvgPool2d(2))
        self.body = nn.Sequential(*layers)
        self.features = nn.Linear(FEATURE_WIDTH, FEATURE_WIDTH)
        self.classes = nn.Linear(FEATURE_WIDTH, num_classes)
        self.to(memory_format=torch.channels_last)

    def embed(self, spectrogram: Mel) -> Features:
        """Return the penultimate features (nonnegative); the level of a clip is taken out first."""
        x = (spectrogram - spectrogram.mean((1, 2), keepdim=True)) / 4.0
        h = self.body(x[:, None].contiguous(memory_format=torch.channels_last)).mean(2)
        h = h.mean(2) + h.amax(2)
        return functional.relu(self.features(functional.dropout(h, 0.3, self.training)))

    def forward(self, spectrogram: Mel) -> Logits:
        """Return the class logits of (batch, 64, frames)."""
        return self.classes(functional.dropout(self.embed(spectrogram), 0.3, self.training))


@dataclass(frozen=True)
class Judge:
    """A trained network and what it takes to use it.

    Attributes:
        network: in evaluation mode, on the CPU.
        classes: the class names, in the order of the logits.
        duration: seconds; every sound is cut or padded with zeros to it.
        facts: how it was trained, and its held-out accuracy (``held_out``, None when nothing was held out).
    """

    network: JudgeNetwork
    classes: tuple[str, ...]
    duration: float
    facts: dict[str, Any]

    def fit(self, waveform: np.ndarray) -> np.ndarray:
        """Return the waveform (samples,) cut or padded with zeros to the duration."""
        return fit_duration(waveform, self.duration)

    @torch.no_grad()
    def listen(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the features (N, 128) and the most likely class (N,) of waveforms (N, samples) at 16 kHz."""
        features = torch.cat([self.network.embed(part) for part in log_mel(_tensor(waveforms)).split(_BATCH)])
        return features.numpy(), self.network.classes(features).argmax(1).numpy()

    def save(self, path: Path) -> None:
        """Write weights, class names and front-end version as one safetensors file."""
        metadata = {
            "front_end": FRONT_END,
            "classes": json.dumps(self.classes),
            "duration": repr(self.duration),
            "facts": json.dumps(self.facts),
        }
        save_tensors(path, self.network.state_dict(), metadata)


def load_judge(path: Path) -> Judge:
    """Read a judge that ``Judge.save`` wrote.

    Raises:
        UserError: when the file is missing, is no judge, or was trained with another front end.
    """
    train = "Train one with `python -m evaluation.recognition train dataset=... -o judge.safetensors`."
    if not path.is_file():
        raise UserError(f"There is no judge at {path}. {train}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise UserError(f"{path} is not a safetensors file ({error}). {train}") from error
    if "front_end" not in metadata:
        raise UserError(f"{path} holds no judge. {train}")
    if metadata["front_end"] != FRONT_END:
        raise UserError(
            f"{path} was trained with front end {metadata['front_end']}, not {FRONT_END}. {train}"
        )
    classes = tuple(json.loads(metadata["classes"]))
    network = JudgeNetwork(len(classes))
    network.load_state_dict(weights)
    return Judge(network.eval(), classes, float(metadata["duration"]), json.loads(metadata["facts"]))


def fit_duration(waveform: np.ndarray, duration: float) -> np.ndarray:
    """Return the waveform (samples,) cut or padded with zeros to ``duration`` seconds."""
    length = round(duration * SAMPLE_RATE)
    return np.pad(waveform[:length], (0, max(0, length - len(waveform))))


def _tensor(waveforms: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(waveforms, dtype=np.float32))

"""YAMNet: 521 AudioSet classes and 1024 features of every 0.975 s, of a published network that a laptop runs.

Google's network (https://github.com/tensorflow/models/tree/master/research/audioset/yamnet, Apache-2.0) in its 8-bit
form for LiteRT, 4 MB, which reads a waveform. It was trained on AudioSet, and nobody here has tuned anything by it.
"""

import csv
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.errors import UserError
from audiolcm.weights.reading import identity
from evaluation.features.extractor import Features
from evaluation.features.weights import obtain

WINDOW, HOP = 15_600, 7_800
"""Samples: 0.975 s, and half of that."""
_CLASS_LIST = "yamnet_label_list.txt"  # the file is an archive too, which holds the names
_EMBEDDING = "tower0/network/layer28/reduce_mean"
_LOGITS = "tower0/network/layer29/fc/BiasAdd"
_VERSION = "yamnet-v1"  # change it with anything that can change the features


class YamNet:
    """The published file as an extractor.

    ``embedding`` (windows, 1024): the mean over time and frequency before the last layer, in the 8-bit steps of the
    file (of 0.0223 each). ``logits`` (521,): before the sigmoid, the highest of all windows. Windows of 0.975 s begin
    every 0.4875 s, as many as the sound fills; one that fills none is padded with zeros.

    Args:
        weights: the path of the file; None takes it from the cache folder, or downloads it.
        device: of torch; the network runs on the CPU whatever it is.
        folder: the cache folder of published weights; None takes the usual one.

    Raises:
        UserError: LiteRT is missing, or the file is, or it is not the published one: LiteRT runs what it is given, so
            no other file is.
    """

    name = "yamnet"
    sample_rate = 16_000
    is_embedded = False

    def __init__(self, weights: str | None = None, device: str = "cpu", folder: str | None = None) -> None:
        if find_spec("ai_edge_litert") is None:
            raise UserError('features.yamnet needs ai-edge-litert: type pip install -e ".[yamnet]"')
        path = obtain(self.name, weights, folder, exactly=True)
        self.identity = identity(path, _VERSION)
        self.classes = class_names(path)
        self._interpreter = _interpreter(path)
        # The name of a fused tensor lists all that went into it, its own last.
        tensors = {tensor["name"].split(";")[-1]: tensor for tensor in self._interpreter.get_tensor_details()}
        self._tensors = {name: tensors[name] for name in (_EMBEDDING, _LOGITS)}

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return ``embedding`` (windows, 1024) and ``logits`` (521,) of each waveform (samples,)."""
        return [self._hear(waveform.astype(np.float32, copy=False)) for waveform in waveforms]

    def _hear(self, waveform: np.ndarray) -> Features:
        waveform = np.pad(waveform, (0, max(0, WINDOW - len(waveform))))
        embeddings, logits = [], []
        for first in range(0, len(waveform) - WINDOW + 1, HOP):
            self._interpreter.set_tensor(0, np.ascontiguousarray(waveform[first : first + WINDOW]))
            self._interpreter.invoke()
            embeddings.append(self._steps(_EMBEDDING))
            logits.append(self._steps(_LOGITS) * self._scale(_LOGITS))
        return {"embedding": np.stack(embeddings), "logits": np.max(logits, axis=0)}

    def _steps(self, name: str) -> np.ndarray:
        """Return a tensor of the last window, in 8-bit steps above its zero."""
        tensor = self._tensors[name]
        steps = self._interpreter.get_tensor(tensor["index"]).ravel().astype(np.float32)
        return steps - np.float32(tensor["quantization_parameters"]["zero_points"][0])

    def _scale(self, name: str) -> np.float32:
        return self._tensors[name]["quantization_parameters"]["scales"][0]


def class_names(path: Path) -> tuple[str, ...]:
    """Return the names of the 521 classes, in the order of the logits."""
    with zipfile.ZipFile(path) as archive:
        return tuple(archive.read(_CLASS_LIST).decode().split("\n")[:521])


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    # Its warning says that features before the last layer are for debugging; there is no other way to have them.
    with warnings.catch_warnings(action="ignore"):
        made = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
    made.allocate_tensors()
    return made


@cache
def audioset_classes() -> Mapping[str, tuple[str, ...]]:
    """Return the AudioSet classes of each label of ESC-50 (so of ESC-10) and of foley: a sound of any of them is right.

    They are those that say the same or a part of it, never what stands above it ("Animal", "Water", "Vehicle").
    """
    with Path(__file__).with_name("audioset_classes.csv").open(encoding="utf-8", newline="") as lines:
        return {row["label"]: tuple(row["classes"].split("|")) for row in csv.DictReader(lines)}

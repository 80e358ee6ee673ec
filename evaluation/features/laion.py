"""LAION's CLAP: HTSAT for sounds and RoBERTa for captions, as the package laion-clap computes them.

Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption augmentation",
2023. What happens before the network follows ``CLAP_Module`` of laion-clap 1.1.7, but for its unseeded crop.
"""

import functools
import importlib
import importlib.machinery
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import RobertaConfig, RobertaModel

from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from audiolcm.weights.reading import fill, identity, read_checkpoint
from evaluation.features.joint import (
    Crop,
    JointSpace,
    Vectors,
    local_folder,
    repeat_and_pad,
    vocabulary_digest,
)
from evaluation.features.weights import obtain

SAMPLE_RATE = 48000
NUM_SAMPLES = 480_000  # 10 s
NUM_TOKENS = 77
CHECKPOINTS = {  # its name in the registry of weights, and the audio half that it was trained with
    "630k-best": ("laion_630k", "HTSAT-tiny"),
    "630k-audioset-best": ("laion_630k_audioset", "HTSAT-tiny"),
    "music_audioset_epoch_15_esc_90.14": ("laion_music_audioset", "HTSAT-base"),
    "music_speech_epoch_15_esc_89.25": ("laion_music_speech", "HTSAT-base"),
    "music_speech_audioset_epoch_15_esc_89.98": ("laion_music_speech_audioset", "HTSAT-base"),
}
ROBERTA_BASE = {
    "vocab_size": 50265,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}
_VERSION = "laion-clap-v1"  # change it with anything that can change the features
_INT16_MAX = 32767.0
_POSITION_IDS = "text_branch.embeddings.position_ids"  # a constant that old versions of transformers stored
_TOKENIZER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")
_HOW_TO_GET = f"""
LAION's CLAP needs the tokenizer of roberta-base. On a computer with a network, type
  hf download roberta-base {" ".join(_TOKENIZER_FILES)}
and keep the default, or copy the files and give their folder: features.laion_630k_audioset.tokenizer=FOLDER."""


class LaionClap(JointSpace):
    """A published checkpoint of LAION's CLAP: ``embedding`` (1, 512) in one space with captions, at 48 kHz.

    Args:
        checkpoint: a name of ``CHECKPOINTS``.
        weights: the path of its file; None takes it from the cache folder, or downloads it.
        tokenizer: folder or hub name of RoBERTa's tokenizer.
        crop: the 10 s of a longer sound that are heard: ``center``, ``start`` or ``random``.
        quantize: round samples to 16 bits, as laion-clap does for files and for arrays, but not for tensors.
        folder: the cache folder of published weights; None takes the usual one.
        text_sizes: where RoBERTa's sizes differ from those of roberta-base.
        seed, device, batch_size, online, min_vocabulary: see ``JointSpace``.

    Raises:
        UserError: a file is missing, damaged, or of another network.
    """

    def __init__(
        self,
        checkpoint: str = "630k-audioset-best",
        weights: str | None = None,
        tokenizer: str = "roberta-base",
        crop: str = "center",
        seed: int = 0,
        quantize: bool = True,
        device: str = "cpu",
        batch_size: int = 8,
        folder: str | None = None,
        online: bool = False,
        text_sizes: Mapping[str, int] | None = None,
        min_vocabulary: int = 50_000,
    ) -> None:
        registered, audio_model = _checkpoint(checkpoint)
        self._crop = Crop(crop, seed)
        self._quantize = quantize
        place = local_folder(tokenizer, _TOKENIZER_FILES, online, _HOW_TO_GET)
        self._tokenizer = read_tokenizer(place, min_vocabulary, _HOW_TO_GET)
        path = obtain(registered, weights, folder)
        sizes: dict[str, Any] = ROBERTA_BASE | dict(text_sizes or {})
        self._network = build_network(audio_model, RobertaConfig(**sizes))
        fill(self._network, network_weights(path), path)
        self._network.to(device)
        words = (_VERSION, audio_model, f"{self._crop}", f"{quantize}", f"{sizes}")
        name = f"laion_{checkpoint}_{self._crop}{'' if quantize else '_float'}"
        digits = identity(path, *words, vocabulary_digest(self._tokenizer))
        super().__init__(name, digits, SAMPLE_RATE, device, batch_size)

    def _hear(self, waveforms: list[np.ndarray]) -> Vectors:
        batch = torch.from_numpy(np.stack([self._prepared(waveform) for waveform in waveforms]))
        return self._network.get_audio_embedding([{"waveform": row} for row in batch])

    def _read(self, captions: list[str]) -> Vectors:
        encoded = self._tokenizer(
            captions, padding="max_length", truncation=True, max_length=NUM_TOKENS, return_tensors="pt"
        )
        return self._network.get_text_embedding(
            {key: encoded[key].to(self._device) for key in ("input_ids", "attention_mask")}
        )

    def _prepared(self, waveform: np.ndarray) -> np.ndarray:
        if self._quantize:
            waveform = quantized(waveform)
        return repeat_and_pad(self._crop(waveform, NUM_SAMPLES), NUM_SAMPLES).astype(np.float32, copy=False)


def quantized(waveform: np.ndarray) -> np.ndarray:
    """Return the waveform clipped to [-1, 1] and rounded towards zero to multiples of 1/32767, as laion-clap does."""
    steps = (np.clip(waveform, -1.0, 1.0) * _INT16_MAX).astype(np.int16)
    return (steps / _INT16_MAX).astype(np.float32)


def network_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a published checkpoint, under the names of the package's network.

    Raises:
        UserError: the file is damaged or is no checkpoint.
    """
    stored = read_checkpoint(path)
    if isinstance(stored, dict):
        stored = stored.get("state_dict", stored)
    if not isinstance(stored, dict):
        raise UserError(f"{path} is not a checkpoint of LAION's CLAP: it has no entry `state_dict`.")
    weights = {str(name).removeprefix("module."): tensor for name, tensor in stored.items()}
    weights.pop(_POSITION_IDS, None)
    return weights


def _checkpoint(name: str) -> tuple[str, str]:
    if name in CHECKPOINTS:
        return CHECKPOINTS[name]
    reason = "There is no such checkpoint of LAION's CLAP"
    if "fusion" in name:
        reason = "Checkpoints that fuse random parts of a long sound are not supported"
    raise UserError(f"checkpoint={name}: {reason}. Choose from: {', '.join(CHECKPOINTS)}.")


_PRIVATE_NAME = "_laion_clap_networks"
_NUMPY_2_FROM = (3, 13)
"""laion-clap asks for NumPy below 2, which no Python from here on has; with NumPy 2 its networks are as they were."""


def build_network(audio_model: str, text_sizes: RobertaConfig) -> Any:
    """Return the package's CLAP with random weights, in evaluation mode; no file of a text half is needed for it.

    Args:
        audio_model: one of the package's ``model_configs``, such as ``HTSAT-tiny``.
        text_sizes: of RoBERTa; its hidden size must be 768.

    Raises:
        UserError: laion-clap, or what it imports, is not installed.
    """
    sizes = json.loads((_package_folder() / "model_configs" / f"{audio_model}.json").read_text())
    sizes["text_cfg"]["model_type"] = "roberta"
    module = networks()
    with _text_half_of(module, text_sizes):
        return module.CLAP(**sizes).eval()


@functools.cache
def networks() -> ModuleType:
    """Return the package's ``clap_module.model``, imported by itself under a private name.

    ``import laion_clap`` makes tokenizers from the Hugging Face hub, which without a network are silently empty under
    transformers 5, and adds the package's folder to ``sys.path``. The folder of the networks does neither.

    Raises:
        UserError: laion-clap, or what it imports, is not installed.
    """
    # A package without __init__.py: the real one would import the training code as well.
    spec = importlib.machinery.ModuleSpec(_PRIVATE_NAME, loader=None, is_package=True)
    spec.submodule_search_locations = [str(_package_folder())]
    sys.modules[_PRIVATE_NAME] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{_PRIVATE_NAME}.model")
    except ImportError as error:
        told = f"The networks of LAION's CLAP cannot be imported: {error}. {how_to_install()}"
        raise UserError(told) from error


def _package_folder() -> Path:
    package = importlib.util.find_spec("laion_clap")  # finds it without importing it
    if package is None or not package.submodule_search_locations:
        raise UserError(f"The networks of LAION's CLAP are missing. {how_to_install()}")
    return Path(package.submodule_search_locations[0]) / "clap_module"


def how_to_install() -> str:
    """Return what to type for laion-clap on this Python."""
    if sys.version_info < _NUMPY_2_FROM:
        return "Type: pip install laion-clap==1.1.7"
    return (
        f"On Python 3.{sys.version_info[1]} the package laion-clap is not installed along with us, because it asks "
        "for NumPy 1; its networks run with NumPy 2 all the same. Type:\n"
        "  pip install -c constraints.txt h5py torchvision && pip install --no-deps laion-clap==1.1.7\n"
        "or use Python 3.11 or 3.12, or CLAP of transformers: metrics=clap_htsat_unfused."
    )


@contextmanager
def _text_half_of(module: Any, sizes: RobertaConfig) -> Iterator[None]:
    """Let CLAP make its RoBERTa from sizes where it would ask the hub; only the private module is touched."""
    original = module.RobertaModel
    module.RobertaModel = SimpleNamespace(from_pretrained=lambda _name: RobertaModel(sizes))
    try:
        yield
    finally:
        module.RobertaModel = original

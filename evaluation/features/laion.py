"""LAION's CLAP: HTSAT for sounds and RoBERTa for captions, as the package laion-clap computes them.

Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption augmentation",
2023. What happens before the network follows ``CLAP_Module`` of laion-clap 1.1.7, but for its unseeded crop.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import RobertaConfig

from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from audiolcm.weights.reading import fill, identity, read_checkpoint
from evaluation.features.crops import Crop, repeat_and_pad
from evaluation.features.joint import JointSpace, Vectors, local_folder, vocabulary_digest
from evaluation.features.laion_package import build_network
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
        seed: of a random crop.
        quantize: round samples to 16 bits, as laion-clap does for files and for arrays, but not for tensors.
        device: of torch.
        batch_size: sounds, or captions, at a time.
        folder: the cache folder of published weights; None takes the usual one.
        online: whether the tokenizer may be fetched from the hub.
        text_sizes: where RoBERTa's sizes differ from those of roberta-base.
        min_vocabulary: smallest plausible tokenizer; a smaller one is an incomplete download.

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
        path = obtain(registered, weights, None if folder is None else Path(folder))
        sizes = ROBERTA_BASE | dict(text_sizes or {})
        # pyrefly: ignore[bad-argument-type]  (one dict of sizes for arguments of several types)
        self._network = build_network(audio_model, RobertaConfig(**sizes))
        fill(self._network, network_weights(path), path)
        self._network.to(device)
        words = (_VERSION, audio_model, f"{self._crop}", f"{quantize}", f"{sizes}")
        super().__init__(
            name=f"laion_{checkpoint}_{self._crop}{'' if quantize else '_float'}",
            identity=identity(path, *words, vocabulary_digest(self._tokenizer)),
            sample_rate=SAMPLE_RATE,
            device=device,
            batch_size=batch_size,
        )
        self._check_captions()

    def _hear(self, waveforms: list[np.ndarray]) -> Vectors:
        batch = torch.from_numpy(np.stack([self._prepared(waveform) for waveform in waveforms]))
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        return self._network.get_audio_embedding([{"waveform": row} for row in batch])

    def _read(self, captions: list[str]) -> Vectors:
        encoded = self._tokenizer(
            captions, padding="max_length", truncation=True, max_length=NUM_TOKENS, return_tensors="pt"
        )
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
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

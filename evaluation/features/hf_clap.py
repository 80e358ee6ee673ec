"""CLAP as transformers has it: the ported checkpoints of LAION, such as ``laion/clap-htsat-unfused``."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import ClapFeatureExtractor, ClapModel, ClapProcessor

from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from evaluation.features.joint import (
    LOADING_ERRORS,
    Crop,
    JointSpace,
    Vectors,
    local_folder,
    require_all_weights,
    vocabulary_digest,
)

_DEFAULT = "laion/clap-htsat-unfused"
_VERSION = "hf-clap-v1"  # change it with anything that can change the features
_OFFSET = 2  # RoBERTa's first position is 2
_FILES = ("*.json", "merges.txt", "model.safetensors", "pytorch_model.bin")


class TransformersClap(JointSpace):
    """A ClapModel: ``embedding`` (1, width) in one space with captions.

    Unlike laion-clap it does not round samples to 16 bits and has no limit of 77 tokens.

    Args:
        model: folder or hub name; models that fuse parts of long sounds are refused.
        crop: the part of a sound over 10 s that is heard: ``center``, ``start`` or ``random``.
        seed, device, batch_size, online, min_vocabulary: see ``JointSpace``; weights too may be fetched.

    Raises:
        UserError: a file is missing or damaged, or the weights are not those of the whole network.
    """

    def __init__(
        self,
        model: str = _DEFAULT,
        crop: str = "center",
        seed: int = 0,
        device: str = "cpu",
        batch_size: int = 8,
        online: bool = False,
        min_vocabulary: int = 50_000,
    ) -> None:
        way_out = _way_out(model)
        self._crop = Crop(crop, seed)
        place = local_folder(model, _FILES, online, way_out)
        tokenizer = read_tokenizer(place, min_vocabulary, way_out)
        self._network, features = _read_model(place, way_out)
        if self._network.config.audio_config.enable_fusion or features.truncation == "fusion":
            raise UserError(
                f"{model!r} fuses random parts of a long sound, which is not supported. "
                f"Use a model without fusion, such as {_DEFAULT}."
            )
        self._network.eval().to(device)
        self._processor: Any = ClapProcessor(features, tokenizer)
        words = (_VERSION, f"{self._crop}", features.to_json_string(), vocabulary_digest(tokenizer))
        name = f"hf_{Path(model).name}_{self._crop}"
        super().__init__(name, _identity(self._network, *words), features.sampling_rate, device, batch_size)

    def _hear(self, waveforms: list[np.ndarray]) -> Vectors:
        length = self._processor.feature_extractor.nb_max_samples
        heard = self._processor(
            audio=[self._crop(waveform, length) for waveform in waveforms],
            sampling_rate=self.sample_rate,
            return_tensors="pt",
        ).to(self._device)
        return self._network.get_audio_features(**heard).pooler_output

    def _read(self, captions: list[str]) -> Vectors:
        read = self._processor(
            text=captions,
            padding=True,
            truncation=True,
            max_length=self._network.config.text_config.max_position_embeddings - _OFFSET,
            return_tensors="pt",
        ).to(self._device)
        return self._network.get_text_features(read["input_ids"], read["attention_mask"]).pooler_output


def _read_model(place: str, way_out: str) -> tuple[Any, ClapFeatureExtractor]:
    network: Any = ClapModel  # its types promise neither a report nor the sub-configurations
    try:
        features = ClapFeatureExtractor.from_pretrained(place, local_files_only=True)
        model, report = network.from_pretrained(
            place, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except LOADING_ERRORS as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"No CLAP at {place!r}: {reason} {way_out}") from error
    require_all_weights(report, "ClapModel", repr(place), way_out)
    return model, features


def _identity(network: nn.Module, *words: str) -> str:
    """Return ten hexadecimal digits over the weights themselves, whatever file they came in, and the words."""
    digest = hashlib.sha256("\n".join(words).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()[:10]


def _way_out(model: str) -> str:
    return f"""
On a computer with a network, type
  hf download {_DEFAULT if Path(model).is_dir() else model}
or copy the files and give their folder: features.hf_clap_htsat_unfused.model=FOLDER."""

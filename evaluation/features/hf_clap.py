"""CLAP as transformers has it: the ported checkpoints of LAION, such as ``laion/clap-htsat-unfused``."""

import hashlib
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn
from transformers import ClapFeatureExtractor, ClapModel, ClapProcessor

from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from evaluation.features.crops import Crop
from evaluation.features.joint import JointSpace, Vectors, local_folder, vocabulary_digest

_DEFAULT = "laion/clap-htsat-unfused"
_VERSION = "hf-clap-v1"  # change it with anything that can change the features
_OFFSET = 2  # RoBERTa's first position is 2
# Numbers that the network makes by itself; some versions of transformers stored them as well.
_CONSTANTS = ("position_ids", "token_type_ids", "relative_position_index")
_FILES = ("*.json", "merges.txt", "model.safetensors", "pytorch_model.bin")


class TransformersClap(JointSpace):
    """A ClapModel: ``embedding`` (1, width) in one space with captions.

    Unlike laion-clap it does not round samples to 16 bits and has no limit of 77 tokens.

    Args:
        model: folder or hub name; models that fuse parts of long sounds are refused.
        crop: the part of a sound over 10 s that is heard: ``center``, ``start`` or ``random``.
        seed: of a random crop.
        device: of torch.
        batch_size: sounds, or captions, at a time.
        online: whether the files may be fetched from the hub.
        min_vocabulary: smallest plausible tokenizer; a smaller one is an incomplete download.

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
        # pyrefly: ignore[missing-attribute]  (transformers types sub-configurations too widely)
        if self._network.config.audio_config.enable_fusion or features.truncation == "fusion":
            raise UserError(
                f"{model!r} fuses random parts of a long sound, which is not supported. "
                f"Use a model without fusion, such as {_DEFAULT}."
            )
        # pyrefly: ignore[bad-argument-type]  (transformers wraps to() and loses its self)
        self._network.eval().to(device)
        self._processor = ClapProcessor(features, tokenizer)
        words = (_VERSION, f"{self._crop}", features.to_json_string(), vocabulary_digest(tokenizer))
        super().__init__(
            name=f"hf_{Path(model).name}_{self._crop}",
            identity=_identity(self._network, *words),
            sample_rate=features.sampling_rate,
            device=device,
            batch_size=batch_size,
        )
        self._check_captions()

    def _hear(self, waveforms: list[np.ndarray]) -> Vectors:
        length = self._processor.feature_extractor.nb_max_samples
        heard = self._processor(
            audio=[self._crop(waveform, length) for waveform in waveforms],
            # pyrefly: ignore[unexpected-keyword]  (ClapProcessor passes them on)
            sampling_rate=self.sample_rate,
            return_tensors="pt",  # pyrefly: ignore[unexpected-keyword]  (ClapProcessor passes them on)
        ).to(self._device)
        return self._network.get_audio_features(**heard).pooler_output

    def _read(self, captions: list[str]) -> Vectors:
        read = self._processor(
            text=captions,
            padding=True,  # pyrefly: ignore[unexpected-keyword]  (ClapProcessor passes them on)
            truncation=True,  # pyrefly: ignore[unexpected-keyword]  (ClapProcessor passes them on)
            # pyrefly: ignore[missing-attribute, unexpected-keyword]  (ClapProcessor passes them on)
            max_length=self._network.config.text_config.max_position_embeddings - _OFFSET,
            return_tensors="pt",  # pyrefly: ignore[unexpected-keyword]  (ClapProcessor passes them on)
        ).to(self._device)
        return self._network.get_text_features(read["input_ids"], read["attention_mask"]).pooler_output


def _read_model(place: str, way_out: str) -> tuple[ClapModel, ClapFeatureExtractor]:
    try:
        features = ClapFeatureExtractor.from_pretrained(place, local_files_only=True)
        # pyrefly: ignore[not-iterable]  (output_loading_info makes it a pair)
        model, report = ClapModel.from_pretrained(
            place, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"No CLAP at {place!r}: {reason} {way_out}") from error
    # transformers only warns of these, and makes up the weights.
    missing = {name for name in report["missing_keys"] if not name.endswith(_CONSTANTS)}
    if wrong := sorted(map(str, missing | set(report["mismatched_keys"]))):
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UserError(
            f"The weights at {place!r} miss parts of ClapModel, or have other sizes: {', '.join(wrong[:5])}{more}. "
            f"{way_out}"
        )
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

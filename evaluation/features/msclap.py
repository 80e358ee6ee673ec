"""MS-CLAP 2022: Cnn14 for sounds and BERT for captions, the network behind AudioLCM's CLAP score.

Elizalde et al., "CLAP: Learning audio concepts from natural language supervision", 2022. Parameter names are those of
CLAP_weights_2022.pth; the text half is the one that conditions the generator, here with its attention mask.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig

from audiolcm.models.clap_t5 import CaptionEncoder, Projection
from audiolcm.models.clap_t5_files import read_bert_config, read_tokenizer
from audiolcm.types import Waveform
from audiolcm.weights.reading import fill, identity
from evaluation.features.joint import (
    Crop,
    JointSpace,
    Vectors,
    local_folder,
    repeat_and_cut,
    vocabulary_digest,
)
from evaluation.features.panns import EMBEDDING_WIDTH, Cnn14, LogMelSettings
from evaluation.features.weights import model_entry, obtain

SETTINGS = LogMelSettings(44100, window=1024, hop=320, low=50, high=14000)
NUM_SAMPLES = 220_500  # 5 s
# The released code takes 5 s at the rate of the file, but after resampling: for files of 16 kHz these are 1.8 s.
NUM_SAMPLES_BUG = 80_000
NUM_TOKENS = 100
WIDTH = 1024
_VERSION = "msclap-2022-v1"  # change it with anything that can change the features
# A constant that old versions of transformers stored.
_POSITION_IDS = "caption_encoder.base.embeddings.position_ids"
_BERT_FILES = ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json")
_HOW_TO_GET = f"""
MS-CLAP needs the configuration and the tokenizer of bert-base-uncased. On a computer with a network, type
  hf download bert-base-uncased {" ".join(_BERT_FILES)}
and keep the default, or copy the files and give their folder: features.msclap_2022.bert=FOLDER."""


class AudioEncoder(nn.Module):
    """Cnn14 and a projection of its embedding; parameter names are those of MS-CLAP's ``audio_encoder``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.base = Cnn14(SETTINGS)
        self.projection = Projection(EMBEDDING_WIDTH, width)

    def forward(self, waveform: Waveform) -> Vectors:
        """Return (batch, width)."""
        return self.projection(self.base.embed(waveform)[:, None])[:, 0]


class MsClapNetwork(nn.Module):
    """Both halves of MS-CLAP 2022 and the scale of its training loss, which no score uses."""

    def __init__(self, bert: BertConfig, width: int = WIDTH) -> None:
        super().__init__()
        self.audio_encoder = AudioEncoder(width)
        self.caption_encoder = CaptionEncoder(bert, width)
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def embed_sounds(self, waveform: Waveform) -> Vectors:
        """Return (batch, width), each row of length one."""
        return functional.normalize(self.audio_encoder(waveform), dim=-1)

    def embed_texts(
        self,
        ids: Int[Tensor, "batch tokens"],
        mask: Int[Tensor, "batch tokens"],
        segments: Int[Tensor, "batch tokens"],
    ) -> Float[Tensor, "batch width"]:
        """Return the projected first token of each text, (batch, width), each row of length one."""
        hidden = self.caption_encoder.base(input_ids=ids, attention_mask=mask, token_type_ids=segments)
        first = self.caption_encoder.projection(hidden.last_hidden_state[:, :1])[:, 0]
        return functional.normalize(first, dim=-1)


class MsClap(JointSpace):
    """CLAP_weights_2022.pth: ``embedding`` (1, 1024) in one space with captions, at 44.1 kHz.

    Args:
        weights: the path of CLAP_weights_2022.pth; None takes it from the cache folder, or downloads it.
        bert: folder or hub name of BERT's configuration and tokenizer.
        crop: the 5 s of a longer sound that are heard: ``center``, ``start`` or ``random``; or ``bug``, a random
            part of 1.8 s, which is what the released evaluation hears of a file of 16 kHz.
        folder: the cache folder of published weights; None takes the usual one.
        seed, device, batch_size, online, min_vocabulary: see ``JointSpace``; the released evaluation has no seed.

    Raises:
        UserError: a file is missing, damaged, or of another network.
    """

    def __init__(
        self,
        weights: str | None = None,
        bert: str = "bert-base-uncased",
        crop: str = "center",
        seed: int = 0,
        device: str = "cpu",
        batch_size: int = 8,
        folder: str | None = None,
        online: bool = False,
        min_vocabulary: int = 30_000,
    ) -> None:
        self._num_samples = NUM_SAMPLES_BUG if crop == "bug" else NUM_SAMPLES
        self._crop = Crop("random" if crop == "bug" else crop, seed)
        place = local_folder(bert, _BERT_FILES, online, _HOW_TO_GET)
        self._tokenizer = read_tokenizer(place, min_vocabulary, _HOW_TO_GET)
        sizes = read_bert_config(place, _HOW_TO_GET)
        path = obtain("msclap_2022", weights, folder)
        self._network = MsClapNetwork(sizes)
        fill(self._network, network_weights(path), path)
        self._network.eval().to(device)
        words = (_VERSION, f"{self._crop}", f"{self._num_samples}", sizes.to_json_string())
        name = f"msclap_2022_{'bug' if crop == 'bug' else '5s'}_{self._crop}"
        digits = identity(path, *words, vocabulary_digest(self._tokenizer))
        super().__init__(name, digits, SETTINGS.sample_rate, device, batch_size)

    def _hear(self, waveforms: list[np.ndarray]) -> Vectors:
        length = self._num_samples
        parts = [repeat_and_cut(self._crop(waveform, length), length) for waveform in waveforms]
        batch = torch.from_numpy(np.stack(parts).astype(np.float32, copy=False))
        return self._network.embed_sounds(batch.to(self._device))

    def _read(self, captions: list[str]) -> Vectors:
        encoded = self._tokenizer(
            captions,
            padding="max_length",
            truncation=True,
            max_length=NUM_TOKENS,
            return_token_type_ids=True,
            return_tensors="pt",
        ).to(self._device)
        names = ("input_ids", "attention_mask", "token_type_ids")
        return self._network.embed_texts(*(encoded[name] for name in names))


def network_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in CLAP_weights_2022.pth.

    Raises:
        UserError: the file is damaged or is no checkpoint of MS-CLAP.
    """
    weights = model_entry(path, "MS-CLAP")
    return {name: tensor for name, tensor in weights.items() if name != _POSITION_IDS}

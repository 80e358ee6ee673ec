"""Sounds, captions and random weights in the layout of the published files, made once."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from packages import needs_package
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn
from transformers import RobertaTokenizer

sys.path.append(str(Path(__file__).parents[1] / "features"))  # of clap_files

from audiolcm.data.manifest import Clip
from evaluation.features.vggish import VggishNetwork
from evaluation.protocol import ProtocolItem
from evaluation.sound import SoundReader
from evaluation.trial import Trial

RATE = 16000
CAPTIONS = ("a dog barks", "the rain falls", "birds sing far away", "cat", "wind in the trees, then a bell")
NUM_CLIPS = 14  # of 10 s: 140 rows for 128 features


def write_sounds(folder: Path, low: float, high: float) -> tuple[Path, ...]:
    folder.mkdir()
    rng = np.random.default_rng(round(low))
    time = np.arange(10 * RATE) / RATE
    paths = []
    for number in range(NUM_CLIPS):
        tones = sum(np.sin(2 * np.pi * rng.uniform(low, high) * time) for _ in range(3))
        noise = rng.uniform(0.1, 1) * rng.normal(0, 0.5, len(time))
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], rng.uniform(0.02, 0.2) * (tones + noise), RATE, subtype="FLOAT")
    return tuple(paths)


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Sounds at 16 kHz, which the FAD packages need not resample."""
    folder = tmp_path_factory.mktemp("sounds")
    references = write_sounds(folder / "true", 100, 1000)
    items = tuple(
        ProtocolItem(f"{i}__0", Clip(str(i), path, CAPTIONS[i % len(CAPTIONS)], "", 10.0, "test", ()), path)
        for i, path in enumerate(references)
    )
    sounds = (write_sounds(folder / "made", 300, 3000),)
    return Trial(items, sounds, references, SoundReader(resampler="kaiser_best"), frozenset({"few_clips"}))


@pytest.fixture(scope="session")
def vggish_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    torch.manual_seed(0)
    network = VggishNetwork()
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_normal_(weight)
    path = tmp_path_factory.mktemp("vggish") / "vggish.pth"
    torch.save(network.state_dict(), path)
    yield path
    path.unlink()  # 288 MB


@pytest.fixture(scope="session")
def laion_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """A node of ``features`` for a CLAP of the published layout: its audio half whole, its text half one layer."""
    needs_package("laion_clap")
    from clap_files import save_laion

    folder = tmp_path_factory.mktemp("clap")
    files = save_laion(
        folder,
        {"vocab_size": 300, "num_hidden_layers": 1, "intermediate_size": 32, "max_position_embeddings": 90},
    )
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = {token: i for i, token in enumerate([*special, *sorted(ByteLevel.alphabet())])}
    letters = RobertaTokenizer(vocab=vocabulary, merges=[])
    letters.save_pretrained(folder / "letters")
    yield {
        "_target_": "evaluation.features.laion.LaionClap",
        "weights": str(files.weights),
        "tokenizer": str(folder / "letters"),
        "text_sizes": files.text_sizes,
        "min_vocabulary": 200,
    }
    files.weights.unlink()

"""MS-CLAP 2022 against networks of other packages with the same random weights; the audio half has its real size."""

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from clap_files import BERT_TOKENS, CAPTIONS, randomize, save_tokenizer, sounds
from numpy.testing import assert_allclose
from packages import needs_package
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, normalize
from transformers import BertConfig, BertModel

from audiolcm.errors import UserError
from evaluation.features import laion
from evaluation.features.extractor import TextAudioExtractor
from evaluation.features.msclap import NUM_SAMPLES, NUM_SAMPLES_BUG, MsClap, MsClapNetwork

RATE = 44100
TINY_BERT = BertConfig(
    vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """Arguments of MsClap for a checkpoint of the published layout."""
    folder = tmp_path_factory.mktemp("msclap")
    torch.manual_seed(0)
    TINY_BERT.save_pretrained(folder / "bert")
    save_tokenizer(folder / "bert", BERT_TOKENS, start="[CLS]", end="[SEP]", pad="[PAD]", unk="[UNK]")
    state = randomize(MsClapNetwork(TINY_BERT)).state_dict()
    state["caption_encoder.base.embeddings.position_ids"] = torch.arange(512)[None]
    torch.save({"epoch": 3, "model": state}, folder / "CLAP_weights_2022.pth")
    yield {
        "weights": str(folder / "CLAP_weights_2022.pth"),
        "bert": str(folder / "bert"),
        "min_vocabulary": 20,
    }
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def state(files: dict) -> dict[str, Tensor]:
    return torch.load(files["weights"], weights_only=True)["model"]


@pytest.fixture(scope="module")
def extractor(files: dict) -> MsClap:
    return MsClap(**files)


def below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def projected(x: Tensor, half: str, state: dict[str, Tensor]) -> np.ndarray:
    w = below(f"{half}.projection.", state)
    first = x @ w["linear1.weight"].T
    both = first + gelu(first) @ w["linear2.weight"].T
    return normalize(
        layer_norm(both, both.shape[-1:], w["layer_norm.weight"], w["layer_norm.bias"]), dim=-1
    ).numpy()


@torch.no_grad()
def expected_of(parts: list[np.ndarray], state: dict[str, Tensor]) -> np.ndarray:
    """The embeddings by laion-clap's own copy of Cnn14, whose audio must be of the right length already."""
    needs_package("laion_clap")
    laion.networks()
    cnn14 = importlib.import_module("_laion_clap_networks.pann_model").Cnn14(
        RATE, 1024, 320, 64, 50, 14000, 527
    )
    cnn14.load_state_dict(below("audio_encoder.base.", state))
    heard = cnn14.eval()({"waveform": torch.from_numpy(np.stack(parts))}, device="cpu")["embedding"]
    return projected(heard, "audio_encoder", state)


def rows(extractor: MsClap, waveforms: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([features["embedding"] for features in extractor.extract(waveforms)])


def test_sounds_go_through_cnn14_and_projection(extractor: MsClap, state: dict[str, Tensor]) -> None:
    short, long, _ = sounds(RATE)
    start = (len(long) - NUM_SAMPLES) // 2
    expected = expected_of([np.tile(short, 2)[:NUM_SAMPLES], long[start : start + NUM_SAMPLES]], state)
    found = rows(extractor, [short, long])
    assert found.shape == (2, 1024) and found.dtype == np.float32
    assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3, "the comparison would not see a difference"


def test_first_token_is_read_without_padding(extractor: MsClap, state: dict[str, Tensor]) -> None:
    bert = BertModel(TINY_BERT).eval()
    weights = below("caption_encoder.base.", state)
    del weights["embeddings.position_ids"]
    bert.load_state_dict(weights)
    numbers = {token: i for i, token in enumerate(BERT_TOKENS)}
    for caption, found in zip(CAPTIONS, extractor.embed_captions(CAPTIONS), strict=True):
        ids = torch.tensor([[2, *[numbers[word] for word in caption.split()][:98], 3]])
        with torch.no_grad():
            first = bert(ids).last_hidden_state[:, 0]
        assert_allclose(found, projected(first, "caption_encoder", state)[0], rtol=0, atol=1e-5)


def test_bug_is_a_random_part_of_80000_samples(files: dict, state: dict[str, Tensor]) -> None:
    long = sounds(RATE)[1]
    extractor = MsClap(**files, crop="bug", seed=4)
    assert extractor.name == "msclap_2022_bug_random-seed4"
    found = rows(extractor, [long, long])
    assert np.array_equal(found[0], found[1])
    part = extractor._crop(long, NUM_SAMPLES_BUG)
    assert len(part) == 80_000
    assert_allclose(found[:1], expected_of([part], state), rtol=0, atol=1e-5)
    assert np.abs(found[0] - rows(MsClap(**files, crop="bug", seed=5), [long])[0]).max() > 1e-4


def test_short_sounds_are_repeated_for_the_bug_too(files: dict, state: dict[str, Tensor]) -> None:
    short = sounds(RATE)[0][:30_000]
    found = rows(MsClap(**files, crop="bug"), [short])
    assert_allclose(found, expected_of([np.tile(short, 3)[:80_000]], state), rtol=0, atol=1e-5)


def test_neighbors_change_nothing(extractor: MsClap) -> None:
    together, texts = rows(extractor, sounds(RATE)), extractor.embed_captions(CAPTIONS)
    assert_allclose(together[1:2], rows(extractor, sounds(RATE)[1:2]), rtol=0, atol=1e-6)
    assert_allclose(texts[2:3], extractor.embed_captions(CAPTIONS[2:3]), rtol=0, atol=1e-6)
    assert_allclose(np.linalg.norm(together, axis=1), 1.0, rtol=1e-6)


def test_it_is_an_extractor_that_names_itself(extractor: MsClap, files: dict) -> None:
    assert isinstance(extractor, TextAudioExtractor)
    assert extractor.name == "msclap_2022_5s_center" and extractor.sample_rate == 44100
    variants = [
        extractor,
        MsClap(**files, crop="start"),
        MsClap(**files, crop="bug"),
        MsClap(**files, crop="random"),
    ]
    assert len({variant.identity for variant in variants}) == len({variant.name for variant in variants}) == 4


def test_checkpoint_without_position_ids_or_with_a_stray_weight(
    files: dict, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "edited.pth"
    edited = {name: w for name, w in state.items() if not name.endswith("position_ids")}
    torch.save({"model": edited}, path)
    assert MsClap(**files | {"weights": str(path)}).name == "msclap_2022_5s_center"
    torch.save({"model": edited | {"stray": torch.zeros(1)}}, path)
    with pytest.raises(UserError, match="edited.pth holds the weights of another network.*stray"):
        MsClap(**files | {"weights": str(path)})
    path.unlink()


def test_weights_that_are_missing_are_named(files: dict, tmp_path: Path) -> None:
    torch.save({"model": {"logit_scale": torch.zeros(())}}, tmp_path / "few.pth")
    with pytest.raises(UserError, match=r"few.pth holds.*audio_encoder\.projection\.linear1\.weight"):
        MsClap(**files | {"weights": str(tmp_path / "few.pth")})


def test_file_that_is_no_checkpoint(files: dict, tmp_path: Path) -> None:
    torch.save({"logit_scale": torch.zeros(())}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="other.pth is not a checkpoint of MS-CLAP"):
        MsClap(**files | {"weights": str(tmp_path / "other.pth")})


def test_missing_bert_and_small_tokenizer_say_what_to_type(files: dict, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No tokenizer at[\s\S]*hf download bert-base-uncased"):
        MsClap(**files | {"bert": str(tmp_path)})
    with pytest.raises(UserError, match=r"knows only 20 tokens[\s\S]*hf download bert-base-uncased"):
        MsClap(**files | {"min_vocabulary": 30_000})

"""transformers' ClapModel against LAION's own network with the same weights under other names."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from clap_files import CAPTIONS, LaionFiles, laion_to_transformers, save_roberta_tokenizer, sounds
from numpy.testing import assert_allclose
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from audiolcm.errors import UserError
from evaluation.features.extractor import TextAudioExtractor
from evaluation.features.hf_clap import TransformersClap
from evaluation.features.joint import CONSTANTS
from evaluation.features.laion import ROBERTA_BASE, SAMPLE_RATE, LaionClap, network_weights


@pytest.fixture(scope="module")
def model(laion_files: LaionFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a ClapModel with the weights of the LAION checkpoint, and without constants."""
    folder = tmp_path_factory.mktemp("hf") / "clap-unfused"
    config = ClapConfig(text_config=ROBERTA_BASE | laion_files.text_sizes)
    network = ClapModel(config)
    weights = laion_to_transformers(network_weights(laion_files.weights))
    # LAION's classes and its loss stay behind.
    kept = {name: weights[name] for name in network.state_dict() if not name.endswith(CONSTANTS)}
    network.save_pretrained(folder, state_dict=kept)
    ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc").save_pretrained(folder)
    save_roberta_tokenizer(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def extractor(model: Path) -> TransformersClap:
    return TransformersClap(str(model), min_vocabulary=20)


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A folder of links to the files of the model, so that a test can replace some."""
    for file in model.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def edit_json(path: Path, **new: object) -> None:
    content = json.loads(path.read_text()) | new
    path.unlink()
    path.write_text(json.dumps(content))


def test_sounds_are_heard_as_by_laion(extractor: TransformersClap, laion_files: LaionFiles) -> None:
    laion = LaionClap(**laion_files.arguments, quantize=False)
    for ours, theirs in zip(
        extractor.extract(sounds(SAMPLE_RATE)), laion.extract(sounds(SAMPLE_RATE)), strict=True
    ):
        assert_allclose(ours["embedding"], theirs["embedding"], rtol=0, atol=2e-5)


def test_captions_are_read_as_by_laion(extractor: TransformersClap, laion_files: LaionFiles) -> None:
    short, laion = CAPTIONS[:4], LaionClap(**laion_files.arguments)
    assert_allclose(extractor.embed_captions(short), laion.embed_captions(short), rtol=0, atol=1e-5)
    first, second = extractor.embed_captions(short[:2])
    assert abs(first @ second) < 0.99


def test_long_captions_are_cut_at_the_last_position(extractor: TransformersClap) -> None:
    words = CAPTIONS[4].split()  # 86 words and 2 ends fill the positions
    cut, whole = extractor.embed_captions([" ".join(words[:86]), " ".join(words)])
    assert_allclose(cut, whole, rtol=0, atol=1e-6)


def test_long_sound_is_heard_in_its_middle(extractor: TransformersClap) -> None:
    long = np.tile(sounds(SAMPLE_RATE)[2], 2)[: 15 * SAMPLE_RATE] * np.linspace(
        0, 1, 15 * SAMPLE_RATE, dtype=np.float32
    )
    whole, again, middle = extractor.extract([long, long, long[120_000:600_000]])
    assert np.array_equal(whole["embedding"], again["embedding"])
    assert_allclose(whole["embedding"], middle["embedding"], rtol=0, atol=1e-6)


def test_it_is_an_extractor_that_names_itself(extractor: TransformersClap, model: Path) -> None:
    assert isinstance(extractor, TextAudioExtractor) and extractor.sample_rate == 48000
    assert extractor.name == "hf_clap-unfused_center"
    other = TransformersClap(str(model), crop="random", seed=2, min_vocabulary=20)
    assert other.name == "hf_clap-unfused_random-seed2" and other.identity != extractor.identity


def test_identity_is_that_of_the_weights(copy: Path, extractor: TransformersClap) -> None:
    assert TransformersClap(str(copy), min_vocabulary=20).identity == extractor.identity
    network = ClapModel.from_pretrained(copy)
    with torch.no_grad():
        network.logit_scale_a.add_(1e-3)
    (copy / "model.safetensors").unlink()
    network.save_pretrained(copy)
    assert TransformersClap(str(copy), min_vocabulary=20).identity != extractor.identity


def test_missing_model_says_what_to_type() -> None:
    with pytest.raises(
        UserError,
        match=r"'no/such-clap'[\s\S]*hf download no/such-clap[\s\S]*features.hf_clap_htsat_unfused.model",
    ):
        TransformersClap("no/such-clap")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json"])
def test_missing_file_says_what_to_type(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(UserError, match="hf download laion/clap-htsat-unfused"):
        TransformersClap(str(copy), min_vocabulary=20)


def test_empty_tokenizer_is_refused(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"(No tokenizer at|knows only)[\s\S]*hf download"):
        TransformersClap(str(copy), min_vocabulary=20)


def test_weights_that_transformers_would_make_up_are_named(copy: Path) -> None:
    audio = json.loads((copy / "config.json").read_text())["audio_config"]
    edit_json(copy / "config.json", audio_config=audio | {"depths": [2, 2, 6, 3]})
    with pytest.raises(UserError, match=r"miss parts of ClapModel.*layers\.3\.blocks\.2"):
        TransformersClap(str(copy), min_vocabulary=20)


def test_damaged_weights_are_refused(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(UserError, match="No CLAP at"):
        TransformersClap(str(copy), min_vocabulary=20)


def test_fusion_is_refused(copy: Path) -> None:
    edit_json(copy / "preprocessor_config.json", truncation="fusion")
    with pytest.raises(UserError, match="fuses random parts of a long sound"):
        TransformersClap(str(copy), min_vocabulary=20)


def test_model_is_fetched_only_if_allowed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, allow_patterns: list[str]) -> str:
        assert name == "some/clap" and "model.safetensors" in allow_patterns
        return str(model)

    monkeypatch.setattr("evaluation.features.joint.snapshot_download", download)
    assert TransformersClap("some/clap", online=True, min_vocabulary=20).name == "hf_clap_center"

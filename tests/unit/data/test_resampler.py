"""What brings files of a corpus to 16 kHz, by name."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiolcm.audio.io import read_audio
from audiolcm.audio.resampling import resample
from audiolcm.configuration.fingerprint import settings_fingerprint
from audiolcm.data.corpora.manifest import ManifestCorpus
from audiolcm.data.corpora.mix import Mix
from audiolcm.data.corpora.webdataset import WebDataset
from audiolcm.errors import UserError
from audiolcm.training.stage_runner import _resampler

RATE = 44100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    waveform = 0.1 * np.random.default_rng(0).standard_normal((3 * RATE, 2))
    soundfile.write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT")
    (tmp_path / "manifest.tsv").write_text("name\taudio_path\tcaption\na\ta.wav\tA dog barks\n")
    return tmp_path


def test_torchaudio_resamples_the_mean_of_the_channels(folder: Path) -> None:
    corpus = ManifestCorpus(str(folder), resampler="torchaudio")
    (clip,) = [*corpus.clips("train"), *corpus.clips("validation")]
    stored, _ = soundfile.read(folder / "a.wav", dtype="float32")
    expected = resample(torch.from_numpy(stored.mean(axis=1)), RATE, 16000).numpy()
    np.testing.assert_array_equal(corpus.waveform(clip), expected)
    assert np.abs(expected - ManifestCorpus(str(folder)).waveform(clip)).max() > 1e-4


def test_the_end_of_what_is_read_hears_what_comes_after(folder: Path) -> None:
    whole = read_audio(folder / "a.wav", resampler="torchaudio")
    start = read_audio(folder / "a.wav", 1.0, resampler="torchaudio")
    np.testing.assert_array_equal(start, whole[:16000])


def test_it_makes_other_data_unless_it_is_the_usual_one(folder: Path) -> None:
    usual, named, other = (
        ManifestCorpus(str(folder), resampler=name) for name in (None, "soxr", "torchaudio")
    )
    assert usual.fingerprint() == named.fingerprint() != other.fingerprint()


def test_it_makes_other_shards_too(folder: Path) -> None:
    with tarfile.open(folder / "0.tar", "w") as shard:
        shard.add(folder / "a.wav", "a.wav")
        (folder / "a.txt").write_text("A dog barks")
        shard.add(folder / "a.txt", "a.txt")
    usual, other = (WebDataset(str(folder), resampler=name) for name in ("soxr", "torchaudio"))
    assert usual.fingerprint() == WebDataset(str(folder)).fingerprint() != other.fingerprint()


def test_the_card_names_it() -> None:
    assert _resampler({"name": "foley"}) is None
    assert _resampler({"resampler": None}) == "soxr"
    assert _resampler({"resampler": None, "mels": True}) == "none: mels as given"
    corpora = {"a": {"resampler": "soxr"}, "b": {"resampler": None}, "c": {"resampler": "soxr"}}
    mix = {"corpora": corpora, "resampler": "torchaudio", "include": None}
    assert _resampler(mix) == "soxr, torchaudio"
    assert _resampler(mix | {"include": ["a", "c"]}) == "soxr"


def test_rates_without_a_common_divisor_are_refused() -> None:
    with pytest.raises(UserError, match="dataset.resampler=soxr"):
        resample(torch.zeros(100), 44101, 16000)


def test_a_mix_says_it_for_all(folder: Path) -> None:
    own = ManifestCorpus(str(folder), resampler="soxr")
    corpora = {"own": own, "other": ManifestCorpus(str(folder))}
    assert [one.resampler for one in Mix(corpora, resampler="torchaudio").corpora.values()] == [
        "soxr",
        "torchaudio",
    ]


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(UserError, match="choose soxr or torchaudio"):
        ManifestCorpus(resampler="librosa")


def test_null_is_what_settings_were_without_it() -> None:
    before = {"dataset": {"name": "clotho"}}
    assert settings_fingerprint(before) == settings_fingerprint(
        {"dataset": {"name": "clotho", "resampler": None, "mels": None}}
    )

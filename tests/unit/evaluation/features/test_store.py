from collections.abc import Sequence

import numpy as np
import pytest
from safetensors import SafetensorError

from audiolcm.audio.io import write_wav
from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor, TextAudioExtractor
from evaluation.features.store import BATCH, FeatureStore
from evaluation.sound import SoundReader


class Loudness:
    """Counts its calls, so that a test sees what was computed again."""

    name, sample_rate, is_embedded = "loudness", 16000, True

    def __init__(self, identity: str = "0000000000") -> None:
        self.identity = identity
        self.heard = 0
        self.seen = 0

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        self.heard += len(waveforms)
        if any(len(waveform) < 200 for waveform in waveforms):
            raise UserError("too short.")
        return [{"embedding": np.array([[np.abs(w).max(), len(w)]]), "logits": w[:3]} for w in waveforms]

    def embed_captions(self, captions: Sequence[str]) -> np.ndarray:
        self.seen += len(captions)
        return np.array([[len(caption), 1.0] for caption in captions])


@pytest.fixture
def paths(tmp_path):
    made = [tmp_path / f"{i}.wav" for i in range(BATCH + 5)]
    for i, path in enumerate(made):
        write_wav(path, np.full(1000 + i, (i + 1) / 100, np.float32))
    return made


def test_features_come_in_the_order_of_the_files_and_are_computed_once(tmp_path, paths):
    first, again = Loudness(), Loudness()
    assert isinstance(first, Extractor) and isinstance(first, TextAudioExtractor)
    backwards = paths[::-1]
    features = FeatureStore(tmp_path / "cache").features(first, SoundReader(), backwards)
    np.testing.assert_allclose(
        [f["embedding"][0] for f in features],
        [[(i + 1) / 100, 1000 + i] for i in reversed(range(BATCH + 5))],
        atol=1e-4,
    )
    repeated = FeatureStore(tmp_path / "cache").features(again, SoundReader(), paths)
    assert first.heard == BATCH + 5 and again.heard == 0
    for ours, theirs in zip(repeated, features[::-1], strict=True):
        assert ours.keys() == {"embedding", "logits"}
        np.testing.assert_array_equal(ours["logits"], theirs["logits"])


def test_another_network_another_reader_and_another_sound_are_computed_again(tmp_path, paths):
    store, loudness = FeatureStore(tmp_path / "cache"), Loudness()
    store.features(loudness, SoundReader(), paths[:2])
    store.features(loudness, SoundReader(min_seconds=1.0), paths[:2])
    assert loudness.heard == 4
    retrained = Loudness(identity="1111111111")
    store.features(retrained, SoundReader(), paths[:2])
    assert retrained.heard == 2
    write_wav(paths[0], np.full(1234, 0.5, np.float32))
    changed = store.features(loudness, SoundReader(), paths[:2])
    assert loudness.heard == 5
    assert changed[0]["embedding"][0, 1] == 1234


def test_equal_files_are_heard_once(tmp_path, paths):
    paths[1].write_bytes(paths[0].read_bytes())
    loudness = Loudness()
    features = FeatureStore(tmp_path / "cache").features(loudness, SoundReader(), paths[:2])
    assert loudness.heard == 1
    np.testing.assert_array_equal(features[0]["embedding"], features[1]["embedding"])


def test_a_damaged_cache_file_is_told_and_computed_again(tmp_path, paths, caplog):
    store, loudness = FeatureStore(tmp_path / "cache"), Loudness()
    store.features(loudness, SoundReader(), paths[:3])
    [file] = (tmp_path / "cache").glob("loudness*/*.safetensors")
    file.write_bytes(file.read_bytes()[:40])
    store.features(loudness, SoundReader(), paths[:3])
    assert loudness.heard == 6
    assert "damaged" in caplog.text


def test_missing_and_too_short_sounds_are_named(tmp_path, paths):
    store = FeatureStore(tmp_path / "cache")
    with pytest.raises(UserError, match="1 of 2 sounds are missing.*absent.wav"):
        store.features(Loudness(), SoundReader(), [paths[0], tmp_path / "absent.wav"])
    write_wav(paths[1], np.zeros(100, np.float32) + 0.1)
    with pytest.raises(UserError, match=r"/1\.wav: too short"):
        store.features(Loudness(), SoundReader(), paths[:3])


def test_captions_are_embedded_once(tmp_path):
    store, loudness = FeatureStore(tmp_path / "cache"), Loudness()
    embedded = store.captions(loudness, ["rain", "a dog", "rain"])
    np.testing.assert_array_equal(embedded[:, 0], [4, 5, 4])
    assert loudness.seen == 2
    assert store.captions(loudness, ["a dog"])[0, 0] == 5
    assert loudness.seen == 2


def test_a_full_disk_is_one_message(tmp_path, paths, monkeypatch):
    def refuse(*_):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("evaluation.features.store.save_file", refuse)
    with pytest.raises(UserError, match="No space left on the disk"):
        FeatureStore(tmp_path / "cache").features(Loudness(), SoundReader(), paths[:2])
    assert not list((tmp_path / "cache").rglob("*.partial"))

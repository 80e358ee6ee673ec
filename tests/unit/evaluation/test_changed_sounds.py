"""What an evaluation finds of earlier ones, sounds and features and records, is as it was made, or is not used."""

from pathlib import Path

import numpy as np
import pytest
from damage import REPLACED, flipped, outcome, remove
from records import make_record

from audiolcm.audio.io import write_wav
from audiolcm.data.manifest import Clip
from evaluation.features.store import FeatureStore, reference_gaussian
from evaluation.generate import keep_settings
from evaluation.protocol import ProtocolItem, TestSet
from evaluation.record import read_record
from evaluation.sound import SoundReader
from evaluation.systems.baselines import WhiteNoise
from evaluation.systems.system import RECORD

NAMES = ("a__0", "b__0", "c__0")


class Rows:
    """Four rows of two numbers for each sound."""

    name, identity, sample_rate, is_embedded = "rows", "0123456789", 16000, True

    def extract(self, waveforms: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
        return [{"embedding": np.abs(waveform[:8]).reshape(4, 2)} for waveform in waveforms]


def sounds(cache: Path) -> list[Path]:
    items = [
        ProtocolItem(name, Clip(name, None, name, "", 0.1, "test", ()), Path("/none.wav")) for name in NAMES
    ]
    return WhiteNoise().sounds(TestSet(tuple(items), 0.1, "0123456789", "mine"), 0, cache)


def test_a_changed_sound_is_refused_by_name_and_made_again_when_it_is_removed(tmp_path: Path) -> None:
    path, *others = sounds(tmp_path)
    content = path.read_bytes()
    for damaged in flipped(content, 30):
        path.write_bytes(damaged)
        _, message = outcome(lambda: sounds(tmp_path))
        assert f"{path} (its content has changed)" in message and "Remove them" in message
    path.unlink()
    assert sounds(tmp_path) == [path, *others] and path.read_bytes() == content


@pytest.mark.parametrize("kind", REPLACED)
def test_what_stands_in_the_place_of_a_sound_is_refused_or_made_again(tmp_path: Path, kind: str) -> None:
    path = sounds(tmp_path)[1]
    content = path.read_bytes()
    REPLACED[kind](path)
    _, message = outcome(lambda: sounds(tmp_path))
    assert str(path) in message if kind != "a link to nothing" else path.read_bytes() == content


def test_the_record_of_the_sounds_may_be_missing_or_damaged(tmp_path: Path) -> None:
    path = sounds(tmp_path)[0]
    record = path.parents[1] / RECORD
    whole = record.read_bytes()
    for damaged in (b"", b"\xff\n[1]\n", *flipped(whole, 60)):  # b"": as of an earlier version
        record.write_bytes(damaged)
        assert outcome(lambda: sounds(tmp_path))[1] == ""
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    assert str(path) in outcome(lambda: sounds(tmp_path))[1]


def test_flipped_bits_in_cached_features_and_statistics_change_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.wav" for name in NAMES]
    for number, path in enumerate(paths):
        write_wav(path, np.random.default_rng(number).uniform(-0.5, 0.5, 400).astype(np.float32))

    def found() -> list[np.ndarray]:
        store = FeatureStore(tmp_path / "cache")
        gaussian = reference_gaussian(store, Rows(), SoundReader(), paths)
        features = store.features(Rows(), SoundReader(), paths)
        return [gaussian.mean, gaussian.covariance, *(one["embedding"] for one in features)]

    good = found()
    for folder in ("rows-*", "statistics"):
        (path,) = (tmp_path / "cache").glob(f"{folder}/*.safetensors")
        content = path.read_bytes()
        for damaged in (b"", content[:-1], *flipped(content, 150)):
            path.write_bytes(damaged)
            assert all(map(np.array_equal, found(), good))
        for kind, replace in REPLACED.items():
            replace(path)
            again, message = outcome(found)
            assert str(path) in message if kind == "a folder" else all(map(np.array_equal, again, good))
            remove(path)
            found()


def test_a_flipped_bit_in_a_record_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    record, path = make_record(tmp_path, num_clips=2), tmp_path / "metrics.json"
    record.write(path)
    good = read_record(path)
    for damaged in flipped(path.read_bytes(), 300):
        path.write_bytes(damaged)
        found, message = outcome(lambda: read_record(path))
        assert found == good or (str(path) in message and "Run `python evaluate.py` again" in message)
    for replace in REPLACED.values():
        replace(path)
        assert str(path) in outcome(lambda: read_record(path))[1]
        remove(path)
        record.write(path)


def test_damaged_settings_beside_clips_are_one_sentence(tmp_path: Path) -> None:
    settings, path = {"system": "student", "num_steps": 2}, tmp_path / "clips.settings.json"
    keep_settings(tmp_path / "clips", settings)
    for damaged in (b"[]", b'{"system": ', *flipped(path.read_bytes(), 100)):
        path.write_bytes(damaged)
        _, message = outcome(lambda: keep_settings(tmp_path / "clips", settings))
        assert not message or str(path) in message

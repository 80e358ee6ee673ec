"""Mels that others made, in tables of the released code, instead of sounds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from audiolcm.audio.io import write_wav
from audiolcm.audio.mel import MelSpectrogram
from audiolcm.data.corpora.audiocaps import AudioCaps
from audiolcm.data.corpora.manifest import ManifestCorpus
from audiolcm.data.corpora.mix import Mix
from audiolcm.data.loading.dataset import MelClips
from audiolcm.data.manifest import GivesMels
from audiolcm.data.preparing.prepare import prepare, prepared_fingerprint
from audiolcm.data.store.mels import read_mel
from audiolcm.errors import UserError

HEADER = ("name", "dataset", "ori_cap", "mel_path", "caption", "audio_path")


def sound(seed: int, seconds: float = 1.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16000))).astype(np.float32)


def log_mel(waveform: np.ndarray) -> np.ndarray:
    return MelSpectrogram()(torch.from_numpy(waveform)[None])[0].numpy()


def write_table(path: Path, names: list[str]) -> None:
    rows = [
        (name, "mine", f"A {name} sounds", f"mels/{name}_mel.npy", f"<{name}& all>", f"wavs/{name}.wav")
        for name in names
    ]
    path.write_text("\n".join("\t".join(row) for row in (HEADER, *rows)) + "\n")


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A folder as the released preprocessing leaves it: a table, sounds, and mels at another place."""
    folder = tmp_path / "released"
    (folder / "elsewhere").mkdir(parents=True)
    (folder / "wavs").mkdir()
    names = ["dog", "dog", "rain", "bell"]
    write_table(folder / "manifest.tsv", names)
    write_table(folder / "train.tsv", names[:3])
    write_table(folder / "val.tsv", names[3:])
    for seed, name in enumerate(dict.fromkeys(names)):
        write_wav(folder / "wavs" / f"{name}.wav", sound(seed))
        np.save(folder / "elsewhere" / f"{name}_mel.npy", log_mel(sound(seed)))
    return folder


def remove_sounds(folder: Path) -> None:
    for path in (folder / "wavs").iterdir():
        path.unlink()


def test_a_released_table_is_a_manifest(released: Path) -> None:
    clips = [
        *ManifestCorpus(str(released)).clips("train"),
        *ManifestCorpus(str(released)).clips("validation"),
    ]
    found = {clip.name: (clip.caption, clip.structured_caption) for clip in clips}
    assert found["dog"] == found["dog_2"] == ("A dog sounds", "<dog& all>")
    assert set(found) == {"dog", "dog_2", "rain", "bell"}


def test_mels_stand_in_for_sounds(released: Path, tmp_path: Path) -> None:
    remove_sounds(released)
    corpus = ManifestCorpus(str(released), duration=1.0, mels=True)
    data = prepare(corpus, tmp_path / "cache", progress=False)
    assert data.num_bad_rows == 0
    split = data.split("train")
    assert not split.has_sound
    position = [clip.name for clip in split.clips].index("dog")
    expected = np.load(released / "elsewhere" / "dog_mel.npy")
    np.testing.assert_allclose(split.mel(position), expected, atol=2e-3)
    assert split.num_frames(position) == expected.shape[1] == 62
    assert split.clips[position].duration == pytest.approx(62 * 256 / 16000)
    assert MelClips(split, 40).batch([position], torch.Generator())["mel"].shape == (1, 80, 40)
    with pytest.raises(UserError, match="has no sound"):
        split.waveform(position)


def test_they_are_what_the_sounds_would_give(released: Path, tmp_path: Path) -> None:
    tables = {"train": "train.tsv", "validation": "val.tsv"}
    by_sound = AudioCaps(str(released), 1.0, **tables)
    by_mel = AudioCaps(str(released), 1.0, **tables, mels=True)
    heard, given = (
        prepare(corpus, tmp_path / "cache", progress=False).split("train") for corpus in (by_sound, by_mel)
    )
    assert heard.has_sound
    assert [clip.name for clip in heard.clips] == [clip.name for clip in given.clips]
    for index in range(len(heard)):
        np.testing.assert_allclose(heard.mel(index), given.mel(index), atol=0.01)  # of 16-bit samples
    assert prepared_fingerprint(by_sound) != prepared_fingerprint(by_mel)


def test_where_only_mels_are_there_it_is_said(released: Path, caplog: pytest.LogCaptureFixture) -> None:
    ManifestCorpus(str(released)).clips("train")
    assert "dataset.mels" not in caplog.text
    remove_sounds(released)
    ManifestCorpus(str(released)).clips("train")
    assert "dataset.mels=true" in caplog.text and "bell_mel.npy" in caplog.text


def test_a_mel_in_place_of_a_sound_is_refused_unless_it_was_asked_for(released: Path, tmp_path: Path) -> None:
    rows = [
        "name\taudio_path\tcaption",
        "dog\telsewhere/dog_mel.npy\tA dog barks",
        "rain\twavs/rain.wav\tRain",
    ]
    (released / "manifest.tsv").write_text("\n".join([*rows, "bell\twavs/bell.wav\tA bell"]) + "\n")
    data = prepare(ManifestCorpus(str(released), duration=1.0), tmp_path / "cache", progress=False)
    assert [row.name for row in data.bad_rows] == ["dog"]


def test_a_mix_has_them_too(released: Path, tmp_path: Path) -> None:
    remove_sounds(released)
    mix = Mix({"mine": ManifestCorpus(str(released), duration=1.0, mels=True)}, duration=1.0)
    assert isinstance(mix, GivesMels)
    assert not prepare(mix, tmp_path / "cache", progress=False).split("train").has_sound


def test_a_table_without_mels_is_refused(released: Path) -> None:
    (released / "train.tsv").write_text("youtube_id\tstart_time\tcaption\nabc\t1\tA dog\n")
    with pytest.raises(UserError, match="no released one with a column mel_path"):
        AudioCaps(str(released), train="train.tsv", mels=True).clips("train")
    (released / "manifest.tsv").write_text("name\taudio_path\tcaption\na\ta.wav\tA dog\n")
    with pytest.raises(UserError, match="no column mel_path"):
        ManifestCorpus(str(released), mels=True).clips("train")


@pytest.mark.parametrize(
    ("mel", "reason"),
    [
        (np.zeros((625, 80)), "has shape"),
        (np.full((80, 100), -5.0), "silent"),
        (np.full((80, 5), -1.0), "too short"),
        (np.full((80, 100), np.nan), "NaN"),
        (np.linspace(-11.5, 2, 8000).reshape(80, 100), "Natural logarithms"),
        (np.array([{"a": 1}], dtype=object), "cannot be read"),
    ],
)
def test_what_is_no_mel_is_told(tmp_path: Path, mel: np.ndarray, reason: str) -> None:
    np.save(tmp_path / "x_mel.npy", mel, allow_pickle=True)
    with pytest.raises(UserError, match=reason):
        read_mel(tmp_path / "x_mel.npy", 10.0)


def test_it_is_cut_as_the_released_code_cuts(tmp_path: Path) -> None:
    np.save(tmp_path / "x_mel.npy", np.full((80, 700), -1.0, np.float32))
    assert read_mel(tmp_path / "x_mel.npy", 10.0).shape == (80, int(10.0 * 62.5))
    with pytest.raises(UserError, match="not found"):
        read_mel(tmp_path / "y_mel.npy", 10.0)

"""Sounds save themselves where people expect them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.audio.io import read_audio, read_facts
from audiolcm.errors import UserError
from audiolcm.sound import Generated, Sound, read_card, wav_paths

WAVES = np.stack([np.full(1600, level, np.float32) for level in (0.25, -0.5)])


def made(count: int) -> Generated:
    return Generated(WAVES[:count], np.zeros((count, 80, 7), np.float32), 2, {})


def test_one_sound_is_one_file(tmp_path: Path) -> None:
    assert made(1).save(tmp_path / "deep" / "a.wav") == [tmp_path / "deep" / "a.wav"]
    read, rate = soundfile.read(tmp_path / "deep" / "a.wav")
    assert rate == made(1).sample_rate == 16000
    np.testing.assert_array_equal(read, WAVES[0])


def test_several_sounds_are_numbered_files_of_a_folder(tmp_path: Path) -> None:
    paths = made(2).save(str(tmp_path / "sounds"))
    assert paths == [tmp_path / "sounds" / "000.wav", tmp_path / "sounds" / "001.wav"]
    for path, wave in zip(paths, WAVES, strict=True):
        np.testing.assert_array_equal(soundfile.read(path)[0], wave)


def test_each_sound_is_there_by_its_place(tmp_path: Path) -> None:
    sounds = made(2)
    assert len(sounds) == len(list(sounds)) == 2
    np.testing.assert_array_equal(sounds[-1].waveform, WAVES[1])
    assert sounds[1].save(tmp_path / "b.WAV") == tmp_path / "b.WAV"
    np.testing.assert_array_equal(soundfile.read(tmp_path / "b.WAV")[0], WAVES[1])
    assert Sound(WAVES[0]).save(tmp_path / "folder") == tmp_path / "folder" / "000.wav"
    with pytest.raises(IndexError):
        sounds[2]


@pytest.mark.parametrize(("length", "repeated"), [(1600, 1), (1601, 2), (1601, 50_001)])
def test_a_card_stands_behind_the_samples_of_the_file(tmp_path: Path, length: int, repeated: int) -> None:
    wave, card = np.full(length, 0.25, np.float32), {"caption": 'a "döner"' * repeated, "seed": 3}
    bare, sound = Sound(wave).save(tmp_path / "bare.wav"), Sound(wave, card=card).save(tmp_path / "card.wav")
    assert sound.read_bytes()[8 : bare.stat().st_size] == bare.read_bytes()[8:]
    assert read_card(sound) == card and read_card(bare) == {}
    if repeated < 50:  # libsndfile reads 2 kB of a comment
        assert json.loads(soundfile.SoundFile(sound).comment) == card
    np.testing.assert_array_equal(read_audio(sound), wave)
    assert read_facts(sound).num_samples == length
    soundfile.write(tmp_path / "other.flac", wave, 16000)
    assert read_card(tmp_path / "other.flac") == {}
    with pytest.raises(UserError, match="nowhere.wav cannot be read"):
        read_card(tmp_path / "nowhere.wav")


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("x" * 260 + ".wav", 1, "no sound can be written there (File name too long)"), ("x" * 260, 2, "too long"),
        ("a\0b.wav", 1, "no sound can be written there"),
        ("a.mp3", 1, "written as .wav"), ("a.wav", 2, "2 captions need a folder"),
        ("file/a.wav", 1, "file is in the way"),
        ("file", 2, "file is in the way"), ("folder", 1, "000.wav is in the way"),
    ],
)  # fmt: skip
def test_names_that_can_not_be_written(tmp_path: Path, name: str, count: int, words: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder/000.wav").mkdir(parents=True)
    with pytest.raises(UserError, match=re.escape(words)):
        wav_paths(tmp_path / name, count)


@pytest.mark.parametrize("count", [1, 2])
def test_a_folder_may_have_a_dot(tmp_path: Path, count: int) -> None:
    (tmp_path / "run-omega4.0").mkdir()
    (tmp_path / "set.wav").mkdir()
    for output in (
        tmp_path / "run-omega4.0",
        f"{tmp_path}/set.wav",
        f"{tmp_path}/new.folder/",
        f"{tmp_path}/new.wav/",
    ):
        assert wav_paths(output, count) == [Path(output) / f"{index:03d}.wav" for index in range(count)]
    assert made(count).save(f"{tmp_path}/new.folder/")[0].is_file()

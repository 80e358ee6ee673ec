"""Folders as other people have them: linked, unpacked by archives, with suffixes in capitals, with parts missing."""

import json
import tarfile
from pathlib import Path

import pytest
from test_no_row_is_lost import esc, fsd50k, sound, write

from audiolcm.data import corpora
from audiolcm.data.corpora.own_folder import clips_of_folder
from audiolcm.data.locating import Finder, files_below, sound_files


def test_linked_folders_are_followed_and_walked_once(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    sound(root / "real" / "a.wav")
    sound(other / "deep" / "b.wav")
    (root / "a_link").symlink_to(root / "real")
    (root / "linked").symlink_to(other)
    (root / "linked_too").symlink_to(other / "deep")
    (other / "back").symlink_to(root)
    (root / "self").symlink_to(root)
    (root / "nowhere").symlink_to(tmp_path / "gone")
    found = [path.relative_to(root).as_posix() for path in sound_files(root)]
    assert found == ["linked/deep/b.wav", "real/a.wav"]
    (tmp_path / "start").symlink_to(root)
    assert len(sound_files(tmp_path / "start")) == 2


def test_every_reader_follows_links(tmp_path: Path) -> None:
    other = tmp_path / "other"
    sound(other / "sounds" / "Yaaaaaaaaaaa.wav")
    write(other / "sounds" / "Yaaaaaaaaaaa.txt", "A dog")
    write(other / "own" / "metadata.csv", "file_name,text", "../../../other/sounds/Yaaaaaaaaaaa.wav,A dog")
    (other / "shards").mkdir()
    with tarfile.open(other / "shards" / "0.TAR", "w") as tar:
        for suffix in ("wav", "txt"):
            tar.add(other / "sounds" / f"Yaaaaaaaaaaa.{suffix}", f"a.{suffix}")
    root = tmp_path / "root"
    root.mkdir()
    for name in ("sounds", "own", "shards"):
        (root / name).symlink_to(other / name)
    write(root / "train.csv", "youtube_id,start_time,caption", "aaaaaaaaaaa,30,A dog")
    assert corpora.AudioCaps(str(root)).missing_files("train") == []
    (clip,) = corpora.SidecarCorpus(str(root), validation_every=0).clips("train")
    assert (clip.name, clip.caption) == ("sounds/Yaaaaaaaaaaa", "A dog")
    (clip,) = corpora.WebDataset(str(root), validation_every=0).clips("train")
    assert (clip.name, clip.caption) == ("shards/0/a", "A dog")
    (clip,) = clips_of_folder(root, "mine")
    assert clip.caption == "A dog"


def test_a_suffix_may_be_in_other_letters(tmp_path: Path) -> None:
    for name in ("cat.WAV", "dog.wav", "two.WAV", "two.Wav", "Rain.wav", "spaced.wav", "spaced.WAV"):
        sound(tmp_path / name)
    find = Finder()
    assert find(tmp_path / "cat.wav") == tmp_path / "cat.WAV"
    assert find(tmp_path / " cat.Wav") == tmp_path / "cat.WAV"
    assert find(tmp_path / "dog.WAV") == tmp_path / "dog.wav"
    assert find(tmp_path / "two.wav") == tmp_path / "two.wav"  # either might be meant: not found
    assert find(tmp_path / "rain.wav") == tmp_path / "rain.wav"  # another name
    assert find(tmp_path / " spaced.wav") == tmp_path / "spaced.wav"


def test_texts_beside_sounds_may_have_capital_suffixes(tmp_path: Path) -> None:
    sound(tmp_path / "a.WAV")
    write(tmp_path / "a.TXT", "A dog")
    (clip,) = corpora.SidecarCorpus(str(tmp_path), validation_every=0).clips("train")
    assert clip.caption == "A dog"


def test_wavcaps_as_its_archives_unpack(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    deep = tmp_path / "mnt" / "fast" / "WavCaps" / "data" / "waveforms"
    for name in (
        "AudioSet_SL_flac/Yaaaaaaaaaaa",
        "FreeSound_flac/12",
        "FreeSound_flac/13",
        "FreeSound_flac/14",
    ):
        sound(deep / f"{name}.flac")
    entries = {
        "AudioSet_SL/as_final": [{"id": "Yaaaaaaaaaaa.wav", "caption": "A dog"}],
        "FreeSound/fsd_final": [{"id": "12", "caption": "Rain"}, {"id": "13", "caption": "Wind"}, {}],
        "FreeSound/fsd_final_2s": [{"id": "12", "caption": "Rain"}, {"id": "14", "caption": "Sea"}, {}],
        "SoundBible/sb_final": [{"id": "1", "caption": ["A", "list"]}],
    }
    for name, data in entries.items():
        write(tmp_path / "json_files" / f"{name}.json", json.dumps({"data": data}))
    corpus = corpora.WavCaps(str(tmp_path), validation_every=0)
    clips = {clip.name: clip for clip in corpus.clips("train")}
    good = {"AudioSet_SL_Yaaaaaaaaaaa", "FreeSound_12", "FreeSound_13", "FreeSound_14"}
    assert {name for name, clip in clips.items() if clip.audio_path.is_file()} == good
    assert len(corpus.clips("train")) == 7  # and two without an id, one whose caption is no text
    assert clips["SoundBible_1"].problem == "The caption is no text."
    assert "1 entries of" in caplog.text


def test_folds_of_no_split_are_told_and_unknown_ones_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = esc(tmp_path)
    with (root / "meta" / "esc50.csv").open("a") as file:
        file.write(f"1-14-A-0.wav,9,0,dog\n1-15-A-0.wav,{'9' * 5000},0,dog\n")
    corpus = corpora.Esc50(str(root), train_folds=[1], validation_every=0)
    odd = [clip.problem for clip in corpus.clips("train") if clip.problem]
    assert len(corpus.clips("train")) == 3
    assert odd[0] == "The fold 9 is none of [1, 2, 3, 4, 5]."
    assert "a number are expected" in odd[1]
    assert "1 clips are of folds that are in no split" in caplog.text


def test_a_missing_table_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus, _ = fsd50k(tmp_path)
    (tmp_path / "FSD50K.ground_truth" / "eval.csv").unlink()
    assert list(corpus.clips("test")) == []
    assert f"no table {tmp_path / 'FSD50K.ground_truth' / 'eval.csv'}" in caplog.text
    write(tmp_path / "class_labels_indices.csv", "index,mid,display_name", "0,/m/1,Speech", "1,/m/2,Music")
    write(tmp_path / "balanced_train_segments.csv", 'aaaaaaaaaaa, 1.0, 11.0, "/m/1"')
    assert list(corpora.AudioSet(str(tmp_path)).clips("test")) == []
    assert "split test is empty" in caplog.text


def test_a_folder_that_cannot_be_read_does_not_end_the_walk(tmp_path: Path) -> None:
    assert list(files_below(tmp_path / "gone", (".wav",))) == []


def test_a_text_gives_the_caption_that_a_json_lacks(tmp_path: Path) -> None:
    for name in ("a", "b"):
        sound(tmp_path / f"{name}.wav")
        write(tmp_path / f"{name}.json", json.dumps({"labels": [name]}))
    write(tmp_path / "a.txt", "A dog")
    first, second = corpora.SidecarCorpus(str(tmp_path), validation_every=0).clips("train")
    assert (first.caption, first.structured_caption, first.labels) == ("A dog", "<A dog& all>", ("a",))
    assert (second.caption, second.labels) == ("", ("b",))


def test_sounds_that_no_metadata_name_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b", "c"):
        sound(tmp_path / f"{name}.wav")
    write(tmp_path / "metadata.csv", "file_name,text", "./a.wav,A dog", "b.wav,A cat")
    assert len(clips_of_folder(tmp_path, "mine")) == 2
    assert "do not name 1 of the sound files there, such as " + str(tmp_path / "c.wav") in caplog.text


@pytest.mark.parametrize("broken", ["a", "b", "c"])
def test_a_broken_sound_is_not_the_only_one_that_is_held_back(tmp_path: Path, broken: str) -> None:
    for name in ("a", "b", "c"):
        sound(tmp_path / f"{name}.wav")
    (tmp_path / f"{broken}.wav").write_bytes(b"no sound")
    write(
        tmp_path / "manifest.tsv", "name\taudio_path\tcaption", *(f"{n}\t{n}.wav\tSound {n}" for n in "abc")
    )
    for every in (1, 2, 16):
        corpus = corpora.ManifestCorpus(str(tmp_path), validation_every=every)
        for split in ("train", "validation"):
            assert any(clip.name != broken for clip in corpus.clips(split)), (split, every)

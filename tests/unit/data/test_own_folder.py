"""A handful of one's own sounds: without a manifest, and with fewer clips than one in sixteen."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.data.corpora import ManifestCorpus, Mix, SidecarCorpus, WavCaps
from audiolcm.data.manifest import SPLITS, Clip
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.splits import held_out_keys, is_held_out
from audiolcm.errors import UserError


def sound(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, 8000), 16000)
    return path


def clips(corpus: ManifestCorpus) -> dict[str, Clip]:
    return {clip.name: clip for split in SPLITS for clip in corpus.clips(split)}


def test_metadata_of_hugging_face(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.wav", "sub/b.wav"):
        sound(tmp_path / name)
    (tmp_path / "metadata.csv").write_text("file_name,text\na.wav,A dog\nsub/b.wav,A cat\na.wav,A hound\n")
    found = clips(ManifestCorpus(str(tmp_path)))
    assert {name: clip.caption for name, clip in found.items()} == {
        "a": "A dog",
        "sub/b": "A cat",
        "a_2": "A hound",
    }
    assert found["a"].split == found["a_2"].split
    assert f"no manifest.tsv in {tmp_path}, so this is read: metadata.csv" in caplog.text


def test_metadata_in_folders_that_are_splits(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        sound(tmp_path / "data" / split / "a.wav")
        entry = {"file_name": "a.wav", "text": f"Sound of {split}"}
        (tmp_path / "data" / split / "metadata.jsonl").write_text(json.dumps(entry))
    corpus = ManifestCorpus(str(tmp_path))
    assert [[clip.caption for clip in corpus.clips(split)] for split in SPLITS] == [
        ["Sound of train"], ["Sound of validation"], ["Sound of test"],
    ]  # fmt: skip


def test_a_plain_folder_of_sounds(tmp_path: Path) -> None:
    for name in ("rain on a roof.wav", "dogs/01.wav", "02.wav", "told.wav", "silent.wav"):
        sound(tmp_path / name)
    (tmp_path / "told.txt").write_text("A bell rings")
    (tmp_path / "silent.txt").write_text("")
    found = clips(ManifestCorpus(str(tmp_path)))
    assert {name: clip.caption for name, clip in found.items()} == {
        "rain on a roof": "rain on a roof", "dogs/01": "dogs", "02": "A sound", "told": "A bell rings", "silent": "",
    }  # fmt: skip
    assert (found["dogs/01"].labels, found["02"].labels) == (("dogs",), ())
    assert found["02"].structured_caption == "<A sound& all>"


def test_folders_named_after_splits_without_validation(tmp_path: Path) -> None:
    for seed, name in enumerate(("train/a.wav", "train/b.wav", "Test/c.wav")):
        sound(tmp_path / name, seed)
    data = prepare(ManifestCorpus(str(tmp_path)), tmp_path / "cache", progress=False)
    assert [len(data.split(split)) for split in SPLITS] == [1, 1, 1]
    assert data.split("test").clips[0].name == "Test/c"


@pytest.mark.parametrize("name", ["manifest.csv", "list.json"])
def test_a_table_of_another_name_is_not_passed_over(tmp_path: Path, name: str) -> None:
    sound(tmp_path / "a.wav")
    (tmp_path / name).write_text("name,audio_path,caption\na,a.wav,A dog\n")
    with pytest.raises(
        UserError, match=rf"manifest\.tsv found in .*dataset\.manifest=FILE, for example {name}"
    ):
        ManifestCorpus(str(tmp_path)).clips("train")


def test_what_is_named_and_absent_is_refused(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    with pytest.raises(UserError, match=r"mine\.tsv found"):
        ManifestCorpus(str(tmp_path), manifest="mine.tsv").clips("train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="put sound files there"):
        ManifestCorpus(str(tmp_path / "empty")).clips("train")


@pytest.mark.parametrize("num_clips", [2, 3, 5, 16])
def test_a_few_clips_can_be_trained_on(tmp_path: Path, num_clips: int) -> None:
    rows = ["name\taudio_path\tcaption"]
    for number in range(num_clips):
        sound(tmp_path / f"{number}.wav", number)
        rows.append(f"c{number}\t{number}.wav\tTone {number}")
    (tmp_path / "manifest.tsv").write_text("\n".join(rows))
    for every in (1, 2, 16, 1000):
        corpus = ManifestCorpus(str(tmp_path), validation_every=every)
        assert min(len(corpus.clips("train")), len(corpus.clips("validation"))) >= 1
        assert len(corpus.clips("train")) + len(corpus.clips("validation")) == num_clips
    assert not ManifestCorpus(str(tmp_path), validation_every=0).clips("validation")


def test_what_is_held_back_is_said_and_can_be_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ["name\taudio_path\tcaption", *(f"c{n}\t{n}.wav\tTone {n}" for n in range(6)), "mute\tmute.wav\t"]
    for name in ("2.wav", "4.wav", "mute.wav"):  # the other files are missing
        sound(tmp_path / name, int(name[0].isdigit()))
    (tmp_path / "manifest.tsv").write_text("\n".join(rows))
    data = prepare(ManifestCorpus(str(tmp_path), validation_every=1000), tmp_path / "cache", progress=False)
    assert (len(data.split("train")), len(data.split("validation"))) == (1, 1)
    assert "goes to validation" in caplog.text
    assert data.split("validation").clips[0].audio_path.name in caplog.text


def test_one_sound_is_not_enough_and_this_is_said(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    (tmp_path / "manifest.tsv").write_text("name\taudio_path\tcaption\na\ta.wav\tx\nb\ta.wav\ty\n")
    data = prepare(ManifestCorpus(str(tmp_path)), tmp_path / "cache", progress=False)
    with pytest.raises(UserError, match="no row belongs to it. Two different sounds at least are needed"):
        data.split("validation")


def test_sidecars_and_others_hold_one_back_too(tmp_path: Path) -> None:
    for number in range(3):
        sound(tmp_path / "side" / f"{number}.wav", number)
        (tmp_path / "side" / f"{number}.txt").write_text(f"Tone {number}")
        sound(tmp_path / "wavcaps" / "FreeSound" / f"{number}.flac", number)
    entries = [{"id": str(number), "caption": "x"} for number in range(3)]
    (tmp_path / "wavcaps" / "fsd_final.json").write_text(json.dumps({"data": entries}))
    side, wavcaps = SidecarCorpus(str(tmp_path / "side")), WavCaps(str(tmp_path / "wavcaps"))
    for corpus in (side, wavcaps):
        assert [len(corpus.clips(split)) for split in SPLITS] == [2, 1, 0]
    (tmp_path / "side" / "0.json").write_text('{"caption": "x", "split": "validation"}')
    named = SidecarCorpus(str(tmp_path / "side"), validation_every=1000)
    assert [clip.name for clip in named.clips("validation")] == ["0"]
    assert len(Mix({"side": side}, str(tmp_path)).clips("validation")) == 1


def test_where_the_hash_takes_some_nothing_changes() -> None:
    keys = [f"{number}.wav" for number in range(200)]
    held, chosen = held_out_keys(keys, 16, lambda _: True)
    assert (held, chosen) == ({key for key in keys if is_held_out(key, 16)}, "")
    assert held_out_keys(keys, 0, lambda _: True) == (set(), "")

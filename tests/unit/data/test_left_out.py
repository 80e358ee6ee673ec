"""No sound that is tested on is trained on, under whatever name, and lists of exclusions are followed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.data.corpora import AudioCaps, Clotho, Fsd50k, ManifestCorpus, Mix, WavCaps, WebDataset
from audiolcm.data.left_out import NameList
from audiolcm.data.manifest import Clip
from audiolcm.data.manifest_tables import write_manifest
from audiolcm.data.preparing.prepare import prepare, prepared_fingerprint
from audiolcm.data.preparing.report import prepare_report
from audiolcm.data.store.prepared import PreparedData
from audiolcm.data.youtube import possible_origins, youtube_origin
from audiolcm.errors import UserError

VIDEO = "AAAAAAAAAAA"


def sound(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, 8000), 16000)
    return path


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def names(data: PreparedData, split: str) -> list[str]:
    return [clip.name for clip in data.open_split(split).clips]


def left_out(data: PreparedData) -> dict[str, str]:
    return {row.name: row.reason for row in data.bad_rows if row.is_left_out}


def manifest_of(root: Path, *rows: tuple[str, int, str], exclude: object = None) -> ManifestCorpus:
    """A manifest of (name, seed of the sound, split), each sound in a file of its own."""
    clips = [Clip(n, sound(root / f"{n}.wav", seed), f"Sound {n}", "", 0.0, s, ()) for n, seed, s in rows]
    write_manifest(root / "manifest.tsv", clips)
    return ManifestCorpus(str(root), exclude=exclude)


def test_equal_files_under_other_names(tmp_path: Path) -> None:
    rows = [(name, seed, "train") for name, seed in (("a", 1), ("b", 2), ("e", 2))]
    rows += [("c", 3, "validation"), ("d", 4, "validation")]
    data = prepare(
        manifest_of(tmp_path, *rows, ("t", 2, "test"), ("u", 4, "test")), tmp_path / "cache", progress=False
    )
    assert [names(data, split) for split in ("train", "validation", "test")] == [["a"], ["c"], ["t", "u"]]
    assert left_out(data) == {
        name: f"Left out: its sound is in split test, as {other}."
        for name, other in (("b", "t"), ("e", "t"), ("d", "u"))
    }
    text = prepare_report(data)
    assert "train: 1 clips of 1 sounds, 0.00 h; 0 bad rows, 2 left out" in text
    assert "3 clips were left out that are tested on" in text
    assert "bad rows were left out" not in text
    assert data.split("validation").bad_rows == []
    assert "b\tLeft out" in data.report_path.read_text()


def test_other_clips_have_another_identity_and_the_same_clips_keep_theirs(tmp_path: Path) -> None:
    rows = [("a", 1, "train"), ("b", 2, "train"), ("c", 3, "validation"), ("t", 4, "test")]
    corpus = manifest_of(tmp_path, *rows)
    plain = prepared_fingerprint(corpus)
    # As before anything was compared
    assert plain == hashlib.sha256(f"2 {corpus.fingerprint()}".encode()).hexdigest()
    write(tmp_path / "list.txt", "nothing that is there")
    listed = {"exclude": str(tmp_path / "list.txt")}
    assert prepared_fingerprint(ManifestCorpus(str(tmp_path), **listed)) == plain
    write(tmp_path / "list.txt", "b")
    assert prepared_fingerprint(ManifestCorpus(str(tmp_path), **listed)) != plain
    double = manifest_of(tmp_path, *rows[:-1], ("t", 2, "test"))
    assert prepared_fingerprint(double) != hashlib.sha256(f"2 {double.fingerprint()}".encode()).hexdigest()


def test_a_sound_of_train_and_validation_stays_and_is_told(tmp_path: Path) -> None:
    corpus = manifest_of(tmp_path, ("a", 1, "train"), ("b", 2, "train"), ("c", 1, "validation"))
    data = prepare(corpus, tmp_path / "cache", progress=False)
    assert names(data, "train") == ["a", "b"]
    assert "1 clips of train have a sound that validation has too" in prepare_report(data)


def test_a_recording_in_two_splits_of_clotho(tmp_path: Path) -> None:
    for place, seed in (
        ("development/Rain.wav", 1),
        ("development/Dog.wav", 2),
        ("evaluation/Rain_2.wav", 1),
    ):
        sound(tmp_path / place, seed)
    write(tmp_path / "clotho_captions_development.csv", CLOTHO, "Rain.wav,a,b,c,d,e", "Dog.wav,a,b,c,d,e")
    write(tmp_path / "clotho_captions_evaluation.csv", CLOTHO, "Rain_2.wav,a,b,c,d,e")
    data = prepare(Clotho(str(tmp_path)), tmp_path / "cache", progress=False)
    assert {clip.audio_path.name for clip in data.open_split("train").clips} == {"Dog.wav"}
    assert len(left_out(data)) == 5
    assert len(data.open_split("test")) == 5


def make_mix(root: Path, wavcaps_exclude: object = ()) -> Mix:
    """Two corpora with one video in other sounds (as after another download), and FSD50K with one of Freesound."""
    for video, seed in ((VIDEO, 1), ("BBBBBBBBBBB", 2)):
        sound(root / "audiocaps" / f"{video}.wav", seed)
    write(root / "audiocaps" / "train.csv", "youtube_id,start_time,caption", "BBBBBBBBBBB,30,A dog")
    write(
        root / "audiocaps" / "test.csv",
        "youtube_id,start_time,caption",
        f"{VIDEO},30,A dog",
        f"{VIDEO},30,A hound",
    )
    rows = {"as_final": [f"Y{VIDEO}.wav", "YCCCCCCCCCCC.wav"], "fsd_final": ["12", "13"], "sb_final": ["12"]}
    for stem, ids in rows.items():
        entries = [{"id": one, "caption": f"A sound {one}"} for one in ids]
        write(root / "wavcaps" / f"{stem}.json", json.dumps({"data": entries}))
    for seed, name in enumerate(
        (f"AudioSet_SL/Y{VIDEO}", "AudioSet_SL/YCCCCCCCCCCC", "FreeSound/12", "FreeSound/13")
    ):
        sound(root / "wavcaps" / f"{name}.flac", 10 + seed)
    sound(root / "wavcaps" / "SoundBible" / "12.flac", 20)
    sound(root / "fsd50k" / "FSD50K.eval_audio" / "13.wav", 30)
    write(root / "fsd50k" / "FSD50K.ground_truth" / "eval.csv", "fname,labels,mids", "13,Rain,/m/1")
    exclude = None if wavcaps_exclude is None else list(wavcaps_exclude)
    wavcaps = WavCaps(validation_every=0, exclude=exclude)
    return Mix({"audiocaps": AudioCaps(), "wavcaps": wavcaps, "fsd50k": Fsd50k()}, str(root))


def test_videos_and_recordings_are_compared_across_the_corpora_of_a_mix(tmp_path: Path) -> None:
    data = prepare(make_mix(tmp_path), tmp_path / "cache", progress=False)
    assert left_out(data) == {
        f"wavcaps/AudioSet_SL_Y{VIDEO}": f"Left out: its sound is in split test, as audiocaps/Y{VIDEO}.",
        "wavcaps/FreeSound_13": "Left out: its sound is in split test, as fsd50k/13.",
    }
    assert len(data.open_split("test")) == 3


def test_equal_files_are_compared_across_the_corpora_of_a_mix(tmp_path: Path) -> None:
    mix = make_mix(tmp_path)
    target = tmp_path / "wavcaps" / "SoundBible" / "12.flac"
    target.write_bytes((tmp_path / "audiocaps" / f"{VIDEO}.wav").read_bytes())
    data = prepare(mix, tmp_path / "cache", progress=False)
    assert "wavcaps/SoundBible_12" in left_out(data)


def test_blacklists_that_lie_in_wavcaps_are_followed(tmp_path: Path) -> None:
    mix = make_mix(tmp_path, wavcaps_exclude=None)
    path = tmp_path / "wavcaps" / "json_files" / "blacklist" / "blacklist_exclude_all_ac.json"
    write(path, json.dumps({"AudioSet": ["YCCCCCCCCCCC.wav", "YBBBBBBBBBBB.wav"], "FreeSound": ["12"]}))
    data = prepare(mix, tmp_path / "cache", progress=False)
    by_list = {name for name, reason in left_out(data).items() if str(path) in reason}
    assert by_list == {
        "wavcaps/AudioSet_SL_YCCCCCCCCCCC",
        "wavcaps/FreeSound_12",
    }  # of WavCaps, not of AudioCaps
    assert "wavcaps/SoundBible_12" in names(data, "train")


LISTS = {
    "wavcaps.json": json.dumps({"AudioSet": [f"Y{VIDEO}.wav"], "FreeSound": [12], "SoundBible": []}),
    "names.json": json.dumps([f"Y{VIDEO}", "FreeSound_12"]),
    "rows.json": json.dumps([{"id": VIDEO}, {"id": "wavcaps/FreeSound_12"}]),
    "clotho.csv": f"file_name,why\n{VIDEO}.wav,heard\nFreeSound_12.wav,twice\n",
    "lines.jsonl": json.dumps({"youtube_id": VIDEO})
    + "\n"
    + json.dumps({"youtube_id": "FreeSound_12"})
    + "\n",
    "plain.txt": f"\ufeff# heard before\n{VIDEO}\n\n FreeSound/12.flac \n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_excludes_from_all_corpora_but_never_from_the_test_split(tmp_path: Path, name: str) -> None:
    mix = make_mix(tmp_path)
    (tmp_path / name).write_text(LISTS[name], encoding="utf-8")
    mix.exclude = name  # below the root of the mix
    data = prepare(mix, tmp_path / "cache", progress=False)
    by_list = {one for one, reason in left_out(data).items() if reason.endswith("names it.")}
    assert by_list == {f"wavcaps/AudioSet_SL_Y{VIDEO}", "wavcaps/FreeSound_12"}
    assert len(data.open_split("test")) == 3


def test_a_list_that_names_nothing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "list.txt", "elsewhere")
    corpus = manifest_of(
        tmp_path, ("a", 1, "train"), ("b", 2, "validation"), exclude=str(tmp_path / "list.txt")
    )
    assert left_out(prepare(corpus, tmp_path / "cache", progress=False)) == {}
    assert f"among the 1 names of {tmp_path / 'list.txt'}" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "{", "cannot be read"),
        ("a.json", '{"AudioSet": "x"}', "expected lists of names"),
        ("a.json", '[["x"]]', "is no name"),
        ("a.csv", "what,why\nx,y\n", "none of the columns"),
        ("gone.txt", None, "is not found"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path: Path, name: str, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        prepared_fingerprint(manifest_of(tmp_path, ("a", 1, "train"), exclude=[str(tmp_path / name)]))


def test_names_are_compared_without_suffix_spaces_and_ways_to_write_an_accent(tmp_path: Path) -> None:
    write(tmp_path / "list.txt", " Caf\u00e9.WAV ", "v1.a")
    names = NameList(tmp_path / "list.txt")
    assert names.has(["Cafe\u0301"], "")
    assert names.has(["other", "v1.a.flac"], "")
    assert not names.has(["v1"], "")


CLOTHO = "file_name," + ",".join(f"caption_{i}" for i in range(1, 6))


def test_recordings_of_freesound_by_the_metadata_of_clotho(tmp_path: Path) -> None:
    clotho, fsd50k = tmp_path / "clotho", tmp_path / "fsd50k"
    sound(clotho / "evaluation/Pluie à Genève.wav", 1)
    write(clotho / "clotho_captions_evaluation.csv", CLOTHO, "Pluie à Genève.wav,a,b,c,d,e")
    metadata = "file_name,keywords,sound_id,sound_link\nPluie à Genève.wav,rain;street,12,https://x\n"
    (clotho / "clotho_metadata_evaluation.csv").write_bytes(metadata.encode("latin-1"))
    for number in (12, 13):
        sound(fsd50k / f"FSD50K.dev_audio/{number}.wav", number)
    write(
        fsd50k / "FSD50K.ground_truth/dev.csv",
        "fname,labels,mids,split",
        "12,Rain,/m,train",
        "13,Rain,/m,train",
    )
    corpora = {"clotho": Clotho(str(clotho), max_duration=10.0), "fsd50k": Fsd50k(str(fsd50k))}
    data = prepare(Mix(corpora), tmp_path / "cache", progress=False)
    assert list(left_out(data)) == ["fsd50k/12"]
    (clotho / "clotho_metadata_evaluation.csv").write_text("nothing of the kind\n")
    assert Clotho(str(clotho)).origin(Clotho(str(clotho)).clips("test")[0]) == ""


def test_names_of_ones_own_data_are_held_against_the_videos_of_others(tmp_path: Path) -> None:
    captions = ("audiocap_id,youtube_id,start_time,caption", f"1,{VIDEO},30,A dog barks")
    write(tmp_path / "audiocaps/test.csv", *captions)
    sound(tmp_path / f"audiocaps/{VIDEO}.wav", 1)
    rows = [(f"{VIDEO}_30_40", 2, "train"), ("other", 3, "train"), ("dog_barking", 4, "train")]
    corpora = {
        "audiocaps": AudioCaps(str(tmp_path / "audiocaps")),
        "manifest": manifest_of(tmp_path / "mine", *rows, ("held", 5, "validation")),
        "another": manifest_of(tmp_path / "another", ("dog_barking", 6, "test")),
    }
    data = prepare(Mix(corpora), tmp_path / "cache", progress=False)
    assert left_out(data) == {
        f"manifest/{VIDEO}_30_40": f"Left out: its sound is in split test, as audiocaps/Y{VIDEO}."
    }
    assert set(possible_origins([f"mine/Rain [{VIDEO}].m4a"])) == {f"youtube:{VIDEO}"}


def test_videos_in_training_are_held_against_names_of_ones_own_tests(tmp_path: Path) -> None:
    write(
        tmp_path / "audiocaps/train.csv",
        "audiocap_id,youtube_id,start_time,caption",
        f"1,{VIDEO},30,A dog barks",
    )
    sound(tmp_path / f"audiocaps/{VIDEO}.wav", 1)
    corpora = {
        "audiocaps": AudioCaps(str(tmp_path / "audiocaps")),
        "manifest": manifest_of(tmp_path / "mine", (f"Y{VIDEO}", 2, "test")),
    }
    data = prepare(Mix(corpora), tmp_path / "cache", progress=False)
    assert len(left_out(data)) == 1 and len(data.open_split("train")) == 0


def test_members_of_shards_are_compared_by_content(tmp_path: Path) -> None:
    from test_webdataset import write_tar

    one, two = (sound(tmp_path / f"{seed}.wav", seed).read_bytes() for seed in (1, 2))
    members = {"a.wav": one, "a.txt": b"One", "b.wav": two, "b.txt": b"Two"}
    write_tar(
        tmp_path / "train.tar", members | {"c.wav": two, "c.json": b'{"caption": "x", "split": "validation"}'}
    )
    write_tar(tmp_path / "test.tar", {"z.wav": one, "z.json": b'{"caption": "x", "split": "test"}'})
    corpus = WebDataset(str(tmp_path), validation_every=0, duration=1.0)
    data = prepare(corpus, tmp_path / "cache", progress=False)
    assert left_out(data) == {"train/a": "Left out: its sound is in split test, as test/z."}
    assert names(data, "train") == ["train/b"]


def test_names_of_videos() -> None:
    assert [youtube_origin(name) for name in (f"Y{VIDEO}", VIDEO, f"Y{VIDEO}_2")] == [f"youtube:{VIDEO}"] * 3
    assert youtube_origin("Yabcdefghij") == "youtube:Yabcdefghij"
    assert youtube_origin("short") == youtube_origin("") == ""

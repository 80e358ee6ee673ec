"""Names of files as tables write them and as disks keep them, and rows whose names or texts can be none."""

import csv
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.data.corpora import (
    AudioCaps,
    Clotho,
    LpMusicCaps,
    Macs,
    ManifestCorpus,
    MusicCaps,
    SidecarCorpus,
    TutScenes,
    WavCaps,
)
from audiolcm.data.corpora.naming import unique_names
from audiolcm.data.locating import Finder, sound_files
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData

COMPOSED, APART = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
APPLE = b"\0\5\x16\7\0\2\0\0" + bytes(300)


def write(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, 8000), 16000)
    return path


def table(path: Path, header: str, *rows: tuple[object, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="," if path.suffix == ".csv" else "\t")
        writer.writerows([header.split(","), *rows])


def prepared(corpus: object, cache: Path) -> PreparedData:
    return prepare(corpus, cache, progress=False)  # type: ignore[arg-type]


def test_a_file_is_found_under_its_name_else_under_the_one_that_is_alike(tmp_path: Path) -> None:
    for name in (f"{APART}/ rain.wav", "river.wav", " river.wav", "talk.m4a", " a.wav", "a.wav "):
        write(tmp_path / name.replace(".m4a", ".wav").replace("a.wav ", "a .wav"))
    (tmp_path / "talk.wav").rename(tmp_path / "talk.m4a")
    (tmp_path / "a .wav").rename(tmp_path / "a.wav ")
    find = Finder()
    assert find(tmp_path / COMPOSED / "rain.wav") == tmp_path / APART / " rain.wav"
    assert find(tmp_path / " river.wav") == tmp_path / " river.wav"
    assert find(tmp_path / "river.wav") == tmp_path / "river.wav"
    assert find(tmp_path / "talk.wav") == tmp_path / "talk.m4a"  # so that its format is told
    for name in ("talk.json", "a.wav", "gone.wav", "a\0b.wav", "n" * 300, "deep/" * 2000 + "a.wav"):
        assert find(tmp_path / name) == tmp_path / name  # not there, or two that might be meant


def test_sound_files_are_those_of_people(tmp_path: Path) -> None:
    for name in ("b/x.wav", "a.wav"):
        write(tmp_path / name)
    for name in ("._a.wav", "b/._x.wav", "a.mp4", "only.m4a"):
        (tmp_path / name).write_bytes(APPLE)
    assert [str(path.relative_to(tmp_path)) for path in sound_files(tmp_path)] == [
        "a.wav",
        "b/x.wav",
        "only.m4a",
    ]


def test_numbered_names_leave_those_of_others_alone() -> None:
    assert unique_names(["a", "b", "a", "a"]) == ["a", "b", "a_2", "a_3"]
    assert unique_names(["rain", "rain", "rain", "rain_2"]) == ["rain", "rain_3", "rain_4", "rain_2"]


@pytest.mark.parametrize("kind", ["manifest.tsv", "manifest.csv", "manifest.parquet"])
def test_a_manifest_names_files_with_spaces_and_in_another_form(tmp_path: Path, kind: str) -> None:
    files = {" one.wav": " one.wav", "two.wav ": "two.wav", COMPOSED: APART, "three.wav": "three.wav"}
    for seed, real in enumerate(files.values()):
        write(tmp_path / "sound.wav", seed).rename(tmp_path / real)
    rows = [(f"n{i}", name, "A bell") for i, name in enumerate(files)]
    if kind.endswith("parquet"):
        import pyarrow
        from pyarrow import parquet

        columns = zip(("name", "audio_path", "caption"), zip(*rows, strict=True), strict=True)
        parquet.write_table(
            pyarrow.table({column: list(texts) for column, texts in columns}), tmp_path / kind
        )
    else:
        table(tmp_path / kind, "name,audio_path,caption", *rows)
    data = prepared(ManifestCorpus(str(tmp_path), kind, validation_every=0), tmp_path / "cache")
    assert data.bad_rows == []
    assert [clip.audio_path.name for clip in data.open_split("train").clips] == list(files.values())


def test_clotho_with_spaces_and_with_names_that_number_each_other(tmp_path: Path) -> None:
    for name in (" river.wav", "rain.wav", "rain_2.wav"):
        write(tmp_path / "development" / name)
    captions = [f"caption {i}" for i in range(5)]
    header = "file_name," + ",".join(f"caption_{i}" for i in range(1, 6))
    rows = [(name, *captions) for name in (" river.wav", "rain.wav", "rain_2.wav")]
    table(tmp_path / "clotho_captions_development.csv", header, *rows)
    data = prepared(Clotho(str(tmp_path)), tmp_path / "cache")
    assert data.bad_rows == []
    split = data.open_split("train")
    assert (len(split), len(split.sounds)) == (15, 3)
    assert [clip.name for clip in split.clips][:7] == [
        "river",
        *(f"river_{i}" for i in range(2, 6)),
        "rain",
        "rain_3",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "[-0Gj8-vB1q4]-[30-40].wav", "Some title [-0Gj8-vB1q4].wav", "Live [2019] x [-0Gj8-vB1q4].wav",
        "Some title--0Gj8-vB1q4.wav", "-0Gj8-vB1q4_000030.wav", "-0Gj8-vB1q4-30-40.wav",
        "[-0Gj8-vB1q4]_30000_40000.wav", "Y-0Gj8-vB1q4_30.wav",
    ],
)  # fmt: skip
def test_names_of_download_tools(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "clips" / name)
    header = "ytid,start_s,end_s,caption,is_audioset_eval"
    table(tmp_path / "musiccaps-public.csv", header, ("-0Gj8-vB1q4", 30, 40, "A song", True))
    (clip,) = MusicCaps(str(tmp_path)).clips("test")
    assert clip.audio_path == path


def test_another_part_of_a_video_is_not_taken(tmp_path: Path) -> None:
    for name in ("abc_10_20.wav", "[abc]-[50-60].wav"):
        write(tmp_path / name)
    right = write(tmp_path / "Yabc_30_40.wav")
    whole = write(tmp_path / "abd.wav")
    rows = [(1, "abc", 30, "x"), (2, "abc", 70, "y"), (3, "abd", 5, "z")]
    table(tmp_path / "train.csv", "audiocap_id,youtube_id,start_time,caption", *rows)
    clips = AudioCaps(str(tmp_path)).clips("train")
    assert [clip.audio_path for clip in clips] == [right, tmp_path / "train" / "Yabc.wav", whole]


def test_audiocaps_by_its_own_ids(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "test" / "4175.wav")
    rows = [(54544, "a", 30, "x"), (4175, "a", 30, "y"), (7, "b", 0, "z")]
    table(tmp_path / "test.csv", "audiocap_id,youtube_id,start_time,caption", *rows)
    clips = AudioCaps(str(tmp_path)).clips("test")
    assert [clip.audio_path for clip in clips] == [path, path, tmp_path / "test" / "Yb.wav"]
    assert not caplog.records or "understood" not in caplog.text
    path.rename(tmp_path / "test" / "x4175.wav")
    AudioCaps(str(tmp_path)).clips("test")
    assert "none of its 3 clips was found" in caplog.text
    assert "<id>_<start>_<end>" in caplog.text


def test_sounds_of_an_unreadable_format_are_told(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + bytes(200))
    table(tmp_path / "test.csv", "youtube_id,start_time,caption", ("a", 30, "x"), ("b", 30, "y"))
    data = prepared(AudioCaps(str(tmp_path)), tmp_path / "cache")
    m4a, gone = data.bad_rows
    assert "a.m4a cannot be read" in m4a.reason and "Convert it" in m4a.reason
    assert "not found" in gone.reason
    assert data.open_split("test").facts["missing"] == 1


def test_what_macos_leaves_is_passed_over_everywhere(tmp_path: Path) -> None:
    write(tmp_path / "FreeSound" / "1.wav")
    (tmp_path / "fsd_final.json").write_bytes(
        b"\xef\xbb\xbf" + json.dumps({"data": [{"id": "1", "caption": "x"}]}).encode()
    )
    table(tmp_path / "lp.csv", "path,caption_writing", ("FreeSound/1.wav", "A song"))
    write(tmp_path / "audio" / "b1.wav")
    (tmp_path / "meta.txt").write_bytes(b"\xef\xbb\xbfaudio/b1.wav\tbeach\r\n")
    for name in ("._fsd_final.json", "._lp.csv", "._meta.txt", "FreeSound/._1.wav", "._x.parquet"):
        (tmp_path / name).write_bytes(APPLE)
    (clip,) = WavCaps(str(tmp_path), validation_every=0).clips("train")
    assert (clip.caption, clip.audio_path) == ("x", tmp_path / "FreeSound" / "1.wav")
    (song,) = LpMusicCaps(str(tmp_path), captions=["caption_writing"], validation_every=0).clips("train")
    assert song.audio_path == tmp_path / "FreeSound" / "1.wav"
    (beach,) = TutScenes(str(tmp_path), validation_every=0).clips("train")
    assert (beach.audio_path, beach.labels) == (tmp_path / "audio" / "b1.wav", ("beach",))


def test_no_row_of_a_manifest_ends_a_preparation(tmp_path: Path) -> None:
    write(tmp_path / "good.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    rows = [
        ("good", "good.wav", "Rain falls"),
        ("nul", "a\0b.wav", "Rain falls"),
        ("nul in text", "good.wav", "Rain\0falls"),
        ("long", "n" * 5000 + ".wav", "Rain falls"),
        ("deep", "d/" * 3000 + "a.wav", "Rain falls"),
        ("pipe", "pipe.wav", "Rain falls"),
        ("mute", "good.wav", "..."),
        ("picture", "good.wav", "\N{DOG FACE}"),
        ("word", "good.wav", "雨"),
    ]
    table(tmp_path / "manifest.tsv", "name,audio_path,caption", *rows)
    data = prepared(ManifestCorpus(str(tmp_path), validation_every=2), tmp_path / "cache")
    assert {clip.name for split in data.splits for clip in data.open_split(split).clips} == {"good", "word"}
    reasons = {row.name: row.reason for row in data.bad_rows}
    assert reasons.keys() == {row[0] for row in rows} - {"good", "word"}
    assert all("cannot be stored" in reasons[name] for name in ("nul", "nul in text"))
    assert all("not found" in reasons[name] for name in ("long", "deep", "pipe"))
    assert all("holds no word" in reasons[name] for name in ("mute", "picture"))


def test_no_sidecar_ends_a_preparation(tmp_path: Path) -> None:
    for name in ("bom", "bom2", "deep", "half", "latin", "pipe"):
        write(tmp_path / f"{name}.wav")
    write(tmp_path / "sound.wav").rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    write(tmp_path / f"{APART}.wav")
    (tmp_path / f"{COMPOSED}.txt").write_text("A door opens")
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfRain falls")
    (tmp_path / "bom2.json").write_bytes(b'\xef\xbb\xbf{"caption": "Wind blows"}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "half.json").write_text('{"caption": "Rain \\ud83d"}')
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    os.mkfifo(tmp_path / "pipe.json")
    data = prepared(SidecarCorpus(str(tmp_path), validation_every=2), tmp_path / "cache")
    captions = {clip.name: clip.caption for split in data.splits for clip in data.open_split(split).clips}
    assert captions == {"bom": "Rain falls", "bom2": "Wind blows", APART: "A door opens"}
    assert {row.name for row in data.bad_rows} == {"deep", "half", "latin", "pipe", r"caf\udce9"}


def test_no_entry_of_wavcaps_ends_a_preparation(tmp_path: Path) -> None:
    write(tmp_path / "FreeSound" / "1.wav")
    texts = [("1", "Rain"), ("2", "Half \ud83d"), ("3\0", "x")]
    entries = [{"id": name, "caption": caption} for name, caption in texts]
    (tmp_path / "fsd_final.json").write_text(json.dumps({"data": entries}))
    data = prepared(WavCaps(str(tmp_path), validation_every=0), tmp_path / "cache")
    assert [clip.caption for clip in data.open_split("train").clips] == ["Rain"]
    assert [(row.row, "cannot be stored" in row.reason) for row in data.bad_rows] == [(2, True), (3, True)]


def test_no_entry_of_macs_ends_a_preparation(tmp_path: Path) -> None:
    note = "{annotator_id: 1, sentence: A bus, tags: [bus]}"
    (tmp_path / "MACS.yaml").write_text(
        f"files:\n- {{filename: a.wav, annotations: [{note}]}}\n- {{filename: b.wav}}\n- 3\n"
        "- {filename: c.wav, annotations: [{sentence: 5, tags: []}]}\n"
    )
    clips = Macs(str(tmp_path), validation_every=0).clips("train")
    assert [(clip.name, clip.row, bool(clip.problem)) for clip in clips] == [
        ("a", 1, False), ("b", 2, True), ("entry3", 3, True), ("c", 4, True)
    ]  # fmt: skip

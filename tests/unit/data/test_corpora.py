import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.data.corpora import AudioCaps, Clotho, Esc10, Esc50, MusicCaps, WavCaps
from audiolcm.data.corpora.esc_captions import CAPTIONS, ESC10_CATEGORIES
from audiolcm.data.manifest import SPLITS, Clip
from audiolcm.errors import UserError


def write_csv(path: Path, header: str, rows: Sequence[Sequence[object]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header.split(","), *rows])


def make_esc50(root: Path, takes: dict[tuple[str, int, int], int]) -> None:
    """The published layout; takes: (category, fold, source) -> number of takes."""
    rows = []
    for (category, fold, source), count in takes.items():
        target = sorted(CAPTIONS).index(category) if category in CAPTIONS else 0
        for take in "ABCDEF"[:count]:
            name = f"{fold}-{source}-{take}-{target}.wav"
            rows.append((name, fold, target, category, category in ESC10_CATEGORIES, source, take))
    write_csv(root / "meta" / "esc50.csv", "filename,fold,target,category,esc10,src_file,take", rows)


def sources(clips: list[Clip]) -> set[str]:
    return {clip.name.split("-")[1] for clip in clips}


def test_esc10_with_captions_in_its_table(tmp_path: Path) -> None:
    """The layout with ``audio/`` and ``metadata.csv``, which has no source: it is in the file's name."""
    rows = []
    (tmp_path / "audio").mkdir()
    for number, label in enumerate(sorted(ESC10_CATEGORIES)):
        for fold in (1, 2):
            name = f"{fold}-{1000 * fold + number}-A.ogg"
            soundfile.write(tmp_path / "audio" / name, np.full(44100, 0.1), 44100)
            rows.append((name, fold, label, CAPTIONS[label], "x.wav", "http://x", "x", "CC0"))
    header = "filename,fold,label,caption,source_title,source_url,author,license"
    write_csv(tmp_path / "metadata.csv", header, rows)
    corpus = Esc10(str(tmp_path), validation_every=2)
    train, validation, test = (corpus.clips(split) for split in SPLITS)
    assert (len(train) + len(validation), len(test)) == (20, 0) and validation
    assert not sources(train) & sources(validation)
    assert all(clip.caption == CAPTIONS[clip.labels[0]] for clip in train + validation)
    assert len(corpus.waveform(train[0])) == 16000


def test_esc10_of_the_shared_clips(shared_data: Path) -> None:
    corpus = Esc10(str(shared_data / "esc10"))
    train, validation, test = (corpus.clips(split) for split in SPLITS)
    assert (len(train) + len(validation), len(test)) == (320, 0)
    assert (
        {clip.labels[0] for clip in train} == {clip.labels[0] for clip in validation} == set(ESC10_CATEGORIES)
    )
    assert 10 <= len(validation) <= 30
    assert not sources(train) & sources(validation)
    assert all(clip.caption == CAPTIONS[clip.labels[0]] for clip in train + validation)
    assert all(clip.audio_path.is_file() for clip in train + validation)
    waveform = corpus.waveform(train[0])
    assert (waveform.dtype, len(waveform)) == (np.float32, 80000)
    assert Esc10(str(shared_data / "esc10")).fingerprint() == corpus.fingerprint()


def test_esc_splits_never_share_a_recording(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    takes = {}
    for number in range(400):  # some recordings hold two categories
        category = list(CAPTIONS)[number % 50]
        takes[category, 1 + number % 5, 1000 + number % 380] = int(rng.integers(1, 7))
    make_esc50(tmp_path, takes)
    corpus = Esc50(str(tmp_path), validation_every=4)
    train, validation, test = (corpus.clips(split) for split in SPLITS)
    assert train
    assert validation
    assert test
    assert not sources(train) & sources(validation)
    assert {clip.name[0] for clip in test} == {"5"}
    assert {clip.labels for clip in train} == {clip.labels for clip in train + validation}, "a class lost all"


def test_esc_folds_can_be_chosen(tmp_path: Path) -> None:
    make_esc50(tmp_path, {("dog", fold, fold): 3 for fold in range(1, 6)} | {("crow", 1, 9): 2})
    corpus = Esc50(str(tmp_path), train_folds=[2, 3], validation_folds=[4], test_folds=[1, 5])
    assert [len(corpus.clips(split)) for split in SPLITS] == [6, 3, 8]
    assert len(Esc10(str(tmp_path), validation_every=0).clips("test")) == 3
    assert {clip.labels for clip in Esc10(str(tmp_path)).clips("train")} == {("dog",)}
    assert corpus.clips("train")[0].caption == "A dog is barking"
    with pytest.raises(UserError, match="fold 4"):
        Esc50(str(tmp_path), validation_folds=[4])


def test_there_are_fifty_captions() -> None:
    assert len(CAPTIONS) == len(set(CAPTIONS.values())) == 50
    assert len(ESC10_CATEGORIES) == 10
    assert set(ESC10_CATEGORIES) <= set(CAPTIONS)


def test_esc_problems_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"meta/esc50\.csv"):
        Esc50(str(tmp_path)).clips("train")
    make_esc50(tmp_path, {("dog", 1, 5): 1, ("yodelling", 1, 6): 1})
    clips = Esc50(str(tmp_path), validation_every=0).clips("train")
    assert [clip.caption for clip in clips] == ["A dog is barking", ""]  # an unknown category has no caption
    rows = [("dog.wav", 1, "dog"), ("1-2-A-0.wav", "one", "dog"), ("1-3-A-0.wav", 1, "dog")]
    write_csv(tmp_path / "meta" / "esc50.csv", "filename,fold,category", rows)
    good, *odd = Esc50(str(tmp_path)).clips("train")
    assert (good.name, good.problem) == ("1-3-A-0", "")
    assert [clip.row for clip in odd] == [2, 3]
    assert all("a name like 1-100032-A-0.wav and a number" in clip.problem for clip in odd)


def test_audiocaps_released_and_published_lists_agree(captions: Path, tmp_path: Path) -> None:
    for name in ("audiocaps_test.tsv", "audiocaps_official_test.csv", "audiocaps_tango_886.tsv"):
        shutil.copy(captions / name, tmp_path)
    released = AudioCaps(str(tmp_path), test="audiocaps_test.tsv").clips("test")
    published = AudioCaps(str(tmp_path), test="audiocaps_official_test.csv").clips("test")
    one_each = AudioCaps(str(tmp_path), test="audiocaps_tango_886.tsv").clips("test")
    assert (len(released), len(published), len(one_each)) == (50, 55, 10)
    assert len({clip.name for clip in released}) == 50
    assert len({clip.audio_path for clip in released}) == 10
    assert {clip.name for clip in released} < {clip.name for clip in published}
    assert released[1].structured_caption.startswith("<rocket flying by& start>@<")
    assert released[0].caption == published[0].caption == "Constant rattling noise and sharp vibrations"
    assert len(AudioCaps(str(tmp_path), test="audiocaps_test.tsv").missing_files("test")) == 10


@pytest.mark.parametrize(
    "name",
    ["Yab_-1", "ab_-1", "ab_-1_30", "ab_-1_30_40", "ab_-1_30.000_40.000", "Yab_-1_30", "ab_-1_30000_40000"],
)
def test_audiocaps_clips_are_found_by_id_and_start(tmp_path: Path, name: str) -> None:
    write_csv(tmp_path / "train.csv", "audiocap_id,youtube_id,start_time,caption", [(1, "ab_-1", 30, "x")])
    audio = tmp_path / "clips" / f"{name}.flac"
    audio.parent.mkdir()
    soundfile.write(audio, np.full(16000, 0.1), 16000)
    corpus = AudioCaps(str(tmp_path))
    (clip,) = corpus.clips("train")
    assert (clip.name, clip.audio_path) == ("Yab_-1", audio)
    assert corpus.missing_files("train") == []
    assert corpus.clips("test") == []  # no table
    assert len(corpus.waveform(clip)) == 16000


def test_audiocaps_captions_of_one_clip_get_names_and_share_the_file(tmp_path: Path) -> None:
    rows = [(1, "v", 0, "one"), (2, "w", 0, "two"), (3, "v", 0, "three")]
    write_csv(tmp_path / "test.csv", "audiocap_id,youtube_id,start_time,caption", rows)
    clips = AudioCaps(str(tmp_path)).clips("test")
    assert [clip.name for clip in clips] == ["Yv", "Yw", "Yv_2"]
    assert clips[0].audio_path == clips[2].audio_path == tmp_path / "test" / "Yv.wav"


def test_tables_are_required(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.csv, val\.csv, test\.csv"):
        AudioCaps(str(tmp_path)).clips("test")
    write_csv(tmp_path / "test.csv", "id,text", [(1, "x")])
    with pytest.raises(UserError, match=r"test\.csv has no column youtube_id, caption"):
        AudioCaps(str(tmp_path)).clips("test")


def test_clotho_released_and_published(captions: Path, tmp_path: Path) -> None:
    shutil.copy(captions / "clotho_evaluation.tsv", tmp_path)
    released = Clotho(str(tmp_path), test="clotho_evaluation.tsv").clips("test")
    assert (len(released), len({clip.name for clip in released})) == (50, 50)
    assert (released[0].name, round(released[0].duration, 3)) == ("Santa Motor", 21.165)
    header = "file_name," + ",".join(f"caption_{i}" for i in range(1, 6))
    write_csv(tmp_path / "clotho_captions_evaluation.csv", header, [("Santa Motor.wav", *"abcde")])
    (tmp_path / "evaluation").mkdir()
    soundfile.write(tmp_path / "evaluation" / "Santa Motor.wav", np.full(44100, 0.1), 44100)
    published = Clotho(str(tmp_path)).clips("test")
    assert [clip.name for clip in published] == ["Santa Motor", *(f"Santa Motor_{i}" for i in range(2, 6))]
    assert [clip.caption for clip in published] == list("abcde")
    assert {clip.audio_path for clip in published} == {tmp_path / "evaluation" / "Santa Motor.wav"}
    again = Clotho(str(tmp_path), test="clotho_evaluation.tsv").clips("test")
    # Stored elsewhere by its authors
    assert again[0].audio_path == tmp_path / "evaluation" / "Santa Motor.wav"


def test_musiccaps_released_and_published(captions: Path, tmp_path: Path) -> None:
    shutil.copy(captions / "musiccaps.tsv", tmp_path)
    assert len(MusicCaps(str(tmp_path), test="musiccaps.tsv").clips("test")) == 50
    header = "ytid,start_s,end_s,aspect_list,caption,author_id,is_balanced_subset,is_audioset_eval"
    rows = [(f"id{i}", 30, 40, "['a', 'b']", f"song {i}", 1, False, i % 2 == 0) for i in range(100)]
    write_csv(tmp_path / "musiccaps-public.csv", header, rows)
    corpus = MusicCaps(str(tmp_path), validation_every=5)
    sizes = [len(corpus.clips(split)) for split in SPLITS]
    assert sizes[2] == 50
    assert sum(sizes) == 100
    assert 2 <= sizes[1] <= 25


def test_wavcaps(tmp_path: Path) -> None:
    entries = [
        {"id": "12", "caption": "rain", "duration": 33.5},
        {"id": "13", "caption": "wind", "duration": 1},
    ]
    for stem, rows in (
        ("fsd_final", entries),
        ("as_final", [{"id": "Yx1.wav", "caption": "a", "duration": 10}]),
    ):
        path = tmp_path / "json_files" / f"{stem}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"num_captions_per_audio": 1, "data": rows}))
    (tmp_path / "json_files" / "blacklist.json").write_text(json.dumps({"FreeSound": ["1"]}))
    for name in ("FreeSound/12.flac", "AudioSet_SL/Yx1.flac", "SoundBible/13.flac"):
        (tmp_path / "audio" / name).parent.mkdir(parents=True)
        soundfile.write(tmp_path / "audio" / name, np.full(20 * 16000, 0.1), 16000)
    corpus = WavCaps(str(tmp_path), validation_every=0)
    clips = {clip.name: clip for clip in corpus.clips("train")}
    assert set(clips) == {"AudioSet_SL_Yx1", "FreeSound_12", "FreeSound_13"}
    assert clips["FreeSound_12"].audio_path == tmp_path / "audio" / "FreeSound" / "12.flac"
    assert clips["FreeSound_12"].duration == 33.5
    assert corpus.missing_files("train") == [tmp_path / "FreeSound" / "13.flac"]
    assert len(corpus.waveform(clips["FreeSound_12"])) == 160000  # max_duration
    (tmp_path / "json_files" / "fsd_final.json").write_text("{")
    with pytest.raises(UserError, match=r"fsd_final\.json"):
        WavCaps(str(tmp_path)).clips("train")


def test_fingerprint_follows_sound_and_captions_not_the_place(tmp_path: Path) -> None:
    def make(root: Path, caption: str, level: float) -> str:
        write_csv(root / "train.csv", "youtube_id,start_time,caption", [("v", 0, caption)])
        soundfile.write(root / "v.wav", np.full(16000, level), 16000)
        return AudioCaps(str(root)).fingerprint()

    reference = make(tmp_path / "one", "x", 0.1)
    assert make(tmp_path / "two", "x", 0.1) == reference
    assert make(tmp_path / "three", "y", 0.1) != reference
    assert make(tmp_path / "four", "x", 0.2) != reference
    assert AudioCaps(str(tmp_path / "one"), max_duration=11.0).fingerprint() != reference
    assert AudioCaps(str(tmp_path / "one"), duration=2.0).fingerprint() == reference
    (tmp_path / "one" / "v.wav").unlink()
    assert AudioCaps(str(tmp_path / "one")).fingerprint() != reference


def test_wavcaps_entries_that_are_none_are_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "fsd_final.json"
    path.write_text(json.dumps({"data": [{"id": "1", "caption": "x"}, "junk", {"caption": "y"}]}))
    clips = WavCaps(str(tmp_path), validation_every=0).clips("train")
    assert [(clip.name, clip.row, clip.problem) for clip in clips] == [
        ("FreeSound_1", 1, ""),
        ("FreeSound_entry2", 2, "The entry is no JSON object."),
        ("FreeSound_entry3", 3, "The id is missing."),
    ]
    path.write_text(json.dumps({"data": "no list"}))
    with pytest.raises(UserError, match="No WavCaps JSON file"):
        WavCaps(str(tmp_path)).clips("train")

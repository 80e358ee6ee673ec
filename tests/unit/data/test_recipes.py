"""The corpora of the paper's Table 4, in folders laid out as published."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile
import yaml

from audiolcm.data.corpora import (
    AudioCaps,
    Fsd50k,
    LpMusicCaps,
    Macs,
    Mix,
    PreparedCorpus,
    SidecarCorpus,
    TutScenes,
    UrbanSound8K,
    WavText5K,
)
from audiolcm.data.corpora.naming import caption_of_labels
from audiolcm.data.corpora.sidecar import words_of_name
from audiolcm.data.manifest import Clip
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.preparing.report import prepare_report
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError


def write(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, 8000), 16000)


def table(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def told(clips: list[Clip]) -> list[tuple[str, str]]:
    return [(clip.name, clip.caption) for clip in clips]


def test_captions_of_labels() -> None:
    assert caption_of_labels(["Dog"]) == "The sound of dog"
    assert (
        caption_of_labels(["Wind_noise", "Rain", "Rain", "FM radio"])
        == "The sound of wind noise, rain and FM radio"
    )
    assert caption_of_labels(["air_conditioner", "drilling"]) == "The sound of air conditioner and drilling"
    assert caption_of_labels([" ", ""]) == ""


def test_captions_of_file_names() -> None:
    assert words_of_name("Crowd_Cheering-Stadium 03") == "Crowd Cheering Stadium"
    assert words_of_name("017 Door 2 slams") == "Door 2 slams"
    assert words_of_name("0042") == ""


def test_fsd50k(tmp_path: Path) -> None:
    dev = 'fname,labels,mids,split\n64760,"Electric_guitar,Guitar,Music","/m/1,/m/2,/m/3",train\n16399,Dog,/m/4,val\n'
    table(tmp_path / "FSD50K.ground_truth" / "dev.csv", dev)
    table(tmp_path / "FSD50K.ground_truth" / "eval.csv", "fname,labels,mids\n37199,Rain,/m/5\n")
    corpus = Fsd50k(str(tmp_path))
    assert told(corpus.clips("train")) == [("64760", "The sound of electric guitar, guitar and music")]
    assert told(corpus.clips("validation")) == [("16399", "The sound of dog")]
    (test,) = corpus.clips("test")
    assert test.audio_path == tmp_path / "FSD50K.eval_audio" / "37199.wav"
    with pytest.raises(UserError, match="unpack FSD50K"):
        Fsd50k(str(tmp_path / "FSD50K.ground_truth")).clips("train")


def test_urbansound8k_holds_out_whole_recordings(tmp_path: Path) -> None:
    rows = [
        f"{source}-3-0-{cut}.wav,{source},0,4,1,{1 + source % 10},3,dog_bark"
        for source in range(200)
        for cut in "01"
    ]
    header = "slice_file_name,fsID,start,end,salience,fold,classID,class"
    table(tmp_path / "metadata" / "UrbanSound8K.csv", "\n".join([header, *rows]))
    corpus = UrbanSound8K(str(tmp_path), test_folds=[10])
    train, validation, test = (corpus.clips(split) for split in ("train", "validation", "test"))
    assert train[0].caption == "The sound of dog bark"
    assert train[0].audio_path.parent.name.startswith("fold")
    sources = [{clip.name.partition("-")[0] for clip in clips} for clips in (train, validation, test)]
    assert len(validation) == 2 * len(sources[1]) > 0
    assert not sources[0] & sources[1]
    assert len(test) == 40


def test_tut(tmp_path: Path) -> None:
    table(
        tmp_path / "dev" / "meta.txt",
        "audio/b020_90_120.wav\tbeach\naudio/a001_0_30.wav\tcafe/restaurant\n\n",
    )
    table(tmp_path / "eval" / "meta.txt", "audio/12.wav\tbus\t\naudio/13.wav\n")
    corpus = TutScenes(str(tmp_path), validation_every=0)
    clips = corpus.clips("train")
    expected = [("b020_90_120", "beach"), ("a001_0_30", "cafe restaurant"), ("12", "bus"), ("13", "")]
    assert told(clips) == [(name, f"The sound of {scene}" if scene else "") for name, scene in expected]
    assert clips[0].audio_path == tmp_path / "dev" / "audio" / "b020_90_120.wav"
    assert clips[3].problem


def test_wavtext5k_and_macs(tmp_path: Path) -> None:
    write(tmp_path / "sounds" / "bell.wav")
    table(tmp_path / "WavText5K.csv", ',title,description,fname\n0,Bell,"A bell, struck once",bell.wav\n')
    (clip,) = WavText5K(str(tmp_path), validation_every=0).clips("train")
    assert (clip.caption, clip.audio_path) == ("A bell, struck once", tmp_path / "sounds" / "bell.wav")
    notes = [
        {"annotator_id": n, "sentence": s, "tags": ["siren", t]}
        for n, s, t in [(1, "One", "a"), (2, "Two", "b")]
    ]
    files = [{"filename": "park-oslo-1.wav", "annotations": notes}]
    (tmp_path / "MACS.yaml").write_text(yaml.safe_dump({"files": files}))
    first, second = Macs(str(tmp_path), validation_every=0).clips("train")
    assert [(first.name, first.caption), (second.name, second.caption)] == [
        ("park-oslo-1", "One"),
        ("park-oslo-1_2", "Two"),
    ]
    assert first.labels == ("siren", "a", "b")
    assert first.audio_path == second.audio_path
    (tmp_path / "MACS.yaml").write_text("files: [{filename: a}, [b]]")
    clips = Macs(str(tmp_path), validation_every=0).clips("train")
    assert [(clip.name, bool(clip.problem)) for clip in clips] == [("a", True), ("entry2", True)]
    (tmp_path / "MACS.yaml").write_text("names: []")
    with pytest.raises(UserError, match=r"cannot be read as MACS\.yaml"):
        Macs(str(tmp_path)).clips("train")
    (tmp_path / "MACS.yaml").write_text("!!python/object/apply:os.getcwd []")
    with pytest.raises(UserError, match=r"cannot be read as MACS\.yaml"):
        Macs(str(tmp_path)).clips("train")


def test_lp_musiccaps(tmp_path: Path) -> None:
    row = {
        "track_id": "T1",
        "tag": ["rock", "calm"],
        "path": "a/b/T1.mp3",
        "caption_attribute_prediction": "no",
    }
    row |= {"caption_writing": "Calm rock", "caption_summary": "", "caption_paraphrase": "Rock, calm"}
    pandas.DataFrame([row]).to_parquet(tmp_path / "train.parquet")
    write(tmp_path / "audio" / "T1.wav")
    clips = LpMusicCaps(str(tmp_path), validation_every=0).clips("train")
    assert told(clips) == [("T1", "Calm rock"), ("T1_2", "Rock, calm")]
    assert {(clip.audio_path, clip.labels) for clip in clips} == {
        (tmp_path / "audio" / "T1.wav", ("rock", "calm"))
    }


def test_a_description_without_a_sound_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a" / "rain.gutter.wav")
    for name in ("a/rain.gutter.txt", "a/thunder.json", "lost.txt"):
        table(tmp_path / name, '"Rain"')
    assert len(SidecarCorpus(str(tmp_path), validation_every=0).clips("train")) == 1
    assert (
        f"2 texts have no sound file beside them, the first is {tmp_path / 'a' / 'thunder.json'}"
        in caplog.text
    )


def test_sounds_with_a_description_beside_them(tmp_path: Path) -> None:
    for name in ("a/json.wav", "a/text.flac", "b/bare sound 2.wav", "broken.wav"):
        write(tmp_path / name)
    (tmp_path / "a" / "json.json").write_text(json.dumps({"text": ["First", "Second"], "split": "test"}))
    (tmp_path / "a" / "text.txt").write_text("A text\n")
    (tmp_path / "broken.json").write_text("{")
    corpus = SidecarCorpus(str(tmp_path), validation_every=0)
    assert told(corpus.clips("test")) == [("a/json", "First")]
    assert told(corpus.clips("train")) == [("a/text", "A text"), ("b/bare sound 2", ""), ("broken", "")]
    assert "cannot be read" in corpus.clips("train")[2].problem
    named = SidecarCorpus(str(tmp_path), validation_every=0, captions_from_names=True).clips("train")[1]
    assert (named.caption, named.labels) == ("bare sound", ("b",))


def make_mix(root: Path) -> dict:
    for number in range(3):
        write(root / "first" / f"a {number}.wav", number)
    write(root / "second" / "audio" / "Yabc.wav", 9)
    table(root / "second" / "train.csv", "youtube_id,caption\nabc,A dog\nabc,A hound\ngone,A cat\n")
    return {
        "first": SidecarCorpus(captions_from_names=True, validation_every=0, name="first"),
        "second": AudioCaps(),
        "third": SidecarCorpus(),
    }


def test_a_mix_is_its_corpora_one_after_the_other(tmp_path: Path) -> None:
    corpora = make_mix(tmp_path)
    mix = Mix(corpora, str(tmp_path), include=["first", "second"])
    clips = mix.clips("train")
    names = [f"first/a {number}" for number in range(3)] + ["second/Yabc", "second/Yabc_2", "second/Ygone"]
    assert [clip.name for clip in clips] == [clips[index].name for index in range(len(clips))] == names
    prepared = prepare(mix, tmp_path / "cache", progress=False)
    split = prepared.split("train")
    assert [clip.name for clip in split.clips] == names[:-1]
    np.testing.assert_allclose(
        split.waveform(3), corpora["second"].waveform(corpora["second"].clips("train")[0]), atol=1e-4
    )
    assert [row.name for row in prepared.bad_rows] == ["second/Ygone"]
    assert mix.fingerprint() != Mix(corpora, str(tmp_path), include=["first"]).fingerprint()


def test_a_mix_names_every_corpus_that_is_not_there(tmp_path: Path) -> None:
    corpora = make_mix(tmp_path)
    with pytest.raises(
        UserError, match=r"1 of 3 corpora[\s\S]*third: .*not found[\s\S]*include=\[first,second\]"
    ):
        Mix(corpora, str(tmp_path)).clips("train")
    with pytest.raises(UserError, match="names 'fourth'; known are first, second, third"):
        Mix(corpora, include=["fourth"])


def test_missing_clips_of_audiocaps_are_listed_with_their_ids(tmp_path: Path) -> None:
    make_mix(tmp_path)
    with (tmp_path / "second" / "train.csv").open("a") as file:
        file.write("gone,A kitten\n")  # the same sound again
    prepared = prepare(AudioCaps(str(tmp_path / "second")), tmp_path / "cache", progress=False)
    assert len(prepared.bad_rows) == 2
    assert "1 of 2 sound files of train are missing: see" in prepare_report(prepared)
    (row,) = read_table(prepared.folder / "missing.tsv")
    assert (row["split"], row["row"], row["name"]) == ("train", "4", "Ygone")
    assert row["file"].endswith("Ygone.wav")


def test_prepared_data_is_a_data_set_of_its_own(tmp_path: Path) -> None:
    make_mix(tmp_path)
    made = prepare(AudioCaps(str(tmp_path / "second")), tmp_path / "cache", progress=False)
    corpus = PreparedCorpus(str(made.folder), duration=3.0)
    found = prepare(corpus, tmp_path / "elsewhere", progress=False)
    assert (found.folder, found.fingerprint, found.name, found.duration) == (
        made.folder, made.fingerprint, "audiocaps", 3.0,
    )  # fmt: skip
    assert not (tmp_path / "elsewhere").exists()
    assert [clip.name for clip in corpus.clips("train")] == ["Yabc", "Yabc_2"]
    with pytest.raises(UserError, match="dataset.folder=FOLDER"):
        prepare(PreparedCorpus(), tmp_path)
    with pytest.raises(UserError, match="No prepared data"):
        prepare(PreparedCorpus(str(tmp_path)), tmp_path)

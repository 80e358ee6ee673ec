"""Every row that a corpus reads is a clip or stands in the report, whatever the kind of corpus and of fault."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from audiolcm.data import corpora
from audiolcm.data.foley import FoleyCorpus
from audiolcm.data.manifest import Corpus
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.tunes import FoleyMusicCorpus

CONF = Path(__file__).parents[3] / "conf" / "dataset"
Made = tuple[Corpus, int]


def sound(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([seed, *path.name.encode()]).uniform(-0.3, 0.3, 8000)
    soundfile.write(path, noise, 16000)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def audiocaps(root: Path) -> Made:
    sound(root / "Yaaaaaaaaaaa.wav")
    write(
        root / "train.csv",
        "youtube_id,start_time,caption",
        "aaaaaaaaaaa,30,A dog",
        "aaaaaaaaaaa,30,",
        "b,1,x,y",
    )
    write(root / "test.csv", "youtube_id,start_time,caption", "gone,30,A cat", "aaaaaaaaaaa,30,A hound")
    return corpora.AudioCaps(str(root)), 5


def audioset(root: Path) -> Made:
    sound(root / "Yaaaaaaaaaaa.wav")
    write(root / "class_labels_indices.csv", "index,mid,display_name", "0,/m/1,Speech", "1,/m/2,Music")
    write(
        root / "eval_segments.csv", "# YTID", 'aaaaaaaaaaa, 1.0, 11.0, "/m/1"', 'gone, 1.0, 11.0, "/m/2,/m/9"'
    )
    write(root / "balanced_train_segments.csv", 'aaaaaaaaaaa, 1.0, 11.0, "/m/1"', 'other, 1.0, 11.0, ""')
    return corpora.AudioSet(str(root), kept_share=1.0), 4


def clotho(root: Path) -> Made:
    header = "file_name," + ",".join(f"caption_{i}" for i in range(1, 6))
    sound(root / "development" / "rain.gutter.wav")
    write(root / "clotho_captions_development.csv", header, "rain.gutter.wav,a,b,c,d,e", "gone.wav,a,b,,d,e")
    write(root / "clotho_captions_evaluation.csv", header, "rain.gutter 2.wav,a,b,c,d,e,f")
    return corpora.Clotho(str(root)), 15


def esc(root: Path) -> Path:
    for name in ("1-10-A-0", "2-11-A-0", "5-12-A-0"):
        sound(root / "audio" / f"{name}.wav")
    rows = ["1-10-A-0.wav,1,0,dog", "2-11-A-0.wav,2,0,dog", "5-12-A-0.wav,5,0,dog", "5-13-A-0.wav,5,0,dog"]
    write(root / "meta" / "esc50.csv", "filename,fold,target,category", *rows)
    return root


def fsd50k(root: Path) -> Made:
    sound(root / "FSD50K.dev_audio" / "1.wav")
    dev = ['1,"Dog",/m/1,train', '2,"Dog",/m/1,val', '3,"Dog",/m/1,dev', "1,Dog,/m/1,train,more"]
    write(root / "FSD50K.ground_truth" / "dev.csv", "fname,labels,mids,split", *dev)
    write(root / "FSD50K.ground_truth" / "eval.csv", "fname,labels,mids", "9,Rain,/m/2")
    return corpora.Fsd50k(str(root)), 5


def lp_musiccaps(root: Path) -> Made:
    sound(root / "a.wav")
    header = "path,caption_writing,caption_summary,caption_paraphrase,tag"
    write(
        root / "train.csv",
        header,
        "a.wav,One,Two,,rock",
        "a.wav,,,,rock",
        "gone.wav,One,,,",
        "a.wav,One,,,rock,more",
    )
    return corpora.LpMusicCaps(str(root)), 5


def macs(root: Path) -> Made:
    sound(root / "park.wav")
    notes = [{"sentence": "One", "tags": ["a"]}, {"sentence": "Two"}]
    files = [{"filename": "park.wav", "annotations": notes}, {"filename": "gone.wav", "annotations": notes}]
    files += [{"filename": "park.wav"}, {"filename": "park.wav", "annotations": []}]
    (root / "MACS.yaml").write_text(yaml.safe_dump({"files": files}))
    return corpora.Macs(str(root)), 6


def manifest(root: Path) -> Made:
    sound(root / "a.wav")
    rows = [
        "a\ta.wav\tA dog\ttrain",
        "b\tgone.wav\tA dog\ttest",
        "c\ta.wav\tx\ttrian",
        "a\ta.wav\tx\ttrain",
        "\ta.wav\tx\t",
    ]
    write(root / "manifest.tsv", "name\taudio_path\tcaption\tsplit", *rows, "d\tb.wav\tx\ttest\tmore", "e")
    return corpora.ManifestCorpus(str(root)), 7


def musiccaps(root: Path) -> Made:
    sound(root / "aaaaaaaaaaa.wav")
    rows = ["aaaaaaaaaaa,30,40,A song,True", "aaaaaaaaaaa,30,40,A song,False", "gone,30,40,A song,False"]
    write(root / "musiccaps-public.csv", "ytid,start_s,end_s,caption,is_audioset_eval", *rows)
    return corpora.MusicCaps(str(root)), 3


def sidecar(root: Path) -> Made:
    for name in ("a.wav", "deep/rain.gutter.wav", "mute.wav", "broken.wav"):
        sound(root / name)
    write(root / "a.txt", "A dog")
    write(root / "deep" / "rain.gutter.json", json.dumps({"caption": "Rain", "split": "test"}))
    write(root / "broken.json", "{")
    return corpora.SidecarCorpus(str(root)), 4


def tut(root: Path) -> Made:
    sound(root / "audio" / "b020_90_120.wav")
    write(
        root / "meta.txt", "audio/b020_90_120.wav\tbeach", "audio/gone.wav\tbus", "audio/13.wav", "", "\tbus"
    )
    return corpora.TutScenes(str(root)), 4


def urbansound8k(root: Path) -> Made:
    sound(root / "audio" / "fold1" / "1-3-0-0.wav")
    rows = ["1-3-0-0.wav,1,1,dog_bark", "2-3-0-0.wav,2,10,dog_bark", "3-3-0-0.wav,3,1,siren,more"]
    write(root / "metadata" / "UrbanSound8K.csv", "slice_file_name,fsID,fold,class", *rows)
    return corpora.UrbanSound8K(str(root), test_folds=[10]), 3


def wavcaps(root: Path) -> Made:
    sound(root / "FreeSound" / "1.flac")
    rows = [{"id": "1", "caption": "Rain"}, {"id": "2", "caption": ""}, "junk", {"caption": "x"}]
    (root / "fsd_final.json").write_text(json.dumps({"data": rows}))
    (root / "blacklist.json").write_text(json.dumps({"FreeSound": ["2"]}))
    return corpora.WavCaps(str(root)), 4


def wavtext5k(root: Path) -> Made:
    sound(root / "a.wav")
    write(
        root / "WavText5K.csv",
        "description,fname",
        "A dog,a.wav",
        ",a.wav",
        "A cat,gone.wav",
        "A cow,a.wav,more",
    )
    return corpora.WavText5K(str(root)), 4


def webdataset(root: Path) -> Made:
    sound(root / "one.wav")
    content = (root / "one.wav").read_bytes()
    members = {"a.wav": content, "a.txt": b"A dog", "rain.gutter.wav": content, "rain.gutter.txt": b"Rain"}
    members |= {
        "a.flac": content,
        "mute.wav": content,
        "lost.txt": b"x",
        "new.m4a": content,
        "b.json": b"{",
        "b.wav": content,
    }
    with tarfile.open(root / "0.tar", "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo("link.wav")
        info.type, info.linkname = tarfile.LNKTYPE, "a.wav"
        tar.addfile(info)
    (root / "1.tar.gz").write_bytes(b"\x1f\x8b and more")
    (root / "2.tar").write_bytes((root / "0.tar").read_bytes()[:700])
    return corpora.WebDataset(str(root)), 10


def mix(root: Path) -> Made:
    parts = {"audiocaps": audiocaps, "wavcaps": wavcaps, "fsd50k": fsd50k}
    made = {}
    for name, make in parts.items():
        (root / name).mkdir()
        made[name] = make(root / name)
    return corpora.Mix({name: corpus for name, (corpus, _) in made.items()}), sum(
        count for _, count in made.values()
    )


def prepared(root: Path) -> Made:
    data = prepare(manifest(root)[0], root / "cache", progress=False)
    return corpora.PreparedCorpus(str(data.folder)), 7


KINDS: dict[str, Callable[[Path], Made]] = {
    "AudioCaps": audiocaps,
    "AudioSet": audioset,
    "Clotho": clotho,
    "Esc10": lambda root: (corpora.Esc10(str(esc(root))), 4),
    "Esc50": lambda root: (corpora.Esc50(str(esc(root))), 4),
    "FoleyCorpus": lambda _: (FoleyCorpus(num_train=2, num_validation=1, num_test=1), 4),
    "FoleyMusicCorpus": lambda _: (FoleyMusicCorpus(num_train=2, num_validation=1, num_test=1), 4),
    "Fsd50k": fsd50k,
    "LpMusicCaps": lp_musiccaps,
    "Macs": macs,
    "ManifestCorpus": manifest,
    "Mix": mix,
    "MusicCaps": musiccaps,
    "PreparedCorpus": prepared,
    "SidecarCorpus": sidecar,
    "TutScenes": tut,
    "UrbanSound8K": urbansound8k,
    "WavCaps": wavcaps,
    "WavText5K": wavtext5k,
    "WebDataset": webdataset,
}


def test_every_kind_of_the_group_is_here() -> None:
    options = [yaml.safe_load(path.read_text()) for path in CONF.glob("*.yaml")]
    assert {one["_target_"].rpartition(".")[2] for one in options if "_target_" in one} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_clips_or_reported(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "data"
    root.mkdir()
    corpus, num_rows = KINDS[kind](root)
    data = prepare(corpus, tmp_path / "cache", progress=False)
    num_clips = sum(len(data.open_split(name)) for name in data.splits)
    assert num_clips >= 1
    assert num_clips + len(data.bad_rows) == num_rows, [(row.name, row.reason) for row in data.bad_rows]
    assert data.num_bad_rows == len(data.bad_rows)
    assert all(row.reason for row in data.bad_rows)

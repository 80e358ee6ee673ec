import hashlib
import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.audio.io import read_audio
from audiolcm.data.corpora import WebDataset
from audiolcm.data.corpora import webdataset as webdataset_module
from audiolcm.data.manifest import fallback_structure
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError

WEB = {"validation_every": 0, "duration": 1.0}


def sound(number: int, suffix: str = "flac") -> bytes:
    file = io.BytesIO()
    rng = np.random.default_rng(number)
    soundfile.write(file, rng.uniform(-0.4, 0.4, 16000 + 100 * number), 16000, format=suffix.upper())
    return file.getvalue()


def write_tar(path: Path, members: dict[str, bytes] | list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def shard_of(numbers: range) -> dict[str, bytes]:
    members = {}
    for number in numbers:
        members[f"{number:04d}.json"] = json.dumps({"caption": f"Sound {number}"}).encode()
        members[f"{number:04d}.flac"] = sound(number)
    return members


def test_members_become_clips(tmp_path: Path) -> None:
    described = {"text": ["Rain", "Water"], "tag": ["rain", "water"], "split": "validation"}
    members = {
        "a.wav": sound(1, "wav"),
        "a.txt": b"A dog barks\n",
        "./deep/b.json": json.dumps(described).encode(),
        "./deep/b.ogg": sound(2, "ogg"),
        "c.flac": sound(3),
        "c.json": json.dumps(
            {"caption": "A cat", "structured_caption": "<cat& all>", "labels": "cat|pet"}
        ).encode(),
    }
    write_tar(tmp_path / "00000.tar", members)
    corpus = WebDataset(str(tmp_path), **WEB)
    first, third = corpus.clips("train")
    (second,) = corpus.clips("validation")
    assert [clip.name for clip in (first, second, third)] == ["00000/a", "00000/deep/b", "00000/c"]
    assert [clip.caption for clip in (first, second, third)] == ["A dog barks", "Rain", "A cat"]
    assert first.structured_caption == fallback_structure("A dog barks")
    assert (third.structured_caption, third.labels, second.labels) == (
        "<cat& all>",
        ("cat", "pet"),
        ("rain", "water"),
    )
    for clip, suffix in ((first, "a.wav"), (second, "./deep/b.ogg"), (third, "c.flac")):
        (tmp_path / "alone").write_bytes(members[suffix])
        np.testing.assert_array_equal(corpus.waveform(clip), read_audio(tmp_path / "alone"))
    assert len(corpus.clips("test")) == 0


def test_shards_are_prepared_like_any_corpus(tmp_path: Path) -> None:
    for shard in range(3):
        write_tar(tmp_path / f"{shard:05d}.tar", shard_of(range(5 * shard, 5 * shard + 5)))
    corpus = WebDataset(str(tmp_path), **WEB)
    split = prepare(corpus, tmp_path / "cache", progress=False, workers=3, sounds_per_shard=4).split("train")
    assert [clip.caption for clip in split.clips] == [f"Sound {number}" for number in range(15)]
    assert [split.num_samples(index) for index in range(15)] == [16000 + 100 * number for number in range(15)]


def test_the_index_is_made_once_and_again_when_a_shard_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(tmp_path / "a.tar", shard_of(range(3)))
    assert len(WebDataset(str(tmp_path), **WEB).clips("train")) == 3
    before = WebDataset(str(tmp_path), **WEB).fingerprint()
    made = []
    write_index = webdataset_module.write_index
    monkeypatch.setattr(webdataset_module, "write_index", lambda *args: (made.append(1), write_index(*args)))
    assert len(WebDataset(str(tmp_path), **WEB).clips("train")) == 3
    assert WebDataset(str(tmp_path), **WEB).fingerprint() == before
    assert not made
    write_tar(tmp_path / "a.tar", shard_of(range(4)))
    assert len(WebDataset(str(tmp_path), **WEB).clips("train")) == 4
    assert WebDataset(str(tmp_path), **WEB).fingerprint() != before
    assert made
    (tmp_path / "index.parquet").write_bytes(b"PAR1 nothing")
    assert len(WebDataset(str(tmp_path), **WEB).clips("train")) == 4


def test_an_index_elsewhere_leaves_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    write_tar(tmp_path / "shards" / "a.tar", shard_of(range(3)))
    corpus = WebDataset(str(tmp_path / "shards"), index=str(tmp_path / "mine.parquet"), **WEB)
    assert len(corpus.clips("train")) == 3
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["a.tar"]


def cut_in_a_sound(content: bytes) -> bytes:
    return content[: len(content) // 2 + 100]


def cut_between_members(content: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return content[: tar.getmembers()[4].offset]


def spoilt_header(content: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        place = tar.getmembers()[4].offset + 20
    return content[:place] + b"\xff" + content[place + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [cut_in_a_sound, cut_between_members, spoilt_header, lambda content: b"", lambda content: b"x" * 2000],
)
def test_a_damaged_shard_is_reported_and_the_rest_goes_on(tmp_path: Path, spoil: object) -> None:
    for shard in range(3):
        write_tar(tmp_path / f"{shard}.tar", shard_of(range(5 * shard, 5 * shard + 5)))
    (tmp_path / "1.tar").write_bytes(spoil((tmp_path / "1.tar").read_bytes()))
    prepared = prepare(WebDataset(str(tmp_path), **WEB), tmp_path / "cache", progress=False)
    assert [clip.name[0] for clip in prepared.split("train").clips] == ["0"] * 5 + ["2"] * 5
    reasons = [row["reason"] for row in read_table(prepared.report_path)]
    assert reasons
    assert all(f"The shard {tmp_path / '1.tar'} is damaged" in reason for reason in reasons)


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("exploded"),))


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bomb = pickle.dumps(Bomb())
    members = {"a.pkl": bomb, "a.pyd": bomb, "a.json": bomb, "a.flac": sound(0), **shard_of(range(1))}
    write_tar(tmp_path / "a.tar", members)
    prepared = prepare(WebDataset(str(tmp_path), **WEB), tmp_path / "cache", progress=False)
    assert [clip.name for clip in prepared.split("train").clips] == ["a/0000"]
    assert "description cannot be read" in prepared.bad_rows[0].reason
    assert not (tmp_path / "exploded").exists()


def test_rows_that_lack_something_are_reported(tmp_path: Path) -> None:
    members = {"mute.json": b'{"caption": "x"}', "plain.flac": sound(0), "split.flac": sound(1)}
    members |= {
        "split.json": b'{"caption": "x", "split": "trian"}',
        "noise.flac": b"fLaC nothing",
        "noise.txt": b"x",
    }
    write_tar(tmp_path / "a.tar", members | shard_of(range(1)))
    write_tar(tmp_path / "b.tar", {"readme.md": b"x"})
    prepared = prepare(WebDataset(str(tmp_path), **WEB), tmp_path / "cache", progress=False)
    reasons = {row.name: row.reason for row in prepared.bad_rows}
    words = {
        "a/mute": "sound is missing",
        "a/plain": "caption is missing",
        "a/split": "unknown split 'trian'",
        "a/noise": "cannot be read",
        "b/b.tar": "holds no <key>.wav",
    }
    assert reasons.keys() == words.keys()
    assert all(word in reasons[name] for name, word in words.items()), reasons


def test_keys_may_have_dots(tmp_path: Path) -> None:
    names = ["rain.gutter", "Track 2.0 (clean)", "v1.a", "v1.b", "deep.er/20070824.supper", "plain"]
    members = {}
    for number, name in enumerate(names):
        members |= {f"{name}.wav": sound(number, "wav"), f"{name}.txt": f"Sound {number}".encode()}
    write_tar(tmp_path / "a.tar", members)
    clips = WebDataset(str(tmp_path), **WEB).clips("train")
    assert [(clip.name, clip.caption) for clip in clips] == [
        (f"a/{name}", f"Sound {number}") for number, name in enumerate(names)
    ]


def test_several_sounds_of_one_sample_share_its_description(tmp_path: Path) -> None:
    members = {
        "1.left.wav": sound(0, "wav"),
        "1.right.wav": sound(1, "wav"),
        "1.txt": b"Rain",
        "2.mix.wav": sound(2, "wav"),
    }
    write_tar(tmp_path / "a.tar", members)
    clips = WebDataset(str(tmp_path), **WEB).clips("train")
    assert [(clip.name, clip.caption) for clip in clips] == [
        ("a/1.left", "Rain"),
        ("a/1.right", "Rain"),
        ("a/2.mix", ""),
    ]


def test_shards_lose_nothing_without_a_word(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, content in (
            shard_of(range(2)) | {"0001.wav": sound(5, "wav"), "x.m4a": b"m4a", "._0000.flac": b"x"}
        ).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, kind in (("hard.wav", tarfile.LNKTYPE), ("soft.wav", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "0000.flac"
            tar.addfile(info)
    write_tar(tmp_path / "b.tar", shard_of(range(9, 10)))
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("0.wav"))
    (tmp_path / "d.tar").write_bytes((tmp_path / "c.tar.gz").read_bytes())
    os.mkfifo(tmp_path / "pipe.tar")
    prepared = prepare(WebDataset(str(tmp_path), **WEB), tmp_path / "cache", progress=False)
    assert [clip.name for clip in prepared.split("train").clips] == ["a/0000", "a/0001", "b/0009"]
    reasons = {row.name: row.reason for row in prepared.bad_rows}
    words = {
        "a/x": ".m4a cannot be read", "a/hard": "hard.wav is a link", "a/soft": "soft.wav is a link",
        "c.tar/c.tar.gz": "is compressed", "d/d.tar": "is compressed", "pipe/pipe.tar": "no regular file",
    }  # fmt: skip
    (second,) = reasons.keys() - words.keys()
    assert "another sound of this key, .flac" in reasons[second]
    assert all(word in reasons[name] for name, word in words.items()), reasons


def test_compressed_shards_alone_are_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("0.wav"))
    with pytest.raises(UserError, match=r"c\.tar\.gz.*gunzip"):
        WebDataset(str(tmp_path)).clips("train")


def test_of_a_few_clips_one_is_held_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tar(tmp_path / "a.tar", shard_of(range(3)))
    without = WebDataset(str(tmp_path), **WEB)
    corpus = WebDataset(str(tmp_path), duration=1.0)
    (held,) = corpus.clips("validation")
    assert held.split == "validation"
    assert len(corpus.clips("train")) == 2
    assert "goes to validation" in caplog.text
    assert not without.clips("validation")
    kept = WebDataset(str(tmp_path), validation_every=1)
    assert (len(kept.clips("train")), len(kept.clips("validation"))) == (1, 2)
    prepared = prepare(corpus, tmp_path / "cache", progress=False)
    assert (len(prepared.split("train")), len(prepared.split("validation"))) == (2, 1)


def test_data_that_were_read_whole_keep_their_identity(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", shard_of(range(2)))
    digest = hashlib.sha256((tmp_path / "a.tar").read_bytes()).hexdigest()
    facts = ["webdataset", 10.0, 0, ["a.tar", digest]]
    assert (
        WebDataset(str(tmp_path), **WEB).fingerprint()
        == hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    )
    members = shard_of(range(2)) | {"v1.a.flac": sound(7), "v1.a.txt": b"x"}
    write_tar(tmp_path / "a.tar", members)
    digest = hashlib.sha256((tmp_path / "a.tar").read_bytes()).hexdigest()
    facts = ["webdataset", 10.0, 0, ["a.tar", digest]]
    assert (
        WebDataset(str(tmp_path), **WEB).fingerprint()
        != hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    )


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No \.tar below"):
        WebDataset(str(tmp_path)).clips("train")
    write_tar(tmp_path / "a.tar", shard_of(range(1)))
    with pytest.raises(UserError, match="dataset.index=FILE"):
        WebDataset(str(tmp_path), index=str(tmp_path / "a.tar" / "i.parquet")).clips("train")

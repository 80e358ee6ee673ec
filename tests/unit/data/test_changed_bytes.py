"""No changed byte in prepared data or cached features is ever trained on: it is named, and repaired by one command."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus_in_memory import corpus_of
from damage import REPLACED, flipped, outcome
from test_dataset import HalvingEncoder
from test_prepare import files

from audiolcm.data.loading.cache import encode_latents
from audiolcm.data.preparing import prepare as preparing
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData
from audiolcm.data.store.repair import discard, verify
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedData:
    return prepare(corpus_of(6), tmp_path, progress=False, sounds_per_shard=2)


def heard(folder: Path) -> list[object]:
    """All that a training reads of a split."""
    split = PreparedData.open(folder).split("train")
    clips = [split.clips[index] for index in range(len(split))]
    sounds = [split.waveform(index).tobytes() + split.mel(index).tobytes() for index in range(len(split))]
    return [clips, sounds, list(split.sounds), [split.caption_number(i) for i in range(len(split))]]


def latents_of(folder: Path) -> list[object]:
    split = PreparedData.open(folder).split("train")
    found = encode_latents(HalvingEncoder(), split, folder / "latents-x", min_frames=40, progress=False)
    return [found.mean(i).tobytes() + found.std(i).tobytes() for i in range(len(found))]


def check_every(path: Path, read: Callable[[], object], good: object, damaged: list[bytes]) -> int:
    """Write each content to the file and read; return how often it was refused, which is always by name."""
    refused = 0
    for number, content in enumerate(damaged):
        path.write_bytes(content)
        found, message = outcome(read)
        assert found == good or (path.name in message and "--mend" in message), (path, number, message)
        refused += bool(message)
    return refused


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("train/00001.mel.npy", 54), ("train/00000.waveform.npy", 54), ("train/index.arrow", 54),
        ("train/shards.arrow", 54), ("train/clips.arrow", 54), ("train/index.json", 50), ("train/split.json", 50),
        ("data.json", 50),
    ],
)  # fmt: skip
def test_a_flipped_bit_is_refused_by_name_or_changes_nothing(
    prepared: PreparedData, name: str, least: int
) -> None:
    path, good = prepared.folder / name, heard(prepared.folder)
    whole = files(prepared.folder)
    damaged = list(flipped(path.read_bytes(), 30))
    assert check_every(path, lambda: heard(prepared.folder), good, damaged) >= least
    assert discard(prepared.folder) == [path]
    prepare(corpus_of(6), prepared.folder.parent, progress=False, sounds_per_shard=2)
    assert files(prepared.folder) == whole


def test_a_flipped_bit_in_cached_latents_is_refused_by_name(prepared: PreparedData) -> None:
    good = latents_of(prepared.folder)
    (store,) = (prepared.folder / "latents-x").iterdir()
    for name in ("00000.mean.npy", "00000.std.npy", "index.arrow", "shards.arrow", "index.json"):
        content = (store / name).read_bytes()
        damaged = list(flipped(content, 12))
        assert check_every(store / name, lambda: latents_of(prepared.folder), good, damaged) >= 30
        (store / name).write_bytes(content)


@pytest.mark.parametrize("kind", REPLACED)
@pytest.mark.parametrize(
    "name", ["train/00001.mel.npy", "train/index.json", "train/clips.arrow", "train/split.json", "data.json"]
)
def test_what_stands_in_its_place_is_refused(prepared: PreparedData, name: str, kind: str) -> None:
    REPLACED[kind](prepared.folder / name)
    with pytest.raises(UserError, match=r"audiolcm prepare"):
        heard(prepared.folder)


def test_an_older_cache_without_seals_is_opened(prepared: PreparedData) -> None:
    good = heard(prepared.folder)
    for path in prepared.folder.rglob("*.json"):
        text = path.read_text()
        path.write_text(text[: text.rindex(',"seal"')] + "}")
    assert heard(prepared.folder) == good and verify(prepared.folder) == 3


def test_one_process_reads_a_shard_once_for_its_checksum(
    prepared: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiolcm.data.store import checked_json

    for path in prepared.folder.rglob("*"):
        os.utime(path, (1e9, 1e9))  # of a file that was just written no checksum is kept
    read: list[str] = []
    checksum = checked_json._checksum
    monkeypatch.setattr(checked_json, "_checksum", lambda path: (read.append(path.name), checksum(path))[1])
    heard(prepared.folder)
    heard(prepared.folder)
    assert read and len(read) == len(set(read))
    assert sum(name.endswith(".npy") for name in read) == len(list((prepared.folder / "train").glob("*.npy")))


@pytest.mark.parametrize("name", ["plan.arrow", "plan.json", "00000.json", "00000.mel.npy"])
def test_a_preparation_that_was_killed_goes_on_from_damaged_files(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = files(prepare(corpus_of(6), tmp_path / "whole", progress=False, sounds_per_shard=2).folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(preparing, "_seal", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(corpus_of(6), tmp_path / "killed", progress=False, sounds_per_shard=2)
    monkeypatch.undo()
    (folder,) = (path for path in (tmp_path / "killed").iterdir() if path.is_dir() and "-" in path.name)
    path = folder / "train" / name
    path.write_bytes(list(flipped(path.read_bytes(), 1))[-1])
    prepare(corpus_of(6), tmp_path / "killed", progress=False, sounds_per_shard=2)
    found = files(folder)
    if name.endswith(".npy"):  # it was written whole: its reader refuses it
        with pytest.raises(UserError, match=r"--mend"):
            heard(folder)
        discard(folder)
        prepare(corpus_of(6), tmp_path / "killed", progress=False, sounds_per_shard=2)
        found = files(folder)
    assert found == whole


def test_a_flipped_bit_in_the_memory_of_digests_changes_no_digest(tmp_path: Path) -> None:
    sounds = [tmp_path / f"{name}.wav" for name in "abc"]
    for path in sounds:
        path.write_bytes(path.name.encode() * 100)
    memory = tmp_path / "digests.jsonl"
    good = FileDigests(memory).of(sounds)
    for damaged in flipped(memory.read_bytes(), 100):
        memory.write_bytes(damaged)
        assert FileDigests(memory).of(sounds) == good
    memory.unlink()
    FileDigests(memory).of(sounds)
    older = "".join(line.partition("\t")[0] + "\n" for line in memory.read_text().splitlines())
    memory.write_text(older)
    assert FileDigests(memory).of(sounds) == good
    assert memory.read_text() == older, "they are still believed"

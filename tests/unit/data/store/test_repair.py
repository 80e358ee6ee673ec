from pathlib import Path

import pytest
from corpus_in_memory import corpus_of
from test_dataset import HalvingEncoder
from test_prepare import files

from audiolcm.data.loading.dataset import encode_latents
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData
from audiolcm.data.store.repair import discard, verify
from audiolcm.errors import UserError


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedData:
    return prepare(corpus_of(20), tmp_path, progress=False, sounds_per_shard=4)


def flip(path: Path, place: int = -10) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_whole_data_is_verified(prepared: PreparedData) -> None:
    assert verify(prepared.folder) == 3
    assert discard(prepared.folder) == []


@pytest.mark.parametrize(
    "name", ["00002.mel.npy", "00000.waveform.npy", "index.arrow", "shards.arrow", "clips.arrow", "bad.arrow"]
)
def test_a_flipped_bit_is_found_and_only_that_is_made_again(prepared: PreparedData, name: str) -> None:
    before = files(prepared.folder)
    path = prepared.folder / "train" / name
    flip(path, len(path.read_bytes()) // 2)
    with pytest.raises(
        UserError, match=r"1 files are damaged[\s\S]*content has changed[\s\S]*--mend"
    ) as caught:
        verify(prepared.folder)
    assert str(path) in str(caught.value)
    assert discard(prepared.folder) == [path]
    corpus = corpus_of(20)
    prepare(corpus, prepared.folder.parent, progress=False, sounds_per_shard=4)
    assert corpus.num_decoded == (4 if name.endswith(".npy") else 0)
    assert files(prepared.folder) == before


def test_a_damaged_index_and_a_damaged_shard_together(prepared: PreparedData) -> None:
    before = files(prepared.folder)
    flip(prepared.folder / "train" / "shards.arrow", 300)
    flip(prepared.folder / "train" / "00001.mel.npy")
    assert len(discard(prepared.folder)) == 2
    prepare(corpus_of(20), prepared.folder.parent, progress=False, sounds_per_shard=4)
    assert files(prepared.folder) == before


def test_a_cut_off_or_missing_shard_is_refused_when_the_data_is_opened(prepared: PreparedData) -> None:
    path = prepared.folder / "train" / "00001.mel.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=rf"00001\.mel\.npy in .*train is damaged .*{len(content)}.*--mend"):
        prepared.split("train")
    path.unlink()
    with pytest.raises(UserError, match=r"00001\.mel\.npy in .*No such file.*--mend"):
        prepared.split("train")
    assert len(prepared.split("validation")) == 3  # the others are in use


def test_a_damaged_record_counts_as_none(prepared: PreparedData) -> None:
    before = files(prepared.folder)
    flip(prepared.folder / "train" / "index.arrow", 300)
    discard(prepared.folder)
    record = prepared.folder / "train" / "00001.json"
    record.write_text(record.read_text()[:20])
    corpus = corpus_of(20)
    prepare(corpus, prepared.folder.parent, progress=False, sounds_per_shard=4)
    assert corpus.num_decoded == 4
    assert files(prepared.folder) == before


def test_a_spoiled_header_is_a_message(prepared: PreparedData) -> None:
    path = prepared.folder / "train" / "00000.mel.npy"
    flip(path, 0)
    split = prepared.split("train")
    with pytest.raises(UserError, match=r"00000\.mel\.npy in .* is damaged.*--mend"):
        split.mel(0)


def test_damaged_latents_are_made_again_by_the_next_training(prepared: PreparedData) -> None:
    split = prepared.split("train")
    encode_latents(HalvingEncoder(), split, prepared.folder / "latents-x", min_frames=40, progress=False)
    (store,) = (prepared.folder / "latents-x").iterdir()
    before = files(store)
    flip(store / "00000.mean.npy")
    with pytest.raises(UserError, match="1 files are damaged"):
        verify(prepared.folder)
    assert discard(prepared.folder) == [store / "00000.mean.npy"]
    encode_latents(HalvingEncoder(), split, prepared.folder / "latents-x", min_frames=40, progress=False)
    assert files(store) == before
    verify(prepared.folder)

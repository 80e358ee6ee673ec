"""Keys that occur twice in a shard: no sound gets the text of another one, and what repeats is reported."""

from pathlib import Path

import pytest
from test_webdataset import WEB, sound, write_tar

from audiolcm.data.corpora import WebDataset
from audiolcm.data.preparing.prepare import prepare

ONE, TWO, OTHER = (sound(number, "wav") for number in range(3))
DOG, CAT = ("0.txt", b"A dog"), ("0.txt", b"A cat")
BETWEEN = [("1.wav", OTHER), ("1.txt", b"Rain")]
Members = list[tuple[str, bytes]]


@pytest.mark.parametrize(
    ("members", "caption", "num_bad"),
    [
        ([("0.wav", ONE), DOG, *BETWEEN, ("0.wav", TWO), CAT], "A dog", 1),
        ([("0.wav", ONE), DOG, ("0.wav", TWO), CAT, *BETWEEN], "A dog", 1),
        ([DOG, ("0.wav", ONE), *BETWEEN, CAT, ("0.wav", TWO)], "A dog", 2),
        ([DOG, ("0.wav", ONE), *BETWEEN, CAT, ("0.flac", TWO)], "A dog", 2),
        ([("0.wav", ONE), *BETWEEN, ("0.wav", TWO), CAT], None, 2),
        ([("0.wav", ONE), *BETWEEN, ("0.flac", TWO), CAT], None, 2),
        ([("0.wav", ONE), DOG, CAT, *BETWEEN], "A dog", 1),
        ([("0.wav", ONE), DOG, *BETWEEN, CAT], "A dog", 1),
        ([("0.wav", ONE), DOG, *BETWEEN, DOG], "A dog", 0),
        ([("0.wav", ONE), ("0.json", b'{"text": "A dog"}'), ("0.json", b'{"text": "A cat"}'), *BETWEEN], "A dog", 1),
        ([("./0.wav", ONE), DOG, *BETWEEN, ("0.WAV", TWO), ("0.TXT", b"A cat")], "A dog", 1),
        ([("0.wav", ONE), ("0.flac", TWO), DOG, *BETWEEN], "A dog", 1),  # one sample in two formats
        ([("0.wav", ONE), *BETWEEN, DOG], "A dog", 0),  # an unsorted shard
    ],
)  # fmt: skip
def test_no_sound_gets_the_text_of_another(
    tmp_path: Path, members: Members, caption: str | None, num_bad: int
) -> None:
    write_tar(tmp_path / "a.tar", members)
    data = prepare(WebDataset(str(tmp_path), **WEB), tmp_path / "cache", progress=False)
    clips = {clip.name: clip.caption for clip in data.split("train").clips}
    assert clips == {"a/1": "Rain"} | ({} if caption is None else {"a/0": caption})
    assert len(data.bad_rows) == num_bad, [row.reason for row in data.bad_rows]
    split = data.open_split("train")
    first = next((n for n in range(len(split)) if split.clips[n].name == "a/0"), None)
    assert first is None or split.num_samples(first) == 16000  # of ONE; TWO is longer


def test_the_same_key_in_two_shards_is_two_clips(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [("0.wav", ONE), DOG])
    write_tar(tmp_path / "b.tar", [("0.wav", TWO), CAT])
    data = prepare(WebDataset(str(tmp_path), **WEB), tmp_path / "cache", progress=False)
    assert [(clip.name, clip.caption) for clip in data.split("train").clips] == [
        ("a/0", "A dog"),
        ("b/0", "A cat"),
    ]


def test_members_without_a_name_are_reported(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [("x/.wav", ONE), (".txt", b"x"), *BETWEEN])
    data = prepare(WebDataset(str(tmp_path), **WEB), tmp_path / "cache", progress=False)
    assert [row.reason for row in data.bad_rows] == ["The member has no name before its suffix."] * 2


def test_data_with_repeated_keys_are_prepared_again(tmp_path: Path) -> None:
    """They were prepared with wrong captions: their shards are as they were, so another identity is needed."""
    write_tar(tmp_path / "a.tar", [("0.wav", ONE), DOG, *BETWEEN, ("0.wav", TWO), CAT])
    corpus = WebDataset(str(tmp_path), **WEB)
    assert [(row["key"], row["once_lost"]) for row in corpus.rows()][:2] == [("0", True), ("1", False)]


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [("0.wav", ONE), DOG, *BETWEEN])
    expected = [(clip.name, clip.caption) for clip in WebDataset(str(tmp_path), **WEB).clips("train")]
    index = tmp_path / "index.parquet"
    content = index.read_bytes()
    for place in range(0, len(content), 97):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        index.write_bytes(damaged)
        clips = WebDataset(str(tmp_path), **WEB).clips("train")
        assert [(clip.name, clip.caption) for clip in clips] == expected
        assert index.read_bytes() in (content, damaged)  # a byte that nobody reads may stay


def test_a_text_gives_the_caption_that_a_json_lacks(tmp_path: Path) -> None:
    facts = ("0.json", b'{"id": 7, "labels": ["dog"], "split": "test"}')
    write_tar(tmp_path / "a.tar", [("0.wav", ONE), facts, DOG, *BETWEEN, ("1.json", b'{"text": "Sea"}')])
    corpus = WebDataset(str(tmp_path), **WEB)
    (tested,), (trained,) = corpus.clips("test"), corpus.clips("train")
    assert (tested.caption, tested.structured_caption) == ("A dog", "<A dog& all>")
    assert (tested.labels, trained.caption) == (("dog",), "Sea")
    assert [row["once_lost"] for row in corpus.rows()] == [True, False]

import dataclasses
from pathlib import Path

import pytest

from audiolcm.data.corpora import ManifestCorpus
from audiolcm.data.manifest import Clip, Event, fallback_structure
from audiolcm.data.manifest_tables import read_manifest, write_manifest
from audiolcm.data.store.prepared import clip_from_json, clip_to_json
from audiolcm.errors import UserError


def clips_of(folder: Path) -> list[Clip]:
    return [
        Clip(
            "a", folder / "audio" / "a.wav", 'A "dog",\tbarks', "<dog& all>", 1.25, "train", ("dog", "loud")
        ),
        Clip("b", folder / "b ü.flac", "rain", "<rain& all>", 0.1, "test", ()),
        Clip("c", Path("/elsewhere/c.ogg"), "wind", "<wind& all>", 0.0, "validation", ("wind",)),
        Clip("d", None, "no audio", "<x& all>", 2.0, "train", ()),
    ]


@pytest.mark.parametrize("name", ["manifest.tsv", "manifest.csv", "manifest.parquet"])
def test_manifest_round_trip(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_manifest(path, clips_of(tmp_path))
    assert read_manifest(path) == clips_of(tmp_path)
    assert [clip.row for clip in read_manifest(path)] == [2, 3, 4, 5]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_moved_manifest_still_finds_its_audio(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    write_manifest(tmp_path / "old" / "manifest.tsv", clips_of(tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    assert (
        read_manifest(tmp_path / "new" / "manifest.tsv")[0].audio_path == tmp_path / "new" / "audio" / "a.wav"
    )


def test_only_three_columns_are_needed(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("name\taudio_path\tcaption\nx\tx.wav\tA bell\n")
    (clip,) = read_manifest(tmp_path / "m.tsv")
    assert clip == Clip("x", tmp_path / "x.wav", "A bell", "<A bell& all>", 0.0, "", ())
    assert fallback_structure("A bell") == "<A bell& all>"


def test_parquet_with_numbers_lists_and_nulls(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = {
        "name": [7],
        "audio_path": ["x.wav"],
        "caption": [None],
        "duration": [2.5],
        "labels": [["a", "b"]],
    }
    parquet.write_table(pyarrow.table(table), tmp_path / "m.parquet")
    (clip,) = read_manifest(tmp_path / "m.parquet")
    assert (clip.name, clip.caption, clip.duration, clip.labels) == ("7", "", 2.5, ("a", "b"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.tsv", None, "not found"),
        ("m.tsv", b"name\tcaption\nx\ty\n", "audio_path"),
        ("m.tsv", b"", "no column name, audio_path, caption"),
        ("m.tsv", b"name\taudio_path\tcaption\nx\t\xff\xfe\ty\n", "cannot be read"),
        ("m.parquet", b"not parquet", "cannot be read"),
    ],
)
def test_unreadable_tables_are_named(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        read_manifest(tmp_path / name)
    assert name in str(caught.value)


def test_clip_as_json_keeps_events(tmp_path: Path) -> None:
    clip = dataclasses.replace(clips_of(tmp_path)[0], events=(Event("dog", 0.5, 1.0),))
    assert clip_from_json(clip_to_json(clip)) == clip


def test_manifest_corpus_holds_out_a_fixed_part_when_no_row_has_a_split(tmp_path: Path) -> None:
    clips = [Clip(f"c{i}", tmp_path / f"{i}.wav", "x", "", 1.0, "", ()) for i in range(320)]
    write_manifest(tmp_path / "manifest.tsv", clips)
    corpus = ManifestCorpus(str(tmp_path), validation_every=16)
    held_out = {clip.name for clip in corpus.clips("validation")}
    assert 8 <= len(held_out) <= 32
    assert len(corpus.clips("train")) == 320 - len(held_out)
    write_manifest(tmp_path / "manifest.tsv", clips[100:])
    fewer = {clip.name for clip in ManifestCorpus(str(tmp_path)).clips("validation")}
    assert fewer == held_out - {f"c{i}" for i in range(100)}


def test_manifest_corpus_rejects_rows_of_no_split(tmp_path: Path) -> None:
    rows = [
        "name\taudio_path\tcaption\tsplit",
        "a\ta.wav\tx\ttrain",
        "b\tb.wav\tx\ttrian",
        "a\tc.wav\tx\ttest",
        "c\tc.wav\tx\t",
    ]
    (tmp_path / "manifest.tsv").write_text("\n".join(rows) + "\n")
    corpus = ManifestCorpus(str(tmp_path))
    assert [clip.name for clip in corpus.clips("train")] == ["a"]
    rejected = corpus.rejected_rows()
    assert [row.row for row in rejected] == [3, 4, 5]
    assert "trian" in rejected[0].reason
    assert "row 2" in rejected[1].reason


@pytest.mark.parametrize(
    ("root", "reason"),
    [(None, r"dataset\.root="), ("/no/such/folder", "/no/such/folder"), ("", r"dataset\.root=")],
)
def test_root_is_checked_at_first_use(root: str | None, reason: str) -> None:
    corpus = ManifestCorpus(root)
    with pytest.raises(UserError, match=reason):
        corpus.clips("train")


def test_durations_must_fit() -> None:
    with pytest.raises(UserError, match="max_duration"):
        ManifestCorpus(None, duration=12.0, max_duration=10.0)


def test_rows_know_their_line_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    lines = [
        "",
        "name\taudio_path\tcaption\tduration",
        "",
        'a\ta.wav\t"two ""lines""\nof caption"\t1.5',
        "b\tb.wav\tx\t\textra",
        "",
        "c\tc.wav\tx\tlong",
        "d\td.wav\tx\t-1",
        'e\te.wav\t"x\t2',
        'f\tf.wav\tx"\t2',
        "g\tg.wav",
    ]
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    clips = read_manifest(tmp_path / "m.tsv")
    assert [(clip.name, clip.row) for clip in clips] == [
        ("a", 4),
        ("b", 6),
        ("c", 8),
        ("d", 9),
        ("e", 10),
        ("g", 12),
    ]
    assert clips[0].caption == 'two "lines"\nof caption'
    words = [
        "",
        "5 fields, the header 4",
        "'long' is no number",
        "'-1' is no number",
        "closing quotation mark",
        "",
    ]
    for clip, word in zip(clips, words, strict=True):
        assert word in clip.problem
        assert bool(word) == bool(clip.problem)


@pytest.mark.parametrize(
    "row", ['a\ta.wav\t"A dog barks\nb\tb.wav\tx', 'a\ta.wav\t"Hello" he says\nb\tb.wav\tx']
)
def test_a_stray_quotation_mark_swallows_no_rows(tmp_path: Path, row: str) -> None:
    (tmp_path / "m.tsv").write_text(f"name\taudio_path\tcaption\n{row}\n")
    with pytest.raises(UserError, match="line 2.*quotation mark"):
        read_manifest(tmp_path / "m.tsv")

"""Tables as other programs write them: read where it is safe, else named."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.data.corpora import ManifestCorpus
from audiolcm.data.manifest_tables import read_manifest
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError

ROW = {"name": "a", "audio_path": "a.wav", "caption": "A dog barks, twice"}


def lines(separator: str) -> str:
    return separator.join(ROW) + "\n" + separator.join(ROW.values()) + "\n"


READ = {
    "semicolons.csv": lines(";").encode(),
    "tabs.csv": lines("\t").encode(),
    "commas.tsv": b'name,audio_path,caption\na,a.wav,"A dog barks, twice"\n',
    "excel.tsv": lines("\t").encode("utf-16"),
    "big.tsv": b"\xfe\xff" + lines("\t").encode("utf-16-be"),
    "unmarked.tsv": lines("\t").encode("utf-16-le"),
    "marked.csv": lines(";").encode("utf-8-sig"),
    "lines.json": json.dumps(ROW).encode() + b"\n",
    "lines.jsonl": b"\n" + json.dumps(ROW).encode(),
    "list.json": json.dumps([ROW]).encode("utf-8-sig"),
    "data.json": json.dumps({"data": [ROW], "version": 1}).encode(),
    "tango.json": json.dumps({"dataset": "x", "location": "a.wav", "captions": ROW["caption"]}).encode(),
    "metadata.csv": b'file_name,text\na.wav,"A dog barks, twice"\n',
}


@pytest.mark.parametrize("name", READ)
def test_what_is_unmistakable_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(READ[name])
    (clip,) = read_manifest(tmp_path / name)
    assert (clip.audio_path, clip.caption, clip.problem) == (tmp_path / "a.wav", ROW["caption"], "")
    assert clip.name == ("" if name in ("tango.json", "metadata.csv") else "a")


def test_parquet_under_another_name_is_read(tmp_path: Path) -> None:
    import pandas

    pandas.DataFrame([ROW]).to_parquet(tmp_path / "m.parquet")
    (tmp_path / "m.parquet").rename(tmp_path / "m.tsv")
    assert read_manifest(tmp_path / "m.tsv")[0].caption == ROW["caption"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.xlsx", b"PK\x03\x04 and more", "Excel"),
        ("m.csv", b"\xd0\xcf\x11\xe0 and more", "Excel"),
        ("m.tsv.gz", b"\x1f\x8b and more", "gunzip"),
        ("m.tsv", lines("\t").replace("dog", "d\u00f6g").encode("latin-1"), "line 2 is no UTF-8"),
        ("m.tsv", b"a\ta.wav\tA dog\nb\tb.wav\tA cat\n", "has no header"),
        ("m.json", b'{"name": "a", "aud', "neither JSON nor JSON lines"),
        ("m.json", b"[" * 1000, "neither JSON nor JSON lines"),
        (
            "m.json",
            json.dumps({"id": "x" * 5000}).encode(),
            "no column name, audio_path, caption; it has: id",
        ),
        ("m.csv", b"x;y|z\n1;2\n", "it has: x, y|z"),
    ],
)
def test_anything_else_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_manifest(tmp_path / name)
    assert words in str(caught.value)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_bad_entry_of_json_is_one_bad_row(tmp_path: Path) -> None:
    entries = [
        json.dumps(ROW),
        "{",
        '["no object"]',
        json.dumps(ROW | {"caption": {"en": "x"}, "labels": ["a", "b"]}),
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(entries))
    first, broken, listed, nested = read_manifest(tmp_path / "m.jsonl")
    assert (first.problem, first.row) == ("", 1)
    assert ("no JSON" in broken.problem, "no JSON object" in listed.problem) == (True, True)
    assert (nested.caption, nested.labels, nested.row) == ("", ("a", "b"), 4)


def test_a_huge_field_is_a_fault_of_its_row(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text(f"name\taudio_path\tcaption\na\ta.wav\t{'x' * 150_000}\nb\tb.wav\tx\n")
    assert [row.problem for row in read_table(tmp_path / "m.tsv")] == [
        "The row has a field of 150,000 characters.",
        "",
    ]


def test_paths_of_windows(tmp_path: Path) -> None:
    for path in (tmp_path / "sub" / "a.wav", tmp_path / "odd\\b.wav"):
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.full(8000, 0.1), 16000)
    rows = ["a\tsub\\a.wav\tx\ttrain", "b\todd\\b.wav\tx\ttrain"]
    (tmp_path / "manifest.tsv").write_text("\n".join(["name\taudio_path\tcaption\tsplit", *rows]))
    paths = [clip.audio_path for clip in ManifestCorpus(str(tmp_path)).clips("train")]
    assert paths == [tmp_path / "sub" / "a.wav", tmp_path / "odd\\b.wav"]

"""Tables with lists, repeated or spaced columns, line breaks in cells, and what pandas leaves in them."""

import json
from pathlib import Path

import pytest

from audiolcm.data.manifest import caption_problem
from audiolcm.data.manifest_tables import read_manifest
from audiolcm.data.preparing.plan import row_problem
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError


def captions(path: Path) -> list[tuple[str, str]]:
    return [(clip.name, clip.caption) for clip in read_manifest(path)]


def test_every_caption_of_a_list_is_a_clip(tmp_path: Path) -> None:
    rows = [
        {"name": "a", "audio_path": "a.wav", "captions": ["A dog", "A|cat"], "labels": ["one|two", "three"]},
        {"name": "a_2", "audio_path": "b.wav", "captions": ["Rain"]},
        {"name": "c", "audio_path": "c.wav", "captions": []},
        {"name": "d", "audio_path": "d.wav", "captions": ["Wind", None]},
    ]
    expected = [("a", "A dog"), ("a_3", "A|cat"), ("a_2", "Rain"), ("c", ""), ("d", "Wind"), ("d_2", "")]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert captions(tmp_path / "m.jsonl") == expected
    import pandas

    pandas.DataFrame(rows).to_parquet(tmp_path / "m.parquet")
    assert captions(tmp_path / "m.parquet") == expected
    first, second, *_ = read_manifest(tmp_path / "m.jsonl")
    assert first.audio_path == second.audio_path == tmp_path / "a.wav"
    assert first.labels == ("one|two", "three")
    assert (first.structured_caption, second.structured_caption) == ("<A dog& all>", "<A|cat& all>")
    assert (first.row, second.row) == (1, 1)


def test_structured_captions_go_with_their_captions(tmp_path: Path) -> None:
    row = {"audio_path": "a.wav", "captions": ["A dog", "A cat"]}
    table = tmp_path / "m.json"
    table.write_text(json.dumps([row | {"structured_caption": ["<dog& all>", "<cat& all>"]}]))
    assert [clip.structured_caption for clip in read_manifest(table)] == ["<dog& all>", "<cat& all>"]
    table.write_text(json.dumps([row | {"structured_caption": ["<dog& all>"]}]))
    assert ["2 captions, but 1" in clip.problem for clip in read_manifest(table)] == [True, True]


def test_an_object_among_captions_is_no_caption(tmp_path: Path) -> None:
    row = {"audio_path": "a.wav", "captions": [{"text": "A dog"}, "A cat"]}
    (tmp_path / "m.json").write_text(json.dumps([row]))
    assert [clip.caption for clip in read_manifest(tmp_path / "m.json")] == ["", "A cat"]


@pytest.mark.parametrize(
    "content",
    ["name\taudio_path\tcaption\tcaption\na\ta.wav\tx\ty\n", "name\taudio_path\tcaption\t caption\n"],
)
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.tsv").write_text(content)
    with pytest.raises(UserError, match="several columns named caption"):
        read_manifest(tmp_path / "m.tsv")


def test_columns_without_a_name_may_repeat(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("name\taudio_path\tcaption\t\t\na\ta.wav\tA dog\t\t\n")
    assert captions(tmp_path / "m.tsv") == [("a", "A dog")]


def test_a_parquet_table_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = [pyarrow.array(["a"]), pyarrow.array(["A dog"]), pyarrow.array(["A cat"])]
    parquet.write_table(pyarrow.table(columns, ["audio_path", "caption", "caption"]), tmp_path / "m.parquet")
    with pytest.raises(UserError, match="caption"):
        read_manifest(tmp_path / "m.parquet")


def test_spaces_after_commas_belong_to_the_commas(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('name, audio_path, caption\na, a.wav, "A dog, barks"\nb, b.wav, Rain\n')
    assert captions(tmp_path / "m.csv") == [("a", "A dog, barks"), ("b", "Rain")]
    (tmp_path / "m.tsv").write_text("name \t audio_path\tcaption\na\t a.wav\tA dog\n")
    assert captions(tmp_path / "m.tsv") == [("a", "A dog")]
    assert read_table(tmp_path / "m.tsv")[0].exact("audio_path") == " a.wav"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n"])
def test_a_lone_carriage_return_does_not_end_a_row(tmp_path: Path, end: str) -> None:
    rows = ["name\taudio_path\tcaption", "a\ta.wav\tA dog\r barks", 'b\tb.wav\t"A\rcat"', "c\tc.wav\tRain"]
    (tmp_path / "m.tsv").write_bytes(end.join(rows).encode())
    assert captions(tmp_path / "m.tsv") == [("a", "A dog  barks"), ("b", "A cat"), ("c", "Rain")]
    assert [clip.row for clip in read_manifest(tmp_path / "m.tsv")] == [2, 3, 4]


def test_lines_may_end_at_carriage_returns_alone(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b'name,audio_path,caption\ra,a.wav,A dog\rb,b.wav,"A\ncat"\r')
    assert captions(tmp_path / "m.csv") == [("a", "A dog"), ("b", "A\ncat")]


@pytest.mark.parametrize(
    ("content", "is_good"),
    [
        ('a,a.wav,"A dog barks,\nthen a cat"', True),
        ('a,a.wav,"A dog\nthen, a cat, rain"', True),
        ('a,a.wav,"A dog, a cat, rain,\n\nwind, and more"', True),
        ('"a\nb,c",a.wav,A dog', True),
        ('a,a.wav,"A dog\nb,b.wav,A cat"', False),
        ('a,a.wav,"A dog\nb,b.wav,A cat\nc,c.wav,Rain"', False),
        ('a,"a.wav,A dog\nb,b.wav",A cat', False),
        ('"a,a.wav,A dog\nb",b.wav,A cat', False),
    ],
)
def test_line_breaks_in_a_cell_are_told_from_swallowed_rows(
    tmp_path: Path, content: str, is_good: bool
) -> None:
    (tmp_path / "m.csv").write_text(f"name,audio_path,caption\n{content}\nz,z.wav,Last\n")
    first, last = read_manifest(tmp_path / "m.csv")
    assert (first.problem == "") == is_good, first.problem
    assert is_good or "several lines" in first.problem
    assert (last.name, last.problem) == ("z", "")


LEFTOVERS = ["nan", "NaN", "None", "NULL", " null ", "N/A", "#N/A", "<NA>", "undefined"]
LEFTOVERS += ["['A dog', 'A cat']", '["A dog"]', "['A dog'\n 'A cat']", "{'caption': 'A dog'}"]
LEFTOVERS += ["array(['A dog', 'A cat'], dtype=object)", "[\"A dog's bark\", 'A cat']"]
CAPTIONS = ["A nan bread sizzles", "None of the birds sing", "[music]", "[Dog] barks", "'Help' he says", "12"]
CAPTIONS += ["N", "{laughter}", "A man says ['hello']", "Nana sings", "\u72ac\u304c\u5420\u3048\u308b"]


def test_a_row_of_json_with_a_key_twice_or_a_huge_text_is_reported(tmp_path: Path) -> None:
    lines = [
        '{"audio_path": "a.wav", "caption": "A dog"}',
        '{"audio_path": "a.wav", "caption": "A cat", "caption": "Rain"}',
        json.dumps({"audio_path": "a.wav", "caption": "x" * 200_000}),
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    good, twice, huge = read_manifest(tmp_path / "m.jsonl")
    assert (good.problem, huge.problem) == ("", "The row has a field of 200,000 characters.")
    assert "the key 'caption' comes twice" in twice.problem
    (tmp_path / "m.json").write_text(f"[{lines[1]}]")
    with pytest.raises(UserError, match="'caption' comes twice"):
        read_manifest(tmp_path / "m.json")


@pytest.mark.parametrize("text", LEFTOVERS)
def test_what_programs_leave_is_no_caption(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"name": "a", "audio_path": "a.wav", "caption": text}))
    (clip,) = read_manifest(tmp_path / "m.jsonl")
    assert (row_problem(clip, "", repeated=False) or "").startswith("The caption ")


@pytest.mark.parametrize("text", CAPTIONS)
def test_captions_with_such_words_stay(text: str) -> None:
    assert caption_problem(text) == ""

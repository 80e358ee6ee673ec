"""Tables made from records: what they say, what they refuse, and that no name breaks a format."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from records import HOSTILE, make_record

from audiolcm.errors import UserError
from evaluation.marking import marked
from evaluation.record import Record, Score, read_record
from evaluation.tables.formats import console, csv_text, latex, markdown, write_tables
from evaluation.tables.table import EMBEDDED_NOTE, Estimate, build_table, cell, decimals

CUT = "intervals are cut where such figures end, and what rounding leaves of 0 is 0"


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return make_record(tmp_path)


def renamed(record: Record, system: str, **facts: object) -> Record:
    return replace(record, row=replace(record.row, system=system, facts=record.row.facts | facts))


def columns_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (2.1316, (1.93, 2.41), "2.13 [1.93, 2.41]"),
        (1.3712, (1.3701, 1.3723), "1.371 [1.370, 1.372]"),
        (35.216, (31.2, 39.4), "35.2 [31.2, 39.4]"),
        (0.03, (-0.37, 0.43), "0.03 [-0.37, 0.43]"),
        (0.45123, (0.4477, 0.4551), "0.4512 [0.4477, 0.4551]"),
        (1234.5, (1100.0, 1400.0), "1234 [1100, 1400]"),
        (0.5, (0.5, 0.5), "0.500 [0.500, 0.500]"),
        (8.9942, None, "8.99"),
        (0.0, None, "0.00"),
        (-0.01234, None, "-0.0123"),
        (0.0000123, None, "0.000012"),
    ],
)
def test_digits_are_as_many_as_the_interval_vouches_for(
    value: float, interval: tuple[float, float] | None, expected: str
) -> None:
    score = Score("x", "X", value, "lower", interval)
    assert " ".join(filter(None, cell(score).figures)) == expected
    assert len(expected.split()[0].partition(".")[2]) == decimals(value, interval)


def test_markdown_has_value_interval_and_both_counts(record: Record) -> None:
    text = markdown(build_table([record]))
    header, _, system, divider, *sanity = [line for line in text.splitlines() if line.startswith("|")]
    assert "| FAD (VGGish) ↓ " in header
    assert "| CLAP (LAION) ↑ " in header
    assert "| 2.13 [1.93, 2.41] N=5/5 |" in system
    assert "| 8.80 N=5 " in system
    assert divider.startswith("| *sanity rows* ")
    assert [line.split("|")[1].strip() for line in sanity] == ["silence", "white noise", "reconstruction"]
    assert len({len(line) for line in (header, system, divider, *sanity)}) == 1, "columns are not aligned"


def test_a_metric_that_a_row_lacks_is_a_dash(record: Record) -> None:
    silence = next(
        line for line in markdown(build_table([record])).splitlines() if line.startswith("| silence")
    )
    assert [text.strip() for text in silence.strip("|").split("|")][1:5] == [
        "31.3 N=5/5",
        "-",
        "-",
        "0.0210 N=5",
    ]


def test_embedded_figures_are_marked_and_explained(record: Record) -> None:
    table = build_table([record])
    assert [found.heading for found in table.columns if "embedded" in found.heading] == [
        "CLAP (foley judge), embedded ↑"
    ]
    assert EMBEDDED_NOTE in table.notes


def test_one_metric_by_two_networks_never_shares_a_column(record: Record) -> None:
    scores = tuple(
        replace(score, is_embedded=True) if score.key == "fad_vggish" else score
        for score in record.row.scores
    )
    embedded = replace(record, row=replace(record.row, scores=scores))
    with pytest.raises(UserError, match=r"FAD \(VGGish\), embedded.*same weights"):
        build_table([record, embedded])
    scores = (replace(record.row.scores[0], extractor={"identity": "ffff"}), *record.row.scores[1:])
    with pytest.raises(UserError, match="0123456789"):
        build_table([record, replace(record, row=replace(record.row, scores=scores))])


def test_protocols_never_share_a_table(record: Record) -> None:
    other = replace(record, protocol=record.protocol | {"title": "Clotho", "num_clips": 7})
    with pytest.raises(UserError, match=r"Replica, foley test split.*Clotho.*num_clips: 5 / 7"):
        build_table([record, other])


def test_no_record_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UserError, match="evaluate.py"):
        build_table([])


def test_partial_protocols_are_marked_in_the_title(record: Record) -> None:
    former = build_table([replace(record, protocol=record.protocol | {"is_subset": True})])
    assert former.title == "Replica, foley test split (partial: 5 captions)"
    today = marked(record.protocol, {"partial": "5 of 80 captions", "changed": "seconds"})
    assert today["name"] == "replica (partial, changed)"
    title = "Replica, foley test split (partial: 5 of 80 captions; changed: seconds)"
    assert build_table([replace(record, protocol=today)]).title == today["title"] == title


def test_sanity_rows_of_several_records_come_once_or_name_their_system(record: Record) -> None:
    other = renamed(record, "teacher")
    changed = replace(other.sanity[2], scores=(replace(other.sanity[2].scores[0], value=0.7),))
    table = build_table([record, replace(other, sanity=(*other.sanity[:2], changed))])
    assert [line.label for line in table.sanity] == [
        "silence",
        "white noise",
        "reconstruction (AudioLCM)",
        "reconstruction (teacher)",
    ]


def test_rows_of_one_system_are_told_apart_by_their_facts(record: Record) -> None:
    table = build_table([record, renamed(record, "AudioLCM", num_steps=4)])
    assert [line.label for line in table.lines] == ["AudioLCM (num_steps 2)", "AudioLCM (num_steps 4)"]


def test_speed_has_columns_of_its_own(record: Record) -> None:
    (line,) = columns_of(csv_text(build_table([record])))[:1]
    assert float(line["RTF (batch 1)"]) == record.timings[0].rtf_total
    assert float(line["RTF sampler (batch 8)"]) == record.timings[1].rtf_sampler


def test_a_system_that_is_timed_as_a_whole_has_no_column_for_its_sampler(record: Record) -> None:
    whole = tuple(replace(timing, stages={}, sampler={}, rtf_sampler=None) for timing in record.timings)
    (line,) = columns_of(csv_text(build_table([replace(record, timings=whole)])))[:1]
    assert {"RTF (batch 1)", "RTF (batch 8)"} <= line.keys()
    assert not any("sampler" in key for key in line)


def test_the_console_shows_the_same_in_its_width(record: Record) -> None:
    table = build_table([record])
    shown = console(table, 80)
    assert max(map(len, shown.splitlines())) <= 80 < max(map(len, markdown(table).splitlines()))
    words = set(markdown(table).replace("-", " ").split())
    assert words <= set(shown.replace("-", " ").split())


def test_csv_keeps_every_digit(record: Record) -> None:
    lines = columns_of(csv_text(build_table([record])))
    assert [line["kind"] for line in lines] == ["system", "sanity", "sanity", "sanity"]
    system = lines[0]
    assert [system[f"FAD (VGGish){field}"] for field in ("", " low", " high", " N generated", " N reference")] == [
        "2.1316", "1.93", "2.41", "5", "5",
    ]  # fmt: skip
    assert lines[1]["KL (PANNs)"] == ""
    assert "CLAP (foley judge), embedded" in system


def test_names_can_not_break_a_format(record: Record) -> None:
    hostile = renamed(record, f"=cmd|{HOSTILE}\nsecond line")
    table = build_table([hostile])
    rows = [line for line in markdown(table).splitlines() if line.startswith("|")]
    unescaped = [line.replace("\\|", "").count("|") for line in rows]
    assert set(unescaped) == {len(table.columns) + 2}
    assert "<script" not in markdown(table).replace("\\<", "")
    assert columns_of(csv_text(table))[0]["system"].startswith("'=cmd")
    row = next(line for line in latex(table).splitlines() if line.startswith("=cmd"))
    assert r"100\% \{of\} \$\_\textasciicircum{}\textasciitilde{}\#\textbackslash{} second line" in row
    assert r"\textless{}/script\textgreater{}" in row
    assert row.replace(r"\&", "").count("&") == len(table.columns)


def test_latex_sets_the_sanity_rows_apart(record: Record) -> None:
    lines = latex(build_table([record])).splitlines()
    body = lines[lines.index(r"\toprule") : lines.index(r"\bottomrule")]
    assert [line for line in body if line.startswith(r"\midrule")] == [r"\midrule"] * 2
    assert body[4] == r"\midrule"
    assert r"AudioLCM & 2.13 {[}1.93, 2.41] N=5/5 & " in body[3]
    assert lines[0] == "% Replica, foley test split"


def test_a_record_of_nothing_makes_a_table(record: Record) -> None:
    bare = replace(record, row=replace(record.row, scores=(), facts={}), timings=(), sanity=(), verdicts=())
    assert "| AudioLCM |" in markdown(build_table([bare]))
    assert latex(build_table([bare])).count(r"\midrule") == 1


def test_three_files_are_written(record: Record, tmp_path: Path) -> None:
    table = write_tables([record], tmp_path)
    assert (tmp_path / "metrics.md").read_text() == markdown(table)
    assert (tmp_path / "metrics.csv").read_text() == csv_text(table)
    assert (tmp_path / "metrics.tex").read_text() == latex(table)


def test_figures_timed_in_two_ways_share_no_table(record: Record, tmp_path: Path) -> None:
    old = [name for name in build_table([record]).notes if "timed the old way" in name]
    assert len(old) == 2, "each batch of a record from before says so"
    cold = replace(
        record,
        timings=tuple(replace(one, text_memory="cold", rtf_warm=one.rtf_total / 2) for one in record.timings),
    )
    with pytest.raises(UserError, match=r"RTF \(batch 1\) of AudioLCM.*text memory cold, others as found"):
        build_table([record, cold])
    table = build_table([cold])
    assert not [note for note in table.notes if "old way" in note]
    (line,) = columns_of(csv_text(table))[:1]
    assert float(line["RTF warm (batch 1)"]) == record.timings[0].rtf_total / 2
    record.write(tmp_path / "old.json")
    content = json.loads((tmp_path / "old.json").read_text())
    del content["seal"]  # nor had a record of before
    for timing in content["timings"]:
        del timing["text_memory"], timing["rtf_warm"], timing["calls"]
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert read_record(tmp_path / "old.json") == record
    content["timings"][0]["text_memory"] = "lukewarm"
    (tmp_path / "old.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="lukewarm"):
        read_record(tmp_path / "old.json")


@pytest.mark.parametrize(
    ("title", "value", "interval", "expected"),
    [
        ("FAD (VGGish)", 3.0, (-1.0, 7.0), "3.0 [0.0, 7.0]"),
        ("FD (PANNs)", 0.0, (-0.4, 0.4), "0.00 [0.00, 0.40]"),
        ("KL", -0.000045, (-0.000045, -0.000045), "0.00 [0.00, 0.00]"),
        ("KL (PANNs)", -0.000527, None, "0.00"),
        ("Hit rate", 0.97, (0.90, 1.04), "0.970 [0.900, 1.000]"),
        ("IS", 1.1, (0.7, 1.5), "1.10 [1.00, 1.50]"),
        ("KAD (CLAP)", -0.033, (-0.079, 0.013), "-0.033 [-0.079, 0.013]"),  # unbiased: it may be below 0
        ("KL sigmoid", -0.2, (-0.3, -0.1), "-0.20 [-0.30, -0.10]"),
        ("FAD-inf (VGGish)", -0.05, None, "-0.0500"),
    ],
)
def test_no_figure_is_shown_beyond_where_such_figures_end(
    title: str, value: float, interval: tuple[float, float] | None, expected: str, record: Record
) -> None:
    score = Score("x", title, value, "lower", interval, "bootstrap")
    assert " ".join(filter(None, cell(score).figures)) == expected
    table = build_table([replace(record, row=replace(record.row, scores=(score,)), sanity=())])
    was_cut = any(note == f"{title}: {CUT}" for note in table.notes)
    assert was_cut == (cell(score) != Estimate(value, interval))
    assert expected in markdown(table)


def test_what_rounding_leaves_of_zero_is_zero() -> None:
    assert Estimate(-3e-14, (-2e-13, 1e-13)).figures == ("0.00", "[0.00, 0.00]")
    assert Estimate(-0.0331, (-0.079, 0.013)).figures == ("-0.033", "[-0.079, 0.013]")

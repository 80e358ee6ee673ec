"""Tables as text: what a reader of each format gets back is what went in, whatever the names hold."""

import csv
import io
import math
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from audiolcm.text_tables import (
    LATEX,
    MARKDOWN,
    aligned,
    all_escaped,
    csv_line,
    csv_text,
    escaped,
    frame,
    in_blocks,
    inert,
    latex,
    markdown,
)

ODD = (
    "a|b", r"a\|b", "trailing \\", "`code", "*bold* **bold**", "[link](x)", "<img src=x>", "two\nlines", "é 音 ↓",
    "", "1+1", "50 % & $x_1$ ^~#{}",
)  # fmt: skip
STARTUP = (
    "audiolcm.jobs.run, audiolcm.pipeline, audiolcm.sweeps.summary, evaluation.run, experiments.__main__, "
    "experiments.running.sweep_status"
)


class Cells(HTMLParser):
    """The texts of a HTML table by row, and the names of all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.tags = [], set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


@pytest.mark.parametrize("rules", [(), ["---", "---:"], [" --- ", " ---: "]])
def test_a_markdown_parser_reads_back_what_went_in(rules: list[str]) -> None:
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    table = frame(["name|", "*n*"], [[text, f"{i}"] for i, text in enumerate(ODD)])
    found = Cells()
    found.feed(parser.render(markdown(all_escaped(table, MARKDOWN), rules)))
    assert found.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert found.rows == [["name|", "*n*"], *([" ".join(text.split()), f"{i}"] for i, text in enumerate(ODD))]


def test_markdown_has_the_rules_that_it_is_given_or_aligned_columns() -> None:
    table = frame(["system", "FAD"], [["**ours**", "1.5"], ["b", ""]])
    assert markdown(table, ["---", "---:"]) == "| system | FAD |\n|---|---:|\n| **ours** | 1.5 |\n| b |  |"
    assert markdown(table).splitlines() == [
        "| system   | FAD |",
        "| -------- | --- |",
        "| **ours** | 1.5 |",
        "| b        |     |",
    ]
    assert markdown(frame(["a"], []), ["---"]) == "| a |\n|---|"


def test_aligned_needs_no_rows_and_takes_what_is_no_unicode() -> None:
    assert aligned(frame(["job", "é"], [])) == [("job", "é")]
    assert aligned(frame(["job"], []).loc[:, []]) == []
    assert aligned(frame(["x"], [["folder\udc80"]])) == [("x      ",), ("folder\udc80",)]


def test_latex_has_booktabs_rules_and_a_line_for_each_row() -> None:
    lines = latex(frame(["name", "state", "FAD ↓"], [[text, "3 of 4", "[1, 2]"] for text in ODD]), 2)
    assert lines[:4] == [
        r"\begin{tabular}{llr}", r"\toprule", r"name & state & FAD $\downarrow$ \\", r"\midrule",
    ]  # fmt: skip
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
    assert len(lines) == len(ODD) + 6
    for text, line in zip(ODD, lines[4:-2], strict=True):
        assert line == rf"{escaped(text, LATEX)} & 3 of 4 & {{[}}1, 2] \\"
        assert len(re.findall(r"(?<!\\)&", line)) == 2
    assert lines[-3].startswith(r"50 \% \& \$x\_1\$ \textasciicircum{}\textasciitilde{}\#\{\} &")
    assert lines[6].startswith(r"trailing \textbackslash{} &")
    assert latex(frame(["a"], []))[2:] == [r"a \\", r"\midrule", r"\bottomrule", r"\end{tabular}"]


def test_csv_reads_back_what_went_in() -> None:
    texts = [*ODD, 'a "word", quoted', "a\r\nb", "a\rb", "a\r=1+1", "a\nb", " padded ", "'"]
    written = csv_text(frame(["text", "text"], [[text, 1] for text in texts]))
    assert list(csv.reader(io.StringIO(written, newline=""))) == [
        ["text", "text"],
        *([text, "1"] for text in texts),
    ]


def test_csv_keeps_numbers_as_they_are() -> None:
    values = [5, None, 2.5, 0.1 + 0.2, 1e-07, 1e22, -3, -0.0, math.nan, True]
    assert csv_text(frame(["row", "value"], enumerate(values))).split("\n") == [
        "row,value", "0,5", "1,", "2,2.5", "3,0.30000000000000004", "4,1e-07", "5,1e+22", "6,-3", "7,-0.0", "8,nan",
        "9,True", "",
    ]  # fmt: skip


def test_no_spreadsheet_computes_a_text() -> None:
    written = csv_text(frame(["=A1", "value"], [["=1+1", -1.5], ["-", "@x"], ["a=1", "+1"]]))
    assert written == "'=A1,value\n'=1+1,-1.5\n'-,'@x\na=1,'+1\n"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\ufeff=1", "\u200b@x", "\uff1d1+1",
     "\uff20x", "\tx"],
)  # fmt: skip
def test_a_formula_is_no_formula_after_what_a_spreadsheet_drops_or_in_its_wide_signs(text: str) -> None:
    assert inert(text) == f"'{text}"
    assert inert(f"a{text}") == f"a{text}"


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_no_sign_ends_a_row_but_the_end(delimiter: str) -> None:
    fields = ["a\r=1+1", "b\n", "c\r\n", 'd"', f"e{delimiter}", "f;g"]
    lines = csv_line(fields, delimiter) + csv_line(["x"], delimiter)
    assert list(csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)) == [fields, ["x"]]
    outside = re.sub(r'"(?:[^"]|"")*"', "", lines)
    assert "\r" not in outside and outside.count("\n") == 2


def test_pandas_is_not_loaded_before_there_is_a_table() -> None:
    code = f"import sys, {STARTUP}; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wide_table_comes_in_blocks_that_fit() -> None:
    names = ["system", *(f"metric {index}" for index in range(9))]
    table = frame(names, [["student", *(f"{index}.123 [0.1, 9.9]" for index in range(9))]])
    for width in (60, 100, 400):
        lines = in_blocks(table, width).splitlines()
        assert max(map(len, lines)) <= width
        assert [name for line in lines[::4] for name in re.findall(r"metric \d", line)] == names[1:]
        assert all(line.startswith("| system") for line in lines[::4])
    assert in_blocks(table, 10).count("| student") == 9
    assert in_blocks(frame(["alone"], [["x"]]), 80) == markdown(frame(["alone"], [["x"]]))

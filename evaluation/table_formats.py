"""A table as text: Markdown (which the console shows too), CSV and LaTeX. All names in it are untrusted."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from audiolcm.files import atomic_path
from evaluation.record import Record
from evaluation.tables import DASH, Cell, Line, Table, build_table

_FORMULA_STARTS = ("=", "+", "-", "@")  # a spreadsheet would compute such a cell
_FIELDS = ("", " low", " high", " N generated", " N reference")
MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*<[|"})
LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "\u00d7": r"$\times$",
    }
    | {"[": "{[}"}  # at the start of a row it would be an argument of the line break before
)


def write_tables(records: Sequence[Record], folder: Path) -> Table:
    """Write ``metrics.md``, ``metrics.csv`` and ``metrics.tex`` into the folder and return the table."""
    table = build_table(records)
    for name, text in (("md", markdown(table)), ("csv", csv_text(table)), ("tex", latex(table))):
        with atomic_path(folder / f"metrics.{name}") as temporary:
            temporary.write_text(text, encoding="utf-8")
    return table


def markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown, its columns aligned for the console; figures as value, interval, N."""
    rows = [[escaped(name, MARKDOWN) for name in ("system", *(found.heading for found in table.columns))]]
    rows += [[escaped(line.label, MARKDOWN), *_texts(table, line)] for line in table.lines]
    if table.sanity:
        rows.append(["*sanity rows*", *("" for _ in table.columns)])
    rows += [[escaped(line.label, MARKDOWN), *_texts(table, line)] for line in table.sanity]
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    body = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    notes = [f"- {escaped(note, MARKDOWN)}" for note in table.notes]
    return "\n".join([f"**{escaped(table.title, MARKDOWN)}**", "", *body, "", *notes]).rstrip() + "\n"


def csv_text(table: Table) -> str:
    """Return the table as CSV with all digits: for each metric its value and, where known, interval and N."""
    lines = [("system", line) for line in table.lines] + [("sanity", line) for line in table.sanity]
    columns: dict[str, list[float | int | None]] = {}
    for found in table.columns:
        figures = [_figures(line.cells.get(found.key)) for _, line in lines]
        for field, values in zip(_FIELDS, zip(*figures, strict=True), strict=True):
            if any(value is not None for value in values):
                columns[f"{found.name}{field}"] = list(values)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(csv_name, ["protocol", "kind", "system", *columns]))
    for (kind, line), *values in zip(lines, *columns.values(), strict=True):
        writer.writerow([csv_name(table.title), kind, csv_name(line.label), *values])
    return file.getvalue()


def _figures(entry: Cell | None) -> tuple[float | int | None, ...]:
    if entry is None:
        return (None,) * len(_FIELDS)
    low, high = entry.interval or (None, None)
    return (entry.value, low, high, entry.num_generated or None, entry.num_reference or None)


def latex(table: Table) -> str:
    r"""Return a tabular with booktabs' rules; the sanity rows come after a second ``\midrule``, notes as comments."""
    body = [
        " & ".join(escaped(text, LATEX) for text in (line.label, *_texts(table, line))) + r" \\"
        for line in (*table.lines, *table.sanity)
    ]
    if table.sanity:
        body.insert(len(table.lines), r"\midrule")
    header = " & ".join(
        escaped(name, LATEX) for name in ("System", *(found.heading for found in table.columns))
    )
    comments = [f"% {' '.join(note.split())}" for note in (table.title, *table.notes)]
    start = rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}"
    rules = [start, r"\toprule", rf"{header} \\", r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*comments, *rules]) + "\n"


def _texts(table: Table, line: Line) -> list[str]:
    """Return the cells of a line in the order of the columns; their signs need no escape in Markdown."""
    entries = [line.cells.get(found.key) for found in table.columns]
    return [
        DASH if entry is None else " ".join(filter(None, (*entry.figures, entry.count))) for entry in entries
    ]


def escaped(text: str, signs: dict[int, str]) -> str:
    """Return a text as one line whose signs mean nothing to the format: ``MARKDOWN`` or ``LATEX``."""
    return " ".join(text.split()).translate(signs)


def csv_name(text: str) -> str:
    """Return a text that no spreadsheet computes."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text

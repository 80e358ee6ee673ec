"""A table as text: Markdown (which the console shows too, wrapped), CSV and LaTeX. All names in it are untrusted."""

import textwrap
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from audiolcm import text_tables
from audiolcm.storage.files import atomic_path
from audiolcm.text_tables import MARKDOWN, escaped, frame
from evaluation.record import Record
from evaluation.tables.table import DASH, Estimate, Table, TableLine, build_table

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = ("", " low", " high", " N generated", " N reference")


def write_tables(records: Sequence[Record], folder: Path) -> Table:
    """Write ``metrics.md``, ``metrics.csv`` and ``metrics.tex`` into the folder and return the table."""
    table = build_table(records)
    for name, text in (("md", markdown(table)), ("csv", csv_text(table)), ("tex", latex(table))):
        with atomic_path(folder / f"metrics.{name}") as temporary:
            temporary.write_text(text, encoding="utf-8")
    return table


def markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown, its columns aligned; figures as value, interval, N."""
    return _page(table, text_tables.markdown(_cells(table)), [f"- {note}" for note in _notes(table)])


def console(table: Table, width: int) -> str:
    """Return the same for a terminal of this width: columns that do not fit in tables beneath, notes wrapped."""
    notes = [
        textwrap.fill(f"- {note}", width, subsequent_indent="  ", break_on_hyphens=False)
        for note in _notes(table)
    ]
    return _page(table, text_tables.in_blocks(_cells(table), width), notes)


def _page(table: Table, body: str, notes: Sequence[str]) -> str:
    return "\n".join([f"**{escaped(table.title, MARKDOWN)}**", "", body, "", *notes]).rstrip() + "\n"


def _notes(table: Table) -> list[str]:
    return [escaped(note, MARKDOWN) for note in table.notes]


def _cells(table: Table) -> "pd.DataFrame":
    names = [escaped(name, MARKDOWN) for name in ("system", *(found.heading for found in table.columns))]
    rows = [[escaped(line.label, MARKDOWN), *_texts(table, line)] for line in (*table.lines, *table.sanity)]
    if table.sanity:
        rows.insert(len(table.lines), ["*sanity rows*", *("" for _ in table.columns)])
    return frame(names, rows)


def csv_text(table: Table) -> str:
    """Return the table as CSV with all digits: for each metric its value and, where known, interval and N."""
    names = [f"{found.name}{field}" for found in table.columns for field in _FIELDS]
    rows = []
    for line in (*table.lines, *table.sanity):
        figures = [_figures(line.cells.get(found.key)) for found in table.columns]
        kind = "system" if len(rows) < len(table.lines) else "sanity"
        rows.append([table.title, kind, line.label, *chain(*figures)])
    known = frame(["protocol", "kind", "system", *names], rows).dropna(axis="columns", how="all")
    return text_tables.csv_text(known)


def _figures(entry: Estimate | None) -> tuple[float | int | None, ...]:
    if entry is None:
        return (None,) * len(_FIELDS)
    low, high = entry.interval or (None, None)
    return (entry.value, low, high, entry.num_generated or None, entry.num_reference or None)


def latex(table: Table) -> str:
    r"""Return a tabular with booktabs' rules; the sanity rows come after a second ``\midrule``, notes as comments."""
    names = ["System", *(found.heading for found in table.columns)]
    rows = [[line.label, *_texts(table, line)] for line in (*table.lines, *table.sanity)]
    lines = text_tables.latex(frame(names, rows))
    if table.sanity:
        lines.insert(4 + len(table.lines), r"\midrule")
    comments = [f"% {' '.join(note.split())}" for note in (table.title, *table.notes)]
    return "\n".join([*comments, *lines]) + "\n"


def _texts(table: Table, line: TableLine) -> list[str]:
    """Return the cells of a line in the order of the columns; their signs need no escape in Markdown."""
    entries = [line.cells.get(found.key) for found in table.columns]
    return [
        DASH if entry is None else " ".join(filter(None, (*entry.figures, entry.count))) for entry in entries
    ]

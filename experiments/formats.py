"""A shown table as Markdown, LaTeX and CSV. Names in it are untrusted; the escapes are those of evaluation's tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from evaluation.table_formats import LATEX, MARKDOWN, csv_name, escaped
from evaluation.tables import DASH, as_text
from experiments.claims import Judgment
from experiments.summary import Cell
from experiments.table import ShownRow, ShownTable
from experiments.verdicts import change_text, verdict_text

CSV_COLUMNS = (
    "item", "scale", "row", "label", "column", "measured", "text", "low", "high", "interval method", "N generated",
    "N reference", "seeds", "marks", "per seed", "refused", "paper", "code", "hardware", "date", "command", "settings",
)  # fmt: skip


def cell_text(cell: Cell) -> str:
    """Return value, interval and N of a cell."""
    return " ".join(filter(None, (cell.figures, cell.count)))


def headings(table: ShownTable) -> list[tuple[str, str]]:
    """Return title and half ("measured" or "paper") of every column of figures."""
    return [
        (column.title, half)
        for column in table.columns
        for half in (("measured", "paper") if column.has_printed else ("measured",))
    ]


def texts(table: ShownTable, row: ShownRow) -> list[str]:
    """Return the cells of a row in the order of ``headings``; what is not there is a dash."""
    found = []
    for column, cell, printed in zip(table.columns, row.cells, row.printed, strict=True):
        found.append(cell_text(cell))
        found += [DASH if printed is None else printed] if column.has_printed else []
    return found


def markdown(table: ShownTable) -> str:
    """Return title, caption, table, notes and judged claims in GitHub's Markdown."""
    parts = [f"# {escaped(table.title, MARKDOWN)}", escaped(table.caption, MARKDOWN)]
    parts += [f"The paper: {escaped(table.said, MARKDOWN)}"] if table.said else []
    parts.append(markdown_rows(table))
    if table.notes:
        parts.append("\n".join(f"- {escaped(note, MARKDOWN)}" for note in table.notes))
    if table.judgments:
        parts += ["## The paper's claims at this scale", markdown_claims(table.judgments)]
    return "\n\n".join(parts) + "\n"


def markdown_rows(table: ShownTable) -> str:
    """Return the bare table."""
    halves = {"measured": table.measured, "paper": table.printed}
    has_halves = any(column.has_printed for column in table.columns)  # else the caption says it
    names = [f"{title}, {halves[half]}" if has_halves else title for title, half in headings(table)]
    rows = [[table.first_column, "seeds", *names]]
    rows += [[row.label, row.state, *texts(table, row)] for row in table.rows]
    lines = [[escaped(text, MARKDOWN) for text in row] for row in rows]
    lines.insert(1, ["---", "---", *["---:"] * len(names)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_claims(judgments: Sequence[Judgment]) -> str:
    """Return a table of judged claims."""
    lines = [["the paper says", "compared here", "difference (95%)", "verdict"], ["---"] * 4]
    for judgment in judgments:
        found = (judgment.claim.sentence, judgment.comparison, change_text(judgment), verdict_text(judgment))
        lines.append([escaped(text, MARKDOWN) for text in found])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex(table: ShownTable) -> str:
    r"""Return a tabular with booktabs' rules: measured and printed beneath each column's name; notes are comments."""
    shown = [(column.title, 1 + int(column.has_printed)) for column in table.columns]
    spans = [rf"\multicolumn{{{width}}}{{c}}{{{escaped(title, LATEX)}}}" for title, width in shown]
    rules, first = [], 3
    for _, width in shown:
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    halves = [half for _, half in headings(table)]
    body = []
    for row in table.rows:
        words = (row.label, row.state, *texts(table, row))
        body.append(" & ".join(escaped(word, LATEX) for word in words) + r" \\")
    notes = [table.title, table.caption, f"measured: {table.measured}", *table.notes]
    lines = [f"% {' '.join(note.split())}" for note in notes]
    lines += [
        rf"\begin{{tabular}}{{ll{'r' * len(halves)}}}",
        r"\toprule",
        f"& & {' & '.join(spans)}" + r" \\",
    ]
    lines += [
        " ".join(rules),
        f"{escaped(table.first_column, LATEX)} & seeds & {' & '.join(halves)}" + r" \\",
    ]
    return "\n".join([*lines, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def csv_text(table: ShownTable) -> str:
    """Return one line for each cell, with all digits and where it comes from."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in table.rows:
        for column, cell, printed in zip(table.columns, row.cells, row.printed, strict=True):
            line = [table.item.stem, table.scale, row.row, row.label, column.title, *_csv_cell(cell)]
            seeds = "" if row.seeds == DASH else row.seeds
            line += [
                seeds,
                ", ".join(row.marks),
                json.dumps(dict(cell.per_seed)),
                cell.refusal,
                printed,
                *_origin(row),
            ]
            writer.writerow([csv_name(entry) if isinstance(entry, str) else entry for entry in line])
    return file.getvalue()


def _csv_cell(cell: Cell) -> list[Any]:
    low, high = cell.interval or (None, None)
    return [
        cell.value,
        cell.text,
        low,
        high,
        cell.method,
        cell.num_generated or None,
        cell.num_reference or None,
    ]


def _origin(row: ShownRow) -> list[str]:
    """Return what the records of a row say of themselves; several of them one after the other."""
    found = []
    for name in ("code", "hardware", "date", "command"):
        words = [as_text(result.provenance.get(name, "")) for result in row.results]
        found.append("; ".join(dict.fromkeys(words)))
    return [*found, "; ".join(dict.fromkeys(result.settings for result in row.results))]

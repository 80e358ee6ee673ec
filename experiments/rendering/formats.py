"""A shown table as Markdown, LaTeX and CSV. Names in it are untrusted."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from audiolcm import text_tables
from audiolcm.text_tables import LATEX, MARKDOWN, all_escaped, escaped, frame
from evaluation.tables.table import DASH, as_text
from experiments.judging.claims import Judgment
from experiments.rendering.shown import ShownRow, ShownTable

if TYPE_CHECKING:
    import pandas as pd

CSV_COLUMNS = (
    "item", "scale", "row", "label", "column", "measured", "text", "low", "high", "interval method", "N generated",
    "N reference", "seeds", "marks", "per seed", "refused", "paper", "code", "hardware", "date", "command", "settings",
)  # fmt: skip


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
        found.append(" ".join(filter(None, (cell.figures, cell.count))))
        found += [DASH if printed is None else printed] if column.has_printed else []
    return found


def markdown(table: ShownTable) -> str:
    """Return title, caption, table, notes and judged claims in GitHub's Markdown."""
    parts = [f"# {escaped(table.title, MARKDOWN)}", escaped(table.caption, MARKDOWN)]
    parts += [f"The paper: {escaped(table.said, MARKDOWN)}"] if table.said else []
    parts.append(markdown_rows(table))
    parts += [markdown_notes(table.notes)] if table.notes else []
    if table.judgments:
        parts += ["## The paper's claims at this scale", markdown_claims(table.judgments)]
    return "\n\n".join(parts) + "\n"


def markdown_rows(table: ShownTable) -> str:
    """Return the bare table."""
    halves = {"measured": table.measured, "paper": "paper"}
    has_halves = any(column.has_printed for column in table.columns)  # else the caption says it
    names = [f"{title}, {halves[half]}" if has_halves else title for title, half in headings(table)]
    shown = all_escaped(_frame(table, names), MARKDOWN)
    return text_tables.markdown(shown, [" --- ", " --- ", *[" ---: "] * len(names)])


def markdown_notes(notes: Sequence[str]) -> str:
    """Return a list of notes."""
    return "\n".join(f"- {escaped(note, MARKDOWN)}" for note in notes)


def _frame(table: ShownTable, names: Sequence[str]) -> "pd.DataFrame":
    """Return the rows beneath names of the columns of figures."""
    rows = [[row.label, row.state, *texts(table, row)] for row in table.rows]
    return frame([table.item.first_column, "seeds", *names], rows)


def markdown_claims(judgments: Sequence[Judgment]) -> str:
    """Return a table of judged claims."""
    return text_tables.markdown(all_escaped(claims(judgments), MARKDOWN), [" --- "] * 4)


def claims(judgments: Sequence[Judgment]) -> "pd.DataFrame":
    """Return a row for each judged claim."""
    rows = [(one.claim.sentence, one.comparison, one.change_text, one.verdict_text) for one in judgments]
    return frame(["the paper says", "compared here", "difference (95%)", "verdict"], rows)


def latex(table: ShownTable) -> str:
    r"""Return a tabular with booktabs' rules: measured and printed beneath each column's name; notes are comments."""
    spans, rules, first = [], [], 3
    for column in table.columns:
        width = 1 + int(column.has_printed)
        spans.append(rf"\multicolumn{{{width}}}{{c}}{{{escaped(column.title, LATEX)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    halves = [half for _, half in headings(table)]
    lines = text_tables.latex(_frame(table, halves), 2)
    lines[2:2] = [rf"& & {' & '.join(spans)} \\", " ".join(rules)]
    notes = [table.title, table.caption, f"measured: {table.measured}", *table.notes]
    return "\n".join([*(f"% {' '.join(note.split())}" for note in notes), *lines]) + "\n"


def csv_text(table: ShownTable) -> str:
    """Return one line for each cell, with all digits and where it comes from."""
    rows = []
    for row in table.rows:
        place, origin = [table.item.stem, table.scale, row.row, row.label], _origin(row)
        seeds = "" if row.seeds == DASH else row.seeds
        for column, cell, printed in zip(table.columns, row.cells, row.printed, strict=True):
            marks = ", ".join(filter(None, (*row.marks, cell.caveat)))
            measured = [cell.value, cell.text, *(cell.interval or (None, None)), cell.method]
            counts = [cell.num_generated or None, cell.num_reference or None]
            found = [json.dumps(dict(cell.per_seed)), cell.refusal, printed]
            rows.append([*place, column.title, *measured, *counts, seeds, marks, *found, *origin])
    return text_tables.csv_text(frame(CSV_COLUMNS, rows))


def _origin(row: ShownRow) -> list[str]:
    """Return what the records of a row say of themselves; several of them one after the other."""
    found = []
    for name in ("code", "hardware", "date", "command"):
        words = [as_text(result.provenance.get(name, "")) for result in row.results]
        found.append("; ".join(dict.fromkeys(words)))
    return [*found, "; ".join(dict.fromkeys(result.settings for result in row.results))]

"""The README's section of results, between two markers: made from the committed records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.files import atomic_path
from experiments.formats import markdown_claims, markdown_rows
from experiments.item import FigureItem
from experiments.records import SUMMED_UP
from experiments.table import ShownTable
from experiments.verdicts import summed_up

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
FOLDER = "experiments/results"
IN_FULL = ("table6_backbone",)
"""The tables that the README shows; of the others it has the claims, and links."""


def section(tables: Sequence[ShownTable]) -> str:
    """Return the section's text for the tables of the scale that is summed up.

    All claims of the scale are counted; tables without any measured cell are only named.
    """
    everything = [table for table in tables if table.scale == SUMMED_UP]
    shown = [table for table in everything if table.is_measured]
    if not shown:
        return "No results are committed yet: `python -m experiments render` writes this section from the records."
    judgments = [judgment for table in everything for judgment in table.judgments]
    parts = [
        f"Scale {SUMMED_UP}, another task than the paper's: compare rows, not columns. Of {len(judgments)} claims, "
        f"{summed_up(judgments)} How each is judged: [docs/results.md](docs/results.md)."
    ]
    for table in shown:
        parts.append(f"**[{table.title}]({FOLDER}/{table.scale}/{table.item.stem}.md)**, {table.measured}")
        if isinstance(table.item, FigureItem):
            parts.append(f"![{table.item.title}]({FOLDER}/{table.scale}/{table.item.stem}.png)")
        elif table.item.stem in IN_FULL:
            parts.append(markdown_rows(table))
        if table.judgments:
            parts.append(markdown_claims(table.judgments))
    unmeasured = [table.item.paper_item for table in everything if not table.is_measured]
    parts += [f"Nothing is measured yet of: {', '.join(unmeasured)}."] if unmeasured else []
    return "\n\n".join(parts)


def check(path: Path) -> None:
    """Make sure that a README has a place for the section.

    Raises:
        UserError: it does not have each marker once, in order.
    """
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise UserError(
            f"The README needs one line {BEGIN} and after it one line {END}: results go between them."
        )


def with_section(text: str, tables: Sequence[ShownTable]) -> str:
    """Return the text of a README that ``check`` lets pass, its section of results rewritten."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{section(tables)}\n{END}{rest.partition(END)[2]}"


def rewrite(path: Path, tables: Sequence[ShownTable]) -> None:
    """Rewrite the section of a README that is there."""
    text = with_section(path.read_text(encoding="utf-8"), tables)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

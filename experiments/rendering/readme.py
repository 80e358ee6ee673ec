"""The tables of README and docs, each a block between two marked lines: made from the committed records alone."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiolcm.errors import UserError
from evaluation.tables.table import as_text
from experiments.items.columns import FAD, HIGHER, KL, LOWER, NFE, RTF, RTF_WARM, everywhere
from experiments.items.guidance import omega_of_training
from experiments.items.item import FigureItem, PaperRow, TableItem
from experiments.judging.claims import summed_up
from experiments.judging.sources import FirstScore, PaperColumn
from experiments.records.records import SUMMED_UP
from experiments.rendering.formats import markdown_claims, markdown_notes, markdown_rows
from experiments.rendering.shown import ShownTable

RESULTS = "results"
"""The block with the paper's items; the others are those of ``EVALUATED``."""
PAGES = ("README.md", "docs/*.md")
"""Where blocks may stand."""
FOLDER = "experiments/results"
IN_FULL = ("table6_backbone",)
"""The tables that the block of results shows; of the others it has the claims, and links."""
_MARKER = re.compile(r"^<!-- (\w+):(begin|end) -->$", re.MULTILINE)


def _scored(title: str, better: str, *keys: str) -> PaperColumn:
    """Return the column of the first of these scores that a record has."""
    return PaperColumn(title, None, better, everywhere(FirstScore(keys)))


def _evaluated(stem: str, rows: Sequence[PaperRow], columns: Sequence[PaperColumn]) -> TableItem:
    return TableItem(stem=stem, first_column="system", columns=tuple(columns), rows=tuple(rows))


_KAD, _IS = (
    _scored(name.upper(), better, f"{name}_yamnet", f"{name}_embedded")
    for name, better in (("kad", LOWER), ("is", HIGHER))
)
_CLAP, _HITS = _scored("CLAP", HIGHER, "clap_embedded"), _scored("hit rate", HIGHER, "hit_rate")
_TOP5 = _scored("hits, top 5", HIGHER, "hits_yamnet")
_TRUTH = (
    _scored("event recall", HIGHER, "event_recall"),
    _scored("counts", HIGHER, "count_accuracy"),
    _scored("order", HIGHER, "order_accuracy"),
)
_STEPS = {"teacher": (32, 16, 8, 4, 2), "audiolcm": (8, 4, 2, 1)}
_NAMES = {"teacher": "teacher", "audiolcm": "student"}
_MAIN_JOB = [
    PaperRow(row, _NAMES.get(row, "true sounds"), None) for row in ("audiolcm", "teacher", "ground_truth")
]
_SPEED = [
    PaperRow(f"{row}-steps{count}", f"{_NAMES[row]}, {count} step{'s' * (count > 1)}", None)
    for row, counts in _STEPS.items()
    for count in counts
]
_IN_SHORT = (NFE, FAD, _TOP5, *_TRUTH, RTF)
_OF_FOLEY = (NFE, FAD, KL, _IS, _CLAP, _HITS, _TOP5, *_TRUTH, RTF, RTF_WARM)
_OF_ESC10 = (FAD, _KAD, KL, _IS, _CLAP, _HITS, _TOP5, RTF, RTF_WARM)
EVALUATED: Mapping[str, tuple[str, TableItem]] = {
    "summary": ("replica", _evaluated("table1_audiocaps", _MAIN_JOB, _IN_SHORT)),
    "foley": ("replica", _evaluated("table1_audiocaps", _MAIN_JOB, _OF_FOLEY)),
    "esc10": ("esc10", _evaluated("fig3_speed", _SPEED, _OF_ESC10)),
}
"""The tables of evaluations by the names of their blocks: the scale, and the rows and columns of an item."""


def section(tables: Sequence[ShownTable], base: str = "") -> str:
    """Return the text on the paper's items, for the tables of the scale that is summed up.

    All claims of the scale are counted; tables without any measured cell are only named.

    Args:
        tables: the paper's items.
        base: the way from the page to the project's root, such as ``../``, for links.
    """
    everything = [table for table in tables if table.scale == SUMMED_UP]
    shown = [table for table in everything if table.is_measured]
    if not shown:
        return "No results are committed yet: `python -m experiments render` writes this section from the records."
    judgments = [judgment for table in everything for judgment in table.judgments]
    results = [result for table in shown for row in table.rows for result in row.results]
    scale = "; ".join([f"Scale {SUMMED_UP}", *omega_of_training(results)])
    parts = [
        f"{scale}. It is another task than the paper's: compare rows, not columns. Of {len(judgments)} claims, "
        f"{summed_up(judgments)} "
        f"[How each is judged]({base}docs/results.md#how-the-papers-claims-are-judged)."
    ]
    for table in shown:
        parts.append(f"**[{table.title}]({base}{_place(table)})**, {table.measured}")
        if isinstance(table.item, FigureItem):
            parts.append(f"![{table.item.title}]({base}{FOLDER}/{table.scale}/{table.item.stem}.png)")
        elif table.item.stem in IN_FULL:
            parts.append(markdown_rows(table))
        if table.judgments:
            parts.append(markdown_claims(table.judgments))
    unmeasured = [table.item.paper_item for table in everything if not table.is_measured]
    parts += [f"At the scale {SUMMED_UP} nothing is measured yet of: {', '.join(unmeasured)}."] * bool(
        unmeasured
    )
    return "\n\n".join(parts)


def _place(table: ShownTable) -> str:
    return f"{FOLDER}/{table.scale}/{table.item.stem}.md"


def evaluated(table: ShownTable, base: str = "") -> str:
    """Return the text of a table of evaluations: its rows, what a reader must know of them, where they come from."""
    if not table.is_measured:
        return "No records of it are committed."
    results = [result for row in table.rows for result in row.results]
    origins = [
        dict.fromkeys(as_text(r.provenance.get(name, "unknown")) for r in results)
        for name in ("code", "hardware")
    ]
    code, hardware = ("; ".join(found) for found in origins)
    made = (
        f"- Made by `python -m experiments run {table.item.stem} --scale {table.scale}`, code {code}, on {hardware}. "
        f"[The records' page]({base}{_place(table)})"
    )
    return "\n\n".join([table.caption, markdown_rows(table), f"{markdown_notes(table.notes)}\n{made}"])


def pages_of(root: Path) -> list[Path]:
    """Return the pages of a project that have marked lines."""
    found = [path for pattern in PAGES for path in sorted(root.glob(pattern))]
    return [path for path in found if _MARKER.search(path.read_text(encoding="utf-8"))]


def check(root: Path) -> None:
    """Make sure that the pages of a project have a place for every block.

    Raises:
        UserError: a block is on no page, or a line that begins or ends one is alone or has an unknown name.
    """
    known = {RESULTS, *EVALUATED}
    missing = set(known)
    for path in pages_of(root):
        marks = _MARKER.findall(path.read_text(encoding="utf-8"))
        names = [name for name, _ in marks[::2]]
        if marks != [(name, end) for name in names for end in ("begin", "end")]:
            raise UserError(
                f"{path}: blocks need a line <!-- NAME:begin --> and after it one <!-- NAME:end -->."
            )
        if odd := set(names) - known:
            raise UserError(f"{path}: there is no block {min(odd)}. Choose from {', '.join(sorted(known))}.")
        missing -= set(names)
    if missing:
        name = min(missing)
        raise UserError(
            f"No page has the block {name}: put the lines <!-- {name}:begin --> and <!-- {name}:end --> into "
            f"{' or '.join(PAGES)}."
        )


def with_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """Return the text of a page that ``check`` lets pass, with what lies between its marked lines replaced."""
    for name, content in blocks.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        pattern = re.compile(f"^{begin}.*?^{end}$", re.MULTILINE | re.DOTALL)
        text = pattern.sub(lambda _, new=f"{begin}{content}\n{end}": new, text)
    return text


def rewritten(
    root: Path, tables: Sequence[ShownTable], evaluations: Mapping[str, ShownTable]
) -> dict[Path, str]:
    """Return the pages of a project that have blocks, with their new texts.

    Args:
        root: the project's folder.
        tables: the paper's items.
        evaluations: the tables of ``EVALUATED`` by their names.
    """
    texts = {}
    for path in pages_of(root):
        way = os.path.relpath(root, path.parent)
        base = "" if way == os.curdir else f"{way}/"
        blocks = {RESULTS: section(tables, base)}
        blocks |= {name: evaluated(table, base) for name, table in evaluations.items()}
        texts[path] = with_blocks(path.read_text(encoding="utf-8"), blocks)
    return texts

"""The README's tables of results, each between two markers: made from the committed records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from evaluation.tables.table import as_text
from experiments.items.guidance import omega_of_training
from experiments.items.item import (
    FAD,
    HIGHER,
    KL,
    LOWER,
    NFE,
    RTF,
    RTF_WARM,
    Column,
    FigureItem,
    Line,
    TableItem,
    everywhere,
)
from experiments.judging.sources import FirstOf, ScoreKey
from experiments.judging.verdicts import summed_up
from experiments.records.records import SUMMED_UP
from experiments.rendering.formats import markdown_claims, markdown_notes, markdown_rows
from experiments.rendering.shown import ShownTable

RESULTS = "results"
BEGIN, END = f"<!-- {RESULTS}:begin -->", f"<!-- {RESULTS}:end -->"
FOLDER = "experiments/results"
IN_FULL = ("table6_backbone",)
"""The tables that the section of results shows; of the others it has the claims, and links."""


def _scored(title: str, better: str, *keys: str) -> Column:
    """Return the column of the first of these scores that a record has."""
    return Column(title, None, better, everywhere(FirstOf(tuple(map(ScoreKey, keys)))))


def _evaluated(stem: str, lines: Sequence[Line], columns: Sequence[Column]) -> TableItem:
    return TableItem(stem, "", "", None, "system", tuple(columns), tuple(lines))


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
EVALUATED: Mapping[str, tuple[str, TableItem]] = {
    "foley": (
        "replica",
        _evaluated(
            "table1_audiocaps",
            [
                Line(row, _NAMES.get(row, "true sounds"), None)
                for row in ("audiolcm", "teacher", "ground_truth")
            ],
            (NFE, FAD, KL, _IS, _CLAP, _HITS, _TOP5, *_TRUTH, RTF, RTF_WARM),
        ),
    ),
    "esc10": (
        "esc10",
        _evaluated(
            "fig3_speed",
            [
                Line(f"{row}-steps{count}", f"{_NAMES[row]}, {count} step{'s' * (count > 1)}", None)
                for row, counts in _STEPS.items()
                for count in counts
            ],
            (FAD, _KAD, KL, _IS, _CLAP, _HITS, _TOP5, RTF, RTF_WARM),
        ),
    ),
}
"""The README's tables of evaluations by the name of their markers: the scale, and the rows and columns of an item."""


def section(tables: Sequence[ShownTable]) -> str:
    """Return the text on the paper's items, for the tables of the scale that is summed up.

    All claims of the scale are counted; tables without any measured cell are only named.
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
        f"{summed_up(judgments)} How each is judged: [docs/results.md](docs/results.md)."
    ]
    for table in shown:
        parts.append(f"**[{table.title}]({_place(table)})**, {table.measured}")
        if isinstance(table.item, FigureItem):
            parts.append(f"![{table.item.title}]({FOLDER}/{table.scale}/{table.item.stem}.png)")
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


def evaluated(table: ShownTable) -> str:
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
        f"[The records' page]({_place(table)})"
    )
    return "\n\n".join([table.caption, markdown_rows(table), f"{markdown_notes(table.notes)}\n{made}"])


def check(path: Path) -> None:
    """Make sure that a README has places for its tables.

    Raises:
        UserError: it does not have the markers of the results once, in order; or others twice, or only one of a pair.
    """
    text = path.read_text(encoding="utf-8")
    for name in (RESULTS, *EVALUATED):
        begin, end = _markers(name)
        counts = text.count(begin), text.count(end)
        if counts == (0, 0) and name in EVALUATED:
            continue
        if counts != (1, 1) or text.index(begin) > text.index(end):
            raise UserError(
                f"The README needs one line {begin} and after it one line {end}: results go between them."
            )


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def with_section(
    text: str, tables: Sequence[ShownTable], evaluations: Mapping[str, ShownTable] | None = None
) -> str:
    """Return the text of a README that ``check`` lets pass, with what lies between its markers written anew.

    Args:
        text: of the README.
        tables: the paper's items.
        evaluations: the tables of ``EVALUATED`` by their names; those without markers in the text are not written.
    """
    sections = {RESULTS: section(tables)}
    sections |= {name: evaluated(table) for name, table in (evaluations or {}).items()}
    for name, content in sections.items():
        begin, end = _markers(name)
        if begin in text:
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return text


def rewrite(path: Path, tables: Sequence[ShownTable], evaluations: Mapping[str, ShownTable]) -> None:
    """Rewrite the sections of a README that is there."""
    text = with_section(path.read_text(encoding="utf-8"), tables, evaluations)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

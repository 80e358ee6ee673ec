"""An item as rows of cells, measured beside printed: what every format writes."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.tables.table import DASH, cut_note, protocol_title
from experiments.items.catalog import printed_figure, printed_table
from experiments.items.guidance import omega_of_training
from experiments.items.item import FigureItem, Item, PaperRow, TableItem
from experiments.judging.cells import DAGGER, Cell, column_refusals, summarize
from experiments.judging.claims import Judgment, judge
from experiments.judging.sources import OLD_TIMING, PaperColumn
from experiments.records.records import ItemResults, Result
from experiments.running.freshness import some

ARROWS = {"lower": "↓", "higher": "↑", "": ""}
OTHER_TASK = "It is another task than the paper's: compare rows with each other, not with the paper's column."
STALE, NOT_PRINTED = "stale", "not in the paper"
OLD_TIMING_NOTE = (
    f"{DAGGER} {OLD_TIMING}: RTF may lack the text encoder, for captions were remembered from sounds made before. It "
    "stands in no column with newer figures."
)
NOT_WHOLE = "not the figures of the protocol that the caption names, which says in what."
_CAVEATS = {OLD_TIMING: OLD_TIMING_NOTE}


@dataclass(frozen=True)
class ShownColumn:
    """A heading; ``has_printed`` says whether the paper has such a column beside the measured one."""

    title: str
    has_printed: bool


@dataclass(frozen=True)
class ShownRow:
    """One row: measured cells and printed texts, both in the order of the columns.

    Attributes:
        row: of the records.
        seeds: such as "3", "2 of 3", "0 of 3"; "-" when nothing is planned and nothing is there.
        marks: such as "stale".
        results: the records behind it.
        line: of a figure, the line that the point is of.
    """

    row: str
    label: str
    seeds: str
    marks: tuple[str, ...]
    cells: tuple[Cell, ...]
    printed: tuple[str | None, ...]
    results: tuple[Result, ...]
    line: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether there is any measured cell."""
        return any(not cell.is_empty for cell in self.cells)

    @property
    def state(self) -> str:
        """Seeds and marks in one text."""
        return ", ".join((self.seeds, *self.marks))


@dataclass(frozen=True)
class ShownTable:
    """One item at one scale, ready to be written.

    Attributes:
        measured: heading of the measured half of each column.
    """

    item: Item
    scale: str
    columns: tuple[ShownColumn, ...]
    rows: tuple[ShownRow, ...]
    measured: str
    caption: str
    notes: tuple[str, ...]
    judgments: tuple[Judgment, ...]

    @property
    def title(self) -> str:
        """Paper item and title."""
        return f"{self.item.paper_item}: {self.item.title}"

    @property
    def said(self) -> str:
        """What the paper says of a figure; "" for a table, which has printed cells."""
        return printed_figure(str(self.item.printed)) if isinstance(self.item, FigureItem) else ""

    @property
    def is_measured(self) -> bool:
        """Whether there is any measured cell."""
        return any(row.is_measured for row in self.rows)


def show(item: Item, results: ItemResults) -> ShownTable:
    """Return an item as rows of cells: a table's in the order of the paper, a figure's points along their lines."""
    paper_rows = _rows_of_table(item, results) if isinstance(item, TableItem) else _points(item, results)
    printed = printed_table(item.printed) if isinstance(item, TableItem) and item.printed else {}
    measured = [_cells(column, paper_rows, results) for column in item.columns]
    columns, kept = [], []
    for column, cells in zip(item.columns, measured, strict=True):
        has_printed = bool(printed and column.name)
        if has_printed or isinstance(item, FigureItem) or any(not cell.is_empty for cell in cells):
            columns.append(ShownColumn(f"{column.title} {ARROWS[column.better]}".rstrip(), has_printed))
            kept.append((column.name, cells))
    rows = []
    for place, row in enumerate(paper_rows):
        texts = printed.get(row.printed or "", {})
        marks = (NOT_PRINTED,) if printed and not row.printed else ()
        figures = tuple(cells[place] for _, cells in kept)
        rows.append(_row(row, figures, tuple(texts.get(name or "") for name, _ in kept), marks, results))
    if isinstance(item, FigureItem):
        rows.sort(key=lambda row: (natural(row.line), row.cells[0].value or 0.0, natural(row.row)))
    return _shown(item, results, tuple(columns), tuple(rows), paper_rows)


def _rows_of_table(item: TableItem, results: ItemResults) -> list[PaperRow]:
    """Return the paper's rows, and those that have results."""
    known = {row.key for row in item.rows}
    kept = [row for row in item.rows if row.printed is not None or row.key in results.rows]
    return kept + [PaperRow(key, key, None) for key in results.rows if key not in known]


def _points(item: FigureItem, results: ItemResults) -> list[PaperRow]:
    """Return a row for each point, with its line; what was not measured has only its name."""
    rows = []
    for key in results.rows:
        line, label = key.partition("-")[0], key
        if found := results.of(key):
            line = item.line(found[0])
            label = f"{line}, {item.told(found[0])}" if item.told else line
        rows.append(PaperRow(key, label, None, line=line))
    return rows


def natural(text: str) -> tuple[tuple[int, float, str], ...]:
    """Return a sorting key that takes the numbers in a text as numbers: k = 5 before k = 10."""
    parts = re.findall(r"\d+(?:\.\d+)?|\D+", text)
    return tuple((0, float(part), "") if part[0].isdecimal() else (1, 0.0, part) for part in parts)


def _cells(column: PaperColumn, rows: Sequence[PaperRow], results: ItemResults) -> list[Cell]:
    """Return the measured cells of a column, those refused that were not measured as the others."""
    sources = [row.source or column.sources.get(results.scale) for row in rows]
    readings = [s.readings(results, row.key) if s else {} for s, row in zip(sources, rows, strict=True)]
    odd = column_refusals(readings)
    return [Cell(refusal=odd[i]) if i in odd else summarize(found) for i, found in enumerate(readings)]


def _row(
    row: PaperRow,
    cells: tuple[Cell, ...],
    printed: tuple[str | None, ...],
    marks: tuple[str, ...],
    results: ItemResults,
) -> ShownRow:
    found, planned = results.of(row.key), results.planned.get(row.key, ())
    fresh = [result for result in found if result.seed in planned]
    seeds = str(len(found)) if len(fresh) == len(planned) else f"{len(fresh)} of {len(planned)}"
    if not found and not planned:
        seeds = DASH
    if any(result.changes for result in found):
        marks = (*marks, STALE)
    return ShownRow(row.key, row.label, seeds, marks, cells, printed, found, row.line)


def _shown(
    item: Item,
    results: ItemResults,
    columns: tuple[ShownColumn, ...],
    rows: tuple[ShownRow, ...],
    paper_rows: Sequence[PaperRow],
) -> ShownTable:
    titles, data, extractors = _measured_on(results)
    is_paper = results.scale == "paper"
    trained = omega_of_training(results.usable)
    judged = "; ".join([*titles, *extractors, *trained]) or data
    where = f"Measured at {'the ' * is_paper}{results.scale} scale: {judged}."
    own = [data] if data != results.scale else []
    place = f"{results.scale}{' scale' * is_paper}{': ' if own else ', ' * bool(extractors)}"
    notes = [*item.notes, *(f"{row.label}: {row.note}." for row in paper_rows if row.note)]
    return ShownTable(
        item=item,
        scale=results.scale,
        columns=columns,
        rows=rows,
        measured=f"measured ({place}{', '.join([*own, *extractors])})",
        caption=where if is_paper or item.printed is None else f"{where} {OTHER_TASK}",
        notes=tuple(dict.fromkeys([*notes, *_notes(columns, rows, results)])),
        judgments=tuple(judge(claim, results) for claim in item.claims),
    )


def _measured_on(results: ItemResults) -> tuple[list[str], str, list[str]]:
    """Return the protocols' titles, the data in short, and which of the networks of small scales listened."""
    protocols = [dict(result.protocol) for result in results.usable if result.protocol]
    names = dict.fromkeys(protocol_title(protocol) for protocol in protocols)
    titles = [name.removeprefix("replica: ") for name in names]
    data = ", ".join(dict.fromkeys(str(p.get("dataset") or p.get("name")) for p in protocols))
    scores = [score for result in results.usable for score in result.scores.values()]
    heard = {
        "YAMNet": any(score.extractor.get("name") == "yamnet" for score in scores),
        "embedded evaluator": any(score.is_embedded for score in scores),
    }
    extractors = [name for name, is_heard in heard.items() if is_heard]
    return titles, data or ("no scores" if results.usable else "nothing yet"), extractors


def _notes(columns: Sequence[ShownColumn], rows: Sequence[ShownRow], results: ItemResults) -> list[str]:
    """Return what a reader must know of the cells: intervals, missing seeds, stale and refused figures."""
    methods: dict[str, list[str]] = {}
    notes = []
    labels = Counter(row.label for row in rows)
    cut = []
    for row in rows:
        name = row.label if labels[row.label] == 1 else f"{row.label} ({row.row})"
        for column, cell in zip(columns, row.cells, strict=True):
            if cell.interval is not None:
                methods.setdefault(cell.method or "method not recorded", []).append(column.title)
            cut += [column.title] * cell.is_cut
            if cell.refusal:
                notes.append(f"{name}, {column.title}: refused, {cell.refusal}.")
            short = len(row.results) > len(cell.per_seed) > 0
            if short:
                notes.append(f"{name}, {column.title}: of seeds {_listed(cell.per_seed)} only.")
    intervals = [
        f"95% intervals of {', '.join(dict.fromkeys(names))}: {how}." for how, names in methods.items()
    ]
    intervals += [f"{note}." for note in cut_note(cut)]
    caveats = dict.fromkeys(cell.caveat for row in rows for cell in row.cells if cell.caveat)
    intervals += [_CAVEATS.get(caveat, f"{DAGGER} {caveat}: {NOT_WHOLE}") for caveat in caveats]
    raters = [results.raters] if results.raters else []
    others = sorted(results.listening.keys() - {row.row for row in rows})
    raters += [f"Rated too, but no row of this table: {_rated(others, results)}."] if others else []
    return [*intervals, *notes, *_plan_notes(rows, results), *results.faults, *raters]


def _plan_notes(rows: Sequence[ShownRow], results: ItemResults) -> list[str]:
    notes, missing = [], []
    stale: dict[str, list[str]] = {}  # names by what is said of them
    made_in: dict[str, list[str]] = {}
    for row in dict.fromkeys(row.row for row in rows):
        found = results.of(row)
        absent = sorted(set(results.planned.get(row, ())) - {result.seed for result in found})
        missing += [f"{row} (seed{'s' * (len(absent) > 1)} {_listed(absent)})"] if absent else []
        for left_out, these in (("", found), (" and left out", results.left_out(row))):
            for r in filter(lambda r: r.changes, these):
                stale.setdefault(f"stale{left_out}: {'; '.join(r.changes)}.", []).append(r.name)
        for r in filter(lambda r: r.provenance.get("precision"), found):
            made_in.setdefault(str(r.provenance["precision"]), []).append(r.name)
        said = dict.fromkeys(note for result in found for note in result.notes)
        notes += [f"{row}: {note}" for note in said]
    told = [f"{some(names)} {'are' if len(names) > 1 else 'is'} {what}" for what, names in stale.items()]
    told += [f"Sounds of {some(names)} were made in {precision}." for precision, names in made_in.items()]
    return [*([f"Missing: {', '.join(missing)}."] if missing else []), *told, *notes]


def _listed(seeds: Sequence[int] | Mapping[int, float]) -> str:
    return ", ".join(map(str, seeds))


def _rated(rows: Sequence[str], results: ItemResults) -> str:
    """Return rows of a listening test with their scores."""
    found = {row: results.listening[row].values() for row in rows}
    opinions = {row: ", ".join(f"{s.title} {s.value:.1f}" for s in scores) for row, scores in found.items()}
    return "; ".join(f"{row} ({words})" for row, words in opinions.items())

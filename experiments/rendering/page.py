"""The results page: one self-contained HTML file of all tables, figures and judged claims, those measured first."""

import base64
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from audiolcm.pages.html import Html, asset, element, head, scrolling
from evaluation.tables.table import DASH, as_text
from experiments.judging.cells import Cell
from experiments.judging.claims import FAILS, HOLDS, UNMEASURED, Judgment, summed_up
from experiments.records.records import SUMMED_UP
from experiments.rendering.formats import claims, headings
from experiments.rendering.shown import ShownRow, ShownTable

PICTURE_WIDTH = 750
UNMEASURED_ANCHOR = "not-measured"


def page(tables: Sequence[ShownTable], pictures: Mapping[tuple[str, str], Path], folder: Path) -> str:
    """Return the page.

    Args:
        tables: all items, of one or both scales.
        pictures: PNG files by scale and stem.
        folder: where the page will lie; links to the reports of runs go from there to the folder of this call.
    """
    style = asset("page.css") + asset("results.css", "experiments.rendering")
    measured = sorted((t for t in tables if t.is_measured), key=lambda table: table.scale != SUMMED_UP)
    places = {_anchor(table): f"{table.item.paper_item} ({table.scale})" for table in measured}
    places[UNMEASURED_ANCHOR] = "not measured"
    links = [element("li", element("a", name, href=f"#{anchor}")) for anchor, name in places.items()]
    judgments = [judgment for table in tables for judgment in table.judgments if table.scale == SUMMED_UP]
    header = element(
        "header",
        element("p", "AudioLCM", class_="eyebrow"),
        element("h1", "Results"),
        element(
            "p", "Measured figures beside the paper's, from the records in this folder.", class_="protocol"
        ),
        element("p", f"Scale {SUMMED_UP}. Of {len(judgments)} claims, {summed_up(judgments)}")
        if judgments
        else None,
        element("nav", element("ul", *links), aria_label="Tables and figures"),
        class_="headline",
    )
    sections = [
        _item(table, pictures.get((table.scale, table.item.stem)), folder, "section", "h2")
        for table in measured
    ]
    folded = [_item(table, None, folder, "details", "summary") for table in tables if not table.is_measured]
    words = "The paper's figures and claims of these, to be opened." if folded else "Everything is measured."
    title = element("h2", "Not measured yet")
    rest = element("section", title, element("p", words), *folded, id=UNMEASURED_ANCHOR, class_="rest")
    body = element("body", header, element("main", *sections, rest))
    return "<!doctype html>\n" + element("html", head("AudioLCM: results", style), body, lang="en") + "\n"


def _anchor(table: ShownTable) -> str:
    return f"{table.scale}-{table.item.stem}"


def _item(table: ShownTable, picture: Path | None, folder: Path, box: str, heading: str) -> Html:
    """Return an item in an element with a heading."""
    title = element(heading, f"{table.title} ({table.scale})")
    return element(box, title, *_content(table, picture, folder), id=_anchor(table), class_="item")


def _content(table: ShownTable, picture: Path | None, folder: Path) -> list[Html | None]:
    """Return what stands below the title of an item."""
    usual = _usual_counts(table)
    left_out = [row for row in table.rows if not row.is_measured] if table.is_measured else []
    shown = [row for row in table.rows if row not in left_out]
    judged = [one for one in table.judgments if one.verdict != UNMEASURED]
    waiting = [one for one in table.judgments if one.verdict == UNMEASURED]
    notes = element("ul", *(element("li", note) for note in table.notes)) if table.notes else None
    return [
        element("p", " ".join([table.caption, *_counts_in_words(table, usual)])),
        element("p", f"The paper: {table.said}", class_="said") if table.said else None,
        _picture(table, picture) if picture else None,
        _table(table, shown, usual),
        _folded("Rows not measured", len(left_out), _table(table, left_out, usual)) if left_out else None,
        element("h3", "The paper's claims at this scale") if judged else None,
        _claims(judged) if judged else None,
        _folded("Claims not measured", len(waiting), _claims(waiting)) if waiting else None,
        _folded("Notes", len(table.notes), notes) if notes else None,
        _folded("Runs", None, runs) if (runs := _runs(table, folder)) else None,
    ]


def _folded(title: str, count: int | None, content: Html) -> Html:
    number = "" if count is None else f" ({count})"
    return element("details", element("summary", f"{title}{number}"), content)


def _usual_counts(table: ShownTable) -> list[str]:
    """Return of each column the number of sounds that most of its cells have: the caption says it, not those cells."""
    found = []
    for place in range(len(table.columns)):
        counts = Counter(row.cells[place].count for row in table.rows if row.cells[place].count)
        found.append(counts.most_common(1)[0][0] if counts else "")
    return found


def _counts_in_words(table: ShownTable, usual: Sequence[str]) -> list[str]:
    """Return what a caption says of the numbers of sounds; the columns are named where these are not one."""
    titles: dict[str, list[str]] = {}
    for column, count in zip(table.columns, usual, strict=True):
        if count:
            titles.setdefault(count, []).append(column.title)
    if not titles:
        return []
    said = [f"{count} ({', '.join(names)})" if len(titles) > 1 else count for count, names in titles.items()]
    return [f"Sounds, generated/reference: {'; '.join(said)}."]


def _picture(table: ShownTable, path: Path) -> Html:
    data = base64.b64encode(path.read_bytes()).decode()
    words = f"{table.title}; the table below has its points"
    return element("img", src=f"data:image/png;base64,{data}", alt=words, width=PICTURE_WIDTH)


def _table(table: ShownTable, rows: Sequence[ShownRow], usual: Sequence[str]) -> Html:
    """Return rows of an item; a cell tells its number of sounds where it is another one than the column's usual."""
    has_halves = any(column.has_printed for column in table.columns)  # else the caption says it
    depth = 2 if has_halves else 1
    tops = [element("th", name, scope="col", rowspan=depth) for name in (table.item.first_column, "seeds")]
    for column in table.columns:
        span = 1 + int(column.has_printed)
        tops.append(element("th", column.title, scope="colgroup", colspan=span, class_="number"))
    halves = [element("th", half, scope="col", class_="number half") for _, half in headings(table)]
    body = [element("tr", element("th", row.label, scope="row"), *_cells(table, row, usual)) for row in rows]
    head = element("thead", element("tr", *tops), element("tr", *halves) if has_halves else None)
    return scrolling(element("table", head, element("tbody", *body)), table.title)


def _cells(table: ShownTable, row: ShownRow, usual: Sequence[str]) -> list[Html]:
    found = [element("td", row.seeds, *(element("span", f" {mark}", class_="mark") for mark in row.marks))]
    for column, cell, printed, count in zip(table.columns, row.cells, row.printed, usual, strict=True):
        found.append(_measured(cell, count))
        if column.has_printed:
            found.append(element("td", DASH if printed is None else printed, class_="number paper"))
    return found


def _measured(cell: Cell, usual: str) -> Html:
    count = element("span", f" {cell.count}", class_="count") if cell.count not in ("", usual) else None
    mark = "mark" if cell.refusal else None
    return element(
        "td", element("span", cell.figures, class_=mark), count, class_="number", title=cell.refusal or None
    )


def _claims(judgments: Sequence[Judgment]) -> Html:
    table, rows = claims(judgments), []
    for judgment, (sentence, *texts, verdict) in zip(judgments, table.itertuples(index=False), strict=True):
        kind = {HOLDS: "holds", FAILS: "fails"}.get(judgment.verdict.partition(" (")[0])
        cells = [*(element("td", text) for text in texts), element("td", verdict, class_=kind)]
        rows.append(element("tr", element("th", sentence, scope="row"), *cells))
    top = element("thead", element("tr", *(element("th", head, scope="col") for head in table.columns)))
    return scrolling(element("table", top, element("tbody", *rows), class_="claims"), "Claims")


def _runs(table: ShownTable, folder: Path) -> Html | None:
    """Return where every record comes from, with a link to the report of its run."""
    results = {result.name: result for row in table.rows for result in row.results}
    rows = []
    for name, result in results.items():
        known = {key: result.provenance.get(key) for key in ("command", "code", "date", "hardware")}
        words = ", ".join(f"{key}: {as_text(value)}" for key, value in known.items() if value is not None)
        target = result.report and quote(os.path.relpath(result.report, folder))
        rows.append(
            element("li", f"{name}: {words} ", element("a", "report", href=target) if target else None)
        )
    return element("ul", *rows) if rows else None

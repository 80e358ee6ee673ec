"""The results page: one self-contained HTML file with all tables, figures and judged claims."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from evaluation.report.html import Html, element, head
from evaluation.tables import DASH, as_text
from experiments.claims import FAILS, HOLDS, Judgment
from experiments.formats import claims, headings
from experiments.records import SUMMED_UP
from experiments.summary import Cell
from experiments.table import ShownRow, ShownTable
from experiments.verdicts import summed_up

PICTURE_WIDTH = 750


def page(tables: Sequence[ShownTable], pictures: Mapping[tuple[str, str], Path], folder: Path) -> str:
    """Return the page.

    Args:
        tables: all items, of one or both scales.
        pictures: PNG files by scale and stem.
        folder: where the page will lie; links to the reports of runs go from there to the folder of this call.
    """
    style = "".join(
        files(package).joinpath(name).read_text(encoding="utf-8")
        for package, name in (("evaluation.report", "report.css"), ("experiments", "results.css"))
    )
    links = [element("li", element("a", _name(table), href=f"#{_anchor(table)}")) for table in tables]
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
    sections = [_section(table, pictures.get((table.scale, table.item.stem)), folder) for table in tables]
    body = element("body", header, element("main", *sections))
    return "<!doctype html>\n" + element("html", head("AudioLCM: results", style), body, lang="en") + "\n"


def _name(table: ShownTable) -> str:
    return f"{table.item.paper_item} ({table.scale})"


def _anchor(table: ShownTable) -> str:
    return f"{table.scale}-{table.item.stem}"


def _section(table: ShownTable, picture: Path | None, folder: Path) -> Html:
    notes = element("ul", *(element("li", note) for note in table.notes)) if table.notes else None
    runs = _runs(table, folder)
    return element(
        "section",
        element("h2", f"{table.title} ({table.scale})"),
        element("p", table.caption),
        element("p", f"The paper: {table.said}", class_="said") if table.said else None,
        _picture(table, picture) if picture else None,
        _table(table),
        *_claims(table.judgments),
        element("details", element("summary", "Notes"), notes) if notes else None,
        element("details", element("summary", "Runs"), runs) if runs else None,
        id=_anchor(table),
        class_="item",
    )


def _picture(table: ShownTable, path: Path) -> Html:
    data = base64.b64encode(path.read_bytes()).decode()
    words = f"{table.title}; the table below has its points"
    return element("img", src=f"data:image/png;base64,{data}", alt=words, width=PICTURE_WIDTH)


def _table(table: ShownTable) -> Html:
    has_halves = any(column.has_printed for column in table.columns)  # else the caption says it
    depth = 2 if has_halves else 1
    tops = [element("th", name, scope="col", rowspan=depth) for name in (table.first_column, "seeds")]
    for column in table.columns:
        span = 1 + int(column.has_printed)
        tops.append(element("th", column.title, scope="colgroup", colspan=span, class_="number"))
    words = {"measured": table.measured, "paper": table.printed}
    halves = [element("th", words[half], scope="col", class_="number half") for _, half in headings(table)]
    body = [element("tr", element("th", row.label, scope="row"), *_cells(table, row)) for row in table.rows]
    head = element("thead", element("tr", *tops), element("tr", *halves) if has_halves else None)
    content = element("table", head, element("tbody", *body))
    return element("div", content, class_="scroll", role="region", aria_label=table.title, tabindex=0)


def _cells(table: ShownTable, row: ShownRow) -> list[Html]:
    found = [element("td", row.seeds, *(element("span", f" {mark}", class_="mark") for mark in row.marks))]
    for column, cell, printed in zip(table.columns, row.cells, row.printed, strict=True):
        found.append(_measured(cell))
        found += [
            element("td", DASH if printed is None else printed, class_="number paper")
        ] * column.has_printed
    return found


def _measured(cell: Cell) -> Html:
    count = element("span", f" {cell.count}", class_="count") if cell.count else None
    mark = "mark" if cell.refusal else None
    return element(
        "td", element("span", cell.figures, class_=mark), count, class_="number", title=cell.refusal or None
    )


def _claims(judgments: Sequence[Judgment]) -> list[Html]:
    if not judgments:
        return []
    table, rows = claims(judgments), []
    for judgment, (sentence, *texts, verdict) in zip(judgments, table.itertuples(index=False), strict=True):
        kind = {HOLDS: "holds", FAILS: "fails"}.get(judgment.verdict.partition(" (")[0])
        cells = [*(element("td", text) for text in texts), element("td", verdict, class_=kind)]
        rows.append(element("tr", element("th", sentence, scope="row"), *cells))
    top = element("thead", element("tr", *(element("th", head, scope="col") for head in table.columns)))
    content = element("table", top, element("tbody", *rows))
    region = element("div", content, class_="scroll", role="region", aria_label="Claims", tabindex=0)
    return [element("h3", "The paper's claims at this scale"), region]


def _runs(table: ShownTable, folder: Path) -> Html | None:
    """Return where every record comes from, with a link to the report of its run."""
    results = {result.name: result for row in table.rows for result in row.results}
    rows = []
    for name, result in results.items():
        known = {key: result.provenance.get(key) for key in ("command", "code", "date", "hardware")}
        words = ", ".join(f"{key}: {as_text(value)}" for key, value in known.items() if value is not None)
        link = None
        if result.report:
            target = quote(os.path.relpath(result.report, folder))
            link = element("a", "report", href=target)
        rows.append(element("li", f"{name}: {words} ", link))
    return element("ul", *rows) if rows else None

"""The part of the page that has figures of other packages beside ours."""

from audiolcm.pages.html import Html, element, scrolling
from evaluation.record import Crosscheck, Record
from evaluation.tables.table import DASH

_HEADS = ("Metric", "Package", "Theirs", "Ours", "Difference", "Relative", "Heard otherwise by ours")
_NUMBERS = _HEADS[2:6]


def crosschecks_section(record: Record) -> Html | None:
    """Return the table of crosschecks; None where none was asked for."""
    if not record.crosschecks:
        return None
    heads = [
        element("th", name, scope="col", class_="number" if name in _NUMBERS else None) for name in _HEADS
    ]
    rows = [_row(one) for one in record.crosschecks]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return element(
        "section",
        element("h2", "Crosscheck"),
        element("p", "The packages' own classes on the same files, with the same weights."),
        scrolling(table, "Crosscheck"),
        id="crosscheck",
    )


def _row(one: Crosscheck) -> Html:
    figures = [(one.theirs, ".9g"), (one.ours, ".9g"), (one.difference, ".1e"), (one.relative, ".1e")]
    numbers = [
        element("td", DASH if value is None else format(value, form), class_="number")
        for value, form in figures
    ]
    notes = [*([f"No figure: {one.problem}"] if one.problem else []), *one.notes]
    said = element("td", "; ".join(notes))
    return element("tr", element("th", one.title, scope="row"), element("td", one.package), *numbers, said)

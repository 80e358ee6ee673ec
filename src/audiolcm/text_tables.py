"""Tables are pandas DataFrames; here they become Markdown, LaTeX and CSV. All names in them are untrusted.

pandas takes a second to load, so only ``frame`` imports it, once there is a table to make.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile("[\t\r\n]|[\\s\u200b-\u200f\u2060\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet would compute; also after what it does not show, and in wide signs."""
MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*<[|"})
LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}"}
    | {"↓": r"$\downarrow$", "↑": r"$\uparrow$", "\u00d7": r"$\times$"}
    | {"[": "{[}"}  # at the start of a row it would be an argument of the line break before
)


def frame(columns: Iterable[str], rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> "pd.DataFrame":
    """Return a table whose cells stay what they are: by itself pandas makes 5.0 and NaN of 5 and None."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns), dtype=object)


def escaped(text: str, signs: dict[int, str]) -> str:
    """Return a text as one line whose signs mean nothing to the format: ``MARKDOWN`` or ``LATEX``."""
    return " ".join(text.split()).translate(signs)


def all_escaped(table: "pd.DataFrame", signs: dict[int, str]) -> "pd.DataFrame":
    """Return a table of texts with its headings and cells ``escaped``."""
    return table.rename(columns=lambda name: escaped(name, signs)).map(escaped, signs=signs)


def aligned(table: "pd.DataFrame") -> list[tuple[str, ...]]:
    """Return the headings and rows of a table of texts, each column as wide as its widest text."""
    columns = cast("list[tuple[str, ...]]", [(name, *cells) for name, cells in table.items()])
    padded = [map(str.ljust, column, repeat(max(map(len, column)))) for column in columns]
    return list(zip(*padded, strict=True))


def markdown(table: "pd.DataFrame", rules: Sequence[str] = ()) -> str:
    """Return a table of escaped texts in GitHub's Markdown.

    Args:
        table: the texts.
        rules: what stands beneath each heading, such as ``---:``; none: columns are padded, to be read as they are.
    """
    rows = [tuple(table.columns), *table.itertuples(index=False, name=None)] if rules else aligned(table)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    beneath = rules or [f" {'-' * len(name)} " for name in rows[0]]
    return "\n".join([lines[0], f"|{'|'.join(beneath)}|", *lines[1:]])


def in_blocks(table: "pd.DataFrame", width: int) -> str:
    """Return a table of escaped texts as ``markdown`` does, in as many tables as fit a width, beneath each other.

    Each begins with the first column; one that is too wide by itself stands alone.
    """
    first, *others = table.columns
    widths = {name: max(map(len, (name, *table[name]))) + len(" | ") for name in table.columns}
    blocks: list[list[str]] = []
    for name in others:
        taken = sum(widths[column] for column in (first, *(blocks[-1] if blocks else ()), name)) + 1
        if blocks and taken <= width:
            blocks[-1].append(name)
        else:
            blocks.append([name])
    return "\n\n".join(markdown(table[[first, *block]]) for block in blocks or [[]])


def latex(table: "pd.DataFrame", num_texts: int = 1) -> list[str]:
    """Return a table of texts, which are escaped here, as the lines of a tabular; the third has the headings.

    Args:
        table: the texts.
        num_texts: how many columns are words, to the left; the others are figures, to the right.
    """
    places = "l" * num_texts + "r" * (len(table.columns) - num_texts)
    shown = all_escaped(table, LATEX)
    return shown.to_latex(index=False, escape=False, column_format=places).splitlines()


def csv_text(table: "pd.DataFrame") -> str:
    """Return a table of any values as CSV with all digits, in which no spreadsheet computes a text."""
    rows = [tuple(table.columns), *table.itertuples(index=False, name=None)]
    return "".join(csv_line([_csv_cell(cell) for cell in row]) for row in rows)


def csv_line(fields: Sequence[str], delimiter: str = ",") -> str:
    """Return the fields of a row as a line of CSV; any line end inside one, also a lone carriage return, is quoted."""
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(fields)  # it quotes these two signs
    return line.getvalue().removesuffix("\r\n") + "\n"


def inert(text: str) -> str:
    """Return a text that no spreadsheet computes."""
    return f"'{text}" if FORMULA.match(text) else text


def _csv_cell(value: object) -> str:
    return inert(value) if isinstance(value, str) else "" if value is None else str(value)

"""Rows of CSV files that people sent, with the place of each for messages."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

from audiolcm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Line:
    """A row of a CSV file by column; ``place`` names file and row (the header is row 1)."""

    texts: dict[str, str]
    place: str

    def __getitem__(self, column: str) -> str:
        return self.texts[column]


def read_lines(path: Path) -> list[Line]:
    """Return the rows of a CSV file.

    Raises:
        UserError: when it is missing, no CSV, empty, or a row has not as many fields as the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise UserError(f"{path} can not be read ({error.strerror}): give the files of answers.") from error
    except (ValueError, csv.Error) as error:
        raise UserError(
            f"{path} is no CSV file in UTF-8, or it is cut off ({error}). Ask for it again."
        ) from error
    if len(rows) < 2:
        raise UserError(f"{path} holds no answers: it has {len(rows)} rows. Ask for it again.")
    (_, head), *rest = rows
    for number, row in rest:
        if len(row) != len(head):
            raise UserError(
                f"{path}, row {number}: {len(row)} fields instead of {len(head)}: the file is cut off or was edited. "
                "Ask for it again."
            )
    return [Line(dict(zip(head, row, strict=True)), f"{path}, row {number}") for number, row in rest]


def seconds(line: Line, column: str) -> float:
    """Return a column as seconds.

    Raises:
        UserError: when it is no finite number of 0 or more.
    """
    try:
        value = float(line[column])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise UserError(
            f"{line.place}: {column} is {line[column]!r}, no number of seconds. Ask for the file again."
        )
    return value

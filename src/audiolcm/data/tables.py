"""Tables of text: TSV, CSV, JSON and Parquet in, rows of strings out."""

import csv
import importlib
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from audiolcm.data.table_text import is_json, is_spaced, json_records, separator, text_of
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.text_tables import csv_line

PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = (".tsv", ".csv", ".jsonl", ".ndjson", *PARQUET_SUFFIXES)
LIST_SEPARATOR = "|"
_LONGEST_FIELD = 100_000  # characters: a caption is no book
_LONGEST_TABLE = 1 << 30
_SOUND_SUFFIX = re.compile(r"\.(wav|flac|mp3|ogg|opus|aiff?|m4a)$", re.IGNORECASE)


@dataclass(frozen=True)
class TableRow(Mapping[str, str]):
    """The texts of a row by column, "" where there is none.

    ``line`` is where it begins in the file (the header is line 1); ``problem`` says what is wrong with the row as such,
    "" when nothing is. Texts have no spaces at their ends; ``spaced`` has those that had some, as they were.
    """

    texts: dict[str, str]
    line: int
    problem: str = ""
    spaced: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __getitem__(self, column: str) -> str:
        return self.texts[column]

    def exact(self, column: str) -> str:
        """Return the text of a column as the table has it: names of files may begin or end with spaces."""
        return self.spaced.get(column, self.texts[column])

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


def read_table(path: str | Path, required: Iterable[str] = ()) -> list[TableRow]:
    """Return the rows of a TSV, CSV, JSON (lines or a list of objects) or Parquet table.

    Raises:
        UserError: when the file is missing, is no such table, or lacks a required column.
    """
    path = Path(path)
    columns, rows = read_columns(path)
    missing = [column for column in required if column not in columns]
    if missing:
        raise UserError(lacks_columns(path, missing, columns))
    return rows


def read_columns(path: Path) -> tuple[list[str], list[TableRow]]:
    """Return the columns, which a table without rows has too, and the rows; see ``read_table``."""
    if not path.is_file():
        raise UserError(
            f"Table {path} not found: check dataset.root and the table names in the dataset config."
        )
    try:
        columns, rows = _read_parquet(path) if _is_parquet(path) else _read_text_table(path)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"Table {path} cannot be read ({error}): expected TSV, CSV, JSON lines (UTF-8) or Parquet."
        ) from error
    if twice := sorted(column for column, count in Counter(columns).items() if column and count > 1):
        raise UserError(
            f"Table {path} has several columns named {', '.join(twice)}: rename or remove all but one."
        )
    return columns, rows


def lacks_columns(path: Path, missing: Sequence[str], columns: Sequence[str]) -> str:
    """Return the message about a table without columns that it needs: most often it has others, or no header at all."""
    if any(_SOUND_SUFFIX.search(column) for column in columns):
        return (
            f"Table {path} has no header: its first line is a row already ({', '.join(columns)[:100]}). Write the "
            f"names of the columns above it: {', '.join(missing)}."
        )
    there = ", ".join(column if len(column) <= 60 else f"{column[:60]}..." for column in columns[:30])
    return (
        f"Table {path} has no column {', '.join(missing)}; it has: {there or 'none'}. "
        "Add the column or rename one of them."
    )


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write rows of strings atomically as Parquet, CSV or TSV, by the suffix of ``path``."""
    path = Path(path)
    with atomic_path(path) as temporary:
        if path.suffix in PARQUET_SUFFIXES:
            _write_parquet(temporary, columns, list(rows))
        else:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                for fields in (columns, *([row[column] for column in columns] for row in rows)):
                    file.write(csv_line(fields, _delimiter(path)))


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix in PARQUET_SUFFIXES or file.read(4) == b"PAR1"


def _delimiter(path: Path) -> str:
    return "," if path.suffix == ".csv" else "\t"


def _read_text_table(path: Path) -> tuple[list[str], list[TableRow]]:
    text = text_of(path)
    if is_json(text):
        return _read_json(text)
    columns: list[str] = []
    rows: list[TableRow] = []
    delimiter = separator(text, _delimiter(path))
    csv.field_size_limit(_LONGEST_TABLE)  # a long field is a fault of its row, not of the table
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=is_spaced(text, delimiter),
    )
    line = 1
    try:
        for fields in reader:
            if fields and not columns:
                columns = [column.strip() for column in fields]
            elif fields:
                rows.append(_row(columns, fields, line, delimiter))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"line {line}: {error}; a field that begins with a quotation mark ends with one, and marks inside it "
            'are doubled: "a ""word"" in quotes"'
        ) from error
    return columns, rows


def _read_json(text: str) -> tuple[list[str], list[TableRow]]:
    records = list(json_records(text))
    columns = list(dict.fromkeys(key for _, record in records if isinstance(record, dict) for key in record))
    rows = []
    for number, record in records:
        known, problem = (record, "") if isinstance(record, dict) else ({}, record)
        rows.append(_of_values({column: known.get(column) for column in columns}, number, problem))
    return columns, rows


def _row(columns: list[str], fields: list[str], line: int, delimiter: str) -> TableRow:
    surplus = len(fields) - len(columns)
    problem = f"The row has {len(fields)} fields, the header {len(columns)}." if surplus > 0 else ""
    problem = _length_problem(fields) or problem
    if any(_holds_rows(field, position, len(columns), delimiter) for position, field in enumerate(fields)):
        problem = (
            "The row goes over several lines: a closing quotation mark is missing, or one too many is there."
        )
    texts = fields[: len(columns)] + [""] * -surplus
    return _trimmed(dict(zip(columns, texts, strict=True)), line, problem)


def _length_problem(fields: Iterable[str]) -> str:
    longest = max(map(len, fields), default=0)
    return f"The row has a field of {longest:,} characters." if longest > _LONGEST_FIELD else ""


def _holds_rows(field: str, position: int, num_columns: int, delimiter: str) -> bool:
    """Return whether a field of several lines looks as if it had swallowed the rows between two quotation marks.

    At ``position`` of its row it then holds the end of one row, whole ones, and the beginning of another. A caption has
    a space after its commas.
    """
    first, *others = field.split("\n")
    if not others:
        return False
    wanted = [num_columns - 1 - position, *[num_columns - 1] * (len(others) - 1), position]
    found = [len(re.findall(f"{re.escape(delimiter)}(?! )", line)) for line in (first, *others)]
    return all(there >= least for there, least in zip(found, wanted, strict=True))


def _trimmed(texts: Mapping[str, str], line: int, problem: str = "") -> TableRow:
    trimmed = {column: text.strip() for column, text in texts.items()}
    spaced = {column: text for column, text in texts.items() if text != trimmed[column]}
    return TableRow(trimmed, line, problem, spaced)


def _of_values(values: Mapping[str, Any], line: int, problem: str = "") -> TableRow:
    lists = {
        column: tuple(_exact(item).strip() for item in value)
        for column, value in values.items()
        if isinstance(value, list | tuple)
    }
    problem = problem or _length_problem(value for value in values.values() if isinstance(value, str))
    row = _trimmed({column: _exact(value) for column, value in values.items()}, line, problem)
    return replace(row, lists=lists)


def _read_parquet(path: Path) -> tuple[list[str], list[TableRow]]:
    table = _import_parquet("pyarrow.parquet").read_table(path)
    rows = [_of_values(values, line) for line, values in enumerate(table.to_pylist(), start=2)]
    return list(table.column_names), rows


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    pyarrow = _import_parquet("pyarrow")
    arrays = {column: pyarrow.array([row[column] for row in rows], pyarrow.string()) for column in columns}
    _import_parquet("pyarrow.parquet").write_table(pyarrow.table(arrays), path)


def _import_parquet(module: str) -> ModuleType:
    """Import a module of pyarrow: it is slow to load, so only people with Parquet tables wait for it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"Parquet tables need a working pyarrow ({error}): install one, or use TSV."
        ) from error


def _exact(value: Any) -> str:
    if value is None or isinstance(value, dict) or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list | tuple):
        return LIST_SEPARATOR.join(_exact(item) for item in value)
    return str(value)


def seconds(text: str) -> float:
    """Return a duration column as a number; 0 (unknown) when empty or no finite positive number."""
    return float(text) if text and not seconds_problem(text) else 0.0


def seconds_problem(text: str) -> str:
    """Return what is wrong with the text of a duration column; "" for none, 0 (unknown) or a number of seconds."""
    try:
        value = float(text or 0.0)
    except ValueError:
        value = math.nan
    return "" if math.isfinite(value) and value >= 0 else f"The duration {text!r} is no number of seconds."

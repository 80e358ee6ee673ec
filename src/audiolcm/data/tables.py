"""Tables of text: TSV, CSV and Parquet in, rows of strings out."""

from __future__ import annotations

import csv
import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from audiolcm.errors import UserError
from audiolcm.files import atomic_path

PARQUET_SUFFIXES = (".parquet", ".pq")
LIST_SEPARATOR = "|"


def read_table(path: str | Path, required: Iterable[str] = ()) -> list[dict[str, str]]:
    """Rows of a TSV, CSV or Parquet table as dictionaries of strings (missing values are "").

    Raises UserError when the file is missing, is no such table, or lacks a required column.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"Table {path} not found: check dataset.root and the table names in the dataset config."
        )
    try:
        columns, rows = _read_parquet(path) if path.suffix in PARQUET_SUFFIXES else _read_text_table(path)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"Table {path} can not be read ({error}): expected TSV, CSV (UTF-8) or Parquet."
        ) from error
    missing = [column for column in required if column not in columns]
    if missing:
        raise UserError(
            f"Table {path} has no column {', '.join(missing)}; it has: {', '.join(columns) or 'none'}. "
            "Add the column or rename one of them."
        )
    return rows


def write_table(path: str | Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows of strings atomically as Parquet, CSV or TSV, by the suffix of `path`."""
    path = Path(path)
    with atomic_path(path) as temporary:
        if path.suffix in PARQUET_SUFFIXES:
            _write_parquet(temporary, columns, rows)
        else:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, columns, delimiter=_delimiter(path), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


def _delimiter(path: Path) -> str:
    return "," if path.suffix == ".csv" else "\t"


def _read_text_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=_delimiter(path), restval="")
        rows = [{key: _text(value) for key, value in row.items() if key is not None} for row in reader]
        return list(reader.fieldnames or ()), rows


def _read_parquet(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    table = _import_parquet("pyarrow.parquet").read_table(path)
    return list(table.column_names), [{k: _text(v) for k, v in row.items()} for row in table.to_pylist()]


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


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list | tuple):
        return LIST_SEPARATOR.join(str(item) for item in value)
    return str(value).strip()


def seconds(text: str) -> float:
    """A duration column as a number; 0 (unknown) when empty or no finite positive number."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0

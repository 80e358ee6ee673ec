"""What the paper prints, from ``printed.yaml``: text with the paper's own digits, never a measured figure."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class PrintedTable:
    """One table of the paper: its cells by row and column; None where the paper prints "/"."""

    name: str
    rows: dict[str, dict[str, str | None]]

    def cell(self, row: str | None, column: str | None) -> str | None:
        """Return a cell; None where the row or the column is not the paper's.

        Raises:
            KeyError: a name that the paper does not have.
        """
        return None if row is None or column is None else self.rows[row][column]


def printed_table(name: str) -> PrintedTable:
    """Return a table by its name in ``printed.yaml``, such as ``table1``."""
    content = _content()[name]
    columns = content["columns"]
    return PrintedTable(
        name, {row: dict(zip(columns, cells, strict=True)) for row, cells in content["rows"].items()}
    )


def printed_figure(name: str) -> str:
    """Return what the paper says of a figure, such as ``figure2a``."""
    return str(_content()["figures"][name])


@cache
def _content() -> dict[str, Any]:
    return yaml.safe_load(files("experiments.items").joinpath("printed.yaml").read_text(encoding="utf-8"))

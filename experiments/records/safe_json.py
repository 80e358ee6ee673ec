"""JSON of results and records, checked before a figure is made of it: plain, with numbers that can be shown."""

from pathlib import Path
from typing import Any

from audiolcm.storage import plain_data

LARGEST = 1e100
"""Squares and sums of larger numbers would be no numbers any more; nothing that is measured comes near."""


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no whole JSON, is nested too deeply, or has a number or a text that cannot be shown.
    """
    content = plain_data.read_json(path)
    _check_numbers(content)
    return content


def _check_numbers(node: Any) -> None:
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            _check_numbers(inner)
    elif isinstance(node, int | float) and not abs(node) <= LARGEST:  # nor is one that is no number
        raise ValueError(f"it has a number that no figure can be: {str(node)[:20]}")

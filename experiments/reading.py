"""JSON from anywhere, checked before anything is made of it: whole, with numbers and text that can be shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LARGEST = 1e100
"""Squares and sums of larger numbers would be no numbers any more; nothing that is measured comes near."""
DEEPEST = 50


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        OSError: it can not be read.
        ValueError: it is no whole JSON, is nested too deeply, or has a number or a text that can not be shown.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    _check(content, 0)
    return content


def _check(node: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(node, dict | list):
        for inner in [*node, *node.values()] if isinstance(node, dict) else node:
            _check(inner, depth + 1)
    elif isinstance(node, str):
        _check_text(node)
    elif isinstance(node, int | float) and not abs(node) <= LARGEST:  # nor is one that is no number
        raise ValueError(f"it has a number that no figure can be: {str(node)[:20]}")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it has a text that can not be written: {text[:20]!a}") from error

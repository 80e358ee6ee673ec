"""``result.json``: what a job leaves in its run folder for those who ask how it went."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import sealed, unsealed
from audiolcm.storage.plain_data import read_json

RESULT = "result.json"
_KINDS = {
    "status": str, "error": str, "folder": str, "inputs": str | None, "settings": str, "figures": dict, "method": dict,
    "sections": dict,
}  # fmt: skip


def write_result(folder: Path, content: Mapping[str, object]) -> None:
    """Leave the job's ``status``, and ``figures`` or an ``error``, sealed against change."""
    with atomic_path(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(sealed(content), indent=2))


def written(folder: Path) -> int | None:
    """Return when the result in ``folder`` was written, to tell a new one from an earlier one; None without one."""
    try:
        return (folder / RESULT).stat().st_mtime_ns
    except OSError:
        return None


def read_result(folder: Path) -> dict[str, Any]:
    """Return what the job in ``folder`` left in ``result.json``; nothing where there is none, or a damaged one.

    What is there of ``status``, ``error``, ``folder`` and ``figures`` (by name) is of its kind.
    """
    try:
        result = unsealed(read_json(folder / RESULT))
    except (OSError, ValueError):
        return {}
    odd = [name for name, kind in _KINDS.items() if name in result and not isinstance(result[name], kind)]
    return {} if odd or "status" not in result else result


def has_damaged_result(folder: Path) -> bool:
    """Return whether there is something in the place of ``result.json`` that none can be read from."""
    return os.path.lexists(folder / RESULT) and not read_result(folder)

"""``result.json``: what a job leaves in its run folder for those who ask how it went."""

import json
from pathlib import Path
from typing import Any

from audiolcm.files import atomic_path
from audiolcm.plain_data import read_json

RESULT = "result.json"


def write_result(folder: Path, content: dict[str, object]) -> None:
    """Leave the job's ``status``, and ``figures`` or an ``error``."""
    with atomic_path(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(content, indent=2))


def read_result(folder: Path) -> dict[str, Any]:
    """Return what the job in ``folder`` left in ``result.json``; nothing where there is none, or a damaged one."""
    try:
        result = read_json(folder / RESULT)
    except (OSError, ValueError):
        return {}
    return result if isinstance(result, dict) else {}

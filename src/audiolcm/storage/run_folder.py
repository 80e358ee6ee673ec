"""What a job leaves in its run folder, for whoever looks on from outside or asks later how it went.

``progress.json`` tells who is at work there and on what, ``result.json`` what came of it.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import sealed, unsealed
from audiolcm.storage.leases import birth
from audiolcm.storage.plain_data import read_json

PROGRESS = "progress.json"
_BEGUN = {"host": str, "pid": int, "process_start": str}
_STAGED = {"stage": str, "artifact": str, "steps": int}
RESULT = "result.json"
_KINDS = {
    "status": str, "error": str, "folder": str, "inputs": str | None, "settings": str, "figures": dict, "method": dict,
    "sections": dict,
}  # fmt: skip


def begin(folder: Path) -> None:
    """Note that this process works in the run folder now; of several processes of one job only the first does."""
    process = {"host": socket.gethostname(), "pid": os.getpid(), "process_start": birth(os.getpid())}
    job = {"slurm_job_id": os.environ.get("SLURM_JOB_ID"), "began": time.time()}
    _write(folder, process | job)


def at_stage(folder: Path, stage: str, artifact: Path, steps: int) -> None:
    """Note that ``stage`` is being made in the folder ``artifact``, whose ``metrics.jsonl`` tells of the step.

    Another job may be the one that trains it while this one waits.
    """
    made = {"stage": stage, "artifact": str(artifact.absolute()), "steps": steps}
    _write(folder, read_progress(folder) | made)


def read_progress(folder: Path) -> dict[str, Any]:
    """Return what was noted, each of its kind; nothing where there is none, or a damaged one."""
    try:
        found = read_json(folder / PROGRESS)
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    begun = all(type(found.get(name)) is kind for name, kind in _BEGUN.items())
    staged = "stage" not in found or all(type(found.get(name)) is kind for name, kind in _STAGED.items())
    return found if begun and staged else {}


def _write(folder: Path, content: dict[str, Any]) -> None:
    if os.environ.get("RANK", "0") != "0":
        return
    with atomic_path(folder / PROGRESS) as temporary:
        temporary.write_text(json.dumps(content, indent=2))


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

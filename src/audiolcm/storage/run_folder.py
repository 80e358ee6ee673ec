"""``progress.json`` of a run folder: who is at work there and on what, for whoever looks on from outside."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from audiolcm.storage.files import atomic_path
from audiolcm.storage.leases import birth
from audiolcm.storage.plain_data import read_json

PROGRESS = "progress.json"
_BEGUN = {"host": str, "pid": int, "process_start": str}
_STAGED = {"stage": str, "artifact": str, "steps": int}


def begin(folder: Path) -> None:
    """Note that this process works in the run folder now; of several processes of one job only the first does."""
    _write(
        folder,
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process_start": birth(os.getpid()),
            "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
            "began": time.time(),
        },
    )


def at_stage(folder: Path, stage: str, artifact: Path, steps: int) -> None:
    """Note that ``stage`` is being made in the folder ``artifact``, whose ``metrics.jsonl`` tells of the step.

    Another job may be the one that trains it while this one waits.
    """
    _write(
        folder, read_progress(folder) | {"stage": stage, "artifact": str(artifact.absolute()), "steps": steps}
    )


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

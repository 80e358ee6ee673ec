"""``progress.json`` of a run folder: who is at work there and on what, for whoever looks on from outside."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from audiolcm.files import atomic_path
from audiolcm.locks import birth

PROGRESS = "progress.json"


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
    """Return what was noted; nothing where there is none, or a damaged one."""
    try:
        found = json.loads((folder / PROGRESS).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(folder: Path, content: dict[str, Any]) -> None:
    if os.environ.get("RANK", "0") != "0":
        return
    with atomic_path(folder / PROGRESS) as temporary:
        temporary.write_text(json.dumps(content, indent=2))

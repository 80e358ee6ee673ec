"""The jobs of a sweep's folder and how far each of them is, from what they leave on disk. Imports no torch."""

import json
import os
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from audiolcm.cluster.waiting import last_line
from audiolcm.locks import birth
from audiolcm.planned import planned_jobs
from audiolcm.progress import PROGRESS, read_progress
from audiolcm.result import RESULT, read_result
from audiolcm.sweep import job_name

RECORD = "jobs.jsonl"
QUIET_SECONDS = 600.0
"""Without a sign of life for so long, a job on another computer is taken for dead."""
_TAIL_BYTES = 1 << 16
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}


@dataclass
class Job:
    """One job of a sweep.

    Attributes:
        state: waiting, preparing, training, done, failed, stopped or cancelled.
        detail: the stage and its step, the reason of a failure.
        seconds_left: of the stage, as fast as it was; None when unknown.
        figures: of a finished job.
        place: its artifact, else its run folder.
    """

    name: str
    folder: Path
    state: str = "waiting"
    detail: str = ""
    seconds_left: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    place: str = ""
    is_parent: bool = False

    @property
    def ended_badly(self) -> bool:
        """Whether something has to be done about it."""
        return self.state in ("failed", "stopped", "cancelled")


def jobs_of(sweep: Path, slurm: Mapping[str, str] | None = None) -> list[Job]:
    """Return the jobs of a sweep's folder, or the one of a run's folder.

    Args:
        sweep: the folder.
        slurm: states of jobs by their ids, such as ``{"12_3": "RUNNING"}``.
    """
    records = read_records(sweep)
    if not records and (sweep / ".hydra").is_dir():
        return [_look(Job(_name(sweep), sweep), sweep.parent, None, None)]
    found = {folder: record["job"] for folder, record in records.items()}
    for folder in sorted(p for p in sweep.iterdir() if (p / ".hydra").is_dir() or (p / RESULT).exists()):
        found.setdefault(folder.absolute(), _name(folder))
    for subdir, name in planned_jobs(sweep):
        found.setdefault((sweep / subdir).absolute(), name)
    jobs = []
    for folder, name in found.items():
        record = records.get(folder)
        job = Job(name or "(defaults)", folder, is_parent=folder.parent.name == "parents")
        jobs.append(_look(job, sweep, record, (slurm or {}).get(record["job_id"]) if record else None))
    return jobs


def read_records(sweep: Path) -> dict[Path, dict[str, Any]]:
    """Return the newest line of ``jobs.jsonl`` for each folder, in the order of submission."""
    try:
        lines = (sweep / RECORD).read_text().splitlines()
    except OSError:
        return {}
    rows: dict[Path, dict[str, Any]] = {}
    for line in lines:
        try:
            row = json.loads(line)
            rows.pop(Path(row["folder"]), None)
            rows[Path(row["folder"])] = row
        except (ValueError, LookupError, TypeError):  # a line cut short
            continue
    return rows


def _name(folder: Path) -> str:
    try:
        words = yaml.safe_load((folder / ".hydra/overrides.yaml").read_text()) or []
        return job_name(words, ",".join(words)) or "(defaults)"
    except (OSError, yaml.YAMLError, TypeError):
        return folder.name


def _look(job: Job, sweep: Path, record: dict[str, Any] | None, slurm: str | None) -> Job:
    """Fill in what the job left, in the light of what SLURM says of it."""
    result, progress = read_result(job.folder), read_progress(job.folder)
    job.place = str(result.get("folder") or progress.get("artifact") or job.folder)
    submitted_again = record is not None and _changed(job.folder / RESULT) < _seconds(record.get("submitted"))
    if result and _changed(job.folder / RESULT) >= _changed(job.folder / PROGRESS) and not submitted_again:
        job.state = "done" if result.get("status") == "done" else "failed"
        job.figures = result.get("figures") or {}
        job.detail = str(result.get("error", "")) if job.state == "failed" else ""
    elif slurm in _WAITING or (not progress and slurm is None):
        job.detail = _waits_for(record)
    elif slurm == "CANCELLED":
        job.state, job.detail = "cancelled", f"SLURM job {record['job_id']}" if record else ""
    elif slurm in (None, "RUNNING", "COMPLETING", "SUSPENDED"):
        _look_at_running(job, sweep, progress, alive=slurm is not None)
    else:
        job.state, job.detail = "stopped", f"SLURM: {slurm}; {_last_words(job.folder, sweep, record)}"
    return job


def _waits_for(record: dict[str, Any] | None) -> str:
    return f"for job {record['needs']}" if record and record.get("needs") else ""


def _look_at_running(job: Job, sweep: Path, progress: dict[str, Any], alive: bool) -> None:
    artifact = Path(progress["artifact"]) if "artifact" in progress else None
    signs = [job.folder / PROGRESS, *job.folder.glob("*.log")]
    if artifact:
        signs += [artifact / "metrics.jsonl", *artifact.glob("checkpoints/*")]
    quiet = time.time() - max(map(_changed, signs))
    here = progress.get("host") == socket.gethostname()
    if not alive and here and birth(progress["pid"]) != progress.get("process_start"):
        job.state, job.detail = "stopped", f"process gone; {_last_words(job.folder, sweep, None)}"
    elif not alive and not here and quiet > QUIET_SECONDS:
        job.state = "stopped"
        job.detail = f"no sign of life for {quiet / 60:.0f} minutes; {_last_words(job.folder, sweep, None)}"
    elif artifact is None:
        job.state = "preparing"
    else:
        _look_at_stage(job, artifact, progress)


def _look_at_stage(job: Job, artifact: Path, progress: dict[str, Any]) -> None:
    stage, steps = progress["stage"], int(progress["steps"])
    if (artifact / "card.json").exists():
        job.state, job.detail = "preparing", f"{stage} done"
        return
    rows = _last_rows(artifact / "metrics.jsonl")
    step = max((int(row["step"]) for row in rows), default=0)
    rate = next((row["steps_per_second"] for row in reversed(rows) if row.get("steps_per_second")), None)
    job.state, job.detail = "training", f"{stage} step {step}/{steps} ({100 * step // steps}%)"
    job.seconds_left = (steps - step) / rate if rate else None


def _last_rows(path: Path) -> list[dict[str, float]]:
    """Return the last whole rows of a metrics file, which may be long."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:  # the first is cut by the tail, the last may be being written
            continue
    return [row for row in rows if isinstance(row, dict) and "step" in row]


def _last_words(folder: Path, sweep: Path, record: dict[str, Any] | None) -> str:
    """Return the last line of the job's log: SLURM's, its own, or the one that submitit keeps."""
    logs: Iterable[Path] = [Path(record["log"])] if record and record.get("log") else []
    for path in [*logs, *sorted(folder.glob("*.log")), *_submitit_logs(folder, sweep)]:
        if path.is_file() and path.stat().st_size:
            return last_line(str(path))
    return "it left no log"


def _submitit_logs(folder: Path, sweep: Path) -> list[Path]:
    try:
        job_id = yaml.safe_load((folder / ".hydra/hydra.yaml").read_text())["hydra"]["job"]["id"]
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        return []
    return sorted((sweep / ".submitit" / str(job_id)).glob("*_log.err"))


def _changed(path: Path) -> float:
    """Return when a file changed, in seconds since 1970; 0 when it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _seconds(moment: object) -> float:
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return 0.0

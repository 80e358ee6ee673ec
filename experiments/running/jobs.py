"""The jobs of a sweep's folder and how far each of them is, from what they leave on disk. Imports no torch."""

import logging
import math
import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os.path import lexists
from pathlib import Path
from typing import Any

from audiolcm.storage.leases import birth
from audiolcm.storage.plain_data import parse_json, read_yaml
from audiolcm.storage.run_folder import PROGRESS, RESULT, has_damaged_result, read_progress, read_result
from audiolcm.sweeps.slurm.waiting import last_line
from audiolcm.sweeps.summary import job_name, planned_jobs
from audiolcm.training.tracking import metrics_row

log = logging.getLogger(__name__)

RECORD = "jobs.jsonl"
QUIET_SECONDS = 600.0
"""Without a sign of life for so long, a job on another computer is taken for dead."""
_TAIL_BYTES = 1 << 16
_AT_WORK = {"RUNNING", "COMPLETING", "SUSPENDED"}
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}


@dataclass
class SweepJob:
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


def jobs_of(sweep: Path, slurm: Mapping[str, str] | None = None) -> list[SweepJob]:
    """Return the jobs of a sweep's folder, or the one of a run's folder.

    Args:
        sweep: the folder.
        slurm: states of jobs by their ids, such as ``{"12_3": "RUNNING"}``.
    """
    records = read_records(sweep, log.warning)
    if not records and (sweep / ".hydra").is_dir():
        return [_looked_at(SweepJob(_name(sweep), sweep), sweep.parent, None, None)]
    found = {folder: record["job"] for folder, record in records.items()}
    for folder in sorted(p for p in sweep.iterdir() if os.path.isdir(p / ".hydra") or lexists(p / RESULT)):
        found.setdefault(folder.absolute(), _name(folder))
    for subdir, name in planned_jobs(sweep):
        found.setdefault((sweep / subdir).absolute(), name)
    jobs = []
    for folder, name in found.items():
        record = records.get(folder)
        job = SweepJob(name or "(defaults)", folder, is_parent=folder.parent.name == "parents")
        jobs.append(_looked_at(job, sweep, record, (slurm or {}).get(record["job_id"]) if record else None))
    return jobs


def read_records(
    sweep: Path, tell: Callable[..., object] = lambda *words: None
) -> dict[Path, dict[str, Any]]:
    """Return the newest line of ``jobs.jsonl`` for each folder, in the order of submission.

    ``tell`` is told of damaged lines, in the words of a logger.
    """
    rows: dict[Path, dict[str, Any]] = {}
    for number, line in enumerate(_lines(sweep / RECORD), start=1):
        if not (row := _record(line)):
            tell("%s: line %d is damaged, its job may be missing.", sweep / RECORD, number)
            continue
        rows.pop(Path(row["folder"]), None)
        rows[Path(row["folder"])] = row
    return rows


def _lines(path: Path, most: int | None = None) -> list[bytes]:
    """Return the lines of a file, or of its last ``most`` bytes; of what cannot be read a damaged one."""
    if not lexists(path):
        return []
    try:
        if not path.is_file():  # a pipe would wait for ever
            return [b""]
        with path.open("rb") as file:
            file.seek(0 if most is None else max(0, os.fstat(file.fileno()).st_size - most))
            return file.read().splitlines()
    except OSError:
        return [b""]


def _record(line: bytes) -> dict[str, Any]:
    try:
        row = parse_json(line)
    except ValueError:
        return {}
    known = isinstance(row, dict) and all(type(row.get(name)) is str for name in ("job", "folder", "job_id"))
    return row if known and all(isinstance(row.get(name), str | None) for name in ("needs", "log")) else {}


def _name(folder: Path) -> str:
    try:
        words = read_yaml(folder / ".hydra/overrides.yaml") or []
        return job_name(words, ",".join(words)) or "(defaults)"
    except (OSError, ValueError, TypeError, AttributeError):
        return folder.name


def _looked_at(job: SweepJob, sweep: Path, record: dict[str, Any] | None, slurm: str | None) -> SweepJob:
    """Return the job, filled in; of one whose files nobody wrote so, that: it must not hide the others."""
    try:
        return _look(job, sweep, record, slurm)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        job.state, job.detail = "stopped", f"what it left is damaged ({error})"
        return job


def _look(job: SweepJob, sweep: Path, record: dict[str, Any] | None, slurm: str | None) -> SweepJob:
    """Fill in what the job left, in the light of what SLURM says of it."""
    result, progress = read_result(job.folder), read_progress(job.folder)
    job.place = str(result.get("folder") or progress.get("artifact") or job.folder)
    submitted_again = record is not None and _changed(job.folder / RESULT) < _seconds(record.get("submitted"))
    is_newest = _changed(job.folder / RESULT) >= _changed(job.folder / PROGRESS) and not submitted_again
    if result and is_newest:
        job.state = "done" if result.get("status") == "done" else "failed"
        job.figures = result.get("figures") or {}
        job.detail = str(result.get("error", "")) if job.state == "failed" else ""
    elif is_newest and has_damaged_result(job.folder):
        job.state, job.detail = "stopped", f"{RESULT} is damaged: remove it, and type the job's command again"
    elif slurm in _WAITING or (not progress and slurm is None):
        if record and record.get("needs"):
            job.detail = f"for job {record['needs']}"
        elif lexists(job.folder / PROGRESS) and not progress:
            job.detail = f"{PROGRESS} is damaged: how far it is is not known"
    elif slurm == "CANCELLED":
        job.state, job.detail = "cancelled", f"SLURM job {record['job_id']}" if record else ""
    elif slurm is None or slurm in _AT_WORK:
        _look_at_running(job, sweep, progress, alive=slurm is not None)
    else:
        job.state, job.detail = "stopped", f"SLURM: {slurm}; {_last_words(job.folder, sweep, record)}"
    return job


def _look_at_running(job: SweepJob, sweep: Path, progress: dict[str, Any], alive: bool) -> None:
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


def _look_at_stage(job: SweepJob, artifact: Path, progress: dict[str, Any]) -> None:
    stage, steps = progress["stage"], int(progress["steps"])
    if (artifact / "card.json").exists():
        job.state, job.detail = "preparing", f"{stage} done"
        return
    rows = _last_rows(artifact / "metrics.jsonl")
    step = max((int(row["step"]) for row in rows), default=0)
    rate = next((row["steps_per_second"] for row in reversed(rows) if row.get("steps_per_second")), None)
    job.state, job.detail = "training", f"{stage} step {step}/{steps} ({100 * step // steps}%)"
    left = (steps - step) / rate if rate else math.nan
    job.seconds_left = left if math.isfinite(left) else None


def _last_rows(path: Path) -> list[dict[str, float]]:
    """Return the last whole rows of a metrics file, which may be long."""
    # The first line is cut by the tail, the last may be being written.
    return [row for line in _lines(path, _TAIL_BYTES) if (row := metrics_row(line))]


def _last_words(folder: Path, sweep: Path, record: dict[str, Any] | None) -> str:
    """Return the last line of the job's log: SLURM's, its own, or the one that submitit keeps."""
    logs: Iterable[Path] = [Path(record["log"])] if record and record.get("log") else []
    for path in [*logs, *sorted(folder.glob("*.log")), *_submitit_logs(folder, sweep)]:
        if path.is_file() and path.stat().st_size:
            return last_line(str(path))
    return "it left no log"


def _submitit_logs(folder: Path, sweep: Path) -> list[Path]:
    try:
        job_id = str(read_yaml(folder / ".hydra/hydra.yaml")["hydra"]["job"]["id"])
    except (OSError, ValueError, LookupError, TypeError):
        return []
    is_id = re.fullmatch(r"\w+", job_id)  # a damaged one may name any place
    return sorted((sweep / ".submitit" / job_id).glob("*_log.err")) if is_id else []


def _changed(path: Path) -> float:
    """Return when a file changed, in seconds since 1970; 0 when it is not there."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _seconds(moment: object) -> float:
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except (ValueError, OverflowError):
        return 0.0

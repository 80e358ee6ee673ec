"""Waiting for submitted jobs to end, and saying of those that left no result why."""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiolcm.jobs.slurm_queue import SUCCESS, ended, queued
from audiolcm.storage.run_folder import read_result, write_result, written
from audiolcm.sweeps.slurm.submission import Submitted

log = logging.getLogger(__name__)

REPORT_SECONDS = 30.0
LAG_SECONDS = 60.0
"""For so long a job may be in neither the queue nor the accounting, which hears of an end with a delay."""
_ADVICE = {
    "TIMEOUT": " Raise hydra.launcher.timeout_min, or hydra.launcher.signal_delay_s so that a checkpoint fits in.",
    "OUT_OF_MEMORY": " Raise hydra.launcher.mem_gb, or lower the stage's batch_size.",
}


class Results:
    """The ``result.json`` of submitted jobs, told from those that earlier runs left in the same folders."""

    def __init__(self, jobs: Sequence[Submitted]) -> None:
        self.jobs = {job.job_id: job for job in jobs}
        self._before = {job.job_id: written(Path(job.folder)) for job in jobs}
        self.failures: dict[str, str] = {}

    def of(self, job: Submitted) -> dict[str, object]:
        """Return what the job itself left; nothing where it did not get so far."""
        folder = Path(job.folder)
        return {} if written(folder) == self._before[job.job_id] else read_result(folder)

    def settle(self, job: Submitted, state: str) -> None:
        """Note the end of a job, and write a ``result.json`` for one that could not do so itself."""
        found = self.of(job)
        if found.get("status") == "done" and state == SUCCESS:
            return
        self.failures[job.job_id] = reason = str(found.get("error") or self._reason(job, state))
        if found.get("status") != "failed":
            write_result(Path(job.folder), {"status": "failed", "error": reason})

    def _reason(self, job: Submitted, state: str) -> str:
        if job.needs in self.failures:
            parent = self.jobs[job.needs]
            return f"its parent job {parent.job_id} ({parent.job}) failed: {self.failures[job.needs]}"
        return f"SLURM ended job {job.job_id} as {state}.{_ADVICE.get(state, '')} Its log ends: {last_line(job.log)}"


def wait(jobs: Sequence[Submitted], results: Results) -> None:
    """Return when all jobs have ended, each noted in ``results``, parents before those that needed them."""
    report = _Report(len(jobs))
    open_jobs = {job.job_id: job for job in jobs}
    missing: dict[str, float] = {}
    began = time.monotonic()
    while open_jobs:
        time.sleep(min(15.0, 1.0 + (time.monotonic() - began) / 20))
        queue = queued()
        if queue is None:
            log.warning("squeue does not answer; asking again.")
            continue
        for job_id in open_jobs.keys() & queue.keys():
            missing.pop(job_id, None)
        gone = [job for job in open_jobs.values() if job.job_id not in queue]
        states = _final(gone, missing, results)
        for job in gone:
            if job.job_id in states:
                results.settle(job, states[job.job_id])
                del open_jobs[job.job_id]
        report.tell([queue.get(job_id, "COMPLETING") for job_id in open_jobs], len(results.failures))


def _final(gone: Sequence[Submitted], missing: dict[str, float], results: Results) -> Mapping[str, str]:
    """Return the final states that are known; where nothing is known for too long, what the job itself left."""
    if not gone:
        return {}
    states = dict(ended([job.job_id for job in gone]) or {})
    now = time.monotonic()
    for job in gone:
        since = missing.setdefault(job.job_id, now)
        if job.job_id not in states and now - since > LAG_SECONDS:
            states[job.job_id] = SUCCESS if results.of(job).get("status") == "done" else "UNKNOWN"
    return states


class _Report:
    """A line on how far the jobs are, when that has changed, but not more often than every half minute."""

    def __init__(self, total: int) -> None:
        self.total, self._last, self._when = total, "", -REPORT_SECONDS

    def tell(self, states: Sequence[str], failed: int) -> None:
        count = Counter("pending" if state == "PENDING" else "running" for state in states)
        done = self.total - len(states) - failed
        line = f"{done} done, {failed} failed, {count['running']} running, {count['pending']} pending"
        now = time.monotonic()
        if line != self._last and (now - self._when >= REPORT_SECONDS or not states):
            log.info("Jobs: %s of %d.", line, self.total)
            self._last, self._when = line, now


def last_line(path: str) -> str:
    """Return the last line of a log, of a progress bar its last state; ``(it is empty)`` for none."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, Path(path).stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"({path} cannot be read: {error.strerror})"
    return next((line.strip() for line in reversed(lines) if line.strip()), "(it is empty)")

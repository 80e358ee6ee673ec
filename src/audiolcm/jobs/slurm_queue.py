"""What SLURM says of jobs; and a run in a SLURM job that is asked to stop puts the job back into the queue.

That works for any batch job: one of a sweep, or a user's own script with ``srun python train.py ...``.
"""

import hashlib
import json
import logging
import os
import signal
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

from submitit.slurm.slurm import SlurmInfoWatcher

from audiolcm.storage.files import atomic_path
from audiolcm.storage.plain_data import read_json

SUCCESS = "COMPLETED"
_OVER = {
    SUCCESS, "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL", "REVOKED",
    "PREEMPTED",
}  # fmt: skip
log = logging.getLogger(__name__)
MAX_IN_VAIN = 5
"""So many times a job is requeued without having got a single step further."""
RECORD = "requeues.json"
_REQUESTS = (signal.SIGUSR2, signal.SIGTERM)


def ask(*command: str) -> str | None:
    """Return what a SLURM command prints; None where it fails, takes over a minute, or is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def queued() -> dict[str, str] | None:
    """Return the states of this user's jobs in the queue, by id such as ``12_3``; None when SLURM does not answer.

    A job that is being requeued stays in the queue.
    """
    listing = ask("squeue", "--me", "--noheader", "--array", "--format=%i %T")
    if listing is None:
        return None
    return dict(line.split(maxsplit=1) for line in listing.splitlines() if line.strip())


def ended(job_ids: Collection[str]) -> dict[str, str] | None:
    """Return the final states, such as COMPLETED or TIMEOUT, of those jobs that have one; None without accounting."""
    numbers = sorted({job_id.partition("_")[0] for job_id in job_ids})
    listing = ask(
        "sacct", "--allocations", "--parsable2", "--format=JobID,State", "--jobs", ",".join(numbers)
    )
    if listing is None:
        return None
    told = SlurmInfoWatcher().read_info(listing)
    states = {job_id: facts["State"].split()[0] for job_id, facts in told.items()}
    return {job_id: states[job_id] for job_id in job_ids if states.get(job_id) in _OVER}


def requeue(number: int, folder: Path, places: Iterable[Path]) -> str | None:
    """Requeue the SLURM job of this process after signal ``number``; return what else the user must know, if anything.

    Nothing happens outside of a batch job, in any process but a run's first, after Ctrl-C, and when the job is being
    ended on purpose or requeued by SLURM itself.

    Args:
        number: the signal that ended the run.
        folder: of the run; remembers how often it was requeued.
        places: folders whose artifacts, checkpoints and prepared data show whether the run got further.
    """
    job_id = _job_id()
    rank = os.environ.get(
        "RANK", os.environ.get("SLURM_PROCID", "0")
    )  # as torch.distributed has it, else as srun
    if job_id is None or number not in _REQUESTS or int(rank) != 0:
        return None
    for request in _REQUESTS:  # the requeueing brings signals of its own, to scontrol too
        signal.signal(request, signal.SIG_IGN)
    facts = _facts(job_id)
    if not facts:
        return f"SLURM does not answer about job {job_id} (scontrol show job): submit it again."
    if facts.get("JobState") != "RUNNING" or facts.get("BatchFlag") != "1":
        return None
    if facts.get("Requeue") != "1":
        return f"Job {job_id} may not be requeued (sbatch --requeue): submit it again, and it goes on."
    if _count(job_id, folder, _progress(places)) > MAX_IN_VAIN:
        return (
            f"Job {job_id} was requeued {MAX_IN_VAIN} times without getting a single step further. Give it more time "
            "(hydra.launcher.timeout_min, sbatch --time) or an earlier signal (hydra.launcher.signal_delay_s, sbatch "
            "--signal=USR2@600), then submit it again."
        )
    try:
        subprocess.run(
            ["scontrol", "requeue", job_id], check=True, timeout=60, capture_output=True, text=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return (
            f"Job {job_id} could not be requeued ({getattr(error, 'stderr', '') or error}): submit it again."
        )
    log.info("Job %s is in the queue again.", job_id)
    return None


def _job_id() -> str | None:
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def _facts(job_id: str) -> dict[str, str]:
    shown = ask("scontrol", "--oneliner", "show", "job", job_id) or ""
    return dict(word.split("=", 1) for word in shown.split() if "=" in word)


def _progress(places: Iterable[Path]) -> str:
    """Return a hash of the names of all that remains when a run is ended; it changes with every step that is kept."""
    patterns = ("*/*/card.json", "*/*/checkpoints/step-*", "*/*/*")
    found = (path for place in places for pattern in patterns for path in place.glob(pattern))
    names = sorted(str(path) for path in found if not path.name.startswith("."))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _count(job_id: str, folder: Path, progress: str) -> int:
    """Return how many times in a row the job ends here at the same progress, and remember it."""
    path = folder / RECORD
    try:
        before = read_json(path)
    except (OSError, ValueError):  # none, or a damaged one: counted from the start
        before = None
    known = before if isinstance(before, dict) and type(before.get("count")) is int else {}
    same = (known.get("job"), known.get("progress")) == (job_id, progress)
    count = known["count"] + 1 if same else 0
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"job": job_id, "progress": progress, "count": count}))
    return count

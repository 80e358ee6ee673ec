"""What SLURM says of jobs."""

import subprocess
from collections.abc import Collection

from submitit.slurm.slurm import SlurmInfoWatcher

SUCCESS = "COMPLETED"
_OVER = {
    SUCCESS, "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL", "REVOKED",
    "PREEMPTED",
}  # fmt: skip


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
    states = {
        job_id: facts["State"].split()[0] for job_id, facts in SlurmInfoWatcher().read_info(listing).items()
    }
    return {job_id: states[job_id] for job_id in job_ids if states.get(job_id) in _OVER}

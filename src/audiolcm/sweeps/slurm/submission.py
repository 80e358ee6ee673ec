"""Handing jobs to SLURM through submitit, and the record of it: ``jobs.jsonl`` in the sweep's folder."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, cast

from submitit import SlurmExecutor, SlurmJob
from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.helpers import TorchDistributedEnvironment

from audiolcm.errors import UserError
from audiolcm.storage.files import appending, explained
from audiolcm.sweeps.slurm.shared_parents import Planned
from audiolcm.sweeps.slurm.snapshot import python_path

RECORD = "jobs.jsonl"
# Settings of a launcher's configuration, by their names in submitit; the rest of sbatch is additional_parameters.
_NAMES = {
    "name": "job_name", "partition": "partition", "account": "account", "qos": "qos", "constraint": "constraint",
    "timeout_min": "time", "nodes": "nodes", "tasks_per_node": "ntasks_per_node", "gpus_per_node": "gpus_per_node",
    "gres": "gres", "cpus_per_task": "cpus_per_task", "mail_user": "mail_user", "mail_type": "mail_type",
    "signal_delay_s": "signal_delay_s",
}  # fmt: skip


@dataclass(frozen=True)
class Order:
    """A job to be submitted: its name in tables, its folder, and the words after ``python``."""

    job: str
    folder: Path
    arguments: tuple[str, ...]
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Submitted:
    """A line of ``jobs.jsonl``.

    Args:
        job: the overrides that name it, as in the sweep's table; ``stage=teacher for ...`` for a shared parent.
        folder: where it leaves its ``result.json``.
        job_id: such as ``12``, or ``12_3`` in an array.
        array: the array's id, such as ``12``; None for a single job.
        overrides: of the configuration.
        submitted: time, ISO 8601.
        needs: id of the parent job that must end well first.
        snapshot: the copy of the code that it runs.
        log: its output, of all its tasks' first one.
    """

    job: str
    folder: str
    job_id: str
    array: str | None
    overrides: tuple[str, ...]
    submitted: str
    needs: str | None
    snapshot: str
    log: str


def submit(
    orders: Sequence[Order], plan: Sequence[Planned], sweep: Path, snapshot: Path, settings: Mapping[str, Any]
) -> list[Submitted]:
    """Submit one job for each order of the plan and record it; jobs that need the same parent become one array.

    Raises:
        UserError: when SLURM refuses; what was submitted before that is cancelled. Also of a folder whose
            name would not mean the same in a batch script.
    """
    if not str(sweep).isprintable() or set(str(sweep)) & set("%\\"):
        raise UserError(
            f"SLURM reads the folder {str(sweep)!r} as another one: type hydra.sweep.dir=FOLDER without %, backslashes "
            "and control signs in the path."
        )
    batches: dict[tuple[str | None, int | None], list[int]] = {}
    for index, planned in enumerate(plan):
        batches.setdefault((planned.stage, planned.needs), []).append(index)
    num_arrays = sum(stage is None for stage, _ in batches)
    settings = dict(settings)
    if settings["max_parallel"]:  # it is of the sweep, SLURM's limit is of an array
        settings["max_parallel"] = max(1, settings["max_parallel"] // num_arrays)
    done: dict[int, Submitted] = {}
    try:
        # In order of their first jobs: the job that a batch needs always comes before it.
        for (_, needs), indices in batches.items():
            parent = None if needs is None else done[needs].job_id
            jobs = _submit_batch([orders[i] for i in indices], parent, sweep, snapshot, settings)
            done |= dict(zip(indices, jobs, strict=True))
    except (FailedJobError, FailedSubmissionError, ValueError) as error:
        _cancel(done.values())
        raise UserError(
            f"SLURM did not take the jobs, and none is left in the queue: {_reason(error)}. The settings are "
            "hydra.launcher.partition, account, timeout_min, gpus_per_node, ...; `sinfo` lists what there is."
        ) from error
    except OSError as error:  # of the scripts that go to SLURM
        _cancel(done.values())
        raise explained(error, sweep / ".slurm") or error from error
    with appending(sweep / RECORD) as write:
        for index in sorted(done):
            write(json.dumps(asdict(done[index])) + "\n")
    return [done[index] for index in range(len(orders))]


def _cancel(jobs: Collection[Submitted]) -> None:
    if jobs:
        subprocess.run(["scancel", *(job.job_id for job in jobs)], check=False)


def _submit_batch(
    orders: Sequence[Order], needs: str | None, sweep: Path, snapshot: Path, settings: Mapping[str, Any]
) -> list[Submitted]:
    executor = SlurmExecutor(folder=sweep / ".slurm")
    executor.update_parameters(**_parameters(settings, needs, snapshot))
    jobs = cast("list[SlurmJob[None]]", executor.map_array(become, [order.arguments for order in orders]))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [
        Submitted(
            order.job, str(order.folder), job.job_id, job.job_id.partition("_")[0] if "_" in job.job_id else None,
            order.overrides, now, needs, str(snapshot), str(job.paths.stdout),
        )
        for order, job in zip(orders, jobs, strict=True)
    ]  # fmt: skip


def _parameters(settings: Mapping[str, Any], needs: str | None, snapshot: Path) -> dict[str, Any]:
    """Return what submitit writes into the batch script."""
    parameters = {theirs: settings[ours] for ours, theirs in _NAMES.items() if settings[ours] is not None}
    if settings["mem_gb"] is not None:
        parameters["mem"] = settings["mem_gb"]  # a number of gigabytes, to submitit
    if settings["max_parallel"]:
        parameters["array_parallelism"] = settings["max_parallel"]
    extra = dict(settings["additional_parameters"])
    extra["requeue" if settings["requeue"] else "no-requeue"] = True
    if needs is not None:
        parameters["dependency"] = f"afterok:{needs}"
        extra["kill-on-invalid-dep"] = "yes"
    step = ["--kill-on-bad-exit=1"]  # a rank that dies ends the others
    if settings["cpus_per_task"]:
        step.append(f"--cpus-per-task={settings['cpus_per_task']}")  # since SLURM 22.05 srun forgets it
    path = shlex.quote(python_path(snapshot) + os.pathsep) + '"${PYTHONPATH:-}"'
    group = shlex.quote(settings["group"])
    setup = [*settings["setup"], f"export PYTHONPATH={path}", f"export WANDB_RUN_GROUP={group}"]
    return parameters | {
        "additional_parameters": extra, "setup": setup, "srun_args": step, "stderr_to_stdout": True,
    }  # fmt: skip


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "error:" in line]
    return (said or lines or [type(error).__name__])[-1].strip().removesuffix(".")


def become(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by ``python <arguments>``; submitit calls it in the job.

    Replaced, not called: submitit's own handler of SIGUSR2 goes, the exit code of the job is the command's (so that
    dependents can tell success from failure), and a requeued job starts in the same way as the first time.

    With several tasks the variables of ``torch.distributed`` are set before, as torchrun does.
    """
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        if os.environ.get("SLURM_JOB_NUM_NODES", "1") == "1":
            os.environ["MASTER_ADDR"] = "127.0.0.1"  # a host's name need not lead anywhere
    # Until the command has a handler of its own, this request to stop must not kill it.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    os.execv(sys.executable, [sys.executable, *arguments])

"""How long a cluster keeps its user waiting: the submission of a hundred jobs, and a requeue up to the next step.

Usage, on a machine with the cluster of tools/slurm (or any other that this shell can submit to):
    source /tmp/slurm/env.sh
    python benchmarks/cluster.py FOLDER

The submission is that of a sweep with ``hydra.launcher.wait=false``, from typing the command to having the shell back:
with composing the configurations, copying the code and sbatch. The jobs are held, and cancelled afterwards. The requeue
is counted from the signal to the job (``scancel --signal=USR2``) to the first step that it takes after its new start.
SLURM's own part of that is the time between REQUEUED and RUNNING; on a cluster with its default settings that is at
least two minutes (``AuthInfo=cred_expire``), on the cluster of tools/slurm at least five seconds.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from audiolcm.storage.hashing import code_version

ROOT = Path(__file__).resolve().parents[1]
SMALL = (
    "trainer=smoke", "logger=jsonl", "hardware.num_threads=1", "dataset.num_train=24", "dataset.num_validation=8",
    "dataset.num_test=4", "dataset.duration=2.0", "dataset.max_duration=3.0", "trainer.autoencoder.steps=4",
    "trainer.teacher.steps=200", "trainer.teacher.log_every=1", "trainer.teacher.checkpoint_every=1000",
)  # fmt: skip


def submission(folder: Path, num_jobs: int) -> float:
    """Return seconds to submit a sweep of ``num_jobs`` students of one teacher."""
    sweep = f"trainer.student.steps={','.join(str(10 + i) for i in range(num_jobs))}"
    options = ["hydra/launcher=slurm_cpu", "hydra.launcher.wait=false"]
    options += ["+hydra.launcher.additional_parameters.hold=true"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *SMALL, *options, sweep]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    seconds = time.monotonic() - began
    lines = (folder / "runs/sweep/jobs.jsonl").read_text().splitlines()
    subprocess.run(["scancel", *(json.loads(line)["job_id"] for line in lines)], check=True)
    return seconds


def requeue(folder: Path) -> float:
    """Return seconds from the signal to a training job to its first step after the requeue."""
    words = " ".join(f"'{word}'" for word in (str(ROOT / "train.py"), "stage=teacher", *SMALL))
    (folder / "job.sh").write_text(f"#!/bin/bash\nsrun {sys.executable} {words}\n")
    options = ["--parsable", "--requeue", "--ntasks=1", "--output=log", "--open-mode=append"]
    command = ["sbatch", *options, "job.sh"]
    job_id = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    while _last_step(folder) < 5:
        time.sleep(0.1)
    subprocess.run(["scancel", "--signal=USR2", job_id], check=True)
    began = time.monotonic()
    while not list(folder.glob("artifacts/teacher/*/checkpoints/step-*.safetensors")):
        time.sleep(0.02)
    saved = _last_step(folder)
    while _last_step(folder) <= saved:
        time.sleep(0.05)
    seconds = time.monotonic() - began
    subprocess.run(["scancel", job_id], check=True)
    return seconds


def _last_step(folder: Path) -> int:
    lines = [line for path in folder.glob("artifacts/teacher/*/metrics.jsonl") for line in path.open()]
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)


def main() -> None:
    """Print both figures."""
    place = Path(sys.argv[1]).absolute()
    for name in ("submission", "requeue"):
        (place / name).mkdir(parents=True)
    node = subprocess.run(
        ["sinfo", "-h", "-o", "%c cores, %m MB"], capture_output=True, text=True
    ).stdout.split("\n")[0]
    sys.stdout.write(f"{code_version()}; nodes of {node}\n")
    sys.stdout.write(
        f"submission of 100 jobs and their parent: {submission(place / 'submission', 100):.1f} s\n"
    )
    sys.stdout.write(
        f"from the signal to the first step after the requeue: {requeue(place / 'requeue'):.1f} s\n"
    )


if __name__ == "__main__":
    main()

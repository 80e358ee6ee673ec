"""A one-node cluster for the tests, and the commands that they type on it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("sbatch", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "munged")
SMALL = (
    "trainer=smoke", "logger=jsonl", "hardware.num_threads=1", "preview.num_clips=1", "preview.student_steps=[1]",
    "dataset.num_train=16", "dataset.num_validation=4", "dataset.num_test=4", "dataset.duration=2.0",
    "dataset.max_duration=3.0", "trainer.autoencoder.steps=3", "trainer.teacher.steps=4", "trainer.student.steps=3",
)  # fmt: skip
LAUNCHER = ("hydra/launcher=slurm_cpu", "hydra.launcher.cpus_per_task=1")


@dataclass(frozen=True)
class Cluster:
    """A running cluster: ``environment`` makes commands talk to it."""

    environment: dict[str, str]

    def run(
        self, *command: str, cwd: Path | None = None, timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command, cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=timeout
        )

    def sweep(self, cwd: Path, *overrides: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Type ``python train.py -m hydra/launcher=...`` with small sizes, and wait for it."""
        environment = self.environment | {"PYTHONPATH": f"{root / 'src'}:{root}"}
        command = [sys.executable, str(root / "train.py"), "-m", *LAUNCHER, *SMALL, *overrides]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)

    def sbatch(self, cwd: Path, options: list[str], *overrides: str) -> str:
        """Submit ``train.py`` as a user's own script, and return the job's id."""
        words = " ".join(f"'{word}'" for word in ("train.py", *SMALL, *overrides))
        script = f"#!/bin/bash\nsrun --open-mode=append {sys.executable} {ROOT}/{words}\n"
        (cwd / "job.sh").write_text(script)
        command = [
            "sbatch",
            "--parsable",
            "--ntasks=1",
            "--output=log",
            "--open-mode=append",
            *options,
            "job.sh",
        ]
        done = self.run(*command, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job_id: str) -> str:
        """Return a job's state: from the queue, or of an ended one from the accounting."""
        queued = self.run(
            "squeue", "--noheader", "--array", "--states=PD,R,CG,S", "-o", "%i %T"
        ).stdout.split()
        states = dict(zip(queued[::2], queued[1::2], strict=True))
        return states.get(job_id) or self.accounted(job_id)

    def accounted(self, job_id: str) -> str:
        """Return what sacct says of a job's state."""
        return self.run("sacct", "-nXP", "-j", job_id, "-o", "State").stdout.partition("\n")[0].split(" ")[0]

    def restarts(self, job_id: str) -> int:
        """Return how often a job was requeued."""
        shown = self.run("scontrol", "--oneliner", "show", "job", job_id).stdout
        return int(shown.split("Restarts=")[1].split()[0])

    def end(self, job_id: str, seconds: float = 150) -> str:
        """Wait until a job is over, and return its final state."""
        over = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        until(lambda: self.state(job_id) in over, seconds, f"job {job_id} to end")
        return self.state(job_id)


def until(met: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition, and fail when it is not met in time."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def steps_taken(folder: Path, stage: str = "teacher") -> int:
    """Return the last step in the metrics of a stage that logs every step."""
    lines = [line for path in folder.glob(f"artifacts/{stage}/*/metrics.jsonl") for line in path.open()]
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)


def weights(folder: Path, stage: str = "teacher") -> str:
    """Return the hash of the weights of the one artifact of a stage."""
    (card,) = folder.glob(f"artifacts/{stage}/*/card.json")
    return json.loads(card.read_text())["weights_hash"]


def submitted(sweep: Path) -> list[dict]:
    """Return the record of a sweep's submissions."""
    return [json.loads(line) for line in (sweep / "jobs.jsonl").read_text().splitlines()]


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Start a cluster in a folder of the system, whose short name its sockets need, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    tool = ROOT / "tools/slurm"
    started = subprocess.run(
        [str(tool / "start.sh"), str(folder)], capture_output=True, text=True, timeout=120
    )
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        one_thread = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        place = {"SLURM_CONF": str(folder / "slurm.conf"), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        yield Cluster(os.environ | one_thread | place)
    finally:
        subprocess.run([str(tool / "stop.sh"), str(folder)], timeout=60, check=True)
        subprocess.run(["rm", "-rf", str(folder)], check=True)

"""Runs that are stopped in every way that a cluster knows end in the weights of an undisturbed run, bit for bit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import ROOT, SMALL, Cluster, steps_taken, until, weights

pytestmark = pytest.mark.slurm

TEACHER = ("stage=teacher", "trainer.teacher.log_every=1", "trainer.teacher.checkpoint_every=1000")
NUM_STEPS = 50
SHORT = f"trainer.teacher.steps={NUM_STEPS}"
REQUEUE = ["--requeue", "--signal=USR2@30"]


def undisturbed(cluster: Cluster, folder: Path, steps: str) -> subprocess.Popen:
    """Start the run that nobody disturbs, on this machine without SLURM."""
    command = [sys.executable, str(ROOT / "train.py"), *SMALL, *TEACHER, steps]
    return subprocess.Popen(
        command, cwd=folder, env=cluster.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def expected(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed short run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert undisturbed(cluster, folder, SHORT).wait(timeout=120) == 0
    return folder


def begin(cluster: Cluster, folder: Path, *options: str) -> str:
    """Submit a short run and return its id."""
    return cluster.sbatch(folder, [*REQUEUE, *options], *TEACHER, SHORT)


def begun(cluster: Cluster, folder: Path, *options: str) -> str:
    """Submit a short run and return its id when the teacher has taken some steps."""
    job_id = begin(cluster, folder, *options)
    until(lambda: steps_taken(folder) >= 5, 90, "the first steps")
    return job_id


def went_on(folder: Path) -> int:
    """Return the step from which the last start of the teacher went on."""
    (card,) = folder.glob("artifacts/teacher/*/card.json")
    return json.loads(card.read_text())["resumed_from_step"]


def test_a_signal_means_checkpoint_requeue_go_on(cluster: Cluster, expected: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("USR2", "TERM")}
    for folder in folders.values():
        folder.mkdir()
    jobs = {name: begin(cluster, folder) for name, folder in folders.items()}
    waiting = set(jobs)
    while waiting:  # whichever is first
        until(lambda: any(steps_taken(folders[name]) >= 5 for name in waiting), 90, "the first steps")
        for name in [name for name in waiting if steps_taken(folders[name]) >= 5]:
            cluster.run("scancel", f"--signal={name}", jobs[name])
            waiting.remove(name)
    for name, folder in folders.items():
        assert cluster.end(jobs[name]) == "COMPLETED"
        assert cluster.restarts(jobs[name]) == 1
        assert went_on(folder) >= 5
        assert weights(folder) == weights(expected)
        (_run,) = (folder / "runs").iterdir()


def test_requeued_by_hand_and_then_the_node_is_lost(cluster: Cluster, expected: Path, tmp_path: Path) -> None:
    """Both times the job comes back; what was not in a checkpoint is computed again."""
    job_id = begun(cluster, tmp_path)
    cluster.run("scontrol", "requeue", job_id)
    until(
        lambda: cluster.restarts(job_id) == 1 and cluster.state(job_id) == "RUNNING", 90, "the second start"
    )
    until(lambda: (tmp_path / "log").read_text().count("teacher: training") == 2, 90, "the teacher to go on")
    node = cluster.run("sinfo", "-h", "-o", "%n").stdout.split()[0]
    cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    until(lambda: cluster.state(job_id) == "PENDING", 60, "the job to be requeued")
    cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
    assert cluster.end(job_id) == "COMPLETED"
    assert (cluster.restarts(job_id), went_on(tmp_path) >= 5) == (2, True)
    assert weights(tmp_path) == weights(expected)


def test_preempted_by_a_job_of_higher_rank(cluster: Cluster, expected: Path, tmp_path: Path) -> None:
    job_id = begun(cluster, tmp_path)
    urgent = cluster.run(
        "sbatch", "--parsable", "-p", "high", "--exclusive", "--wrap", "sleep 1", "-o", "/dev/null"
    )
    assert cluster.end(job_id) == "COMPLETED"
    assert cluster.accounted(urgent.stdout.strip()) == "COMPLETED"
    assert (cluster.restarts(job_id), went_on(tmp_path) >= 5) == (1, True)
    assert weights(tmp_path) == weights(expected)


def test_a_killed_process_leaves_no_lock_behind(cluster: Cluster, expected: Path, tmp_path: Path) -> None:
    """Of two jobs that need one teacher the second waits for the first, and takes over when that is killed."""
    runs = {
        cluster.sbatch(tmp_path, [], *TEACHER, SHORT, f"hydra.run.dir=runs/{name}"): name for name in "ab"
    }

    def trainers() -> set[str]:
        texts = {job: tmp_path / f"runs/{name}/train.log" for job, name in runs.items()}
        return {job for job, log in texts.items() if log.exists() and "teacher: training" in log.read_text()}

    until(lambda: steps_taken(tmp_path) >= 10, 90, "the first steps")
    (holder,) = trainers()
    cluster.run("scancel", "--signal=STOP", holder)  # so that it cannot be done before the other comes
    (waiter,) = runs.keys() - {holder}
    until(lambda: (tmp_path / f"runs/{runs[waiter]}/train.log").exists(), 90, "the other job to be there")
    cluster.run("scancel", "--signal=KILL", holder)
    assert cluster.end(holder) in ("FAILED", "CANCELLED")
    assert cluster.end(waiter, 240) == "COMPLETED"
    assert waiter in trainers()
    assert weights(tmp_path) == weights(expected)


@pytest.mark.slow  # SLURM's own clock: five minutes, nearly all of them waiting; the first test sends the same signal
def test_a_time_limit_shorter_than_the_run(cluster: Cluster, expected: Path, tmp_path: Path) -> None:
    """SLURM looks at its limits every 30 seconds: a signal 60 seconds before the end of two minutes comes in between.

    The run is planned for 100 seconds, so that it has begun by then, and has not ended. After the signal the limit is
    lifted, and a slow machine has all the time it needs.
    """
    (card,) = expected.glob("artifacts/teacher/*/card.json")
    seconds = json.loads(card.read_text())["training_seconds"]
    longer = f"trainer.teacher.steps={round(NUM_STEPS * 100 / seconds)}"
    for name in ("undisturbed", "limited"):
        (tmp_path / name).mkdir()
    reference = undisturbed(cluster, tmp_path / "undisturbed", longer)
    limited = tmp_path / "limited"
    job_id = cluster.sbatch(limited, ["--requeue", "--time=2", "--signal=USR2@60"], *TEACHER, longer)
    until(lambda: cluster.restarts(job_id) == 1, 180, f"job {job_id} to be requeued")
    lifted = cluster.run("scontrol", "update", f"JobId={job_id}", "TimeLimit=30")
    assert lifted.returncode == 0, lifted.stderr
    assert cluster.end(job_id, 420) == "COMPLETED"
    assert went_on(limited) > 0
    assert reference.wait(timeout=240) == 0
    assert weights(limited) == weights(tmp_path / "undisturbed")


def test_a_job_that_may_not_be_requeued_says_so(cluster: Cluster, tmp_path: Path) -> None:
    job_id = begun(cluster, tmp_path, "--no-requeue")
    cluster.run("scancel", "--signal=USR2", job_id)
    assert cluster.end(job_id) == "FAILED"
    (result,) = tmp_path.glob("runs/*/result.json")
    assert "may not be requeued" in json.loads(result.read_text())["error"]

"""Sweeps as a user types them, on a real cluster: tables, shared parents, failures, snapshots."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import LAUNCHER, ROOT, SMALL, Cluster, submitted, until
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.sweeps.slurm.launcher import checked
from audiolcm.sweeps.slurm.shared_parents import Planned
from audiolcm.sweeps.slurm.submission import Order, submit
from hydra_plugins.audiolcm_plugins import register_launchers

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def swept(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess]:
    """A sweep over k with one row that cannot be."""
    folder = tmp_path_factory.mktemp("swept")
    return folder, cluster.sweep(folder, "solver.k=5,7,20")


def test_a_sweep_ends_in_its_table_with_the_failed_row(
    swept: tuple[Path, subprocess.CompletedProcess],
) -> None:
    folder, done = swept
    assert done.returncode == 1, done.stderr
    (table,) = folder.glob("runs/sweep/summary-*.md")
    rows = table.read_text().splitlines()[2:]
    assert [name in row for row, name in zip(rows, ("k=5", "k=7", "k=20"), strict=True)] == [True] * 3
    assert ["failed: solver.k=7 does not divide" in row for row in rows] == [False, True, False]
    assert len(list(folder.glob("artifacts/student/*/card.json"))) == 2
    assert "Traceback" not in done.stdout + done.stderr


def test_the_teacher_is_one_job_that_the_others_wait_for(
    cluster: Cluster, swept: tuple[Path, subprocess.CompletedProcess]
) -> None:
    parent, *jobs = submitted(swept[0] / "runs/sweep")
    assert parent["job"].startswith("stage=teacher")
    assert [job["needs"] for job in jobs] == [parent["job_id"]] * 3
    assert {job["array"] for job in jobs} == {jobs[0]["job_id"].partition("_")[0]}
    assert [cluster.accounted(job["job_id"]) for job in [parent, *jobs]] == [
        "COMPLETED", "COMPLETED", "FAILED", "COMPLETED",
    ]  # fmt: skip
    assert all(Path(job["folder"], "result.json").exists() for job in [parent, *jobs])
    assert all(Path(job["log"]).read_text() for job in jobs)
    (card,) = swept[0].glob("artifacts/teacher/*/card.json")
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True
    )
    assert commit.stdout.strip() in json.loads(card.read_text())["code"]


def test_evaluations_go_to_the_cluster_too(
    cluster: Cluster, swept: tuple[Path, subprocess.CompletedProcess]
) -> None:
    command = [
        sys.executable,
        str(ROOT / "evaluate.py"),
        "-m",
        *LAUNCHER,
        "system=silence,white_noise",
        "logger=jsonl",
    ]
    small = ["dataset.num_train=16", "dataset.num_validation=4", "dataset.num_test=4", "dataset.duration=2.0"]
    small += [
        "dataset.max_duration=3.0",
        "metrics=[fad_embedded]",
        "efficiency=none",
        "hardware.num_threads=1",
    ]
    small += ["trainer.evaluator.steps=2", "num_resamples=0", "report_clips=1", "allow=[few_clips]"]
    done = cluster.run(*command, *small, cwd=swept[0])
    assert done.returncode == 0, done.stdout + done.stderr
    (table,) = swept[0].glob("runs/evaluate_sweep/summary-*.md")
    assert table.read_text().count("failed") == 0
    assert [job["needs"] for job in submitted(swept[0] / "runs/evaluate_sweep")] == [None, None]


def test_a_failing_parent_cancels_its_jobs_and_they_say_so(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "artifacts").touch()  # nothing can be written there
    done = cluster.sweep(tmp_path, "solver.k=5,20")
    assert done.returncode == 1
    parent, *jobs = submitted(tmp_path / "runs/sweep")
    (table,) = tmp_path.glob("runs/sweep/summary-*.md")
    for row in table.read_text().splitlines()[2:]:
        assert f"its parent job {parent['job_id']}" in row
        assert "artifacts" in row.partition("failed: ")[2]
    assert cluster.accounted(jobs[0]["array"]) == "CANCELLED"


def test_edits_after_the_submission_do_not_reach_waiting_jobs(cluster: Cluster, tmp_path: Path) -> None:
    """Source and configuration are edited, with local edits from before, while the jobs are held."""
    checkout = tmp_path / "checkout"
    for folder in ("src", "conf", "evaluation", "experiments"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", checkout)
    source, sizes = checkout / "src/audiolcm/jobs/run.py", checkout / "conf/model/tiny.yaml"
    source.write_text(source.read_text() + "\nlog.info('edited before')\n")
    held = ("hydra.launcher.wait=false", "+hydra.launcher.additional_parameters.hold=true")
    done = cluster.sweep(tmp_path, *held, "stage=data", "seed=1,2", root=checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "experiments status" in done.stdout
    jobs = submitted(tmp_path / "runs/sweep")
    assert {cluster.state(job["job_id"]) for job in jobs} == {"PENDING"}
    source.write_text("raise SystemExit('the edit has leaked')\n")
    sizes.write_text("raise: 1\n")
    assert cluster.run("scontrol", "release", jobs[0]["job_id"].partition("_")[0]).returncode == 0
    assert [cluster.end(job["job_id"]) for job in jobs] == ["COMPLETED", "COMPLETED"]
    assert all("edited before" in Path(job["log"]).read_text() for job in jobs)
    assert list(tmp_path.glob("cache/*"))  # paths mean what they mean where the command was typed


def test_the_limit_of_jobs_at_a_time_and_a_cancelled_job(cluster: Cluster, tmp_path: Path) -> None:
    options = (*LAUNCHER, "hydra.launcher.parents=wait", "hydra.launcher.max_parallel=1", "stage=teacher")
    command = [
        sys.executable,
        str(ROOT / "train.py"),
        "-m",
        *SMALL,
        *options,
        "seed=1,2,3",
        "trainer.teacher.steps=500",
    ]
    with (tmp_path / "log").open("w") as log:
        driver = subprocess.Popen(command, cwd=tmp_path, env=cluster.environment, stdout=log, stderr=log)
    until(lambda: (tmp_path / "runs/sweep/jobs.jsonl").exists(), 90, "the submission")
    jobs = submitted(tmp_path / "runs/sweep")
    first, second, third = (job["job_id"] for job in jobs)
    until(lambda: cluster.state(first) == "RUNNING", 90, "the first job")
    assert "ArrayTaskThrottle=1" in cluster.run("scontrol", "show", "job", third).stdout
    assert cluster.state(third) == "PENDING"
    until(lambda: Path(jobs[0]["folder"], "train.log").exists(), 90, "the first job to be at work")
    cluster.run("scancel", first)
    assert cluster.end(first) == "CANCELLED"  # it must not put itself back into the queue
    cluster.run("scancel", second, third)
    assert driver.wait(timeout=90) == 1
    (table,) = tmp_path.glob("runs/sweep/summary-*.md")
    assert table.read_text().count("as CANCELLED") == 3


def test_what_slurm_refuses_is_one_message(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.sweep(tmp_path, "solver.k=5,20", "hydra.launcher.partition=nowhere")
    assert done.returncode == 1
    assert "invalid partition" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_tasks_of_a_job_find_what_torch_needs(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under torchrun; a task that fails ends the others, which here would sleep for ten minutes."""
    monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    code = (
        "import os, sys, time; from pathlib import Path; rank = os.environ['RANK']\n"
        f"Path('{tmp_path}', rank).write_text(' '.join(os.environ[name] for name in {names}))\n"
        f"while not all(Path('{tmp_path}', name).exists() for name in '01'): time.sleep(0.1)\n"
        "sys.exit(3) if rank == '1' else time.sleep(600)"
    )
    register_resolvers()
    register_launchers()
    with initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "conf")):
        options = [
            "hydra/launcher=slurm_cpu",
            "hydra.launcher.tasks_per_node=2",
            "hydra.launcher.cpus_per_task=1",
        ]
        cfg = compose("train", ["hydra.job.name=ranks", *options], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    settings = {name: value for name, value in cfg.hydra.launcher.items() if name != "_target_"}
    order = Order("ranks", tmp_path, ("-c", code), ())
    (job,) = submit([order], [Planned((0,), None, None)], tmp_path, ROOT, checked(settings))
    assert cluster.end(job.job_id, 60) == "FAILED"
    first, second = ((tmp_path / rank).read_text().split() for rank in "01")
    assert [first[:5], second[:5]] == [["0", "2", "0", "2", "127.0.0.1"], ["1", "2", "1", "2", "127.0.0.1"]]
    assert first[5] == second[5]

"""The state of every job, from what jobs in each state leave in their folders."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audiolcm.configuration.resolvers import slug
from audiolcm.storage.run_folder import PROGRESS, at_stage, begin, write_result
from experiments.__main__ import main
from experiments.running.jobs import SweepJob, jobs_of

MULTIRUN = """
hydra:
  sweeper:
    _target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper
    params:
      seed: 0,1
  overrides:
    task: ["solver.k=5,20", "+experiment=fig2a"]
  job:
    config:
      override_dirname: {kv_sep: "=", item_sep: ",", exclude_keys: [experiment]}
  callbacks:
    sweep_summary:
      _target_: audiolcm.sweeps.summary.SweepSummary
"""


def new_job(sweep: Path, *overrides: str) -> Path:
    folder = sweep / slug(",".join(overrides))
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(overrides))
    (folder / ".hydra/hydra.yaml").write_text("hydra:\n  mode: MULTIRUN\n  job:\n    id: '7_1'\n")
    return folder


def only(sweep: Path, slurm: dict[str, str] | None = None) -> SweepJob:
    (job,) = jobs_of(sweep, slurm)
    return job


def noted(folder: Path, **changes: object) -> None:
    path = folder / PROGRESS
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def record(sweep: Path, folder: Path, job_id: str, **more: object) -> None:
    row = {
        "job": "solver.k=5",
        "folder": str(folder),
        "job_id": job_id,
        "submitted": "2020-01-01T00:00:00+00:00",
    }
    with (sweep / "jobs.jsonl").open("a") as file:
        file.write(json.dumps(row | more) + "\n")


def test_training_job_tells_stage_step_and_time_left(tmp_path: Path) -> None:
    folder, artifact = new_job(tmp_path, "solver.k=5"), tmp_path / "artifacts/teacher/x"
    artifact.mkdir(parents=True)
    begin(folder)
    assert only(tmp_path).state == "preparing"
    at_stage(folder, "teacher", artifact, 4000)
    rows = [{"step": 1000, "steps_per_second": 9.0}, {"step": 1200, "steps_per_second": 10.0}, {"step": 1200}]
    (artifact / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"step": 14')
    job = only(tmp_path)
    assert (job.name, job.state, job.detail) == ("solver.k=5", "training", "teacher step 1200/4000 (30%)")
    assert job.seconds_left == 280.0
    (artifact / "card.json").touch()
    assert only(tmp_path).state == "preparing"


def test_done_and_failed_jobs(tmp_path: Path) -> None:
    folder = new_job(tmp_path, "solver.k=5")
    begin(folder)
    write_result(folder, {"status": "done", "folder": "artifacts/student/x", "figures": {"a": 1.5}})
    job = only(tmp_path)
    assert (job.state, job.figures, job.place) == ("done", {"a": 1.5}, "artifacts/student/x")
    write_result(folder, {"status": "failed", "error": "k does not divide"})
    assert (only(tmp_path).state, only(tmp_path).detail) == ("failed", "k does not divide")
    os.utime(folder / "result.json", (1, 1))  # of an earlier call: now it runs again
    assert only(tmp_path).state == "preparing"


def test_killed_job_is_told_by_its_process_and_the_last_line_of_its_log(tmp_path: Path) -> None:
    folder = new_job(tmp_path, "solver.k=5")
    code = f"from pathlib import Path; from audiolcm.storage.run_folder import begin; begin(Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert only(tmp_path).detail == "process gone; it left no log"
    (tmp_path / ".submitit/7_1").mkdir(parents=True)
    (tmp_path / ".submitit/7_1/7_1_0_log.err").write_text("Killed\n")
    assert only(tmp_path).detail == "process gone; Killed"
    (folder / "train.log").write_text("first\nteacher: training in x\n\n")
    assert (only(tmp_path).state, only(tmp_path).detail) == (
        "stopped",
        "process gone; teacher: training in x",
    )


def test_a_process_of_the_same_number_is_another_one(tmp_path: Path) -> None:
    folder = new_job(tmp_path, "solver.k=5")
    begin(folder)
    noted(folder, process_start="1")
    assert only(tmp_path).state == "stopped"


def test_job_on_another_computer_is_known_by_its_signs_of_life(tmp_path: Path) -> None:
    folder = new_job(tmp_path, "solver.k=5")
    begin(folder)
    noted(folder, host="elsewhere")
    assert only(tmp_path).state == "preparing"
    old = time.time() - 1800
    os.utime(folder / PROGRESS, (old, old))
    assert only(tmp_path).state == "stopped" and "no sign of life for 30 minutes" in only(tmp_path).detail


def test_states_of_slurm(tmp_path: Path) -> None:
    folder = new_job(tmp_path, "solver.k=5")
    (log := tmp_path / "log").write_text("slurmstepd: oom-kill\n")
    record(tmp_path, folder, "11_0")
    record(tmp_path, folder, "12_0", needs="9", log=str(log))
    assert (only(tmp_path, {"12_0": "PENDING"}).state, only(tmp_path).detail) == ("waiting", "for job 9")
    assert only(tmp_path, {"12_0": "CANCELLED"}).state == "cancelled"
    begin(folder)
    noted(folder, host="node7")
    os.utime(folder / PROGRESS, (1, 1))
    assert only(tmp_path, {"12_0": "RUNNING"}).state == "preparing"
    killed = only(tmp_path, {"12_0": "OUT_OF_MEMORY"})
    assert (killed.state, killed.detail) == ("stopped", "SLURM: OUT_OF_MEMORY; slurmstepd: oom-kill")
    write_result(folder, {"status": "done", "figures": {}})
    assert only(tmp_path, {"12_0": "COMPLETED"}).state == "done"
    record(tmp_path, folder, "13_0", submitted="2999-01-01T00:00:00+00:00")
    assert only(tmp_path, {"13_0": "PENDING"}).state == "waiting"


def test_jobs_that_have_not_begun_are_listed(tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").write_text(MULTIRUN)
    begin(new_job(tmp_path, "seed=0", "solver.k=5"))
    jobs = {job.folder.name: job.state for job in jobs_of(tmp_path)}
    assert jobs == {
        "seed-0+solver.k-5": "preparing", "seed-0+solver.k-20": "waiting", "seed-1+solver.k-5": "waiting",
        "seed-1+solver.k-20": "waiting",
    }  # fmt: skip


def test_a_job_in_a_folder_of_a_former_name_is_no_second_job(tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").write_text(MULTIRUN)
    new_job(tmp_path, "seed=0", "solver.k=5").rename(tmp_path / "seed=0,solver.k=5")
    assert sorted(job.folder.name for job in jobs_of(tmp_path)) == [
        "seed-0+solver.k-20", "seed-1+solver.k-20", "seed-1+solver.k-5", "seed=0,solver.k=5"
    ]  # fmt: skip


def test_command_finds_the_newest_sweep_and_fails_with_a_failed_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["status", "--all"]) == 1 and "There is no sweep" in capsys.readouterr().err
    (tmp_path / "runs").mkdir()
    assert main(["status"]) == 0 and "table6_backbone (esc10): train: 12 missing" in capsys.readouterr().out
    sweep = tmp_path / "runs/sweep"
    done, failed = new_job(sweep, "a=1", "b=1"), new_job(sweep, "a=2", "b=1")
    write_result(done, {"status": "done", "folder": "x", "figures": {"validation/loss": 0.25}})
    assert main(["status"]) == 0
    capsys.readouterr()
    write_result(failed, {"status": "failed", "error": "bad\nvalue"})
    assert main(["status"]) == 1
    shown = capsys.readouterr().out.splitlines()
    (row,) = [line for line in shown if line.startswith("a=2 ")]
    assert row.split("  ")[1].strip() == "failed" and "bad value" in row
    assert any("a=1  done" in line and "validation/loss 0.25" in line for line in shown)
    first = next(i for i, line in enumerate(shown) if line.startswith("job "))
    assert shown[first : first + 3] == [
        "job  state              figures               where",
        "a=1  done               validation/loss 0.25  x",
        "a=2  failed  bad value                        runs/sweep/a-2+b-1",
    ], "a column of nothing is left out"
    assert "runs/sweep: 1 done, 1 failed." in shown
    assert main(["status", "--json", str(sweep)]) == 1
    assert {job["state"] for job in json.loads(capsys.readouterr().out)[str(sweep)]} == {"done", "failed"}
    assert main(["status", str(tmp_path / "none")]) == 1


def test_submitted_sweep_gets_its_summary_when_all_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.running.sweep_status.queued", dict)
    monkeypatch.setattr("experiments.running.sweep_status.ended", lambda ids: {"12_1": "TIMEOUT"})
    (tmp_path / "multirun.yaml").write_text("hydra: {overrides: {task: ['solver.k=5,20']}}")
    done, dead = new_job(tmp_path, "solver.k=5"), new_job(tmp_path, "solver.k=20")
    record(tmp_path, done, "12_0")
    record(tmp_path, dead, "12_1", job="solver.k=20")
    begin(dead)
    assert main(["status", str(tmp_path)]) == 1
    assert not list(tmp_path.glob("summary-*")), "the first job has not ended"
    write_result(done, {"status": "done", "folder": "x", "figures": {"validation/loss": 0.25}})
    main(["status", str(tmp_path)])
    table = (tmp_path / "summary-solver.k-5+20.md").read_text()
    assert "0.2500" in table and "stopped: SLURM: TIMEOUT" in table


def test_status_needs_no_torch() -> None:
    code = "import sys, experiments.__main__; sys.exit('torch' in sys.modules or 'wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

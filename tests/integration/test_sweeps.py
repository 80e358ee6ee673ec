"""Sweeps as a user types them: Optuna, a second call that skips, W&B refused early, status afterwards."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_run import NETWORKS, VOCODER

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *NETWORKS, *VOCODER, "trainer=smoke", "hardware.num_threads=1", "preview.num_clips=1", "preview.student_steps=[1]",
    "dataset.num_train=24", "dataset.num_validation=8", "dataset.num_test=4", "dataset.duration=2.0",
    "dataset.max_duration=3.0", "trainer.student.steps=4", "trainer.teacher.steps=5", "teacher_sampler.num_steps=4",
]  # fmt: skip


def run(cwd: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "HF_HUB_OFFLINE": "1", "NETRC": str(cwd / "netrc")}
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=os.environ | paths | environment, capture_output=True,
        text=True, timeout=400, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    done = run(folder, str(ROOT / "train.py"), "-m", "solver.k=20,50", "logger=wandb_offline", *SMALL)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_same_sweep_again_asks_no_stage(swept: Path) -> None:
    again = run(swept, str(ROOT / "train.py"), "-m", "solver.k=20,50", "logger=wandb_offline", *SMALL)
    assert again.returncode == 0, again.stderr[-3000:]
    assert (again.stdout + again.stderr).count("All of it was done before") == 2
    assert "autoencoder: done before" not in again.stdout + again.stderr
    changed = run(swept, str(ROOT / "train.py"), "-m", "solver.k=20,50", "preview.seed=3", *SMALL)
    assert "autoencoder: done before" in changed.stdout + changed.stderr


def test_status_of_a_finished_sweep(swept: Path) -> None:
    done = run(swept, "-m", "experiments", "status", "--json")
    assert done.returncode == 0, done.stderr
    (jobs,) = json.loads(done.stdout).values()
    first = jobs[0]
    assert {job["state"] for job in jobs} == {"done"}
    assert first["figures"]["validation/loss"] > 0


def test_wandb_run_of_each_stage_is_in_the_card(swept: Path) -> None:
    cards = [json.loads(path.read_text()) for path in swept.glob("artifacts/*/*/card.json")]
    assert {card["stage"] for card in cards} == {"autoencoder", "vocoder", "teacher", "student"}
    assert {card["wandb"]["group"] for card in cards} == {"sweep"}
    for card in cards:
        assert card["wandb"]["mode"] == "offline" and "trouble" not in card["wandb"]


def test_without_a_key_nothing_is_trained(tmp_path: Path) -> None:
    done = run(tmp_path, str(ROOT / "train.py"), "logger=wandb_online", *SMALL, WANDB_API_KEY="")
    assert done.returncode == 1
    assert "wandb login" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.glob("artifacts/*/*"))


@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="needs pip install -e '.[sweepers]'")
def test_optuna_minimizes_the_figure_and_survives_a_failing_job(swept: Path) -> None:
    search = [
        "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=1",
        "hydra.sweeper.direction=minimize",
        "hydra.sweeper.sampler.seed=0", "hydra.sweep.dir=runs/search", "solver.k=choice(5,3,50)",
    ]  # fmt: skip
    done = run(swept, str(ROOT / "train.py"), "-m", *search, "logger=jsonl", *SMALL)
    results = [json.loads(path.read_text()) for path in swept.glob("runs/search/*/result.json")]
    best = yaml.safe_load((swept / "runs/search/optimization_results.yaml").read_text())
    figures = [r["figures"]["validation/distance_to_teacher"] for r in results if r["status"] == "done"]
    assert best["best_value"] == min(figures)
    assert any(r["status"] == "failed" for r in results) == (done.returncode == 1), done.stderr[-3000:]
    assert run(swept, "-m", "experiments", "status", "runs/search").returncode == done.returncode


def test_what_several_processes_are_not_for_is_refused(tmp_path: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    swept = run(tmp_path, *torchrun, str(ROOT / "train.py"), "-m", "solver.k=5,20")
    assert swept.returncode == 1
    assert "A sweep (-m) does not run in several processes" in swept.stderr + swept.stdout
    scored = run(tmp_path, *torchrun, str(ROOT / "evaluate.py"), "system=silence")
    assert scored.returncode == 1
    assert "evaluate.py uses one process" in scored.stderr + scored.stdout


def test_a_plan_for_no_process_is_refused_before_training(tmp_path: Path) -> None:
    planned = run(tmp_path, str(ROOT / "train.py"), "+plan=0")
    assert planned.returncode == 1
    assert "type +plan=true, or +plan=8" in planned.stderr + planned.stdout
    assert not (tmp_path / "artifacts").exists()

"""Metrics on disk and in an offline W&B run."""

from pathlib import Path

import pytest

from audiolcm.training.tracking import MetricLog, NoTracker, read_metrics
from audiolcm.training.wandb_service import WandbTracker


def test_resuming_drops_the_steps_that_are_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = MetricLog(path, NoTracker(), start_step=0)
    for step in range(1, 6):
        first.record(step, {"loss": float(step)})
    again = MetricLog(path, NoTracker(), start_step=3)
    again.record(4, {"loss": 40.0})
    assert [(row["step"], row["loss"]) for row in read_metrics(path)] == [
        (1, 1.0),
        (2, 2.0),
        (3, 3.0),
        (4, 40.0),
    ]


def test_offline_wandb_needs_no_network_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    tracker = WandbTracker(project="test", mode="offline")
    tracker.start(tmp_path, "student/toy", "abc123", {"solver": {"k": 20}})
    tracker.record(1, {"loss": 2.0})
    tracker.finish()
    (run,) = (tmp_path / "wandb").glob("offline-run-*-abc123")
    assert list(run.glob("*.wandb"))


def test_what_the_environment_asks_for_and_does_not_get_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    WandbTracker().check()
    assert caplog.messages == [
        "WANDB_MODE=disabled of the environment is not followed: logger.mode=offline is.",
        "WANDB_PROJECT=mine of the environment is not followed: logger.project=audiolcm is.",
    ]
    caplog.clear()
    WandbTracker("mine", "offline").check()
    assert len(caplog.messages) == 1

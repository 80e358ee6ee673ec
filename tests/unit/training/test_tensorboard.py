"""Figures as TensorBoard reads them back."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from audiolcm.errors import UserError
from audiolcm.training.tensorboard import EVENTS, TensorBoardTracker
from audiolcm.training.tracking import METRICS, MetricLog, check_tracker, tracking_facts


def train(folder: Path, start: int, stop: int, scale: float = 1.0, is_killed: bool = False) -> None:
    tracker = TensorBoardTracker()
    tracker.start(folder, "student/toy", "abc", {})
    metrics = MetricLog(folder / METRICS, tracker, start)
    for step in range(start + 1, stop + 1):
        metrics.record(step, {"train/loss": scale * step})
        if step % 2 == 0:
            metrics.record(step, {"validation/loss": -scale * step})
    if not is_killed:
        tracker.finish()


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / EVENTS)).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_scalars_stand_under_their_steps(tmp_path: Path) -> None:
    train(tmp_path, 0, 4)
    assert scalars(tmp_path, "train/loss") == [(step, float(step)) for step in range(1, 5)]
    assert scalars(tmp_path, "validation/loss") == [(2, -2.0), (4, -4.0)]


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_run_that_goes_on_has_each_step_once(tmp_path: Path, is_killed: bool) -> None:
    train(tmp_path, 0, 5, is_killed=is_killed)
    train(tmp_path, 3, 6, scale=10.0)
    assert scalars(tmp_path, "train/loss") == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0), (5, 50.0), (6, 60.0)]
    assert scalars(tmp_path, "validation/loss") == [(2, -2.0), (4, -40.0), (6, -60.0)]


def test_a_missing_package_is_one_message_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_tracker(TensorBoardTracker())
    monkeypatch.setattr("audiolcm.training.tensorboard.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"needs the package tensorboard. Type: pip install .*\[tensorboard\]"
    ):
        check_tracker(TensorBoardTracker())


def test_nothing_is_left_where_nothing_was_recorded(tmp_path: Path) -> None:
    tracker = TensorBoardTracker()
    tracker.start(tmp_path, "student/toy", "abc", {})
    tracker.finish()
    assert not list(tmp_path.iterdir()) and tracking_facts(tracker) == {}

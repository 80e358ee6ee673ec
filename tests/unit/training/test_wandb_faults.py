"""W&B unreachable, with a wrong key, hanging or dead: a mistake is refused early, a fault stops no training."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from wandb_server import KEY, WandbServer, serving

from audiolcm.errors import UserError
from audiolcm.training import wandb_service
from audiolcm.training.tracking import tracking_facts
from audiolcm.training.wandb_service import NOT_UPLOADED, NoAnswer, WandbTracker, check_server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    wandb.teardown()  # it remembers the server's address
    with serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        for name in (
            "WANDB_MODE",
            "WANDB_RUN_GROUP",
            "HTTP_PROXY",
            "http_proxy",
            "WANDB_IDENTITY_TOKEN_FILE",
        ):
            monkeypatch.delenv(name, raising=False)
        for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            monkeypatch.setenv(name, str(tmp_path / "home"))
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        yield server
    wandb_service.end_service()


def train(tracker: WandbTracker, folder: Path, steps: int = 3) -> None:
    tracker.start(folder, "student/toy", "abc123", {"seed": 0})
    for step in range(1, steps + 1):
        tracker.record(step, {"loss": 1.0 / step})
    tracker.finish()


def runs(folder: Path) -> set[str]:
    return {path.name.split("-")[0] for path in (folder / "wandb").glob("*run-*-abc123")}


def test_online_run_is_sent_with_group_kind_and_tags(server: WandbServer, tmp_path: Path) -> None:
    tracker = WandbTracker(mode="online", group="table7", tags=("k20",), seconds=20.0)
    tracker.check()
    train(tracker, tmp_path)
    assert tracker.trouble is None
    opened = server.upserts[0]
    assert (opened["name"], opened["groupName"], opened["jobType"]) == ("abc123", "table7", "student")
    assert opened["tags"] == ["k20"]
    assert sum('"loss"' in row for row in server.history) == 3
    assert tracking_facts(tracker) == {"wandb": {"project": "audiolcm", "group": "table7", "mode": "online"}}


@pytest.mark.parametrize("key", [None, "b" * 40])
def test_missing_or_wrong_key_is_refused_before_anything_is_trained(
    server: WandbServer, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("WANDB_API_KEY") if key is None else monkeypatch.setenv("WANDB_API_KEY", key)
    with pytest.raises(UserError, match="wandb login"):
        WandbTracker(mode="online").check()


def test_key_of_wandb_login_is_found(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1:{server.server_port} login user password {KEY}\n")
    check_server()


@pytest.mark.parametrize("mood", ["500", "404", "hang", "drip", "deep", "no HTTP"])
def test_a_server_at_fault_is_told_from_a_wrong_key(server: WandbServer, mood: str) -> None:
    server.mood = mood
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        check_server(seconds=0.5)
    assert time.monotonic() - began < 5


def test_unreachable_at_the_start_goes_on_offline_and_says_so(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    tracker = WandbTracker(mode="online", seconds=5.0)
    tracker.check()
    train(tracker, tmp_path)
    assert runs(tmp_path) == {"offline"}
    assert [record.message for record in caplog.records if "experiments sync" in record.message] != []
    facts = tracking_facts(tracker)["wandb"]
    assert facts["mode"] == "offline" and "refused" in facts["trouble"]


def test_a_server_lost_in_the_middle_ends_within_the_time(
    server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = WandbTracker(mode="online", seconds=3.0)
    tracker.start(tmp_path, "student/toy", "abc123", {})
    server.mood = "500"
    for step in range(1, 50):
        tracker.record(step, {"loss": 1.0})
    tracker.finish()
    assert "TimeoutError" in str(tracker.trouble)
    assert len([r for r in caplog.records if "Weights & Biases" in r.message]) == 1
    assert list(tmp_path.glob(f"wandb/run-*/{NOT_UPLOADED}"))
    server.mood = "good"
    train(WandbTracker(mode="online", seconds=20.0), tmp_path)  # the next stage starts afresh
    assert any('"loss"' in row for row in server.history)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_service_that_dies_or_stands_still_stops_no_training(
    server: WandbServer, tmp_path: Path, number: int
) -> None:
    tracker = WandbTracker(seconds=1.0)
    tracker.start(tmp_path, "student/toy", "abc123", {})
    for pid in wandb_service.service_processes():
        os.kill(pid, number)
    for step in range(1, 3000):
        tracker.record(step, {f"loss{index}": 1.0 for index in range(20)})
    tracker.finish()
    assert tracker.trouble
    assert not wandb_service.service_processes()
    train(again := WandbTracker(seconds=20.0), tmp_path)
    assert again.trouble is None


def test_an_offline_run_is_on_disk_within_seconds(server: WandbServer, tmp_path: Path) -> None:
    """Killed with -9 it keeps its figures: W&B's own interval of 15 s would lose all of them."""
    tracker = WandbTracker(seconds=20.0)
    tracker.start(tmp_path, "student/toy", "abc123", {})
    for step in range(1, 200):
        tracker.record(step, {"loss": 1.0})
    signal.sigtimedwait([], 3.0)  # three times the interval
    (log,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert log.stat().st_size > 199 * 10
    tracker.finish()


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(UserError, match=r"logger\.mode=of"):
        WandbTracker(mode="of").check()

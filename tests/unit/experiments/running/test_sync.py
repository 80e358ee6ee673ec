"""Uploading offline runs: to a local server, once each, in order; without a key or a server nothing is lost."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from audiolcm.training import wandb_service
from audiolcm.training.wandb_service import WandbTracker
from experiments.__main__ import main

sys.path.append(str(Path(__file__).parents[2] / "training"))
from wandb_server import KEY, WandbServer, serving


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    wandb.teardown()
    monkeypatch.chdir(tmp_path)
    with serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            monkeypatch.setenv(name, str(tmp_path / "home"))
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        yield server
    wandb_service.end_service()


def offline_run(folder: Path, identity: str, first: int, last: int) -> None:
    tracker = WandbTracker(group="sweep", seconds=20.0)
    tracker.start(folder, "student/toy", identity, {})
    for step in range(first, last):
        tracker.record(step, {"loss": float(step)})
    tracker.finish()


def test_runs_go_up_once(server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = tmp_path / "artifacts/student/toy"
    artifact.mkdir(parents=True)
    offline_run(artifact, "abc", 0, 3)
    assert main(["sync"]) == 0 and "still being written" in capsys.readouterr().out
    (artifact / "card.json").touch()
    assert main(["sync"]) == 0
    assert "1 of 1 runs went up" in capsys.readouterr().out
    assert server.upserts[0]["name"] == "abc" and server.upserts[0]["groupName"] == "sweep"
    assert sum('"loss"' in row for row in server.history) == 3
    assert main(["sync"]) == 0 and "nothing to upload" in capsys.readouterr().out


def test_both_parts_of_a_requeued_run_go_to_one_run_in_order(
    server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offline_run(tmp_path, "abc", 0, 3)
    time.sleep(1.1)  # W&B names a run's folder by the second
    offline_run(tmp_path, "abc", 3, 5)
    assert main(["sync", str(tmp_path), "--unfinished"]) == 0
    assert "2 of 2" in capsys.readouterr().out
    assert {opened["name"] for opened in server.upserts} == {"abc"}
    rows = [json.loads(row) for row in server.history]
    assert [row["loss"] for row in rows if "loss" in row] == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("fault", "words"), [("key", "does not know this key"), ("server", "Nothing is lost")]
)
def test_without_a_key_or_a_server_one_message_and_nothing_lost(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    fault: str, words: str,
) -> None:  # fmt: skip
    offline_run(tmp_path, "abc", 0, 3)
    if fault == "key":
        monkeypatch.setenv("WANDB_API_KEY", "b" * 40)
    else:
        server.mood = "500"
    assert main(["sync", str(tmp_path), "--unfinished"]) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("**/*.synced"))


def test_a_run_that_stays_behind_is_named(
    server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offline_run(tmp_path, "abc", 0, 3)
    wandb.teardown()  # or its service may still be writing
    (log,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    log.write_bytes(b"damaged")
    os.utime(log, (1, 1))
    assert main(["sync", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"NOT UP  {log.parent}" in said and "0 of 1" in said

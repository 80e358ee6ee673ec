"""When a run puts its job back into the queue; SLURM is played by a script that notes what it is asked."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from audiolcm.jobs.slurm_queue import MAX_IN_VAIN, requeue

RUNNING = "JobId=7 JobState=RUNNING Requeue=1 BatchFlag=1 Command=/x y"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with ``facts``, what is said of the job, and ``asked``, the ids of requeued jobs."""
    script = tmp_path / "scontrol"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = requeue ]; then echo "$2" >> {tmp_path}/asked; else cat {tmp_path}/facts; fi\n'
    )
    script.chmod(0o755)
    (tmp_path / "facts").write_text(RUNNING)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)}
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


def asked(slurm: Path) -> list[str]:
    path = slurm / "asked"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_running_job_is_requeued(slurm: Path, number: int) -> None:
    assert requeue(number, slurm, []) is None
    assert asked(slurm) == ["7"]


def test_a_job_of_an_array_is_requeued_alone(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "5")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    requeue(signal.SIGUSR2, slurm, [])
    assert asked(slurm) == ["5_2"]


def test_what_ends_on_purpose_ends(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requeue(signal.SIGINT, slurm, [])
    for state in ("COMPLETING", "CANCELLED", "PENDING"):
        (slurm / "facts").write_text(RUNNING.replace("RUNNING", state))
        requeue(signal.SIGTERM, slurm, [])
    (slurm / "facts").write_text(RUNNING.replace("BatchFlag=1", "BatchFlag=0"))  # typed at a terminal
    requeue(signal.SIGTERM, slurm, [])
    (slurm / "facts").write_text(RUNNING)
    monkeypatch.setenv("SLURM_PROCID", "1")
    requeue(signal.SIGUSR2, slurm, [])
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("SLURM_PROCID", "0")
    requeue(signal.SIGUSR2, slurm, [])
    monkeypatch.delenv("SLURM_JOB_ID")
    requeue(signal.SIGUSR2, slurm, [])
    assert asked(slurm) == []


def test_a_job_that_may_not_is_told_of(slurm: Path) -> None:
    (slurm / "facts").write_text(RUNNING.replace("Requeue=1", "Requeue=0"))
    assert "submit it again" in requeue(signal.SIGUSR2, slurm, [])
    (slurm / "facts").write_text(RUNNING)
    (slurm / "scontrol").write_text(
        f'#!/bin/sh\nif [ "$1" = requeue ]; then echo busy >&2; exit 1; fi; cat {slurm}/facts\n'
    )
    assert "could not be requeued (busy" in requeue(signal.SIGUSR2, slurm, [])


def test_without_a_single_step_it_ends_and_with_one_it_goes_on(slurm: Path) -> None:
    checkpoints = slurm / "artifacts/teacher/x/checkpoints"
    checkpoints.mkdir(parents=True)
    for _ in range(MAX_IN_VAIN + 1):
        assert requeue(signal.SIGUSR2, slurm, [slurm / "artifacts"]) is None
    (checkpoints / "step-00000001.safetensors").touch()
    for _ in range(MAX_IN_VAIN + 1):
        assert requeue(signal.SIGUSR2, slurm, [slurm / "artifacts"]) is None
    assert "without getting a single step further" in requeue(signal.SIGUSR2, slurm, [slurm / "artifacts"])
    assert len(asked(slurm)) == 2 * (MAX_IN_VAIN + 1)
    record = json.loads((slurm / "requeues.json").read_text())
    (slurm / "requeues.json").write_text(
        json.dumps(record | {"job": "6"})
    )  # submitted again, it starts from 0
    assert requeue(signal.SIGUSR2, slurm, [slurm / "artifacts"]) is None

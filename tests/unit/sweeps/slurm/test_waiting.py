"""What is said of jobs that have ended, from what they left and what SLURM says."""

import json
from pathlib import Path

import pytest

from audiolcm.jobs import slurm_queue
from audiolcm.sweeps.slurm import waiting
from audiolcm.sweeps.slurm.submission import Submitted
from audiolcm.sweeps.slurm.waiting import Results, last_line, wait


def job(folder: Path, number: int, needs: str | None = None) -> Submitted:
    place = folder / str(number)
    place.mkdir(parents=True)
    log = folder / f"{number}.log"
    log.write_text("begins\nbar 1/9\rbar 2/9\n\n")
    return Submitted(f"k={number}", str(place), str(number), None, (), "", needs, "", str(log))


def result(of: Submitted) -> dict:
    return json.loads((Path(of.folder) / "result.json").read_text())


def leave(of: Submitted, **content: str) -> None:
    (Path(of.folder) / "result.json").write_text(json.dumps(content))


def test_a_job_that_left_its_result_is_believed(tmp_path: Path) -> None:
    done, failed = job(tmp_path, 1), job(tmp_path, 2)
    results = Results([done, failed])
    leave(done, status="done")
    leave(failed, status="failed", error="no such file")
    results.settle(done, "COMPLETED")
    results.settle(failed, "FAILED")
    assert (result(done), result(failed)["error"]) == ({"status": "done"}, "no such file")
    assert results.failures == {"2": "no such file"}


def test_an_old_result_does_not_hide_that_a_job_was_killed(tmp_path: Path) -> None:
    killed = job(tmp_path, 1)
    leave(killed, status="done")
    Results([killed]).settle(killed, "OUT_OF_MEMORY")
    found = result(killed)
    assert found["status"] == "failed"
    assert "job 1 as OUT_OF_MEMORY" in found["error"]
    assert "mem_gb" in found["error"]
    assert found["error"].endswith("bar 2/9")


def test_a_failed_parent_is_named(tmp_path: Path) -> None:
    parent, child = job(tmp_path, 1), job(tmp_path, 2, needs="1")
    results = Results([parent, child])
    leave(parent, status="failed", error="no space left")
    results.settle(parent, "FAILED")
    results.settle(child, "CANCELLED")
    assert result(child)["error"] == "its parent job 1 (k=1) failed: no space left"


def test_waiting_outlasts_a_requeue_a_silent_squeue_and_a_late_accounting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = job(tmp_path, 1)
    results = Results([one])
    queues = iter([{"1": "RUNNING"}, None, {"1": "PENDING"}, {"1": "RUNNING"}, {}, {}])
    ends = iter([{}, {"1": "TIMEOUT"}])
    monkeypatch.setattr(waiting, "queued", lambda: next(queues))
    monkeypatch.setattr(waiting, "ended", lambda ids: next(ends))
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: None)
    wait([one], results)
    assert "as TIMEOUT" in result(one)["error"]
    assert next(queues, "all asked") == "all asked"


def test_without_accounting_the_job_itself_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, gone = job(tmp_path, 1), job(tmp_path, 2)
    results = Results([done, gone])
    leave(done, status="done")
    monkeypatch.setattr(waiting, "queued", dict)
    monkeypatch.setattr(waiting, "ended", lambda ids: None)
    monkeypatch.setattr(waiting, "LAG_SECONDS", -1.0)
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: None)
    wait([done, gone], results)
    assert result(done) == {"status": "done"}
    assert "as UNKNOWN" in result(gone)["error"]


def test_states_of_single_jobs_arrays_and_cancelled_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "JobID|State\n7|CANCELLED by 0\n8_0|COMPLETED\n8_1|RUNNING\n9_[0-2%1]|CANCELLED by 0\n"
    monkeypatch.setattr(slurm_queue, "ask", lambda *command: listing)
    found = slurm_queue.ended(["7", "8_0", "8_1", "9_0", "9_2", "10"])
    assert found == {"7": "CANCELLED", "8_0": "COMPLETED", "9_0": "CANCELLED", "9_2": "CANCELLED"}


def test_a_log_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    assert "cannot be read" in last_line(str(tmp_path / "none"))
    (tmp_path / "empty").touch()
    assert last_line(str(tmp_path / "empty")) == "(it is empty)"

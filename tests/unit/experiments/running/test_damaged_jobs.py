"""One damaged file of one job hides no other job from ``status``, ``render`` and the table of a sweep."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import REPLACED, flipped, remove
from test_sweep_status import MULTIRUN, new_job, record

from audiolcm.jobs import slurm_queue
from audiolcm.jobs.finished import found_finished, objective_of
from audiolcm.storage.run_folder import (
    PROGRESS,
    RESULT,
    at_stage,
    begin,
    has_damaged_result,
    read_result,
    write_result,
)
from audiolcm.sweeps.summary import MULTIRUN as PLANNED
from audiolcm.sweeps.summary import planned_jobs, row_of, summary_of, write_summary
from experiments.__main__ import main
from experiments.running.jobs import RECORD, jobs_of

ODD = [
    b"", b"null", b"[]", b"3", b'"a"', b"{}", b"[" * 99_999, b"{" * 99_999, b"\xff\xfe", b"&a [*a]",
    b"a: !!python/name:os.system", b'{"hydra": null}',
    b'{"hydra": {"overrides": null, "sweeper": 3, "job": []}}', b'{"hydra": {"job": {"id": "../../x"}}}',
    b'{"hydra": {"sweeper": {"_target_": "BasicSweeper", "params": [1]}, "overrides": {"task": [3]}, "job": 1}}',
    b'{"hydra": {"sweeper": {"_target_": "${a}BasicSweeper"}, "overrides": {"task": "${hydra.overrides.task}"}}}',
    b'{"status": 3}', b'{"status": "done", "figures": [1]}',
    b'{"status": "done", "figures": {"a": "b", "c": [], "d": null}}',
    b'{"status": "done", "folder": ["x"], "error": {}}', b'{"status": "done", "method": [], "settings": "x"}',
    b'{"host": 1, "pid": "x", "process_start": null}', b'{"host": "h", "pid": 1, "process_start": "1", "stage": "a"}',
    b'{"host": "h", "pid": 1, "process_start": "1", "stage": "a", "artifact": "a\\u0000b", "steps": 0}',
    b'{"job": 1, "folder": [], "job_id": {}}',
    b'{"job": "a", "folder": "b\\u0000", "job_id": "1", "log": "\\u0000"}',
]  # fmt: skip
FILES = (RESULT, PROGRESS, f"../{RECORD}", f"../{PLANNED}", ".hydra/overrides.yaml", ".hydra/hydra.yaml")


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep of five jobs: one at work, one done, one submitted, two to come."""
    monkeypatch.setattr("experiments.running.sweep_status.queued", dict)
    monkeypatch.setattr("experiments.running.sweep_status.ended", lambda ids: {})
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "multirun.yaml").write_text(MULTIRUN)
    job, done = new_job(folder, "seed=0", "solver.k=5"), new_job(folder, "seed=1", "solver.k=5")
    begin(job)
    at_stage(job, "teacher", tmp_path / "artifact", 100)
    write_result(job, {"status": "failed", "error": "bad", "figures": {"validation/loss": 0.25}})
    write_result(done, {"status": "done", "folder": "x", "figures": {"validation/loss": 0.5}})
    record(folder, new_job(folder, "seed=9"), "12_0")
    return folder


def check(sweep: Path, capsys: pytest.CaptureFixture[str], what: object) -> dict[str, dict[str, str]]:
    """Show the sweep, and return its jobs; the one that is done must be there, whatever happened to another."""
    assert main(["status", str(sweep)]) in (0, 1), what
    assert " done" in capsys.readouterr().out, what
    assert main(["status", "--json", str(sweep)]) in (0, 1), what
    jobs = {Path(job["folder"]).name: job for job in json.loads(capsys.readouterr().out)[str(sweep)]}
    done = jobs["seed-1+solver.k-5"]
    assert (done["state"], done["figures"]) == ("done", {"validation/loss": 0.5}), what
    return jobs


def replaced(path: Path, contents: list[bytes]) -> list[Callable[[], object]]:
    odd = [lambda content=content: path.write_bytes(content) for content in contents]
    return [*odd, *(lambda kind=kind: kind(path) for kind in REPLACED.values())]


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_one_job_hides_no_other(
    sweep: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sweep / "seed-0+solver.k-5" / name
    content = path.read_bytes()
    for damage in replaced(path, [*ODD, *flipped(content, 40)]):
        damage()
        check(sweep, capsys, path.read_bytes()[:300] if path.is_file() else path)
        remove(path)
        path.write_bytes(content)
    (sweep / "seed-0+solver.k-5" / PROGRESS).touch()
    (sweep / "seed-0+solver.k-5" / RESULT).touch()
    job = check(sweep, capsys, "whole again")["seed-0+solver.k-5"]
    assert (job["state"], job["detail"]) == ("failed", "bad")


def test_what_is_damaged_is_said(
    sweep: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    job = sweep / "seed-0+solver.k-5"
    (job / RESULT).write_text((job / RESULT).read_text().replace("0.25", "0.26"))
    assert has_damaged_result(job)
    shown = check(sweep, capsys, RESULT)[job.name]
    assert shown["state"] == "stopped" and f"{RESULT} is damaged: remove it" in shown["detail"]
    (job / RESULT).unlink()
    (job / PROGRESS).write_text("{")
    assert f"{PROGRESS} is damaged" in check(sweep, capsys, PROGRESS)[job.name]["detail"]
    (sweep / RECORD).write_text("{\n")
    (sweep / PLANNED).write_text("- 3")
    check(sweep, capsys, RECORD)
    assert f"{RECORD}: line 1 is damaged" in caplog.text and f"{PLANNED} is damaged" in caplog.text
    assert planned_jobs(sweep) == [] and summary_of(sweep)[0] == "summary"


def test_a_damaged_result_is_a_row_of_the_table_and_no_finished_run(tmp_path: Path) -> None:
    good = {"status": "done", "folder": str(tmp_path / "made"), "figures": {"loss": 0.25}, "inputs": "abc"}
    write_result(tmp_path, good)
    content = (tmp_path / RESULT).read_bytes()
    assert read_result(tmp_path) == good and objective_of(tmp_path, "loss", "minimize") == 0.25
    for damage in replaced(tmp_path / RESULT, [*ODD, *flipped(content, 60)]):
        damage()
        found = read_result(tmp_path)
        if "figures" in found and found["figures"] not in ({"loss": 0.25}, {}):
            assert found["figures"] == {"a": "b", "c": [], "d": None}, "only what was never sealed is another"
        write_summary(tmp_path, "table", [row_of("job", tmp_path), row_of("none", tmp_path / "none")], None)
        assert not found_finished(tmp_path, "abc", tmp_path)
        remove(tmp_path / RESULT)
        (tmp_path / RESULT).write_bytes(content)
    (tmp_path / RESULT).write_text("{")
    assert row_of("job", tmp_path)["error"] == "result.json is damaged"


def test_a_damaged_count_of_requeues_is_begun_again(tmp_path: Path) -> None:
    assert [slurm_queue._count("1", tmp_path, "p") for _ in range(3)] == [0, 1, 2]
    path = tmp_path / slurm_queue.RECORD
    for content in (*ODD, b'{"job": "1", "progress": "p", "count": "x"}'):
        path.write_bytes(content)
        assert slurm_queue._count("1", tmp_path, "p") == 0


def test_lines_of_jobs_of_no_kind_are_left_out(tmp_path: Path) -> None:
    folder = new_job(tmp_path, "solver.k=5")
    record(tmp_path, folder, "11_0")
    with (tmp_path / RECORD).open("ab") as file:
        file.write(b"\n".join(content.replace(b"\n", b"") for content in ODD) + b"\n")
    (job,) = [job for job in jobs_of(tmp_path, {"11_0": "PENDING"}) if job.folder == folder]
    assert job.state == "waiting"

"""The table of a sweep, byte for byte."""

import csv
import math
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from audiolcm.configuration.sections import PATHS
from audiolcm.errors import UserError
from audiolcm.storage.run_folder import write_result
from audiolcm.sweeps.summary import SweepSummary, WritableRunFolder, markdown, next_of, write_summary

ROWS = [
    {"job": "", "status": "done", "folder": "runs/a", "figures": {"loss": 0.25, "steps": 1200, "tiny": 1e-7}},
    {"job": "seed=1", "status": "failed", "error": 'does | not\ndivide "x", y \\ é'},
    {
        "job": "x=[a,b]",
        "status": "done",
        "folder": "runs/b c,d",
        "figures": {"loss": math.nan, "is_new": True},
    },
    {"job": "seed=2", "status": "failed"},
]


def test_markdown_has_four_digits_and_what_became_of_each_job(tmp_path: Path) -> None:
    path = write_summary(tmp_path, "summary-x", ROWS, None)
    assert path.read_bytes().decode() == (
        "| job | loss | steps | tiny | is_new | result |\n"
        "|---|---|---|---|---|---|\n"
        "| (defaults) | 0.2500 | 1200. | 1.000e-07 |  | runs/a |\n"
        '| seed=1 |  |  |  |  | failed: does / not divide "x", y \\ é |\n'
        "| x=[a,b] | nan |  |  | 1.000 | runs/b c,d |\n"
        "| seed=2 |  |  |  |  | failed: |\n"
    )


def test_csv_has_all_digits_and_tells_missing_from_diverged(tmp_path: Path) -> None:
    write_summary(tmp_path, "summary-x", ROWS, None)
    assert (tmp_path / "summary-x.csv").read_bytes().decode() == (
        "job,status,loss,steps,tiny,is_new,folder,error\n"
        ",done,0.25,1200,1e-07,,runs/a,\n"
        'seed=1,failed,,,,,,"does | not\ndivide ""x"", y \\ é"\n'
        '"x=[a,b]",done,nan,,,True,"runs/b c,d",\n'
        "seed=2,failed,,,,,,\n"
    )


def test_no_spreadsheet_computes_a_job_or_its_error(tmp_path: Path) -> None:
    rows = [{"job": "=1+1", "status": "failed", "error": "@x\r=2 \udc80", "figures": {"-loss": -1.5}}]
    write_summary(tmp_path, "summary-x", rows, None)
    with (tmp_path / "summary-x.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file))
    assert found == [
        ["job", "status", "'-loss", "folder", "error"], ["'=1+1", "failed", "-1.5", "", "'@x\\r=2 \\udc80"]
    ]  # fmt: skip
    assert "\r" not in (tmp_path / "summary-x.md").read_bytes().decode()


def summed_up(
    tmp_path: Path, left: dict | None, job: JobReturn, before: dict | None = None, **cfg: object
) -> list[dict]:
    """Return the rows of a sweep of one job, which left a result after one that an earlier call had left."""
    hydra = {
        "overrides": {"task": ["seed=1"]}, "runtime": {"output_dir": str(tmp_path)}, "job": {"override_dirname": ""}
    }  # fmt: skip
    config = OmegaConf.create({"hydra": hydra} | cfg)
    OmegaConf.set_struct(config, True)  # as Hydra gives it
    job.hydra_cfg = config
    summary = SweepSummary()
    if before:
        write_result(tmp_path, before)
    summary.on_job_start(config)
    if left:
        write_result(tmp_path, left)
    summary.on_job_end(config, job)
    return [{name: row[name] for name in ("status", "error") if name in row} for row in summary.rows]


def test_a_job_that_left_nothing_has_failed_whatever_an_earlier_call_left(tmp_path: Path) -> None:
    done, ended = {"status": "done"}, JobReturn(status=JobStatus.COMPLETED)
    assert summed_up(tmp_path / "a", done, ended) == [done]
    assert summed_up(tmp_path / "b", done, ended, before={"status": "failed", "error": "x"}) == [done]
    (found,) = summed_up(tmp_path / "c", None, ended, before=done)
    assert found["status"] == "failed" and "could not leave a result" in found["error"]


def test_a_planned_job_is_none_of_the_sweeps(tmp_path: Path) -> None:
    ended, failed = JobReturn(status=JobStatus.COMPLETED), {"status": "failed", "error": "x"}
    assert summed_up(tmp_path / "a", None, ended, plan=1) == []
    assert summed_up(tmp_path / "b", failed, ended, plan=1) == [failed], "what could not be planned is told"


def test_a_job_that_could_not_begin_has_failed_by_its_reason(tmp_path: Path) -> None:
    job = JobReturn(status=JobStatus.FAILED)
    job.return_value = UserError("No space left")
    found = summed_up(tmp_path, None, job, before={"status": "done"})
    assert found == [{"status": "failed", "error": "No space left"}]


def test_a_summary_that_cannot_be_written_is_shown_and_ends_in_exit_code_1(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    summary = SweepSummary()
    summary.rows = ROWS[:1]
    sweep = {"sweep": {"dir": str(tmp_path / "file/sweep")}, "overrides": {"task": []}}
    with caplog.at_level("INFO"), pytest.raises(SystemExit) as ended:
        summary.on_multirun_end(OmegaConf.create({"hydra": sweep}))
    assert ended.value.code == 1
    assert "| (defaults) |" in caplog.text and "cannot be written" in caplog.text


def test_named_figures_are_the_columns_whether_a_job_has_them_or_not() -> None:
    lines = markdown(ROWS, ("loss", "other")).splitlines()
    assert lines[0] == "| job | loss | other | result |" and lines[2] == "| (defaults) | 0.2500 |  | runs/a |"
    assert markdown(ROWS[3:], ()).splitlines()[2] == "| seed=2 | failed: |"


def test_a_job_of_any_name_keeps_the_columns() -> None:
    rows = [{"job": "x='a|b'", "status": "done", "folder": "runs/a|b\nc"}]
    assert {line.count("|") for line in markdown(rows, ("loss",)).splitlines()} == {4}


def test_next_is_told_once_for_all_students() -> None:
    rows = [
        {"job": "k=1", "status": "done", "folder": "artifacts/student/a-1", "student": "1"},
        {"job": "k=5", "status": "failed"},
        {"job": "k=9", "status": "done", "folder": "my runs (2)/b-2", "student": "2"},
    ]
    told = next_of(rows, None)
    assert (
        "  python evaluate.py -m \"checkpoint=artifacts/student/a-1,'my runs (2)/b-2'\"" in told.splitlines()
    )
    assert "--checkpoint artifacts/student/a-1 -o sound.wav" in told
    assert "python -m experiments status table6_backbone" in next_of(rows, "table6_backbone")
    assert next_of(rows[1:2], None) == ""


def test_runs_in_their_own_folders_are_refused(tmp_path: Path) -> None:
    config = OmegaConf.create(
        {"hydra": {"job": {"chdir": True}, "run": {"dir": str(tmp_path)}, "sweep": {"dir": str(tmp_path)}}}
    )
    for start in (WritableRunFolder().on_run_start, WritableRunFolder().on_multirun_start):
        with pytest.raises(SystemExit, match=r"hydra\.job\.chdir=true is refused"):
            start(config)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("run.dir", "", "hydra.run.dir= names no folder"),
        ("run.dir", "${nothing}", "hydra.run.dir: Interpolation key 'nothing' not found"),
        ("sweep.dir", "", "hydra.sweep.dir= names no folder"),
        ("sweep.subdir", "", "hydra.sweep.subdir= names no folder"),
        ("job.name", "a/b", "hydra.job.name=a/b names the log file"),
    ],
)
def test_a_place_that_is_none_is_refused_before_hydra_writes_there(
    name: str,
    value: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = OmegaConf.create(
        {
            "paths": dict.fromkeys(PATHS, "here"),
            "hydra": {
                "job": {"chdir": False, "name": "train"},
                "run": {"dir": "runs/a"},
                "sweep": {"dir": "runs/sweep", "subdir": "a"},
            },
        }
    )
    OmegaConf.update(config, f"hydra.{name}", value)
    callback = WritableRunFolder()
    with pytest.raises(SystemExit):
        (callback.on_multirun_start if name.startswith("sweep") else callback.on_run_start)(config)
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

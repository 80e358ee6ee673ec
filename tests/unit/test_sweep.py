"""The table of a sweep, byte for byte."""

import csv
import math
from pathlib import Path

from audiolcm.sweep import markdown, write_summary

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


def test_named_figures_are_the_columns_whether_a_job_has_them_or_not() -> None:
    lines = markdown(ROWS, ("loss", "other")).splitlines()
    assert lines[0] == "| job | loss | other | result |" and lines[2] == "| (defaults) | 0.2500 |  | runs/a |"
    assert markdown(ROWS[3:], ()).splitlines()[2] == "| seed=2 | failed: |"


def test_a_job_of_any_name_keeps_the_columns() -> None:
    rows = [{"job": "x='a|b'", "status": "done", "folder": "runs/a|b\nc"}]
    assert {line.count("|") for line in markdown(rows, ("loss",)).splitlines()} == {4}

"""Crosschecks in a record, on the page and in W&B; a record without any is what it was before there were any."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from records import HOSTILE, make_record

from audiolcm.training.wandb_service import WandbTracker
from evaluation.record import Crosscheck, read_record
from evaluation.report.page import render
from evaluation.report.wandb_tables import log_record

FAD = Crosscheck(
    "fad_vggish", "FAD (vggish)", "frechet-audio-distance", 2.5, 2.0, 0.5, notes=("ours pads", HOSTILE)
)
NONE = Crosscheck("clap", "CLAP", "laion-clap", 0.25, None, None, problem="laion_clap not installed")


def test_they_are_kept_and_read_again(tmp_path: Path) -> None:
    record = replace(make_record(tmp_path), crosschecks=(FAD, NONE))
    record.write(tmp_path / "metrics.json")
    assert read_record(tmp_path / "metrics.json") == record
    kept = json.loads((tmp_path / "metrics.json").read_text())["crosschecks"]
    assert (kept[0]["theirs"], kept[0]["ours"], kept[0]["difference"]) == (2.0, 2.5, 0.5)


def test_a_record_without_any_has_no_new_key(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    record.write(tmp_path / "metrics.json")
    assert "crosschecks" not in json.loads((tmp_path / "metrics.json").read_text())
    assert read_record(tmp_path / "metrics.json") == record


def test_in_words() -> None:
    assert FAD.relative == 0.25
    assert FAD.sentence().startswith(
        "FAD (vggish): frechet-audio-distance 2, ours 2.5, difference 5.0e-01, relative 2.5e-01 (ours pads; "
    )
    assert NONE.sentence() == "CLAP: ours 0.25, none by laion-clap (laion_clap not installed)"
    assert replace(FAD, theirs=0.0).relative is None


def test_the_page_has_a_table_of_them(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    assert 'id="crosscheck"' not in render(record, tmp_path)
    page = render(replace(record, crosschecks=(FAD, NONE)), tmp_path)
    (table,) = page.split('id="crosscheck"')[1].split("</section>")[:1]
    for said in (
        "frechet-audio-distance",
        ">2.5<",
        ">2<",
        ">5.0e-01<",
        "ours pads",
        "laion_clap not installed",
    ):
        assert said in table
    assert "<script" not in table


def test_a_run_has_a_table_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    record = replace(make_record(tmp_path, num_clips=1), crosschecks=(FAD,))
    log_record(record, tmp_path, WandbTracker(project="test"), max_clips=1)
    (path,) = (tmp_path / "wandb").glob("offline-run-*/files/media/table/crosscheck_*.table.json")
    (line,) = json.loads(path.read_text())["data"]
    assert line[:5] == ["fad_vggish", "frechet-audio-distance", 2.0, 2.5, 0.5]

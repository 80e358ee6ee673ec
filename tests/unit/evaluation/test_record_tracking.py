"""A record in an offline W&B run: what the files of the run hold."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from records import HOSTILE, make_record

from audiolcm.training.tracking import NoTracker
from audiolcm.training.wandb_service import WandbTracker
from evaluation.report.wandb_tables import log_record


def table_of(folder: Path, name: str) -> dict[str, list]:
    (path,) = (folder / "wandb").glob(f"offline-run-*/files/media/table/{name}_*.table.json")
    return json.loads(path.read_text())


def staged_table(folder: Path, column: str) -> dict[str, list]:
    """Return the table with that column as it waits for `wandb sync`: only there do the media have their places."""
    found = [path.read_bytes() for path in (folder / "artifacts/staging").iterdir()]
    tables = [json.loads(content) for content in found if content.startswith(b'{"')]
    return next(table for table in tables if column in table.get("columns", ()))


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))


def test_offline_run_holds_both_tables_with_sound_and_pictures(tmp_path: Path) -> None:
    record = make_record(tmp_path, num_clips=6)
    record = replace(record, clips=(*record.clips[:5], replace(record.clips[5], reference=None)))
    log_record(record, tmp_path, WandbTracker(project="test"), max_clips=6)

    assert table_of(tmp_path, "clips")["data"][0][1] == HOSTILE
    metrics = table_of(tmp_path, "metrics")
    lines = [dict(zip(metrics["columns"], line, strict=True)) for line in metrics["data"]]
    assert lines[0] | {"notes": ""} == {
        "system": "AudioLCM", "kind": "system", "metric": "FAD (VGGish)", "better": "lower", "value": 2.1316,
        "low": 1.93, "high": 2.41, "generated": 5, "reference": 5, "embedded": False, "notes": "",
    }  # fmt: skip
    assert [line["metric"] for line in lines if line["embedded"]] == ["CLAP (foley judge), embedded"]
    assert sum(line["kind"] == "sanity" for line in lines) == 6
    assert sum(line["metric"].startswith("RTF") for line in lines) == 4

    clips = staged_table(tmp_path / "data", "caption")
    lines = [dict(zip(clips["columns"], line, strict=True)) for line in clips["data"]]
    assert [line["name"] for line in lines] == [clip.name for clip in record.clips]
    assert lines[0]["caption"] == HOSTILE
    assert (lines[0]["KL (PANNs)"], lines[1]["KL (PANNs)"]) == (1.0, None)
    assert {line["generated"]["_type"] for line in lines} == {"audio-file"}
    assert {line["mel"]["_type"] for line in lines} == {"image-file"}
    assert (lines[5]["reference"], lines[5]["reference mel"]) == (None, None)
    starts = [path.read_bytes()[:4] for path in (tmp_path / "data/artifacts/staging").iterdir()]
    assert (starts.count(b"RIFF"), starts.count(b"\x89PNG")) == (11, 11)


def test_configuration_of_the_run_is_the_provenance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker, kept = WandbTracker(project="test"), {}
    start = tracker.start
    monkeypatch.setattr(
        tracker, "start", lambda *words: (kept.update(config=words[3], id=words[2]), start(*words))
    )
    record = make_record(tmp_path, num_clips=1)
    log_record(record, tmp_path, tracker)
    assert kept["config"]["provenance"] == record.provenance
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    assert run.name.endswith(kept["id"])


def test_no_tracker_means_nothing_is_written(tmp_path: Path) -> None:
    log_record(make_record(tmp_path), tmp_path, NoTracker())
    assert not (tmp_path / "wandb").exists()

"""A record in an offline W&B run: what the files of the run hold."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from records import HOSTILE, make_record

from audiolcm.training.tracking import NoTracker, WandbTracker
from evaluation.tracking import log_record


def table_of(folder: Path, name: str) -> dict[str, list]:
    (path,) = (folder / "wandb").glob(f"offline-run-*/files/media/table/{name}_*.table.json")
    return json.loads(path.read_text())


def test_offline_run_holds_both_tables_with_sound_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    record = make_record(tmp_path, num_clips=6)
    record = replace(record, clips=(*record.clips[:5], replace(record.clips[5], reference=None)))
    log_record(record, tmp_path, WandbTracker(project="test"), max_clips=6)

    metrics = table_of(tmp_path, "metrics")
    lines = [dict(zip(metrics["columns"], line, strict=True)) for line in metrics["data"]]
    assert lines[0] | {"notes": ""} == {
        "system": "AudioLCM", "kind": "system", "metric": "FAD (VGGish)", "better": "lower", "value": 2.1316,
        "low": 1.93, "high": 2.41, "generated": 5, "reference": 5, "embedded": False, "notes": "",
    }  # fmt: skip
    assert [line["metric"] for line in lines if line["embedded"]] == ["CLAP (foley judge), embedded"]
    assert sum(line["kind"] == "sanity" for line in lines) == 6
    assert sum(line["metric"].startswith("RTF") for line in lines) == 4

    clips = table_of(tmp_path, "clips")
    lines = [dict(zip(clips["columns"], line, strict=True)) for line in clips["data"]]
    assert [line["name"] for line in lines] == [clip.name for clip in record.clips]
    assert lines[0]["caption"] == HOSTILE
    assert (lines[0]["KL (PANNs)"], lines[1]["KL (PANNs)"]) == (1.0, None)
    assert (lines[5]["reference"], lines[5]["reference mel"]) == (None, None)
    (files,) = (tmp_path / "wandb").glob("offline-run-*/files")
    sounds = [line[kind]["path"] for line in lines for kind in ("generated", "reference") if line[kind]]
    assert len(set(sounds)) == 11
    assert soundfile.info(files / sounds[0]).duration == 0.5
    pictures = [line[kind]["path"] for line in lines for kind in ("mel", "reference mel") if line[kind]]
    assert len(pictures) == 11
    assert all((files / picture).is_file() for picture in pictures)


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

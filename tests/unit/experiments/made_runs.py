"""Run folders as train.py and evaluate.py leave them, made up, for the tests of records and of how jobs stand."""

import json
import os
from pathlib import Path
from typing import Any

from audiolcm.configuration.fingerprint import code_hash, settings_made
from audiolcm.storage.run_folder import RESULT, write_result
from audiolcm.sweeps.row_sweeper import settings_of
from evaluation.record import Record, RecordRow, Score, ScoredClip, Timing
from experiments.records.planned import PlannedJob, planned

METHOD = {
    "audiolcm.random_numbers": code_hash("audiolcm.random_numbers"),
    "audiolcm.pipeline": code_hash("audiolcm.pipeline"),
}
PLACE = "/home/someone/experiments"


def job_of(stem: str, entry: str, name: str, scale: str = "replica") -> PlannedJob:
    (job,) = [one for one in planned(stem, scale) if (one.entry, one.name) == (entry, name)]
    return job


def result_of(job: PlannedJob, **changes: Any) -> dict[str, Any]:
    """What a job leaves that was run with the settings and the code of now."""
    settings = settings_made(settings_of(job.entry, job.scale, job.item, job.overrides))
    made = settings | {"method": METHOD, "code": "abc1234"}
    return (
        {"status": "done", "folder": f"{PLACE}/artifacts/x", "figures": {"num_parameters": 7}}
        | made
        | changes
    )


def evaluation(value: float = 3.5, date: str = "2026-01-02T03:04:05+00:00", seconds: float = 60.0) -> Record:
    """A record that names places of its computer wherever it can."""
    spread = {"median": 0.1, "p95": 0.2}
    score = Score(
        key="fad_embedded", title="FAD (embedded)", value=value, better="lower", interval=(value - 1, value + 1),
        interval_method="bootstrap", per_seed=(value,), num_generated=2, num_reference=2, is_embedded=True,
        extractor={"name": "judge", "weights": {"file": f"{PLACE}/weights/judge.pth"}}, details={"place": f"{PLACE}/a"},
        notes=(f"2 clips of {PLACE}/sounds/a.wav for 64 dimensions",), per_clip={"a__0": 1.0, "b__0": 2.0},
    )  # fmt: skip
    facts = {
        "num_steps": 2,
        "nfe": 2,
        "checkpoint": f"{PLACE}/artifacts/student/tiny-0a1b",
        "url": "https://a.org/b/c",
    }
    return Record(
        row=RecordRow("audiolcm", facts, (score,)),
        protocol={"name": "replica", "title": "replica", "captions": f"{PLACE}/lists", "num_clips": 2},
        clips=(ScoredClip("a__0", "A dog", f"{PLACE}/generated/a.wav", None),),
        timings=(Timing(1, 2, 1, 2.0, 2, {"text": spread}, spread, spread, 0.05, 0.02),),
        notes=(f"3 files have several channels ({PLACE}/a.wav, ~/b/c.wav)",),
        provenance={
            "command": f"evaluate.py dataset.root={PLACE}/data", "code": "abc1234", "date": date, "seconds": seconds,
            "hardware": {"device": "cpu"}, "evaluator": {"folder": f"{PLACE}/artifacts/evaluator/foley-1a"},
        },
    )  # fmt: skip


def run(runs: Path, job: PlannedJob, when: float = 1.7e9, **changes: Any) -> Path:
    """Leave the run of a job that is done; an evaluation's ``record`` is among the changes, or ``evaluation()``."""
    folder = job.folder(runs)
    record = changes.pop("record", None)
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(list(job.overrides)))
    (folder / ".hydra/hydra.yaml").write_text("hydra:\n  mode: MULTIRUN\n")
    if job.entry == "evaluate":
        (record or evaluation()).write(folder / "metrics.json")
    write_result(folder, result_of(job, **changes))
    os.utime(folder / RESULT, (when, when))
    return folder

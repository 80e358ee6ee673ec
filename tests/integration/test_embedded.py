"""``python train.py`` as it comes: the student alone is trained, of the teacher inside the package."""

import json
from pathlib import Path

from small_run import ROOT, run

FEW = [
    "logger=jsonl", "hardware.num_threads=1", "dataset.num_train=8", "dataset.num_validation=4", "dataset.num_test=2",
    "trainer.student.steps=2", "trainer.student.warmup_steps=1", "preview.num_clips=1", "preview.student_steps=[2]",
]  # fmt: skip


def test_the_main_job_is_distillation(tmp_path: Path) -> None:
    done = run(str(ROOT / "train.py"), *FEW, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path.name for path in (tmp_path / "artifacts").iterdir()} == {"student", "vocoder"}
    (student,) = (tmp_path / "artifacts/student").iterdir()
    parents = json.loads((student / "card.json").read_text())["parents"]
    assert (parents["teacher"], parents["autoencoder"]) == (
        "embedded:foley/teacher",
        "embedded:foley/autoencoder",
    )
    # Wherever it is brought, and wherever the package is installed there.
    moved = (tmp_path / "artifacts").rename(tmp_path / "moved")
    heard = run(
        "-m", "audiolcm.commands.cli", "generate", "rain falls", "--checkpoint", str(moved), cwd=tmp_path
    )
    assert heard.returncode == 0 and (tmp_path / "sound.wav").stat().st_size > 10000, heard.stderr[-2000:]

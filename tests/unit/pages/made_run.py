"""A run's folder and its stages, made up, as the page of a training has them."""

import json
from pathlib import Path

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.pages.run import Heard, write_page
from audiolcm.weights.artifacts import Artifact

HOSTILE = '</p><script>window.broken = 1</script><img src="x" onerror="window.broken = 1"> & "bell"'
KINDS = ("true", "teacher", "student, 1 step", "student, 2 steps")


def stage(folder: Path, name: str, rows: list[dict[str, float]] | None = None) -> Artifact:
    """One stage with the rows of its log; None: it was not trained here."""
    place = folder / "artifacts" / name / "toy-abc"
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.yaml").write_text("seed: 0\n")
    if rows is not None:
        (place / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = {"stage": name, "name": f"{name} {HOSTILE}", "num_parameters": 1_500_000, "training_seconds": 3.0}
    return Artifact(place, card)


def losses(steps: int = 50) -> list[dict[str, float]]:
    """A loss that falls by far more than an eye could see on a linear axis."""
    return [{"step": step, "train/loss": 100.0 / step**2, "rate": 2.0} for step in range(1, steps + 1)]


def made_page(folder: Path, captions: tuple[str, ...] = (HOSTILE, "a dog barks")) -> Path:
    """Write the page of a student with all its kinds of sound."""
    draws = np.random.default_rng(0)
    sounds = {
        kind: [draws.uniform(-0.5, 0.5, SAMPLE_RATE // 2).astype(np.float32) for _ in captions]
        for kind in KINDS
    }
    run = folder / "runs" / "a b"
    run.mkdir(parents=True)
    stages = [stage(folder, "autoencoder"), stage(folder, "student", losses())]
    return write_page(run, stages, Heard(captions, sounds))

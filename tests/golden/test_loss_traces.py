"""The first losses of every stage, kept: a change of the code that should change no figure must leave them alone.

The whole recipe runs on a few embedded clips, in float32 on one thread. After a change that should change them, write
them again with ``python tests/golden/test_loss_traces.py`` and say why in the commit.
"""

import json
import tempfile
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from audiolcm.config import compose
from audiolcm.recipe import Recipe
from audiolcm.training.tracking import read_metrics

FILE = Path(__file__).with_name("loss_traces.json")
STAGES = ("autoencoder", "vocoder", "teacher", "student")
SETTINGS = [
    "vocoder=istft", "hardware=cpu_float32", "hardware.num_threads=1", "logger=jsonl", "trainer=smoke",
    "dataset.num_train=12", "dataset.num_validation=4", "dataset.num_test=2", "dataset.duration=2.0",
    "dataset.max_duration=2.0", "model.width=32", "model.depth=1", "autoencoder.model.channels=32",
    "vocoder.model.width=32", "vocoder.model.depth=1",
]  # fmt: skip
SETTINGS += [
    f"trainer.{stage}.{name}={value}"
    for stage in STAGES
    for name, value in {
        "steps": 5,
        "log_every": 1,
        "validate_every": 5,
        "batch_size": 3,
        "warmup_steps": 2,
    }.items()
]


def traces(folder: Path) -> dict[str, dict[str, list[float]]]:
    """Return every figure of every stage over its steps."""
    GlobalHydra.instance().clear()
    recipe = Recipe(
        compose([*SETTINGS, *(f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs"))])
    )
    found: dict[str, dict[str, list[float]]] = {stage: {} for stage in STAGES}
    for artifact in (recipe.student, recipe.teacher, recipe.vocoder, recipe.autoencoder):
        for row in read_metrics(artifact.folder / "metrics.jsonl"):
            for name, value in row.items():
                if name not in ("step", "steps_per_second"):
                    found[str(artifact.card["stage"])].setdefault(name, []).append(float(f"{value:.6g}"))
    return found


def test_losses_are_the_kept_ones(tmp_path: Path) -> None:
    kept, found = json.loads(FILE.read_text()), traces(tmp_path)
    assert {stage: set(figures) for stage, figures in found.items()} == {
        stage: set(figures) for stage, figures in kept.items()
    }
    for stage, figures in kept.items():
        # The vocoder's log-mel of near silence multiplies rounding, which differs between processors (AMD 6e-3).
        relative = 2e-2 if stage == "vocoder" else 5e-3
        for name, values in figures.items():
            assert found[stage][name] == pytest.approx(values, rel=relative, abs=1e-5), (stage, name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FILE.write_text(json.dumps(traces(Path(folder)), indent=1) + "\n")

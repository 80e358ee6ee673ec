"""A published model of other people as a user evaluates it, in a subprocess; and what happens without its files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("diffusers")

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/unit/evaluation/systems"))

from tiny_models import save_audioldm, save_clap  # noqa: E402

SMALL = [
    "dataset=foley", "dataset.num_train=12", "dataset.num_validation=4", "dataset.num_test=6", "dataset.duration=2.0",
    "dataset.max_duration=3.0", "dataset.labels=[dog,rain]", "hardware=cpu_float32", "hardware.num_threads=1",
    "logger=jsonl", "trainer.evaluator.steps=4", "trainer.evaluator.batch_size=4", "num_resamples=2",
    "metrics=[kl_embedded]", "allow=[few_clips]", "report_clips=1", "num_clips=3",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder: the evaluator is trained there once."""
    return tmp_path_factory.mktemp("baselines")


def evaluate(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), *SMALL, f"hydra.run.dir={place}/out", *words],
        cwd=place, env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip


def test_a_published_pipeline_is_scored_and_timed(place: Path) -> None:
    model, clap = save_audioldm(place / "model"), save_clap(place / "clap")
    done = evaluate(
        place, "system=audioldm", f"system.model={model}", f"system.clap={clap}", "system.num_steps=2",
        "efficiency.num_clips=2", "efficiency.num_warmup=1", "efficiency.batch_sizes=[1,2]",
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    record = json.loads((place / "out/metrics.json").read_text())
    assert record["row"]["system"] == "audioldm"
    assert record["row"]["facts"] == {
        "model": str(model), "license": "CC-BY-NC-SA-4.0", "num_steps": 2, "guidance_scale": 2.5, "eta": 1.0,
        "num_waveforms_per_prompt": 3, "min_seconds": 10.24, "clap": str(clap), "nfe": 6, "seeds": 1,
    }  # fmt: skip
    assert [(t["batch_size"], t["nfe"], t["rtf_sampler"]) for t in record["timings"]] == [
        (1, 6, None),
        (2, 6, None),
    ]
    assert all(t["rtf_total"] > 0 for t in record["timings"])


def test_without_its_files_it_says_what_to_type_before_anything_is_trained(tmp_path: Path) -> None:
    done = evaluate(tmp_path, "system=audioldm2_large")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said
    assert "hf download cvssp/audioldm2-large" in said and not (tmp_path / "out/metrics.json").exists()
    assert not any((tmp_path / "artifacts").iterdir())

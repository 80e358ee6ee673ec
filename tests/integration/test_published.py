"""Released weights as a user types them, in subprocesses: distil from the published teacher, generate, evaluate."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from released_file import Layout, random_state, save, save_tokenizers, small_layout

ROOT = Path(__file__).resolve().parents[2]
DATA = [
    "dataset=foley", "dataset.num_train=12", "dataset.num_validation=4", "dataset.num_test=12", "dataset.duration=2.0",
    "dataset.max_duration=3.0", "dataset.labels=[dog,rain]", "hardware.num_threads=1", "logger=jsonl",
]  # fmt: skip
TRAIN = [
    "profile=paper", "teacher=published:make_an_audio_2", "vocoder=griffin_lim", "model.width=64", "model.depth=2",
    "hardware=cpu_float32", "trainer.student.steps=3", "trainer.student.batch_size=2", "trainer.student.log_every=1",
    "trainer.student.warmup_steps=0", "trainer.student.num_validation=2", "preview.num_clips=1",
    "preview.student_steps=[2]",
]  # fmt: skip
EVALUATE = [
    "system.vocoder=griffin_lim", "trainer.evaluator.steps=12", "trainer.evaluator.batch_size=8", "num_resamples=10",
    "allow=[few_clips]", "report_clips=1", "efficiency=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(released_layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder whose folder of weights holds both released files, small, and the tokenizers."""
    folder = tmp_path_factory.mktemp("published")
    weights = folder / "weights"
    weights.mkdir()
    layout = small_layout(released_layout)
    save(random_state(layout), weights / "audiolcm.ckpt")
    save(random_state(layout, "make_an_audio_2"), weights / "maa2.ckpt")
    save_tokenizers(weights)
    (weights / "bert").rename(weights / "bert-base-uncased")
    (weights / "t5").rename(weights / "t5-v1_1-large")
    return folder


def run(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": "",
        "HF_HUB_OFFLINE": "1",
        "AUDIOLCM_WEIGHTS": str(place / "weights"),
    }
    return subprocess.run(
        [sys.executable, *command], cwd=place, env=environment, capture_output=True, text=True, timeout=400
    )


def test_the_published_teacher_is_distilled(place: Path) -> None:
    command = (str(ROOT / "train.py"), *DATA, *TRAIN)
    done = run(place, *command)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    (student,) = (place / "artifacts/student").iterdir()
    card = json.loads((student / "card.json").read_text())
    teacher = (student / card["parents"]["teacher"] / "card.json").resolve()
    assert json.loads(teacher.read_text())["origin"]["name"] == "published:make_an_audio_2"
    assert "text_encoder" in card["parents"]
    assert "published:make_an_audio_2" in {origin["name"] for origin in card["derived_from"]}
    assert not (place / "artifacts/teacher").exists() and not (place / "artifacts/autoencoder").exists()
    again = run(place, *command)
    assert again.returncode == 0 and "All of it was done before" in again.stdout + again.stderr
    sound = run(
        place,
        "-m",
        "audiolcm.commands.cli",
        "generate",
        "a dog barks",
        "--checkpoint",
        str(student),
        "-o",
        "a.wav",
    )
    assert sound.returncode == 0, sound.stderr
    assert soundfile.info(place / "a.wav").frames == 5 * 16000  # a student of ours: to the sample


def test_another_network_is_refused_before_anything_trains(place: Path) -> None:
    done = run(place, str(ROOT / "train.py"), *DATA, *TRAIN, "teacher.retrofit=rope_rmsnorm_swiglu")
    assert done.returncode == 1 and "it must be trained" in done.stderr + done.stdout
    done = run(place, str(ROOT / "train.py"), *DATA, *TRAIN, "backbone/norm=rmsnorm")
    assert done.returncode == 1 and "was trained with another backbone" in done.stderr + done.stdout


def test_the_published_student_is_evaluated(place: Path) -> None:
    command = (
        str(ROOT / "evaluate.py"),
        *DATA,
        *EVALUATE,
        "checkpoint=published:audiolcm",
        "hydra.run.dir=out",
    )
    done = run(place, *command)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    row = json.loads((place / "out/metrics.json").read_text())["row"]
    assert row["facts"]["num_steps"] == 2 and row["facts"]["url"].endswith("audiolcm.ckpt")
    assert "ask them" in row["facts"]["license"]


def test_a_wrong_file_is_one_message(place: Path) -> None:
    torch.save({"generator": {}}, place / "best_netG.ckpt")
    done = run(
        place, str(ROOT / "evaluate.py"), *DATA, *EVALUATE, "checkpoint=best_netG.ckpt", "hydra.run.dir=out2"
    )
    assert done.returncode == 1
    assert "is no checkpoint of AudioLCM or Make-An-Audio 2" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout

"""A small run of ``train.py`` as a user types it: every stage, some twenty steps each, on small networks."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# For tests of what is around the networks, not of what they learn.
NETWORKS = ["model.width=32", "model.depth=2", "autoencoder.model.channels=32"]
VOCODER = [
    "vocoder=istft", "vocoder.model.width=32", "vocoder.model.depth=1", "vocoder.objective.discriminator.channels=4",
]  # fmt: skip
SMALL = [
    *NETWORKS, *VOCODER, "trainer=smoke", "logger=jsonl", "hardware.num_threads=1",
    "preview.num_clips=2", "preview.student_steps=[2]", "teacher_sampler.num_steps=4",
    "dataset.num_train=24", "dataset.num_validation=8", "dataset.num_test=4", "dataset.duration=2.0",
    "dataset.max_duration=3.0", "trainer.student.checkpoint_every=3", "trainer.teacher.checkpoint_every=5",
]  # fmt: skip
ENVIRONMENT = os.environ | {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these words and wait."""
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=400
    )


def train_command(*overrides: str) -> list[str]:
    """The words of one small training."""
    return [sys.executable, str(ROOT / "train.py"), *overrides, *SMALL]


def train(cwd: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Train in ``cwd`` and wait."""
    return run(*train_command(*overrides)[1:], cwd=cwd)


def start(cwd: Path, *overrides: str, log: str = "log") -> subprocess.Popen[bytes]:
    """Start a training in ``cwd`` whose words go to the file ``log`` there."""
    with (cwd / log).open("w") as file:
        return subprocess.Popen(train_command(*overrides), cwd=cwd, env=ENVIRONMENT, stdout=file, stderr=file)


def student_of(folder: Path) -> Path:
    """The folder of the one finished student."""
    (card,) = folder.glob("artifacts/student/*/card.json")
    return card.parent


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights(folder: Path) -> dict[str, str]:
    """The digest of every finished artifact's weights, by its stage and name."""
    cards = folder.glob("artifacts/*/*/card.json")
    return {str(c.parent.relative_to(folder)): digest(c.parent / "model.safetensors") for c in cards}

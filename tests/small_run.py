"""A small run of ``train.py`` as a user types it: every stage, some twenty steps each, on small networks.

Starting Python and torch takes longer than many a job, so ``type_all`` types commands one after the other in one
process, as a shell would: each runs the script itself with its own words, and ends in its own exit code.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
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
SHELL = """
import json, os, runpy, sys, traceback
for number, (folder, script, *words) in enumerate(json.loads(sys.argv[1])):
    os.chdir(folder)
    log = os.open(f"{number}.log", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1), os.dup2(log, 2)
    sys.argv, code = [script, *words], 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except Exception:
        traceback.print_exc()
        code = 1
    sys.stdout.flush(), sys.stderr.flush()
    open(f"{number}.code", "w").write(str(code or 0))
"""


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these words and wait."""
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=400
    )


def type_all(commands: list[list[str]], environment: Mapping[str, str] = ENVIRONMENT) -> None:
    """Type commands, each a folder, a script and its words; what it says and its exit code lie there by number."""
    done = subprocess.run(
        [sys.executable, "-c", SHELL, json.dumps(commands)], env=environment, capture_output=True, text=True,
        timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def ended(folder: Path, number: int) -> tuple[int, str]:
    """Exit code and words of a command of ``type_all``."""
    return int((folder / f"{number}.code").read_text()), (folder / f"{number}.log").read_text(
        errors="replace"
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

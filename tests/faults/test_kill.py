"""kill -9 wherever it hurts, clocks that jump, two runs at once: the same weights in the end, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_run import start, train, weights
from torch import nn

from audiolcm.training.checkpoint import Checkpoints

# What is on disk when a stage is at work: at each of these the process is killed, once.
MOMENTS: dict[str, str] = {
    "preparation": "cache/*/train/*",
    "autoencoder": "artifacts/autoencoder/*/metrics.jsonl",
    "vocoder": "artifacts/vocoder/*/checkpoints/*",
    "latents": "cache/*/latents-*/*",
    "teacher": "artifacts/teacher/*/checkpoints/*",
    "student": "artifacts/student/*/checkpoints/*",
    "preview": "runs/*/samples/*.wav",
}
WRITER = """
import sys, torch
from pathlib import Path
from torch import nn
from audiolcm.training.checkpoint import Checkpoints
model = nn.Linear(6000, 6000)  # 144 MB: long enough in writing to be killed in it
nn.init.constant_(model.weight, float(sys.argv[2]))
Checkpoints(Path(sys.argv[1]), "identity").save(int(sys.argv[2]), model, {})
"""


def wait_for(there: Callable[[], object], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not there() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def shake_clocks(folder: Path) -> None:
    """Give every file a time somewhere in two years around now, as machines with bad clocks would."""
    rng = random.Random(0)
    for path in folder.rglob("*"):
        when = time.time() + rng.uniform(-3e7, 3e7)
        os.utime(path, (when, when))


def test_kill_in_every_stage_and_clocks_that_jump(undisturbed: dict[str, str], tmp_path: Path) -> None:
    for moment, pattern in MOMENTS.items():
        process = start(tmp_path)
        wait_for(lambda pattern=pattern: list(tmp_path.glob(pattern)), process)
        assert process.poll() is None, f"it ended before {moment}: {(tmp_path / 'log').read_text()[-2000:]}"
        process.kill()
        process.wait()
        shake_clocks(tmp_path)
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert weights(tmp_path) == undisturbed
    left = [p for p in tmp_path.rglob(".*") if p.name.startswith(".lease")]
    assert left == []


def test_kill_in_the_middle_of_a_checkpoint(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), "1"], check=True)
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "2"])
    wait_for(lambda: any(p.stat().st_size for p in tmp_path.glob(".step-00000002*")), process)
    process.kill()
    process.wait()
    assert list(tmp_path.glob(".step-00000002*")), "it was written before the kill"
    model = nn.Linear(6000, 6000)
    assert Checkpoints(tmp_path, "identity").restore(model, {}) == 1
    assert torch.equal(model.weight, torch.ones_like(model.weight))


def test_two_runs_at_once_and_the_first_one_killed(undisturbed: dict[str, str], tmp_path: Path) -> None:
    """The second waits, takes over from the dead one's checkpoint, and ends in the same weights."""
    first = start(tmp_path, "hydra.run.dir=first", log="first.log")
    wait_for(lambda: list(tmp_path.glob("artifacts/teacher/*/checkpoints/step*")), first)
    first.send_signal(signal.SIGSTOP)  # or it would be done before the second one comes
    second = start(tmp_path, "hydra.run.dir=second", log="second.log")
    wait_for(lambda: "waiting for it" in (tmp_path / "second.log").read_text(), second)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert second.wait(300) == 0, (tmp_path / "second.log").read_text()[-3000:]
    said = (tmp_path / "second.log").read_text()
    assert "taking over" in said
    assert "goes on from step" in said
    assert weights(tmp_path) == undisturbed


@pytest.mark.slow  # the test before has two runs at once, too
def test_two_whole_runs_at_once_train_everything_once(undisturbed: dict[str, str], tmp_path: Path) -> None:
    runs = [start(tmp_path, f"hydra.run.dir={name}", log=f"{name}.log") for name in ("a", "b")]
    assert [process.wait(400) for process in runs] == [0, 0]
    said = "".join((tmp_path / f"{name}.log").read_text() for name in ("a", "b"))
    assert said.count("student: training in") == said.count("teacher: training in") == 1
    assert weights(tmp_path) == undisturbed

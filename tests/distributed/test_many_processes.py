"""The same losses however many processes share the work, as a user starts them: torchrun, gloo, on the CPU."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from small_run import ROOT

STAGES = ("autoencoder", "vocoder", "teacher", "student")
SMALL = [
    "vocoder=istft", "hardware=cpu_float32", "hardware.num_threads=1", "logger=jsonl", "trainer=smoke",
    "dataset.num_train=12", "dataset.num_validation=6", "dataset.num_test=2", "dataset.duration=2.0",
    "dataset.max_duration=2.0", "model.width=32", "model.depth=2", "autoencoder.model.channels=32",
    "vocoder.model.width=32", "vocoder.model.depth=1", "preview.num_clips=1", "preview.student_steps=[1]",
]  # fmt: skip
SMALL += [
    f"trainer.{stage}.{name}={value}"
    for stage in STAGES
    for name, value in {
        "steps": 6, "log_every": 1, "validate_every": 6, "batch_size": 4, "warmup_steps": 2, "num_validation": 6,
        "checkpoint_every": 3,
    }.items()
]  # fmt: skip


def command(count: int, *overrides: str) -> list[str]:
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"] if count > 1 else []
    return [sys.executable, *launch, str(ROOT / "train.py"), *SMALL, *overrides]


def start(folder: Path, count: int, *overrides: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            command(count, *overrides), cwd=folder, env=environment, stdout=log, stderr=log
        )


def finished(folder: Path, count: int, *overrides: str) -> Path:
    process = start(folder, count, *overrides)
    assert process.wait(400) == 0, (folder / "log").read_text()[-3000:]
    return folder


def traces(folder: Path) -> dict[str, list[float]]:
    """Every figure of every stage over its steps."""
    found: dict[str, list[float]] = {}
    for path in sorted(folder.glob("artifacts/*/*/metrics.jsonl")):
        for line in path.read_text().splitlines():
            for name, value in json.loads(line).items():
                if name not in ("step", "steps_per_second"):
                    found.setdefault(f"{path.parent.parent.name} {name}", []).append(value)
    return found


def check_same(folder: Path, expected: Path) -> None:
    """Compare every figure of every step, and the weights.

    The vocoder's loss is a logarithm of what is nearly silent: there rounding alone is 2e-5 at the first step, and
    grows from step to step as two networks pull against each other.
    """
    ours, theirs = traces(folder), traces(expected)
    assert ours.keys() == theirs.keys() and len(ours) > 8
    for name, values in theirs.items():
        assert ours[name] == pytest.approx(values, rel=5e-3 if name.startswith("vocoder") else 1e-5), name
    for path in expected.glob("artifacts/[!v]*/*/model.safetensors"):
        stored = load_file(folder / path.relative_to(expected))
        for name, tensor in load_file(path).items():
            assert (stored[name].float() - tensor.float()).abs().max() < 1e-4, name


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("alone"), 1)


def copy_up_to_the_teacher(alone: Path, folder: Path) -> None:
    shutil.copytree(alone, folder, dirs_exist_ok=True)
    for stage in ("teacher", "student"):
        shutil.rmtree(folder / "artifacts" / stage)


def test_two_whole_copies(alone: Path, tmp_path: Path) -> None:
    check_same(finished(tmp_path, 2), alone)
    said = (tmp_path / "log").read_text()
    assert said.count("teacher: training in") == 1  # one speaks for both
    card = json.loads(next(tmp_path.glob("artifacts/student/*/card.json")).read_text())
    assert card["processes"] == 2 and card["parallel"]["engine"] == "ddp"


def test_shards_in_pieces_with_less_kept(alone: Path, tmp_path: Path) -> None:
    """FSDP, accumulation and recomputation at once, behind the same autoencoder."""
    copy_up_to_the_teacher(alone, tmp_path)
    pieces = [f"trainer.{stage}.accumulate=2" for stage in ("teacher", "student")]
    check_same(finished(tmp_path, 2, "parallel=fsdp", *pieces), alone)
    card = json.loads(next(tmp_path.glob("artifacts/student/*/card.json")).read_text())
    assert card["processes"] == 2 and card["parallel"] == {
        "engine": "fsdp",
        "recompute": True,
        "read_ahead": None,
    }


def wait_for(there: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while not there() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stopped_as_two_goes_on_as_one_and_as_two(alone: Path, tmp_path: Path) -> None:
    process = start(tmp_path, 2, "parallel=fsdp")
    wait_for(lambda: list(tmp_path.glob("artifacts/teacher/*/checkpoints/*")), process)
    time.sleep(0.3)  # some steps
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    said = (tmp_path / "log").read_text()
    assert ("stopped at step" in said or "Stopped." in said) and "failed" not in said.split(
        "torch.distributed.elastic"
    )[0]
    assert not list(tmp_path.glob("artifacts/student/*/card.json"))
    check_same(finished(tmp_path, 1), alone)


def test_a_killed_process_ends_the_others_soon(alone: Path, tmp_path: Path) -> None:
    """Its group hears of it within seconds, and the same command goes on from the last checkpoint."""
    copy_up_to_the_teacher(alone, tmp_path)
    process = start(tmp_path, 2, "trainer.teacher.steps=20000", "trainer.teacher.checkpoint_every=10")
    wait_for(lambda: list(tmp_path.glob("artifacts/teacher/*/checkpoints/*")), process)
    (second,) = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and b"RANK=1" in environment_of(entry).split(b"\0")
        and bytes(tmp_path) == bytes(os.readlink(entry / "cwd"), "utf8")
    ]
    began = time.monotonic()
    os.kill(second, signal.SIGKILL)
    assert process.wait(60) != 0
    assert time.monotonic() - began < 60
    said = (tmp_path / "log").read_text()
    assert "Another process of this run died" in said
    assert said.count("the same command goes on") <= 1  # nobody wrote a checkpoint of a broken step


def environment_of(entry: Path) -> bytes:
    try:
        return (entry / "environ").read_bytes()
    except OSError:
        return b""

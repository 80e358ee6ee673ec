"""``audiolcm doctor`` as a user types it: in a healthy environment, and beside packages that are broken."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from audiolcm.environment.installed import wanted

# What the machine of the tests has left is not what they are about: they say it themselves.
DISK = "import shutil\nshutil.disk_usage = lambda path, usage=shutil.disk_usage: usage(path)._replace(free={free})\n"


def doctor(
    cwd: Path, *words: str, path: Path | None = None, free: int = 10**12
) -> subprocess.CompletedProcess[str]:
    path = path or cwd
    (path / "sitecustomize.py").write_text(DISK.format(free=free))
    environment = os.environ | {"PYTHONPATH": str(path), "WANDB_MODE": "offline"}
    command = [sys.executable, "-m", "audiolcm.commands.cli", "doctor", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=400)


def found(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_healthy_environment_is_listed_whole(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", "paths.cache=elsewhere", "dataset=esc10")
    report = found(done)
    assert (done.returncode, report["problems"]) == (0, [])
    assert {need.name for need in wanted()} <= {row["package"] for row in report["packages"]}
    assert all(row["state"] in ("ok", "other") for row in report["packages"])
    assert report["hardware"]["device"] in ("cpu", "cuda", "mps")
    assert report["hardware"]["precision_because"]
    assert {"WAV", "FLAC"} <= set(report["formats"]["names"])
    assert {"vggish", "audiolcm"} <= {*report["weights"]["found"], *report["weights"]["absent"]}
    assert (report["data"]["dataset"], report["data"]["root"]) == ("Esc10", None)
    assert str(tmp_path / "elsewhere") in {folder["path"] for folder in report["folders"]}
    assert report["wandb"]["mode"] == "offline"


def test_works_without_torch_and_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libcudart.so.13: cannot be opened')\n")
    done = doctor(tmp_path, path=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("- ")]
    assert line.startswith("- torch ")
    assert "libcudart.so.13" in line
    assert "`pip install " in line


def test_package_that_kills_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "sentencepiece.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    done = doctor(tmp_path, "--json", path=tmp_path)
    (problem,) = found(done)["problems"]
    assert done.returncode == 1
    assert problem.startswith("sentencepiece ")
    assert "-11" in problem


def test_mistake_in_the_words_is_said(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", "modle=tiny")
    (problem,) = found(done)["problems"]
    assert done.returncode == 1
    assert "modle" in problem


def test_a_full_disk_is_a_note(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", free=2 * 10**9)
    assert done.returncode == 0
    assert f"Only 2.0 GB are free for {tmp_path / 'cache'}." in found(done)["notes"]

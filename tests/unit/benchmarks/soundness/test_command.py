"""The command line of the soundness test, as a user types it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_it_starts_and_knows_its_settings() -> None:
    """Beside it lies a package of its name."""
    command = [sys.executable, "benchmarks/soundness.py", "dataset=esc10", "--cfg", "job"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "checkpoint: null" in done.stdout and "evaluation.features.yamnet.YamNet" in done.stdout

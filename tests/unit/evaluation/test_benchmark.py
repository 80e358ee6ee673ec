"""The benchmark runs, and our Frechet audio distance is that of frechet-audio-distance's own loop."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packages import needs_package

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_our_distance_is_that_of_the_package() -> None:
    needs_package("frechet_audio_distance")
    command = [sys.executable, "benchmarks/metrics.py", "--clips", "32", "--threads", "1"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    theirs, ours = (float(value) for value in re.findall(r"FAD (\S+)", run.stdout))
    assert theirs > 1, "with a distance near 0 every error is large"
    assert ours == pytest.approx(theirs, rel=1e-6)

"""Signals at random moments, again and again: the same weights in the end (`nox -s slow`)."""

import random
import signal
import subprocess
from pathlib import Path

import pytest
from small_run import start, train, weights

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR2, signal.SIGINT])
def test_any_moment(undisturbed: dict[str, str], tmp_path: Path, number: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(15):
        process = start(tmp_path)
        try:
            ended = process.wait(rng.uniform(2.0, 12.0))  # also before anything is done, in the imports
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            ended = process.wait(60)
        if ended == 0:
            break
        assert ended in (-number, 128 + number), (tmp_path / "log").read_text()[-3000:]
        if number != signal.SIGKILL and ended == 128 + number:
            assert "Traceback" not in (tmp_path / "log").read_text()
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert weights(tmp_path) == undisturbed

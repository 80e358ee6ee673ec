"""Bits that flip in what a killed run left: the same weights in the end, or one sentence, and never a stack trace."""

import time
from pathlib import Path

import pytest
from small_run import start, train, weights


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.slow  # two minutes; tests/unit/training/test_damaged_checkpoints.py flips every region
def test_flipped_bits_in_a_killed_run(undisturbed: dict[str, str], tmp_path: Path) -> None:
    process = start(tmp_path)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("artifacts/teacher/*/checkpoints/step-*"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
        time.sleep(0.002)
    process.kill()
    process.wait()
    (stage,) = tmp_path.glob("artifacts/teacher/*")
    newest = max(stage.glob("checkpoints/step-*"))
    header = newest.read_bytes()
    flip(newest, header.index(b"exp_avg"))
    (stage / "metrics.jsonl").write_bytes(b'{"stfp": 1}\n' + (stage / "metrics.jsonl").read_bytes())
    (latents,) = tmp_path.glob("cache/*/latents-*/latents-train-*/00000.mean.npy")
    flip(latents, latents.stat().st_size // 2)

    refused = train(tmp_path)
    told = refused.stdout + refused.stderr
    assert refused.returncode == 1 and "Traceback" not in told, told[-3000:]
    assert f"{latents.name} in" in told and "--mend" in told
    flip(latents, latents.stat().st_size // 2)
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert weights(tmp_path) == undisturbed
    told += done.stdout
    assert f"{newest.name} is damaged" in told and "line 1 is damaged" in told
    assert newest.with_name(f"damaged-{newest.name}").exists()

"""`audiolcm prepare` as it is typed."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.commands.cli import main
from audiolcm.data.manifest import Clip
from audiolcm.data.manifest_tables import write_manifest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Forty sounds of which one has no file, with a manifest."""
    clips = []
    for number in range(40):
        path = tmp_path / "sounds" / f"{number:02d}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.random.default_rng(number).uniform(-0.3, 0.3, 8000), 16000)
        split = "train" if number < 36 else "validation"
        clips.append(Clip(path.stem, path, f"Sound {number}", "", 0.5, split, ()))
    clips[7].audio_path.unlink()
    write_manifest(tmp_path / "sounds" / "manifest.tsv", clips)
    return tmp_path


def prepare(root: Path, *options: str) -> int:
    places = [
        f"paths.cache={root / 'cache'}",
        f"paths.artifacts={root / 'artifacts'}",
        f"paths.runs={root / 'runs'}",
    ]
    return main(["prepare", "dataset=manifest", f"dataset.root={root / 'sounds'}", *places, *options])


def test_parts_then_verify_then_mend(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert prepare(root, "--part", "1/2", "--workers", "1") == 0
    assert "Part 1/2 of manifest is made" in caplog.text
    assert prepare(root, "--part", "2/2", "--workers", "3") == 3
    assert "1 of 36 sound files of train are missing: see" in caplog.text
    assert prepare(root, "--verify") == 3
    assert "are as they were written" in caplog.text
    (shard,) = (root / "cache").glob("manifest-*/train/00001.mel.npy")
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert prepare(root, "--verify") == 1
    assert f"{shard}: its content has changed" in caplog.text
    assert "--mend" in caplog.text
    assert prepare(root, "--mend") == 3
    assert shard.read_bytes() == content
    assert prepare(root, "--verify") == 3


def test_prepared_data_is_trained_on_without_its_files(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert prepare(root) == 3
    (folder,) = (root / "cache").glob("manifest-*")
    assert f"dataset=prepared dataset.folder={folder}" in caplog.text
    (root / "sounds").rename(root / "gone")
    assert main(["prepare", "dataset=prepared", f"dataset.folder={folder}", "--verify"]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "3/2"], "write 3/64"),
        (["--part", "auto"], "SLURM array job"),
        (["--part", "1/2", "--verify"], "leave one out"),
        (["--workers", "0"], "--workers 0 is out of range"),
    ],
)
def test_mistakes(root: Path, caplog: pytest.LogCaptureFixture, options: list[str], message: str) -> None:
    assert prepare(root, *options) == 1
    assert message in caplog.text

"""Lets the tests of this folder import `answering` and `building`; runs of two systems, and a test built of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from records import make_record

from audiolcm.audio.io import write_wav
from evaluation.listening.key import ListeningKey, read_key

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of evaluate.py with five clips, and a plain folder of four of them with a table."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("one", "two"):
        make_record(folder / name, 5, 0.1).write(folder / name / "metrics.json")
    lines = ["name,caption,audio_path"]
    for index in (4, 3, 2, 1):
        write_wav(folder / "plain" / f"clip{index}.wav", 0.1 * np.ones(3200))
        lines.append(f'clip{index},"Tone number {index}, a bell",one/reference/clip{index}__0.wav')
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def built(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from building import AMOUNTS, build

    folder = tmp_path_factory.mktemp("built") / "test"
    amounts = [*AMOUNTS, "--items", "5", "--mturk", "https://sounds.example.org/a/", "--clips-per-hit", "6"]
    assert build(runs, folder, *amounts) == 0
    return folder


@pytest.fixture(scope="session")
def key(built: Path) -> ListeningKey:
    return read_key(built / "key.json")

"""What the tests of released files share: small files, an empty folder of weights, the command."""

from collections.abc import Callable
from pathlib import Path

import pytest
from released_file import Layout, random_state, save, save_tokenizers, small_layout

from audiolcm.commands.cli import main


@pytest.fixture(scope="module")
def small(released_layout: Layout) -> Layout:
    return small_layout(released_layout)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    monkeypatch.setenv("AUDIOLCM_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


@pytest.fixture
def convert(small: Layout, weights: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a file of the kind and convert it by the command; returns the folder of artifacts."""

    def run(kind: str = "audiolcm", *options: str, vocoder: str = "griffin_lim") -> Path:
        source = save(random_state(small, kind), tmp_path / f"{kind}.ckpt")
        companions = [*save_tokenizers(tmp_path), *(["--vocoder", vocoder] if vocoder else [])]
        assert main(["convert", str(source), "-o", str(tmp_path / kind), *companions, *options]) == 0
        return tmp_path / kind

    return run

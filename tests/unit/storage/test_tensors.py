"""A disk that refuses a tensor file is one message, and nothing is left."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from audiolcm.errors import UserError
from audiolcm.storage import tensors


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left"),
        (errno.EFBIG, "No space left"),
        (errno.EROFS, "No permission to write"),
    ],
)
def test_refusals_of_the_disk_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(owned: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise SafetensorError(f"Error while serializing: I/O error: refused (os error {number})")

    monkeypatch.setattr(tensors, "save_file", refuse)
    with pytest.raises(UserError, match=words):
        tensors.save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(2)})
    assert not list(tmp_path.iterdir())


def test_other_errors_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(owned: object, path: Path, metadata: object) -> None:
        raise SafetensorError("a defect")

    monkeypatch.setattr(tensors, "save_file", refuse)
    with pytest.raises(SafetensorError, match="a defect"):
        tensors.save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(2)})

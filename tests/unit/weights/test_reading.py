"""Checkpoints are read without running what is in them; only the network that they were made for takes them."""

import os
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from audiolcm.errors import UserError
from audiolcm.weights.reading import fill, identity, read_checkpoint


class Intruder:
    """An object whose unpickling runs a command."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_arrays_and_scalars_beside_the_weights_are_read(tmp_path: Path, zipped: bool) -> None:
    """PANNs' checkpoints hold the state of their sampler; laion-clap's hold scalars of numpy."""
    content = {
        "model": {"weight": torch.arange(3.0)},
        "sampler": {"indexes": np.arange(5), "pointer": 3},
        "iteration": np.int64(7),
        "best": np.float64(0.438),
    }
    torch.save(content, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "c.pth")
    assert torch.equal(read["model"]["weight"], torch.arange(3.0))
    np.testing.assert_array_equal(read["sampler"]["indexes"], np.arange(5))
    assert (read["iteration"], read["best"]) == (7, 0.438)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, zipped: bool) -> None:
    torch.save(Intruder(tmp_path / "ran"), tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="c.pth is no readable .* wants posix.system to be run"):
        read_checkpoint(tmp_path / "c.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_damaged_file_is_a_user_error(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "c.pth"
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="Give another file, or get this one again"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        ({"weight": torch.zeros(2, 3)}, "bias"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "scale": torch.zeros(1)}, "scale"),
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, "weight"),
        ([1, 2], "list"),
    ],
    ids=["missing", "unexpected", "other shape", "no mapping"],
)
def test_weights_of_another_network_are_refused(weights: object, fault: str) -> None:
    with pytest.raises(
        UserError, match=rf"x.pth holds the weights of another network than Linear: .*{fault}"
    ):
        fill(nn.Linear(3, 2), weights, Path("x.pth"))


def test_identity_follows_content_and_words(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    (tmp_path / "c").write_bytes(b"one")
    first = identity(tmp_path / "a", "v1")
    assert len(first) == 10 and int(first, 16) >= 0
    assert identity(tmp_path / "c", "v1") == first
    assert len({first, identity(tmp_path / "b", "v1"), identity(tmp_path / "a", "v2")}) == 3
    (tmp_path / "a").write_bytes(b"other")
    assert identity(tmp_path / "a", "v1") != first


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", "a pointer of Git LFS"),
        (b"", "it is empty"),
        (b"root:x:0:0:root:/root:/bin/bash\n" * 9, "it is not what torch.save writes"),
        (b"hello world\n", "it is not what torch.save writes"),
    ],
)
def test_what_is_no_weights_is_called_by_its_name(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "c.ckpt").write_bytes(content)
    with pytest.raises(UserError, match=kind):
        read_checkpoint(tmp_path / "c.ckpt")


def test_nobody_is_told_to_read_an_archive_unsafely(tmp_path: Path) -> None:
    path = tmp_path / "model.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, arcname="card.json")
    with pytest.raises(UserError, match="it is a tar archive: unpack it") as caught:
        read_checkpoint(path)
    assert "weights_only" not in str(caught.value)


def test_a_checkpoint_cut_off_is_called_so(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "c.ckpt")
    (tmp_path / "c.ckpt").write_bytes((tmp_path / "c.ckpt").read_bytes()[:2000])
    with pytest.raises(UserError, match="it is cut off"):
        read_checkpoint(tmp_path / "c.ckpt", mapped=True)


@pytest.mark.parametrize("mapped", [False, True])
def test_state_of_an_old_trainer_is_read_without_the_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool
) -> None:
    """PyTorch Lightning before 1.5 keyed the state of ModelCheckpoint by its class."""
    parts = [
        "pytorch_lightning",
        "pytorch_lightning.callbacks",
        "pytorch_lightning.callbacks.model_checkpoint",
    ]
    for part in parts:
        monkeypatch.setitem(sys.modules, part, ModuleType(part))
    key = type("ModelCheckpoint", (), {"__module__": parts[-1]})
    sys.modules[parts[-1]].ModelCheckpoint = key
    state = {"callbacks": {key: {"best_model_score": np.float64(0.5)}}, "epoch": 3}
    torch.save(state | {"state_dict": {"weight": torch.arange(3.0)}}, tmp_path / "c.ckpt")
    monkeypatch.undo()
    read = read_checkpoint(tmp_path / "c.ckpt", mapped)
    assert read["epoch"] == 3 and torch.equal(read["state_dict"]["weight"], torch.arange(3.0))


@pytest.mark.parametrize("core", ["core", "_core"])
def test_arrays_of_every_numpy_are_read(tmp_path: Path, core: str) -> None:
    """NumPy 2 names its functions by another module than NumPy 1 did; files of both are about."""
    torch.save({"sampler": np.arange(3), "best": np.float64(0.5)}, tmp_path / "here.pt")
    with zipfile.ZipFile(tmp_path / "here.pt") as here, zipfile.ZipFile(tmp_path / "there.pt", "w") as there:
        for name in here.namelist():
            content = re.sub(
                rb"numpy\._?core\.multiarray", f"numpy.{core}.multiarray".encode(), here.read(name)
            )
            there.writestr(name, content)
    assert f"numpy.{core}.multiarray".encode() in (tmp_path / "there.pt").read_bytes()
    found = read_checkpoint(tmp_path / "there.pt")
    assert found["best"] == 0.5 and list(found["sampler"]) == [0, 1, 2]

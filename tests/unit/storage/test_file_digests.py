import hashlib
import os
from pathlib import Path

import pytest

from audiolcm.storage import file_digests
from audiolcm.storage.file_digests import FileDigests


def files(folder: Path) -> list[Path]:
    paths = [folder / name for name in ("a.bin", "b.bin")]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 600_000)
    return paths


def test_digests_are_sha_256_of_the_whole_file(tmp_path: Path) -> None:
    paths = files(tmp_path)
    (tmp_path / "folder").mkdir()
    found = FileDigests().of([*paths, tmp_path / "none", tmp_path / "folder"])
    assert [found[path] for path in paths] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    ]
    assert found[tmp_path / "none"] == found[tmp_path / "folder"] == "missing"


def test_a_file_is_read_once_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    hashed = file_digests._digest
    monkeypatch.setattr(file_digests, "_digest", lambda path: (read.append(path), hashed(path))[1])
    paths, memory = files(tmp_path), tmp_path / "cache" / "digests.jsonl"
    first = FileDigests(memory).of(paths)
    assert sorted(read) == paths
    memory.write_text(memory.read_text() + '["/half a li')  # killed while it wrote
    assert FileDigests(memory).of(paths) == first
    assert len(read) == 2
    content = bytearray(paths[0].read_bytes())
    content[300_000] ^= 1
    paths[0].write_bytes(content)
    os.utime(paths[0], ns=(1, 1))
    assert FileDigests(memory).of(paths)[paths[0]] == hashlib.sha256(content).hexdigest()
    assert len(read) == 3

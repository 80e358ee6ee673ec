"""What people are told of places that cannot be written."""

import errno
from pathlib import Path

import pytest

from audiolcm.storage.files import explained


def test_the_current_folder_has_a_name_where_its_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = str(explained(OSError(errno.ENOSPC, "full"), Path()))
    assert f"the disk of {tmp_path.parent} while writing {tmp_path.name}:" in said

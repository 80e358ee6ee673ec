"""Writing files so that a killed process or a full disk never leaves half of one under its final name."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audiolcm.errors import UserError

TEMPORARY_SUFFIX = ".partial"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_WRITE_PROTECTED = (errno.EACCES, errno.EPERM, errno.EROFS)


def _explained(error: OSError, path: Path) -> UserError | None:
    """What to tell people of a full or write-protected disk; None for any other error."""
    if error.errno in _DISK_FULL:
        return UserError(
            f"No space left on the disk of {path.parent} while writing {path.name}: free some space or "
            "choose another folder, then run the same command again (finished work is kept)."
        )
    if error.errno in _WRITE_PROTECTED:
        return UserError(f"No permission to write {path}: choose a folder you may write to.")
    return None


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and renamed, otherwise it is removed.

    The parent folder is made. Raises UserError when the disk is full or the folder can not be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if explained := _explained(error, path):
            raise explained from error
        raise
    finally:
        with suppress(OSError):  # would hide the error above
            temporary.unlink(missing_ok=True)


@contextmanager
def exclusive(folder: str | Path) -> Iterator[None]:
    """Hold a lock on `folder` (made when absent) so that only one process at a time works in it; others wait.

    The lock goes with the process: a killed one leaves nothing to clean up.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("w")
    except OSError as error:
        if explained := _explained(error, folder):
            raise explained from error
        raise
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_leftovers(folder: str | Path) -> None:
    """Remove what killed processes left of unfinished files right in `folder`; call it while holding its lock."""
    for leftover in Path(folder).glob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)

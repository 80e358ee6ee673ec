"""Writing files so that a killed process or a full disk never leaves half of one under its final name."""

from __future__ import annotations

import errno
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audiolcm.errors import UserError

log = logging.getLogger(__name__)

TEMPORARY_SUFFIX = ".partial"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRITE_PROTECTED = (errno.EACCES, errno.EPERM, errno.EROFS)
DISK_TROUBLE = (*_DISK_FULL, *_WRITE_PROTECTED)
"""Error numbers that no defect of ours causes."""
_NO_SUCH_PLACE = (
    errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP
)  # fmt: skip


def explained(error: OSError, path: Path) -> UserError | None:
    """What to tell people of a path that can not be written; None when the error tells of something else."""
    if error.errno in _DISK_FULL:
        return UserError(
            f"No space left on the disk of {path.parent} while writing {path.name}: free some space or "
            "choose another folder, then run the same command again (finished work is kept)."
        )
    if error.errno in _WRITE_PROTECTED:
        return UserError(f"No permission to write {path}: choose a folder you may write to.")
    if error.errno in _NO_SUCH_PLACE:
        return UserError(f"{path} can not be written ({error.strerror}): choose another place.")
    return None


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and renamed, otherwise it is removed.

    The parent folder is made. Raises UserError when the disk is full or the folder can not be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise explained(error, path) or error from error
    finally:
        with suppress(OSError):  # would hide the error above
            temporary.unlink(missing_ok=True)


def require_writable(folder: Path, way_out: str) -> None:
    """Refuse a folder that cannot be written, by writing and removing a small file, before hours of work for it.

    Raises:
        UserError: ending with ``way_out``, what a user types to choose another folder.
    """
    probe = folder / f".{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(4096))
    except OSError as error:
        reason = explained(error, folder)
        raise UserError(f"{reason} Another folder: {way_out}.") if reason else error from error
    finally:
        with suppress(OSError):  # would hide the error above
            probe.unlink(missing_ok=True)


@contextmanager
def appending(path: Path | None) -> Iterator[Callable[[str], object]]:
    """Yield a function that adds text to the end of `path` (made when absent); None drops what it is given."""
    if path is None:
        yield lambda text: None
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            yield file.write
    except OSError as error:
        raise explained(error, path) or error from error


def remove_leftovers(folder: str | Path) -> None:
    """Remove what killed processes left of unfinished files right in `folder`; call it while holding its lock."""
    for leftover in Path(folder).glob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)

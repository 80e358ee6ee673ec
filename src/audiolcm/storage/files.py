"""Writing files so that a killed process or a full disk never leaves half of one under its final name."""

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
_PROBE = 1 << 16  # bytes: more than Hydra writes of a run
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRITE_PROTECTED = (errno.EACCES, errno.EPERM, errno.EROFS)
DISK_TROUBLE = (*_DISK_FULL, *_WRITE_PROTECTED)
"""Error numbers that no defect of ours causes."""
_NO_SUCH_PLACE = (
    errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP
)  # fmt: skip


def explained(error: OSError, path: Path) -> UserError | None:
    """Return what to tell people of a path that cannot be written; None when the error tells of something else."""
    if error.errno in _DISK_FULL:
        path = path if path.name else path.absolute()  # the current folder
        return UserError(
            f"No space left on the disk of {path.parent} while writing {path.name}: free some space or "
            "choose another folder, then run the same command again (finished work is kept)."
        )
    if error.errno in _WRITE_PROTECTED:
        return UserError(f"No permission to write {path}: choose a folder you may write to.")
    if error.errno in _NO_SUCH_PLACE:
        return UserError(f"{path} cannot be written ({error.strerror}): choose another place.")
    return None


def name_too_long(error: Exception) -> UserError | None:
    """Return what to tell people of a name that no file system takes, typed where a file or folder was asked for."""
    if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
        return None
    return UserError(
        f"There is no file or folder {str(error.filename)[:80]}...: its name is too long. Check what you typed."
    )


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced and renamed, otherwise it is removed.

    The parent folder is made.

    Raises:
        UserError: when the disk is full or the folder cannot be written.
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


def read_text(path: Path) -> str:
    """Return the text of a file that people wrote; a byte order mark is passed over.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is no regular file or no UTF-8 text.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("it is no regular file")
    return path.read_text(encoding="utf-8-sig")


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text as editors show them.

    ``str.splitlines`` would also cut at \v, U+0085 and U+2028 inside of one.
    """
    return text.removesuffix("\n").split("\n")


def require_writable(folder: Path, way_out: str) -> None:
    """Refuse a folder that cannot be written, before hours of work for it, by writing and removing a file.

    Raises:
        UserError: ending with ``way_out``, what a user types to choose another folder.
    """
    probe = folder / f".{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(_PROBE))
    except OSError as error:
        reason = explained(error, folder)
        raise UserError(f"{reason} Another folder: {way_out}.") if reason else error from error
    finally:
        with suppress(OSError):  # would hide the error above
            probe.unlink(missing_ok=True)


@contextmanager
def appending(path: Path | None) -> Iterator[Callable[[str], object]]:
    """Yield a function that adds text to the end of ``path`` (made when absent); None drops what it is given."""
    if path is None:
        yield lambda text: None
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            yield file.write
    except OSError as error:
        raise explained(error, path) or error from error


def remove_leftovers(folder: str | Path, name: str = "") -> None:
    """Remove what killed processes left of unfinished files right in ``folder``; call it while holding its lock.

    With a ``name`` only those of the file of this name.
    """
    for leftover in Path(folder).glob(f".{name}*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)

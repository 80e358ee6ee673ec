"""Small files that say what other files must hold: JSON, sealed against change, sizes and checksums."""

import functools
import json
import os
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from audiolcm.storage import plain_data
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import sealed, unsealed

MEND = "type `audiolcm prepare dataset=... --mend` with your settings; it makes again only what is damaged."
_BLOCK = 1 << 20
_REMEMBERED = 1 << 16  # checksums, some 20 MB
_RECENT = 2_000_000_000  # nanoseconds: coarser than the times of any file system


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically, sealed."""
    with atomic_path(path) as temporary:
        text = json.dumps(sealed(content), ensure_ascii=False, separators=(",", ":"))
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of ours.

    Raises:
        UserError: saying how to repair it, when it is not as it was written.
    """
    try:
        return unsealed(plain_data.read_json(path, plain_data.LARGEST))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): {MEND}") from error


def file_facts(path: Path) -> dict[str, int]:
    """Return the size and CRC-32 of a file: a flipped bit always changes the latter."""
    return {"bytes": path.stat().st_size, "crc32": _checksum(path)}


def file_fault(path: Path, facts: Mapping[str, Any], content: bool = False) -> str | None:
    """Return what is wrong with a file of known ``file_facts``: its size, or with ``content`` any byte; else None."""
    return _fault(path, facts, _checksum if content else None)


def refuse_damaged(path: Path, facts: Mapping[str, Any], content: bool = True) -> None:
    """Refuse a file that is missing, has another size or, with ``content``, another byte than it was given.

    One process reads a file once for that, and again when its size or times have changed.

    Raises:
        UserError: naming the file and how to repair it.
    """
    if fault := _fault(path, facts, _remembered_checksum if content else None):
        raise UserError(f"{path.name} in {path.parent} is damaged ({fault}): {MEND}")


def _fault(path: Path, facts: Mapping[str, Any], checksum: Callable[[Path], int] | None) -> str | None:
    try:
        size = path.stat().st_size
        if size != facts["bytes"]:
            return f"it has {size} bytes instead of {facts['bytes']}"
        return "its content has changed" if checksum and checksum(path) != facts["crc32"] else None
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _remembered_checksum(path: Path) -> int:
    found = path.stat()
    # It may change again without another time, as git knows too
    if time.time_ns() - found.st_mtime_ns < _RECENT:
        return _checksum(path)
    return _checksum_of_then(os.path.abspath(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@functools.lru_cache(_REMEMBERED)
def _checksum_of_then(path: str, size: int, modified: int, changed: int) -> int:
    return _checksum(Path(path))


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value
